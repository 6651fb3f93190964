"""Whether a person is like the target or like the source, by allele frequencies.

The statistic is the mean over typed variants of log P(genotype | target's frequency) less the same of
the source's, under Hardy-Weinberg equilibrium: above 0 for people who are more like the target. One
number cannot tell a third population from a mixture of the two.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int8, Int64

from genotransfer.genotypes import MISSING, Genotypes
from genotransfer.prediction.facts import AncestryFacts

MOST_VARIANTS, CANDIDATES = 2000, 12_000
# Variants are kept whose squared correlation with each of the neighbours kept before is below this.
MOST_R2, NEIGHBOURS = 0.1, 25
# Of each population so many people are looked at for correlations, and for how ancestry varies.
PEOPLE = 1000
LEAST_FREQUENCY = 0.05
# Fewer typed variants say too little of a person.
LEAST_TYPED = 50


def thin_variants(
    filesets: list[Genotypes], frequencies: list[Float64[np.ndarray, " n_variants"]], usable: np.ndarray
) -> Int64[np.ndarray, " k"]:
    """Return positions of up to 2,000 variants that are common in both populations and little correlated.

    Parameters
    ----------
    filesets : the populations' people; the same variants, in genome order. Correlations are those
        within the populations.
    frequencies : of the counted allele, of each population.
    usable : bool (n_variants,); which variants can be chosen.
    """
    common = usable.copy()
    for frequency in frequencies:
        common &= np.nan_to_num(np.minimum(frequency, 1 - frequency)) >= LEAST_FREQUENCY
    at = np.flatnonzero(common)
    at = at[spread_evenly(len(at), CANDIDATES)]
    kept: list[int] = []
    columns: list[np.ndarray] = []
    people = [one.select(samples=spread_evenly(one.n_samples, PEOPLE)) for one in filesets]
    for start in range(0, len(at), 1024):
        block = _scale(people, at[start : start + 1024])
        for number, column in zip(at[start : start + 1024], block.T, strict=True):
            near = columns[-NEIGHBOURS:]
            if column.any() and (not near or float(np.max((np.stack(near) @ column) ** 2)) < MOST_R2):
                kept.append(int(number))
                columns.append(column)
    chosen = np.array(kept, dtype=np.int64)
    return np.asarray(chosen[spread_evenly(len(chosen), MOST_VARIANTS)])


def spread_evenly(n: int, most: int) -> Int64[np.ndarray, " k"]:
    """Return positions of up to `most` of `n` things, evenly spaced."""
    if n <= most:
        return np.arange(n, dtype=np.int64)
    return np.linspace(0, n - 1, most).round().astype(np.int64)


def _scale(filesets: list[Genotypes], at: np.ndarray) -> np.ndarray:
    """Return dosages less their population's mean, scaled to length 1; missing ones are the mean."""
    parts = []
    for one in filesets:
        dosages = one.read(at).astype(np.float64)
        dosages[dosages == MISSING] = np.nan
        known = np.isfinite(dosages)
        mean = np.where(known, dosages, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        parts.append(np.where(known, dosages - mean, 0))
    values = np.concatenate(parts)
    length = np.sqrt((values**2).sum(axis=0))
    return np.asarray(values / np.where(length > 0, length, 1))


def measure_ancestry(
    dosages: Int8[np.ndarray, "n k"],
    target: Float64[np.ndarray, "*target k"],
    source: Float64[np.ndarray, "*source k"],
) -> tuple[Float64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """Return each person's statistic, and how many variants it is the mean of.

    Parameters
    ----------
    dosages : copies of the counted allele; -1 missing.
    target, source : frequencies of it, within 0 and 1, (k,) or (n, k). With nothing typed it is NaN.
    """
    typed = dosages != MISSING
    copies = np.where(typed, dosages, 0).astype(np.float64)
    # log of p^g (1-p)^(2-g); the number of ways to draw a heterozygote is the same in both.
    ratio = copies * np.log(target / source) + (2 - copies) * np.log((1 - target) / (1 - source))
    count = typed.sum(axis=1)
    total = np.where(typed, ratio, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), count.astype(np.int64)


def expect_ratios(table: pd.DataFrame, among: str = "frequency") -> Float64[np.ndarray, " k"]:
    """Return each variant's expected share of the statistic, in people of a column's frequencies."""
    target, source, p = (
        _bound(table[name].to_numpy(dtype=np.float64)) for name in ("frequency", "source_frequency", among)
    )
    expected: Float64[np.ndarray, " k"] = 2 * (
        p * np.log(target / source) + (1 - p) * np.log((1 - target) / (1 - source))
    )
    return expected


def _bound(frequencies: Float64[np.ndarray, "*any k"]) -> Float64[np.ndarray, "*any k"]:
    return np.asarray(np.clip(frequencies, 1e-3, 1 - 1e-3))


def score_people(
    dosages: Int8[np.ndarray, "n k"], table: pd.DataFrame
) -> tuple[Float64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """Return the statistic of new people, by the frequencies of an ancestry table, and what was typed."""
    ours, theirs = (table[name].to_numpy(dtype=np.float64) for name in ("frequency", "source_frequency"))
    return measure_ancestry(dosages, _bound(ours), _bound(theirs))


def describe_people(
    table: pd.DataFrame, target: np.ndarray, source: np.ndarray | None, sizes: tuple[int, int]
) -> AncestryFacts:
    """Return mean and deviation of the statistic among those that learnt, each left out of its frequencies.

    Parameters
    ----------
    table : the ancestry table.
    target, source : int8 (n, k); dosages of the people, or of some of them; None where the source has no
        people.
    sizes : people of the target and of the source behind the table's frequencies.
    """
    if not len(table):
        return AncestryFacts(n_variants=0, target_mean=None, target_sd=None, source_mean=None, source_sd=None)
    ours, theirs = (table[name].to_numpy(dtype=np.float64) for name in ("frequency", "source_frequency"))
    of_target, _ = measure_ancestry(target, _leave_out(target, ours, sizes[0]), _bound(theirs))
    of_source = np.empty(0)
    if source is not None and len(source):
        of_source, _ = measure_ancestry(source, _bound(ours), _leave_out(source, theirs, sizes[1]))

    def describe(values: np.ndarray) -> tuple[float | None, float | None]:
        known = values[np.isfinite(values)]
        return (float(known.mean()), float(known.std(ddof=1))) if len(known) > 1 else (None, None)

    (target_mean, target_sd), (source_mean, source_sd) = describe(of_target), describe(of_source)
    return AncestryFacts(
        n_variants=len(table),
        target_mean=target_mean,
        target_sd=target_sd,
        source_mean=source_mean,
        source_sd=source_sd,
    )


def _leave_out(
    dosages: Int8[np.ndarray, "n k"], frequency: Float64[np.ndarray, " k"], n_people: int
) -> Float64[np.ndarray, "n k"]:
    """Return the frequencies that all others have, for each person."""
    typed = dosages != MISSING
    others = 2 * n_people * frequency - np.where(typed, dosages, 0)
    return _bound((np.maximum(others, 0) + 0.5) / (2 * (n_people - typed) + 1))
