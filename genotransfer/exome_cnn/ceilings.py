"""The best accuracy at any heritability and share of cases, and the heritability that an accuracy takes."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, stats

from genotransfer.errors import StudyError
from genotransfer.exome.ceiling import Ceiling, expect_ceiling

N_SCORES = 4001


def find_ceiling(heritability: float, case_share: float) -> Ceiling:
    """Return the best that a normal genetic score can reach.

    Liability is normal, cases are its upper `case_share`, and the score explains `heritability` of its
    variance. With half the people cases, accuracy is 1/2 + arcsin(sqrt(h2))/pi.

    Parameters
    ----------
    heritability : of liability, 0 to 1.
    case_share : share of cases, above 0 and below 1.

    Raises
    ------
    StudyError
        One of them is out of range.
    """
    if not 0 <= heritability <= 1 or not 0 < case_share < 1:
        raise StudyError(
            f"There is no ceiling of heritability {heritability} and {case_share} cases. Give 0 to 1, and a share "
            "between 0 and 1."
        )
    threshold = float(stats.norm.isf(case_share))
    # Scores at equal steps of probability; noise of 0 would leave no chance to compute.
    scores = stats.norm.ppf((np.arange(N_SCORES) + 0.5) / N_SCORES) * math.sqrt(heritability)
    return expect_ceiling(np.asarray(scores), max(math.sqrt(1 - heritability), 1e-9), threshold)


def find_heritability(accuracy: float, case_share: float) -> float:
    """Return the least heritability at which an accuracy can be reached; 0 where the majority reaches it.

    Raises
    ------
    StudyError
        The accuracy is not below 1.
    """
    if not 0 < accuracy < 1:
        raise StudyError(
            f"An accuracy of {accuracy} takes no heritability below 1. Give one between 0 and 1."
        )
    if find_ceiling(0.0, case_share).accuracy >= accuracy:
        return 0.0
    return float(
        optimize.brentq(lambda h2: find_ceiling(h2, case_share).accuracy - accuracy, 0.0, 1.0, xtol=1e-6)
    )
