"""Rejection rates: whether tests of many studies reject as often as their level says, and no more.

Every test is "k of n against one half", by the exact two-sided binomial test. That test is discrete:
at the level .05 it rejects with a probability that is known exactly and lies a little below .05. The
rates are held to that probability, which is stricter than to be held to .05 from above.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64
from scipy import stats

from genotransfer.errors import StudyError

LEVEL = 0.05
RATE_COLUMNS = [
    "chosen_on",
    "test",
    "method",
    "n_replicates",
    "mean_share",
    "n_rejected",
    "rate",
    "expected",
    "low",
    "high",
    "calibrated",
]


def compare_with_half(
    successes: Int64[np.ndarray, " m"], n: Int64[np.ndarray, " m"]
) -> Float64[np.ndarray, " m"]:
    """Return exact two-sided P values of "`successes` of `n` have probability one half".

    Twice the smaller tail, at most 1; 1 where n is 0.

    Raises
    ------
    StudyError
        There are more successes than trials, or fewer than none.
    """
    if ((successes < 0) | (successes > n)).any():
        raise StudyError("There are more successes than trials, or fewer than none. Count them again.")
    fewer = np.minimum(successes, n - successes)
    return np.asarray(np.minimum(1.0, 2 * stats.binom.cdf(fewer, n, 0.5)), dtype=np.float64)


def measure_size(n: int, level: float = LEVEL) -> float:
    """Return how often `compare_with_half` rejects at a level where one half is true: at most `level`."""
    if n < 1:
        return 0.0
    every = np.arange(n + 1)
    rejected = compare_with_half(every, np.full(n + 1, n)) <= level
    return float(stats.binom.pmf(every, n, 0.5)[rejected].sum())


def expect_rejections(sizes: Float64[np.ndarray, " m"], coverage: float = 0.95) -> tuple[float, int, int]:
    """Return the mean number of rejections of independent tests, and its central interval.

    Parameters
    ----------
    sizes : each test's own probability to reject.
    coverage : of the interval, at least; its bounds are whole numbers.

    Notes
    -----
    The number is Poisson-binomial; its distribution is summed up test by test, exactly.
    """
    chances = np.ones(1)
    for size in sizes:
        chances = np.convolve(chances, [1 - size, size])
    below = np.cumsum(chances)
    low, high = (int(np.searchsorted(below, share)) for share in ((1 - coverage) / 2, (1 + coverage) / 2))
    return float(sizes.sum()), low, min(high, len(sizes))


def tabulate_rejections(counts: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """Return the rate of rejections of each test, beside what it must be where one half is true.

    Parameters
    ----------
    counts : from `genotransfer.replication.null_studies.run_null_studies`, put together.

    Returns
    -------
    chosen_on, test, method; ``n_replicates``; ``mean_share``, the mean of successes / n;
    ``n_rejected`` and ``rate``; ``expected``, ``low`` and ``high``, the mean rate and the 95 %
    interval by the tests' exact sizes; ``calibrated``, whether the rate lies within.

    Raises
    ------
    StudyError
        There is nothing to count.
    """
    if counts.empty:
        raise StudyError("There are no counts of any replicate. Run at least one.")
    rows = []
    for keys, group in counts.groupby(["chosen_on", "test", "method"], sort=True):
        n, successes = (group[name].to_numpy(dtype=np.int64) for name in ("n", "successes"))
        sizes = {int(one): measure_size(int(one), level) for one in np.unique(n)}
        expected, low, high = expect_rejections(np.array([sizes[int(one)] for one in n]))
        rejected = int((compare_with_half(successes, n) <= level).sum())
        share = float(np.mean(successes[n > 0] / n[n > 0])) if (n > 0).any() else float("nan")
        rates = [value / len(n) for value in (rejected, expected, low, high)]
        rows.append((*keys, len(n), share, rejected, *rates, low <= rejected <= high))
    return pd.DataFrame(rows, columns=RATE_COLUMNS)
