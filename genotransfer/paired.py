"""Two models on the same people: McNemar's test, and the bootstrap of the difference of their AUCs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int8
from scipy import stats

from genotransfer.errors import StudyError
from genotransfer.evaluation import predict_cases
from genotransfer.intervals import NAN, measure_auc

# Elements of the table of cases by controls that are held at once.
HELD = 4_000_000


@dataclass(frozen=True)
class PairedComparison:
    """The second model less the first, on the same people.

    Attributes
    ----------
    n : people.
    only_first, only_second : people whom that model alone predicts rightly.
    accuracy_difference : -1 to 1.
    mcnemar_p : two-tailed, exact; 1 where the models are right on the same people.
    auc_difference : -1 to 1; NaN, like those below, where a class is absent.
    auc_low, auc_high : 95 % bootstrap interval of the difference.
    auc_p : two-tailed bootstrap P value; 1 where the AUCs differ in no resample.
    """

    n: int
    only_first: int
    only_second: int
    accuracy_difference: float
    mcnemar_p: float
    auc_difference: float
    auc_low: float
    auc_high: float
    auc_p: float


def compare_models(
    labels: Int8[np.ndarray, " n"],
    first: Float64[np.ndarray, " n"],
    second: Float64[np.ndarray, " n"],
    generator: np.random.Generator,
    n_resamples: int = 4000,
) -> PairedComparison:
    """Compare two models' predictions of the same people.

    Parameters
    ----------
    labels : 1 case, 0 control.
    first, second : P(case) by each model; above 0.5 is a predicted case.
    generator : source of randomness of the bootstrap.
    n_resamples : resamples of cases and of controls, each drawn with replacement in their own number.

    Raises
    ------
    StudyError
        There are no people, or the three differ in length.

    Source
    ------
    McNemar 1947, Psychometrika 12:153, by the exact binomial; the stratified bootstrap of paired ROC
    curves as in Robin et al. 2011, BMC Bioinformatics 12:77.
    """
    if not len(labels) or not len(labels) == len(first) == len(second):
        raise StudyError(
            f"{len(labels)} labels, {len(first)} and {len(second)} predictions cannot be compared. "
            "Give both models' predictions of the same people, in one order."
        )
    right_first, right_second = (predict_cases(one) == (labels == 1) for one in (first, second))
    only_first = int((right_first & ~right_second).sum())
    only_second = int((right_second & ~right_first).sum())
    differing = only_first + only_second
    p = float(stats.binomtest(only_second, differing).pvalue) if differing else 1.0
    difference, low, high, auc_p = _compare_aucs(labels, first, second, generator, n_resamples)
    return PairedComparison(
        n=len(labels),
        only_first=only_first,
        only_second=only_second,
        accuracy_difference=(only_second - only_first) / len(labels),
        mcnemar_p=p,
        auc_difference=difference,
        auc_low=low,
        auc_high=high,
        auc_p=auc_p,
    )


def _compare_aucs(
    labels: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    generator: np.random.Generator,
    n_resamples: int,
) -> tuple[float, float, float, float]:
    cases, controls = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    if not len(cases) or not len(controls):
        return NAN, NAN, NAN, NAN
    difference = measure_auc(labels, second)[0] - measure_auc(labels, first)[0]
    drawn_cases, drawn_controls = (
        generator.multinomial(len(group), np.full(len(group), 1 / len(group)), size=n_resamples).astype(
            np.float32
        )
        for group in (cases, controls)
    )
    # The AUC is the mean over pairs of a case and a control of which scores higher, so that the resampled
    # difference is a weighted mean of one table.
    total = np.zeros(n_resamples)
    size = max(1, HELD // len(controls))
    for start in range(0, len(cases), size):
        some = cases[start : start + size]
        table = _order(second, some, controls) - _order(first, some, controls)
        total += np.einsum(
            "rj,rj->r", drawn_cases[:, start : start + size] @ table, drawn_controls, dtype=np.float64
        )
    resampled = total / (len(cases) * len(controls))
    low, high = np.quantile(resampled, [0.025, 0.975])
    if not np.abs(resampled).max() > 1e-9:
        return difference, float(low), float(high), 1.0
    beyond = min(int((resampled <= 1e-9).sum()), int((resampled >= -1e-9).sum()))
    return difference, float(low), float(high), min(1.0, 2 * (beyond + 1) / (n_resamples + 1))


def _order(scores: np.ndarray, cases: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Return 1 where the case scores above the control, 0 below and .5 where equal."""
    left, right = scores[cases][:, None], scores[controls][None, :]
    return np.asarray(
        (left > right).astype(np.float32) + 0.5 * (left == right).astype(np.float32), np.float32
    )
