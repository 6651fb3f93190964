"""Performance of the chosen models on FD, in the form that Kubeflow's page draws: ROC and confusion matrix.

Nothing here chooses: it reads the predictions that `genotransfer.stages.results.evaluate_final` left.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int8

from genotransfer.candidates import CHOSEN
from genotransfer.evaluation import predict_cases
from genotransfer.formats.files import replace_together

CATEGORIES = ("control", "case")
# Of one curve: the page draws them all, and its database holds them as text.
MOST_POINTS = 200
NUMBERS = ("fd_accuracy", "fd_auc", "fd_balanced_accuracy", "fd_gain", "fd_gain_low", "fd_gain_high")


@dataclass(frozen=True)
class RocCurve:
    """A ROC curve from (0, 0) to (1, 1); every number is finite.

    Attributes
    ----------
    false_positive, true_positive : share of the controls, and of the cases, whose score is above the
        threshold, 0 to 1, never falling.
    thresholds : of the score, falling.
    """

    false_positive: list[float]
    true_positive: list[float]
    thresholds: list[float]


@dataclass(frozen=True)
class Performance:
    """What is shown of one phenotype's chosen model.

    Attributes
    ----------
    phenotype : its name.
    curve : None where FD has one class only, or no model was chosen.
    confusion : people of FD, rows the true and columns the called class, in the order of `CATEGORIES`;
        None where no model was chosen.
    metrics : finite numbers of the results by name.
    """

    phenotype: str
    curve: RocCurve | None
    confusion: list[list[int]] | None
    metrics: dict[str, float]

    def write_metrics(self, path: str | Path) -> None:
        """Write the metrics as JSON; KFP's cache wants a file behind each artifact."""
        with replace_together(path) as [temporary]:
            temporary.write_text(json.dumps(self.metrics))


def show_performance(results_folder: str | Path, phenotype: str, shown: str | Path) -> Performance:
    """Measure ROC curve and confusion matrix of a phenotype's chosen model on FD.

    Parameters
    ----------
    results_folder : what `evaluate_final` wrote.
    phenotype : one of the study's.
    shown : where the same is written as JSON; KFP's cache wants a file behind each artifact.
    """
    folder = Path(results_folder)
    predictions = pd.read_parquet(folder / "predictions.parquet")
    mine = predictions[(predictions["phenotype"] == phenotype) & (predictions["method"] == CHOSEN)]
    curve, confusion = None, None
    if len(mine):
        labels = mine["label"].to_numpy(dtype=np.int8)
        scores = mine["score"].to_numpy(dtype=np.float64)
        curve, confusion = measure_roc(labels, scores), count_confusion(labels, scores)
    made = Performance(phenotype, curve, confusion, _take_metrics(folder, phenotype))
    with replace_together(shown) as [path]:
        path.write_text(json.dumps(asdict(made), allow_nan=False))
    return made


def measure_roc(
    labels: Int8[np.ndarray, " n"], scores: Float64[np.ndarray, " n"], most: int = MOST_POINTS
) -> RocCurve | None:
    """Return the ROC curve, of at most `most` points; None where there is one class only.

    Parameters
    ----------
    labels : 1 case, 0 control.
    scores : P(case), 0 to 1. Whoever is above a threshold is called a case, as
        `genotransfer.evaluation.predict_cases` does at 0.5.
    most : at least 2; a longer curve keeps points evenly spaced along it, and its ends.
    """
    n_cases, n_controls = int((labels == 1).sum()), int((labels == 0).sum())
    if not n_cases or not n_controls:
        return None
    # Nobody is above the highest score; everybody is above one below the lowest.
    distinct = np.unique(scores)[::-1]
    thresholds = np.append(distinct, 0.0 if distinct[-1] > 0 else -1.0)
    cases, controls = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    true_positive = 1 - np.searchsorted(cases, thresholds, side="right") / n_cases
    false_positive = 1 - np.searchsorted(controls, thresholds, side="right") / n_controls
    if len(thresholds) > most:
        kept = np.unique(np.linspace(0, len(thresholds) - 1, most).round().astype(int))
        thresholds, true_positive, false_positive = (
            values[kept] for values in (thresholds, true_positive, false_positive)
        )
    return RocCurve(false_positive.tolist(), true_positive.tolist(), thresholds.tolist())


def count_confusion(labels: Int8[np.ndarray, " n"], scores: Float64[np.ndarray, " n"]) -> list[list[int]]:
    """Return counts of people: rows the true and columns the called class, controls first.

    Parameters
    ----------
    labels : 1 case, 0 control.
    scores : P(case), 0 to 1; above 0.5 is called a case.
    """
    called = predict_cases(scores)
    return [[int(((labels == true) & (called == bool(call))).sum()) for call in (0, 1)] for true in (0, 1)]


def _take_metrics(folder: Path, phenotype: str) -> dict[str, float]:
    """Return what is finite of the chosen model's row; KFP takes no NaN."""
    results = pd.read_parquet(folder / "results.parquet")
    rows = results[(results["phenotype"] == phenotype) & (results["method"] == CHOSEN)]
    if rows.empty:
        return {}
    values = {name: float(rows.iloc[0][name]) for name in NUMBERS if name in rows}
    return {name: value for name, value in values.items() if math.isfinite(value)}
