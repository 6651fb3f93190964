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


def expect_ceiling(
    genetic: Float64[np.ndarray, " n"], noise: float, threshold: float, case_share: float | None = None
) -> Ceiling:
    """Return the ceiling of people with these genetic scores.

    A person is a case with the chance Phi((score - threshold) / noise). With the threshold at the
    scores' mean the accuracy is that of `evaluation.expect_oracle_accuracy`.

    Parameters
    ----------
    genetic : genetic part of the liability.
    noise : standard deviation of the rest of it, above 0.
    threshold : liability above which a person is a case.
    case_share : share of cases in a sample that is drawn from these people's population, case or control,
        above 0 and below 1; None: these people are the sample.
    """
    from scipy.special import ndtr  # a fifth of a second to import, and only needed here

    chance = ndtr((genetic - threshold) / noise)
    case, control = chance, 1 - chance
    if case_share is not None:
        # Cases are drawn into the sample more often than controls, whatever their scores.
        prevalence = chance.mean()
        case, control = case_share / prevalence * case, (1 - case_share) / (1 - prevalence) * control
    values, at = np.unique(genetic, return_inverse=True)
    cases = np.bincount(at, weights=case, minlength=len(values))
    controls = np.bincount(at, weights=control, minlength=len(values))
    # A case above a control counts 1, beside one of its own score 1/2.
    below = np.cumsum(controls) - controls / 2
    return Ceiling(
        accuracy=float(np.maximum(case, control).mean()),
        auc=float((cases * below).sum() / (cases.sum() * controls.sum())),
        majority=float(max(case.mean(), control.mean())),
    )


def find_threshold(genetic: Float64[np.ndarray, " n"], noise: float, case_share: float) -> float:
    """Return the liability above which, over the noise, so many of these people are expected to be cases.

    The cut between the cases and controls that were drawn goes with their noise, and as a threshold would
    expect other shares: a ceiling below the accuracy of the commoner class, even.

    Parameters
    ----------
    genetic : genetic part of the liability.
    noise : standard deviation of the rest of it, above 0.
    case_share : above 0 and below 1.
    """
    from scipy.optimize import brentq  # half a second to import, and only needed here
    from scipy.special import ndtr

    def find_excess(threshold: float) -> float:
        return float(ndtr((genetic - threshold) / noise).mean()) - case_share

    return float(brentq(find_excess, genetic.min() - 40 * noise, genetic.max() + 40 * noise))
