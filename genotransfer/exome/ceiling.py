"""The best that can be predicted from a genetic score, when cases are those above any threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True)
class Ceiling:
    """What the true genetic score reaches on average over the noise.

    Attributes
    ----------
    accuracy : share right, when the likelier class is told.
    auc : area under the ROC curve of the score.
    majority : share right of telling everyone the commoner class.
    """

    accuracy: float
    auc: float
    majority: float


def expect_ceiling(genetic: Float64[np.ndarray, " n"], noise: float, threshold: float) -> Ceiling:
    """Return the ceiling of people with these genetic scores.

    A person is a case with the chance Phi((score - threshold) / noise). With the threshold at the
    scores' mean the accuracy is that of `evaluation.expect_oracle_accuracy`.

    Parameters
    ----------
    genetic : genetic part of the liability.
    noise : standard deviation of the rest of it, above 0.
    threshold : liability above which a person is a case.
    """
    from scipy.special import ndtr  # a fifth of a second to import, and only needed here

    chance = ndtr((genetic - threshold) / noise)
    values, at = np.unique(genetic, return_inverse=True)
    cases = np.bincount(at, weights=chance, minlength=len(values))
    controls = np.bincount(at, weights=1 - chance, minlength=len(values))
    # A case above a control counts 1, beside one of its own score 1/2.
    below = np.cumsum(controls) - controls / 2
    return Ceiling(
        accuracy=float(np.maximum(chance, 1 - chance).mean()),
        auc=float((cases * below).sum() / (cases.sum() * controls.sum())),
        majority=float(max(chance.mean(), 1 - chance.mean())),
    )
