"""Clumping and thresholding (C+T) that needs no people of the source, only X'y and X'X.

Source: Wray et al. 2014, J Child Psychol Psychiatry 55:1068; Privé et al. 2019, Am J Hum Genet
105:1213. The threshold and the correlation allowed are chosen on people of the target.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int8

from genotransfer.scores.base import Sample
from genotransfer.scores.from_summary import SummaryScore, make_gram, rank_variants
from genotransfer.scores.summary_sample import SummarySample

# |z| of p = .05, .01, .001, 1e-4, 1e-5, 1e-6 and 5e-8.
THRESHOLDS = (1.96, 2.576, 3.291, 3.891, 4.417, 4.892, 5.451)
CORRELATIONS = (0.05, 0.2, 0.5)


class _Choice(NamedTuple):
    correlation: float
    threshold: float


class SummaryClumping(SummaryScore):
    """Marginal effects of the source's strongest variants, thinned by correlation.

    Parameters
    ----------
    thresholds : of |z|; a variant below the chosen one has no effect.
    correlations : of r^2; the next strongest variant is kept if it correlates less with all kept before.
    screened : most variants looked at.
    folds : of the target's people, to choose a threshold and a correlation by cross-validation. They are
        poor judges where they are few; the source's own people would be worse ones, since their labels
        made the effects.

    Attributes
    ----------
    chosen_ : the correlation and threshold chosen.
    """

    def __init__(
        self,
        thresholds: tuple[float, ...] = THRESHOLDS,
        correlations: tuple[float, ...] = CORRELATIONS,
        screened: int = 2000,
        folds: int = 5,
    ) -> None:
        self.thresholds = thresholds
        self.correlations = correlations
        self.screened = screened
        self.folds = folds

    def _learn_effects(
        self, source: Sample | SummarySample, target: Sample
    ) -> Float64[np.ndarray, " n_variants"]:
        learnt = source if source.n else target
        at, z = rank_variants([learnt], self.screened)
        gram = make_gram(learnt, at)
        squares = np.diag(gram)
        marginal = np.divide(
            np.asarray(learnt.products[at], dtype=np.float64),
            squares,
            out=np.zeros(len(at)),
            where=squares > 1e-9,
        )
        r2 = _square_correlations(gram)
        masks = {
            _Choice(limit, threshold): kept & (np.abs(z[at]) >= threshold)
            for limit in self.correlations
            for kept in [clump(np.abs(z[at]), r2, limit)]
            for threshold in self.thresholds
        }
        masks = {choice: mask for choice, mask in masks.items() if mask.any()}
        effects = np.zeros(len(z))
        if not masks:  # nothing is significant: the strongest of all stands for the rest
            self.chosen_ = _Choice(self.correlations[0], float(np.abs(z[at]).max(initial=0)))
            strongest = int(np.argmax(np.abs(z[at])))
            effects[at[strongest]] = marginal[strongest]
            return effects
        scores = np.stack([target.dosages[:, at[mask]] @ marginal[mask] for mask in masks.values()])
        self.chosen_ = list(masks)[_choose(scores, target.labels, self.folds)]
        mask = masks[self.chosen_]
        effects[at[mask]] = marginal[mask]
        return effects


def clump(
    strength: Float64[np.ndarray, " k"], r2: Float64[np.ndarray, "k k"], limit: float
) -> Bool[np.ndarray, " k"]:
    """Return which variants remain when, from the strongest on, those correlated with it are taken out.

    Parameters
    ----------
    strength : of association; the higher goes first.
    r2 : squared correlations.
    limit : a variant with a squared correlation of so much, or more, with one kept is out.
    """
    kept, open_ = np.zeros(len(strength), dtype=bool), strength > 0
    for one in np.argsort(-strength, kind="stable"):
        if open_[one]:
            kept[one] = True
            open_ &= r2[one] < limit
    return kept


def _choose(scores: Float64[np.ndarray, "n_choices n"], labels: Int8[np.ndarray, " n"], folds: int) -> int:
    """Return the choice whose scores predict best in the target's people left out.

    In each fold a line is fitted on the others and the squared error taken of those left out, so that
    a score that goes the wrong way is worth no more than none.
    """
    n = len(labels)
    if n < 2 * folds or len(scores) == 1:
        return len(scores) // 2
    y = labels.astype(np.float64)
    fold = np.empty(n, dtype=np.int64)
    fold[np.argsort(labels, kind="stable")] = np.arange(n) % folds
    errors = np.zeros((len(scores), n))
    for one in range(folds):
        left = fold == one
        x, known = scores[:, ~left].astype(np.float64), y[~left]
        centre = x.mean(axis=1, keepdims=True)
        spread = np.maximum(((x - centre) ** 2).sum(axis=1), 1e-12)
        slope = np.maximum((x - centre) @ known / spread, 0)
        predicted = known.mean() + slope[:, None] * (scores[:, left] - centre)
        errors[:, left] = (y[left] - predicted) ** 2
    return int(np.argmin(errors.sum(axis=1)))


def _square_correlations(gram: Float64[np.ndarray, "k k"]) -> Float64[np.ndarray, "k k"]:
    scale = np.sqrt(np.diag(gram))
    scale = np.where(scale > 1e-6, scale, np.inf)
    return np.asarray((gram / scale[:, None] / scale) ** 2)
