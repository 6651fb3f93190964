"""A registered score moved on: gradient descent from its effects on people it has not learnt from."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64

from genotransfer.scores.base import Sample
from genotransfer.scores.pool import Pool, invert
from genotransfer.scores.ready import ReadyScore, check_weights
from genotransfer.scores.tuned import descend


class ChampionScore(ReadyScore):
    """The effects of a model there is, fine-tuned on people of the target that are new to it.

    Gradient descent on the target's squared error starts from the effects, on the scale of the labels; it
    stops at the step with the least error in people left out in turn, which may be none. Slope and
    intercept are those of these people, as of a published score. People the model has learnt from would
    tell it that it is right already, and do not belong here.

    Parameters
    ----------
    weights : float (n_variants,); effect of one copy of each counted allele, in the order of the dosages.
    rate : length of a step, as a share of the longest that cannot overshoot; above 0, below 2.
    max_steps : largest number of steps.
    n_folds : number of parts the people are divided into.
    random_state : seed of that division.

    Source
    ------
    Zhao et al. 2022, Am J Hum Genet 109:1998 (TL-PRS).
    """

    def __init__(
        self,
        weights: Any = None,
        rate: float = 0.1,
        max_steps: int = 100,
        n_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.weights = weights
        self.rate = rate
        self.max_steps = max_steps
        self.n_folds = n_folds
        self.random_state = random_state

    def _learn_effects(self, source: Sample, target: Sample) -> Float64[np.ndarray, " n_variants"]:
        weights = check_weights(self.weights, target)
        self.n_steps_ = 0
        columns = np.flatnonzero(weights)
        if not len(columns) or target.n < self.n_folds:
            return weights
        people = Pool((target,))
        # Steps on the scale of the dosages' deviations: a rare allele is as free to move as a common one.
        scales = people.scales[columns]
        values = target.dosages[:, columns] * scales
        begin = weights[columns] * invert(scales)
        fold = people.deal_folds(self.n_folds, np.random.default_rng(self.random_state))
        responses = people.leave_out(fold, self.n_folds).astype(np.float64)
        errors = np.zeros(self.max_steps + 1)
        for number in range(self.n_folds):
            out = fold == number
            start = begin * _find_slope(values[~out] @ begin, responses[~out, number])
            path = descend(values[~out], responses[~out, number], start, self.rate, self.max_steps)
            errors += ((responses[out, -1:] - values[out] @ path.T) ** 2).sum(axis=0)
        self.n_steps_ = int(np.argmin(errors))
        start = begin * _find_slope(values @ begin, responses[:, -1])
        effects = np.zeros_like(weights)
        effects[columns] = descend(values, responses[:, -1], start, self.rate, self.n_steps_)[-1] * scales
        return effects


def _find_slope(score: np.ndarray, response: np.ndarray) -> float:
    """Return the least-squares slope of the response on a score; 1 where it is not positive."""
    square = float(score @ score)
    slope = float(score @ response) / square if square > 0 else 0.0
    return slope if slope > 0 else 1.0
