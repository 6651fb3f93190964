"""Intervals and tests: how sure an accuracy, an AUC or a difference between methods is.

A value that the data leave undefined is NaN, without a warning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int8
from scipy import stats

from genotransfer.errors import StudyError

NAN = float("nan")


@dataclass(frozen=True)
class Comparison:
    """The result of one two-tailed test of ``second - first``.

    Attributes
    ----------
    difference : mean of ``second`` less mean of ``first``, in their unit.
    standard_error : of the difference; NaN for a rank test.
    statistic : t, or Wilcoxon's W (the smaller sum of signed ranks).
    df : degrees of freedom; NaN for a rank test.
    p : two-tailed P value.
    low, high : 95 % interval of the difference by the t distribution; NaN for a rank test.
    """

    difference: float
    standard_error: float
    statistic: float
    df: float
    p: float
    low: float = NAN
    high: float = NAN


def wilson_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion.

    Parameters
    ----------
    successes : number of successes, 0 to `n`.
    n : number of trials; with 0 the interval is (NaN, NaN).
    level : confidence level, 0 to 1.

    Returns
    -------
    Lower and upper bound, 0 to 1.

    Raises
    ------
    StudyError
        `successes` is not within 0 and `n`.

    Source
    ------
    Wilson 1927, J Am Stat Assoc 22:209.
    """
    if not 0 <= successes <= n:
        raise StudyError(f"{successes} successes of {n} trials are not a proportion. Check the labels.")
    if n == 0:
        return NAN, NAN
    z = float(stats.norm.ppf((1 + level) / 2))
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At 0 and n the bound is exact; rounding must not leave it at 1e-17.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return low, high


def measure_half_width(n: int, level: float = 0.95) -> float:
    """Return the half width of an interval of an accuracy near one half, from `n` people.

    The normal approximation at its widest: 0.139 for n = 50, the "+-14 points" of such a test set.
    """
    if n <= 0:
        return NAN
    return float(stats.norm.ppf((1 + level) / 2)) * math.sqrt(0.25 / n)


def measure_auc(
    labels: Int8[np.ndarray, " n"], scores: Float64[np.ndarray, " n"], level: float = 0.95
) -> tuple[float, float, float]:
    """Return the area under the ROC curve with DeLong's interval.

    Parameters
    ----------
    labels : 1 case, 0 control.
    scores : higher means more likely a case; ties count one half.
    level : confidence level, 0 to 1.

    Returns
    -------
    AUC, lower and upper bound, 0 to 1. All NaN when a class is absent. The bounds are NaN when a
    class has one member, or when the estimated variance is 0 (perfect separation, or a constant
    score): an interval of width 0 would claim a certainty that a small sample does not give.

    Source
    ------
    DeLong et al. 1988, Biometrics 44:837; by midranks, Sun and Xu 2014, IEEE Signal Process Lett
    21:1389.
    """
    cases, controls = scores[labels == 1], scores[labels == 0]
    n_cases, n_controls = len(cases), len(controls)
    if n_cases == 0 or n_controls == 0:
        return NAN, NAN, NAN
    together = stats.rankdata(np.concatenate([cases, controls]))
    # Share of controls below each case, and of cases above each control.
    above_controls = (together[:n_cases] - stats.rankdata(cases)) / n_controls
    below_cases = 1 - (together[n_cases:] - stats.rankdata(controls)) / n_cases
    auc = float(above_controls.mean())
    if n_cases == 1 or n_controls == 1:
        return auc, NAN, NAN
    variance = float(above_controls.var(ddof=1) / n_cases + below_cases.var(ddof=1) / n_controls)
    if variance < 1e-15:
        return auc, NAN, NAN
    half = float(stats.norm.ppf((1 + level) / 2)) * math.sqrt(variance)
    return auc, max(0.0, auc - half), min(1.0, auc + half)


def bootstrap_difference(
    first: Float64[np.ndarray, " n"],
    second: Float64[np.ndarray, " n"],
    generator: np.random.Generator,
    n_resamples: int = 10_000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the bootstrap percentile interval of the mean of ``second - first``, in pairs.

    Parameters
    ----------
    first, second : paired values. For two models on the same people: 1.0 where a prediction is
        right, 0.0 where it is wrong; the interval is then that of the difference of accuracies.
        For two methods over phenotypes: their accuracies.
    generator : source of randomness.
    n_resamples : number of resamples of the pairs.
    level : confidence level, 0 to 1.

    Returns
    -------
    Lower and upper bound in the unit of the values; (NaN, NaN) with fewer than 2 pairs.
    """
    difference = _subtract_pairs(first, second)
    n = len(difference)
    if n < 2:
        return NAN, NAN
    # Only how often each distinct difference is drawn matters: for people that is at most three
    # values (-1, 0, 1), so memory does not grow with n.
    values, counts = np.unique(difference, return_counts=True)
    means = generator.multinomial(n, counts / n, size=n_resamples) @ values / n
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def compare_unpaired(first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " m"]) -> Comparison:
    """Student's two-sample t-test with pooled variance, df n + m - 2: the test of the paper.

    Undefined (NaN) with fewer than 2 values on a side, or with no variance at all.

    Source
    ------
    Muneeb 2022, notes to Tables 8 and 9.
    """
    n, m = len(first), len(second)
    difference = _mean(second) - _mean(first)
    if n < 2 or m < 2:
        return Comparison(difference, NAN, NAN, NAN, NAN)
    df = n + m - 2
    pooled = ((n - 1) * first.var(ddof=1) + (m - 1) * second.var(ddof=1)) / df
    return _finish_t(difference, math.sqrt(float(pooled) * (1 / n + 1 / m)), df)


def compare_paired(first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]) -> Comparison:
    """Two-tailed paired t-test, df n - 1, of ``second - first``.

    Undefined (NaN) with fewer than 2 pairs, or when all differences are the same.
    """
    difference = _subtract_pairs(first, second)
    n = len(difference)
    if n < 2:
        return Comparison(_mean(difference), NAN, NAN, NAN, NAN)
    return _finish_t(_mean(difference), float(difference.std(ddof=1)) / math.sqrt(n), n - 1)


def compare_ranks(first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]) -> Comparison:
    """Wilcoxon's signed-rank test, two-tailed, of ``second - first``.

    Pairs without a difference are left out, and differences equal to 9 decimals share a rank.
    Undefined (NaN) with fewer than 2 pairs, or when none differs. The P value is exact up to 13
    pairs; with 4 pairs it cannot be below 0.125.
    """
    difference = np.round(_subtract_pairs(first, second), 9)
    moved = difference[difference != 0]
    if len(difference) < 2 or len(moved) == 0:
        return Comparison(_mean(difference), NAN, NAN, NAN, NAN)
    # All sign patterns while they are few: the same answer as the exact table, and right with ties.
    method = stats.PermutationMethod(n_resamples=2**13) if len(moved) <= 13 else "approx"
    outcome = stats.wilcoxon(moved, method=method)
    return Comparison(_mean(difference), NAN, float(outcome.statistic), NAN, float(outcome.pvalue))


def _finish_t(difference: float, standard_error: float, df: int) -> Comparison:
    if standard_error < 1e-12:
        return Comparison(difference, standard_error, NAN, float(df), NAN)
    t = difference / standard_error
    half = float(stats.t.ppf(0.975, df)) * standard_error
    p = 2 * float(stats.t.sf(abs(t), df))
    return Comparison(difference, standard_error, t, float(df), p, difference - half, difference + half)


def _subtract_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    if len(first) != len(second):
        raise StudyError(
            f"A paired comparison was given {len(first)} and {len(second)} values. "
            "Give both methods' values for the same people or phenotypes, in the same order."
        )
    return np.asarray(second, np.float64) - np.asarray(first, np.float64)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else NAN
