"""Fine-tuning: a score of the source, moved towards the target by gradient descent, stopped early."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from genotransfer.scores.base import PolygenicScore, Sample
from genotransfer.scores.pool import Pool, invert


class TunedScore(PolygenicScore):
    """Effects learnt on the source, fine-tuned on the target's people by gradient descent.

    The variants that have an effect in the source keep having one. Gradient descent on the target's
    squared error starts from these effects; it stops at the step with the least error in
    people of the target left out in turn, which may be none. Without people of the target the
    score is the source's.

    Parameters
    ----------
    start : the score to start from, by its name in the registry; it sees the source only.
    rate : length of a step, as a share of the longest that cannot overshoot; above 0, below 2.
    max_steps : largest number of steps.
    n_folds : number of parts the target's people are divided into.
    random_state : seed of that division, and of the score to start from.

    Source
    ------
    Zhao et al. 2022, The construction of cross-population polygenic risk scores using transfer learning
    (TL-PRS), Am J Hum Genet 109:1998.
    """

    def __init__(
        self,
        start: str = "lasso",
        rate: float = 0.1,
        max_steps: int = 100,
        n_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.start = start
        self.rate = rate
        self.max_steps = max_steps
        self.n_folds = n_folds
        self.random_state = random_state

    def _learn_effects(self, source: Sample, target: Sample) -> Float64[np.ndarray, " n_variants"]:
        from genotransfer.scores.registry import build_score

        nobody = Sample(target.dosages[:0], target.labels[:0], np.zeros_like(target.means))
        first = source if source.n else target
        effects = build_score(self.start, self.random_state)._learn_effects(first, nobody)
        self.n_steps_ = 0
        columns = np.flatnonzero(effects)
        if first is target or not target.n or not len(columns):
            return effects
        # Steps on the scale of the source's deviations: a rare allele is as free to move as a common one.
        scales = Pool((source,)).scales[columns]
        values = target.dosages[:, columns] * scales
        begin = effects[columns] * invert(scales)
        people = Pool((target,))
        fold = people.deal_folds(self.n_folds, np.random.default_rng(self.random_state))
        responses = people.leave_out(fold, self.n_folds).astype(np.float64)
        errors = np.zeros(self.max_steps + 1)
        for number in range(self.n_folds):
            out = fold == number
            path = descend(values[~out], responses[~out, number], begin, self.rate, self.max_steps)
            errors += ((responses[out, -1:] - values[out] @ path.T) ** 2).sum(axis=0)
        self.n_steps_ = int(np.argmin(errors))
        effects = effects.copy()
        path = descend(values, responses[:, -1], begin, self.rate, self.n_steps_)
        effects[columns] = path[-1] * scales
        return effects


def descend(
    values: Float64[np.ndarray, "n k"],
    responses: Float64[np.ndarray, " n"],
    begin: Float64[np.ndarray, " k"],
    rate: float,
    n_steps: int,
) -> Float64[np.ndarray, "s k"]:
    """Return the effects before and after each step of gradient descent on the squared error.

    Parameters
    ----------
    begin : effects before the first step.
    rate : length of a step times the largest curvature; below 2 the descent converges.
    """
    curvature = float(np.linalg.norm(values, 2)) ** 2
    path = np.tile(begin, (n_steps + 1, 1))
    if curvature <= 0:
        return path
    for step in range(n_steps):
        gradient = values.T @ (responses - values @ path[step])
        path[step + 1] = path[step] + rate / curvature * gradient
    return path
