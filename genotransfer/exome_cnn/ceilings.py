"""The best accuracy at any heritability and share of cases, and the heritability that an accuracy takes."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, stats

from genotransfer.errors import StudyError
from genotransfer.exome.ceiling import Ceiling, expect_ceiling

N_SCORES, MOST_SCORES = 4001, 1_000_001
RAREST = 1e-5


def find_ceiling(heritability: float, case_share: float, prevalence: float | None = None) -> Ceiling:
    """Return the best that a normal genetic score can reach.

    Liability is normal in the population, cases are its upper `prevalence`, and the score explains
    `heritability` of its variance there. Cases and controls are drawn from the population such that
    `case_share` of the sample are cases. Where half of both are cases, accuracy is 1/2 + arcsin(sqrt(h2))/pi.

    Parameters
    ----------
    heritability : of liability in the population, 0 to 1.
    case_share : share of cases in the sample, above 0 and below 1.
    prevalence : share of cases in the population, 0.00001 to 0.99999; None: the sample is taken for the
        population.

    Raises
    ------
    StudyError
        One of them is out of range.

    Source
    ------
    Lee et al. 2011, Am J Hum Genet 88:294: liability in samples that are richer in cases.
    """
    known = case_share if prevalence is None else prevalence
    rarer = min(known, 1 - known)
    if not 0 <= heritability <= 1 or not 0 < case_share < 1 or rarer < RAREST:
        raise StudyError(
            f"There is no ceiling of heritability {heritability}, {case_share} cases and prevalence {known}. Give 0 "
            f"to 1, a share between 0 and 1, and a prevalence of {RAREST:.5f} to {1 - RAREST:.5f}."
        )
    threshold = float(stats.norm.isf(known))
    # Scores at equal steps of probability, 40 or so in the rarer class's tail; noise of 0 would leave no chance
    # to compute.
    n = min(max(N_SCORES, math.ceil(40 / rarer)), MOST_SCORES)
    scores = stats.norm.ppf((np.arange(n) + 0.5) / n) * math.sqrt(heritability)
    return expect_ceiling(np.asarray(scores), max(math.sqrt(1 - heritability), 1e-9), threshold, case_share)


def find_heritability(accuracy: float, case_share: float, prevalence: float | None = None) -> float:
    """Return the least heritability at which an accuracy can be reached; 0 where the majority reaches it.

    Parameters
    ----------
    accuracy : above 0 and below 1.
    case_share, prevalence : as for `find_ceiling`.

    Raises
    ------
    StudyError
        The accuracy is not below 1.
    """
    if not 0 < accuracy < 1:
        raise StudyError(
            f"An accuracy of {accuracy} takes no heritability below 1. Give one between 0 and 1."
        )
    if find_ceiling(0.0, case_share, prevalence).accuracy >= accuracy:
        return 0.0

    def find_excess(heritability: float) -> float:
        return find_ceiling(heritability, case_share, prevalence).accuracy - accuracy

    return float(optimize.brentq(find_excess, 0.0, 1.0, xtol=1e-6))
