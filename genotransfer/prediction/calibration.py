"""How well probabilities agree with what was observed on FD."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int8, Int64
from scipy.special import expit, logit

from genotransfer.intervals import wilson_interval
from genotransfer.prediction.facts import CalibrationFacts

CALIBRATION_COLUMNS = [
    "low", "high", "n", "n_cases", "mean_probability", "observed", "observed_low", "observed_high"
]  # fmt: skip
PEOPLE_OF_BIN, MOST_BINS = 10, 10
BOUND = 1e-6


def tabulate_calibration(
    labels: Int8[np.ndarray, " n"], probabilities: Float64[np.ndarray, " n"]
) -> pd.DataFrame:
    """Return what was observed among people of like probability.

    Bins hold about as many people each, at least ten where there are as many, and meet halfway between
    two people's probabilities; people of one probability share a bin. Together they cover 0 to 1; a bin
    holds its lower edge, the last its upper one too.

    Parameters
    ----------
    labels : 1 case, 0 control.
    probabilities : of being a case, 0 to 1.

    Returns
    -------
    low, high, n, n_cases, mean_probability, observed, observed_low and observed_high (Wilson, 95 %).
    """
    n_bins = int(np.clip(len(labels) // PEOPLE_OF_BIN, 1, MOST_BINS))
    ordered = np.sort(probabilities)
    cuts = []
    for number in range(1, n_bins):
        at = round(number * len(ordered) / n_bins)
        # Move up to where two neighbours differ; ties are not to be parted.
        above = int(np.searchsorted(ordered, ordered[at - 1], side="right"))
        if above < len(ordered):
            middle = (ordered[above - 1] + ordered[above]) / 2
            cuts.append(middle if middle > ordered[above - 1] else ordered[above])
    edges = np.unique([0.0, *cuts, 1.0])
    where = locate_bins(edges[:-1], probabilities)
    rows = []
    for number, (low, high) in enumerate(pairwise(edges)):
        mine = labels[where == number]
        n, cases = len(mine), int(mine.sum())
        mean = float(probabilities[where == number].mean()) if n else np.nan
        rows.append((low, high, n, cases, mean, cases / n if n else np.nan, *wilson_interval(cases, n)))
    table = pd.DataFrame(rows, columns=CALIBRATION_COLUMNS)
    return table if len(labels) else table.iloc[:0]


def locate_bins(
    lows: Float64[np.ndarray, " n_bins"], probabilities: Float64[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """Return the bin of each probability, given the bins' lower edges, in order, the first being 0."""
    return np.searchsorted(lows[1:], probabilities, side="right").astype(np.int64)


def measure_calibration(
    labels: Int8[np.ndarray, " n"], probabilities: Float64[np.ndarray, " n"]
) -> CalibrationFacts:
    """Return intercept and slope of a logistic regression of the label on the logit, and the Brier score.

    Source: Cox 1958, Biometrika 45:562. A probability of 0 or 1 counts as 1e-6 from it.
    """
    if not len(labels):
        return CalibrationFacts(intercept=None, slope=None, brier=None)
    brier = float(np.mean((probabilities - labels) ** 2))
    fitted = _fit_line(logit(np.clip(probabilities, BOUND, 1 - BOUND)), labels)
    intercept, slope = (None, None) if fitted is None else fitted
    return CalibrationFacts(intercept=intercept, slope=slope, brier=brier)


def _fit_line(x: np.ndarray, labels: np.ndarray) -> tuple[float, float] | None:
    """Return intercept and slope; None where the likelihood has no single maximum."""
    case, control = x[labels == 1], x[labels == 0]
    if not len(case) or not len(control) or np.ptp(x) < 1e-9:
        return None
    # Parted by some threshold: the slope of the best fit would be infinite.
    if case.min() >= control.max() or control.min() >= case.max():
        return None
    centre, scale = float(x.mean()), float(x.std())
    design = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    beta = np.array([float(logit(labels.mean())), 0.0])
    for _ in range(100):
        p = expit(design @ beta)
        weight = np.maximum(p * (1 - p), 1e-12)
        step = np.linalg.solve(design.T @ (design * weight[:, None]), design.T @ (labels - p))
        beta += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-10:
            slope = float(beta[1]) / scale
            return float(beta[0]) - slope * centre, slope
    return None
