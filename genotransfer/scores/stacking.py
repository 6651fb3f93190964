"""A stack of scores: the weights with which their log odds predict people they have not seen.

Source: van der Laan, Polley & Hubbard 2007, Stat Appl Genet Mol Biol 6:25 (super learner).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64
from scipy.optimize import minimize
from scipy.special import expit

from genotransfer.scores.base import PolygenicScore, Sample

# Prior standard deviation of a weight; log odds of a good score have a weight of 1.
WEIGHT_SPREAD = 1.0


class StackedScore(PolygenicScore):
    """A weighted sum of fitted scores, itself a score.

    Parameters
    ----------
    scores : fitted.
    weights : float64 (n_scores,); of their log odds.
    """

    def __init__(self, scores: list[PolygenicScore], weights: Float64[np.ndarray, " n_scores"]) -> None:
        self.scores = scores
        self.weights = weights
        pairs = list(zip(scores, weights, strict=True))
        self.coef_ = np.asarray(sum(weight * one.coef_ for one, weight in pairs))
        self.intercept_ = float(sum(weight * one.intercept_ for one, weight in pairs))
        self.source_intercept_ = float(sum(weight * one.source_intercept_ for one, weight in pairs))
        self.n_features_in_, self.classes_ = len(self.coef_), scores[0].classes_

    def _learn_effects(self, source: Sample, target: Sample) -> Float64[np.ndarray, " n_variants"]:
        learnt = [one.fit_samples(source, target).coef_ for one in self.scores]
        return np.asarray(self.weights @ np.stack(learnt))


def fit_weights(
    margins: Float64[np.ndarray, "n_samples n_scores"],
    labels: Int8[np.ndarray, " n_samples"],
    target: Bool[np.ndarray, " n_samples"],
) -> Float64[np.ndarray, " n_scores"]:
    """Return weights, none negative, of a logistic regression of the labels on scores' log odds.

    Each population has an intercept of its own. A person of the target counts as the square root of
    how many times there are more people of the source: the target is what the stack is for, and its
    few people alone would give weights that are mostly noise.

    Parameters
    ----------
    margins : log odds of people by scores that had not seen their labels.
    labels : 1 case, 0 control.
    target : True for people of the target.
    """
    n_scores, n_target = margins.shape[1], int(target.sum())
    counts = np.ones(len(labels))
    if 0 < n_target < len(labels):
        counts[target] = max((len(labels) - n_target) / n_target, 1.0) ** 0.5
    design = np.column_stack([margins, ~target, target]).astype(np.float64)
    signs = 2.0 * labels - 1

    def measure(beta: np.ndarray) -> tuple[float, np.ndarray]:
        wrong = -signs * (design @ beta)
        pull = beta[:n_scores] / WEIGHT_SPREAD**2
        gradient = -design.T @ (counts * signs * expit(wrong))
        gradient[:n_scores] += pull
        return float(counts @ np.logaddexp(0, wrong) + pull @ beta[:n_scores] / 2), gradient

    start = np.concatenate([np.full(n_scores, 1 / n_scores), [0.0, 0.0]])
    bounds = [(0.0, None)] * n_scores + [(None, None)] * 2
    found = minimize(measure, start, jac=True, bounds=bounds, method="L-BFGS-B")
    return np.asarray(found.x[:n_scores])


def cross_stack(
    margins: Float64[np.ndarray, "n_samples n_scores"],
    labels: Int8[np.ndarray, " n_samples"],
    target: Bool[np.ndarray, " n_samples"],
    folds: Int64[np.ndarray, " n_samples"],
) -> Float64[np.ndarray, " n_samples"]:
    """Return the stack's log odds of each person, its weights from the people of other folds."""
    stacked = np.zeros(len(labels))
    for fold in np.unique(folds):
        out = folds == fold
        stacked[out] = margins[out] @ fit_weights(margins[~out], labels[~out], target[~out])
    return stacked
