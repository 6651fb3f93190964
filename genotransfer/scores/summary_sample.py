"""A source known by its statistics alone: the products a score needs of X and y, without X and y.

A linear method meets its data in two places only: X'y, and X' X times something. The first follows from
each variant's effect and standard error; the second from how variants go together in a reference of
the same population. `SummarySample` gives both, under the names `Sample` gives them under.

Source: Yang et al. 2012, Nat Genet 44:369; Zhu & Stephens 2017, Ann Appl Stat 11:1561 (regression
with summary statistics); Schäfer & Strimmer 2005, Stat Appl Genet Mol Biol 4:32 (shrinkage).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Float32, Float64, Int64

from genotransfer.errors import StudyError
from genotransfer.summary.statistics import SummaryStatistics

WINDOW_BP = 2_000_000
PARTITIONS = 4
# Pairs of variants looked at to choose the shrinkage: this many windows of so many neighbours.
PROBES, PROBE_SIZE = 12, 400
# Mean square difference of two populations' correlations of near variants: .02 to .07 between CEU and YRI, in
# windows of 300 variants of chr21 as this package simulates them.
ELSEWHERE = 0.05


@dataclass(frozen=True, eq=False)
class SummarySample:
    """The study of one population, as its statistics and a reference show it.

    All is per variant of the target's dosages, in their order, per copy of their counted allele.
    X'X is n sqrt(v_i v_j) r_ij, r being the reference's correlations: shrunk towards 0 by `shrinkage`,
    and weighted by the share of `windows` that hold both variants, which is 0 for those far apart.
    Both keep X'X positive semi-definite (Schur's product theorem).

    Attributes
    ----------
    reference : float32 (n_reference, n_variants); columns of mean 0 and sum of squares 1, or 0 where
        nobody in the reference varies.
    correlations : float64 (n_variants,); of each variant with the outcome in the study.
    n : people in the study.
    means, variances : float64 (n_variants,); of the dosages in the study.
    outcome_variance : of the outcome in the study.
    windows : int64 (n_partitions, n_variants); in each partition of the genome, the window each variant
        is in, neighbours standing together. None: all variants are in one.
    shrinkage : 0 to 1.
    reference_error : variance of a correlation in the reference about the one in the study; 0 where the
        reference is the study's own people.
    """

    reference: Float32[np.ndarray, "n_reference n_variants"]
    correlations: Float64[np.ndarray, " n_variants"]
    n: int
    means: Float64[np.ndarray, " n_variants"]
    variances: Float64[np.ndarray, " n_variants"]
    outcome_variance: float = 1.0
    windows: Int64[np.ndarray, "n_partitions n_variants"] | None = None
    shrinkage: float = 0.0
    reference_error: float = 0.0

    @property
    def squares(self) -> Float64[np.ndarray, " n_variants"]:
        """The diagonal of X'X."""
        return np.asarray(self.n * self.variances)

    @property
    def products(self) -> Float64[np.ndarray, " n_variants"]:
        """X'y, both centred."""
        return np.asarray(self.n * self.correlations * np.sqrt(self.variances * self.outcome_variance))

    def gram(self, at: Int64[np.ndarray, " k"]) -> Float64[np.ndarray, "k k"]:
        """Return X'X among some variants."""
        columns = self.reference[:, at]
        r = np.asarray(columns.T @ columns, dtype=np.float64) * (1 - self.shrinkage)
        if self.windows is not None:
            r *= sum((row[:, None] == row).astype(np.float64) for row in self.windows[:, at]) / len(
                self.windows
            )
        np.fill_diagonal(r, 1.0)
        scale = np.sqrt(self.variances[at])
        return np.asarray(self.n * scale[:, None] * r * scale)

    def gram_times(self, effects: Float64[np.ndarray, " n_variants"]) -> Float64[np.ndarray, " n_variants"]:
        """Return X'X times the effects of all variants."""
        scale = np.sqrt(self.variances)
        scaled = scale * effects
        mixed = np.zeros_like(scaled)
        partitions = [np.zeros(len(scaled), dtype=np.int64)] if self.windows is None else self.windows
        for row in partitions:
            for some in _runs(row):
                if np.any(scaled[some]):
                    mixed[some] += self.reference[:, some].T @ (self.reference[:, some] @ scaled[some])
        own = np.einsum("ij,ij->j", self.reference, self.reference, dtype=np.float64)
        together = (1 - self.shrinkage) * (mixed / len(partitions) - own * scaled)
        return np.asarray(self.n * scale * (together + scaled))


def make_summary_sample(
    statistics: SummaryStatistics,
    reference: np.ndarray,
    *,
    same_people: bool = False,
    same_population: bool = True,
    window_bp: int | None = WINDOW_BP,
    shrinkage: float | None = None,
    case_share: float | None = None,
) -> SummarySample:
    """Return the study that statistics describe.

    Parameters
    ----------
    statistics : aligned to the columns of `reference` (`genotransfer.summary.align_statistics`).
    reference : (n_reference, n_variants); copies of the counted allele, none missing.
    same_people : the reference is the study's own people. Its correlations and variances are then
        taken as they are: nothing is shrunk, no window is set.
    same_population : the reference is of the study's population: where the statistics give no
        frequency its means and variances stand for the study's.
    window_bp : width of the windows; None for one window over all. Variants farther apart are taken
        to be independent; nearer ones have their correlation lowered in step with their distance.
    shrinkage : 0 to 1; when None the one with the least expected square error in this reference.
    case_share : share of cases in the study, for an outcome of 0 and 1; 1 is the outcome's variance
        when None.

    Raises
    ------
    InputError
        The number of people of the study is unknown.
    StudyError
        The statistics are a ready score, or of another number of variants, or the reference has
        fewer than two people.
    """
    table = statistics.variants
    if statistics.ready:
        raise StudyError("The file holds weights of a ready score, not statistics. Use the score `ready`.")
    if reference.shape[1] != len(table) or len(reference) < 2:
        raise StudyError(
            f"The reference has {reference.shape[0]} people and {reference.shape[1]} variants, for statistics of "
            f"{len(table)} variants. Align both to the same variants, and give two people or more."
        )
    correlations = statistics.correlations
    means = reference.mean(axis=0, dtype=np.float64)
    centred = reference.astype(np.float32) - means.astype(np.float32)
    squares = np.einsum("ij,ij->j", centred, centred, dtype=np.float64)
    varies = squares > 1e-6 * len(reference)
    centred *= np.where(varies, 1 / np.sqrt(np.where(varies, squares, 1)), 0).astype(np.float32)
    variances = squares / len(reference)
    windows = None
    if same_people:
        shrinkage = 0.0 if shrinkage is None else shrinkage
    else:
        means, variances = _find_moments(table, means, variances, same_population)
        if window_bp is not None:
            windows = assign_windows(table["chromosome"], table["position"], window_bp)
        if shrinkage is None:
            shrinkage = choose_shrinkage(centred, windows)
    return SummarySample(
        reference=centred,
        correlations=correlations,
        n=round(float(table["n"].median())),
        means=means,
        variances=variances,
        outcome_variance=1.0 if case_share is None else case_share * (1 - case_share),
        windows=windows,
        shrinkage=float(shrinkage),
        reference_error=0.0 if same_people else 1 / len(reference) + (0.0 if same_population else ELSEWHERE),
    )


def assign_windows(
    chromosomes: pd.Series, positions: pd.Series, width: int, partitions: int = PARTITIONS
) -> Int64[np.ndarray, "n_partitions n_variants"]:
    """Return the window of each variant in several partitions of the genome, shifted against each other.

    Parameters
    ----------
    chromosomes, positions : in the variants' order; position in bp.
    width : of a window, in bp.
    partitions : two variants d bp apart share about 1 - d / width of so many windows.
    """
    chromosome = pd.factorize(chromosomes)[0].astype(np.int64)
    position = positions.to_numpy(dtype=np.int64)
    far = int(position.max(initial=0)) // width + 2
    shifts = np.arange(partitions) * width // partitions
    windows = [chromosome * far + (position + shift) // width for shift in shifts]
    return np.stack([np.cumsum(np.diff(row, prepend=row[:1]) != 0) for row in windows])


def choose_shrinkage(
    reference: Float32[np.ndarray, "n_reference n_variants"],
    windows: Int64[np.ndarray, "n_partitions n_variants"] | None,
) -> float:
    """Return how far correlations must be shrunk towards 0 for the least expected square error.

    Source: Schäfer & Strimmer 2005; the variance of a correlation is (1 - r^2)^2 / (n - 1).
    """
    n, m = reference.shape
    size = min(PROBE_SIZE, m)
    noise = signal = 0.0
    for start in np.unique(np.linspace(0, m - size, PROBES).astype(np.int64)):
        some = slice(int(start), int(start) + size)
        r = np.asarray(reference[:, some].T @ reference[:, some], dtype=np.float64)
        known = np.diag(r) > 0.5
        paired = known[:, None] & known & ~np.eye(size, dtype=bool)
        if windows is not None:
            paired &= windows[0, some][:, None] == windows[0, some]
        noise += float(((1 - r**2) ** 2)[paired].sum()) / (n - 1)
        signal += float((r**2)[paired].sum())
    return float(min(noise / signal, 1.0)) if signal > 0 else 1.0


def _find_moments(
    table: pd.DataFrame,
    means: Float64[np.ndarray, " m"],
    variances: Float64[np.ndarray, " m"],
    same_population: bool,
) -> tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    """Return the dosages' means and variances in the study.

    Where the frequency is unknown and the reference is of another population, the standard errors
    say how variances relate to each other: y'y = ((n - 2) se^2 + beta^2) x'x.
    """
    frequency = table["frequency"].to_numpy(dtype=np.float64)
    known = np.isfinite(frequency)
    expected = 2 * frequency * (1 - frequency)
    n, se, beta = (table[name].to_numpy(dtype=np.float64) for name in ("n", "se", "beta"))
    relative = 1 / ((n - 2) * se**2 + beta**2)
    other = variances
    if not same_population:
        against = np.where(known, expected, variances)
        usable = against > 0
        level = float(np.median(against[usable] / relative[usable])) if usable.any() else 1.0
        other = relative * level
    return np.where(known, 2 * frequency, means), np.where(known, expected, other)


def _runs(row: Int64[np.ndarray, " m"]) -> Iterator[slice]:
    """Yield the stretches of equal neighbours."""
    edges = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), len(row)]
    for start, stop in pairwise(edges):
        yield slice(start, stop)
