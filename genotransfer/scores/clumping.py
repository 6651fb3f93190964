"""Clumping and thresholding: the strongest variants that are not in LD, with their marginal effects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy.stats import t as student

from genotransfer.scores.base import PolygenicScore, Sample
from genotransfer.scores.pool import Pool, invert, measure_aucs


class ClumpingScore(PolygenicScore):
    """Clumping and thresholding (C+T): marginal effects in the source of one variant a clump.

    The variants are assessed one by one by regression of the label in the source. From the smallest
    p on, each variant that is still free becomes an index variant and takes those near it, in LD with
    it, into its clump. The score counts index variants up to some p. The LD and the p are those of the
    largest mean AUC: in source people left out in turn, and in the target's people, each person of
    either population having the same weight.

    Parameters
    ----------
    r2_values : r2 (0 to 1) from which on a variant joins the clump of another; each is tried.
    p_values : largest p of an index variant; each is tried. The strongest variant is always counted.
    distance : number of columns within which variants may be in one clump. Columns are in the
        genome's order.
    n_folds : number of parts the source's people are divided into.
    random_state : seed of that division.

    Source
    ------
    Purcell et al. 2007, Am J Hum Genet 81:559 (clumping); International Schizophrenia Consortium
    2009, Nature 460:748 (thresholding); Choi et al. 2020, Nat Protoc 15:2759.
    """

    def __init__(
        self,
        r2_values: Sequence[float] = (0.1, 0.3, 0.6),
        p_values: Sequence[float] = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2),
        distance: int = 500,
        n_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.r2_values = r2_values
        self.p_values = p_values
        self.distance = distance
        self.n_folds = n_folds
        self.random_state = random_state

    def _learn_effects(self, source: Sample, target: Sample) -> Float64[np.ndarray, " n_variants"]:
        people = Pool.gather(source if source.n else target)
        fold = people.deal_folds(self.n_folds, np.random.default_rng(self.random_state))
        responses = people.leave_out(fold, self.n_folds)
        correlations = people.correlate(responses)
        merits = np.zeros((len(self.r2_values), len(self.p_values)))
        for number in range(self.n_folds):
            n_kept = int((fold != number).sum())
            chosen = self._choose(people, correlations[:, number], n_kept)
            columns, effects = self._weigh(people, chosen, correlations[:, number])
            out = fold == number
            scores = people.take(columns)[out] @ effects
            merits += measure_aucs(people.labels[out], scores).reshape(merits.shape) * out.sum()
        chosen = self._choose(people, correlations[:, -1], people.n)
        columns, effects = self._weigh(people, chosen, correlations[:, -1])
        if target.n and target is not people.samples[0]:
            scores = target.dosages[:, columns] @ effects
            merits += measure_aucs(target.labels, scores).reshape(merits.shape) * target.n
        # The first of equals: the fewest variants.
        best = int(np.argmax(np.round(merits / people.n, 12)))
        self.r2_ = self.r2_values[best // len(self.p_values)]
        self.p_value_ = self.p_values[best % len(self.p_values)]
        found = np.zeros(people.n_variants)
        found[columns] = effects[:, best]
        return found

    def _choose(
        self, people: Pool, correlations: Float64[np.ndarray, " n_variants"], n: int
    ) -> list[np.ndarray]:
        """Return the variants of each setting, thresholds within LD."""
        limits = [limit_correlation(p, n) for p in self.p_values]
        strengths = np.abs(correlations)
        among = np.flatnonzero(strengths >= min(min(limits), strengths.max()))
        dosages = people.take(among)
        chosen = []
        for r2 in self.r2_values:
            index, _ = clump(dosages, strengths[among], among, r2, self.distance)
            ordered = among[index]
            passed = [max(int((strengths[ordered] >= limit).sum()), 1) for limit in limits]
            chosen += [ordered[:number] for number in passed]
        return chosen

    def _weigh(
        self,
        people: Pool,
        chosen: list[np.ndarray],
        correlations: Float64[np.ndarray, " n_variants"],
    ) -> tuple[Int64[np.ndarray, " c"], Float64[np.ndarray, "c s"]]:
        """Return all variants of any setting, and each setting's effect of one copy of each."""
        columns = np.unique(np.concatenate(chosen))
        effects = np.zeros((len(columns), len(chosen)))
        slopes = correlations[columns] * people.scales[columns] * float(people.responses.std())
        for number, variants in enumerate(chosen):
            at = np.searchsorted(columns, variants)
            effects[at, number] = slopes[at]
        return columns, effects


def limit_correlation(p_value: float, n: int) -> float:
    """Return the absolute correlation in n people whose t-test has this two-sided p."""
    freedom = max(n - 2, 1)
    t = float(student.isf(p_value / 2, freedom))
    return t / float(np.sqrt(freedom + t * t))


def clump(
    dosages: Float32[np.ndarray, "n c"],
    strengths: Float64[np.ndarray, " c"],
    columns: Int64[np.ndarray, " c"],
    r2: float,
    distance: int,
    most: int | None = None,
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " c"]]:
    """Gather variants in LD around the strongest of them, as PLINK 1.9's ``--clump`` does.

    The r2 is that of dosages. PLINK 1.9 takes that of haplotypes, which it estimates: near the limit a
    variant may go to another clump. Where no phase is in doubt the clumps are the same.

    Parameters
    ----------
    dosages : centred, of variants in the genome's order.
    strengths : of association; the larger the stronger. Of equals the first in order goes first.
    columns : place of each variant in the genome; rising.
    r2 : squared correlation of dosages from which on a variant joins a clump.
    distance : largest difference of `columns` within which it does.
    most : number of clumps after which to stop.

    Returns
    -------
    Positions of the index variants, strongest first; for each variant the position of the index
    variant of its clump, -1 where it has none.
    """
    lengths = np.sqrt(np.einsum("ij,ij->j", dosages, dosages, dtype=np.float64))
    scaled = dosages * invert(lengths).astype(np.float32)
    first = np.searchsorted(columns, columns - distance, side="left")
    last = np.searchsorted(columns, columns + distance, side="right")
    owner = np.full(len(columns), -1, dtype=np.int64)
    index = []
    for at in np.argsort(-strengths, kind="stable"):
        if owner[at] >= 0:
            continue
        near = slice(first[at], last[at])
        joins = ((scaled[:, at] @ scaled[:, near]) ** 2 >= r2) & (owner[near] < 0)
        owner[near][joins] = at
        owner[at] = at
        index.append(at)
        if len(index) == most:
            break
    return np.array(index, dtype=np.int64), owner
