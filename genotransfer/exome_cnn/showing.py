"""The honest protocol on the test people, in the form that Kubeflow's page draws."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.exome_cnn.evaluation import ALL_FOLDS, PREDICTIONS, RESULTS
from genotransfer.formats.files import replace_together
from genotransfer.stages.performance import CATEGORIES, RocCurve, count_confusion, measure_roc

__all__ = ["CATEGORIES", "ShownProtocols", "show_performance"]


@dataclass(frozen=True)
class ShownProtocols:
    """What is shown.

    Attributes
    ----------
    curve : ROC curve of the honest protocol, all folds together.
    confusion : people, rows the true and columns the called class, in the order of `CATEGORIES`.
    metrics : accuracy of each protocol, and the honest protocol's AUC.
    """

    curve: RocCurve
    confusion: list[list[int]]
    metrics: dict[str, float]

    def list_curve(self) -> tuple[list[float], list[float], list[float]]:
        """Return false positives, true positives and thresholds."""
        return self.curve.false_positive, self.curve.true_positive, self.curve.thresholds

    def write_metrics(self, path: str | Path) -> None:
        """Write the metrics as JSON; KFP's cache wants a file behind each artifact."""
        with replace_together(path) as [temporary]:
            temporary.write_text(json.dumps(self.metrics))


def show_performance(results_folder: str | Path, shown: str | Path) -> ShownProtocols:
    """Return what Kubeflow's page draws, and write it as JSON.

    Parameters
    ----------
    results_folder : from `genotransfer.exome_cnn.evaluation.evaluate_networks`.
    shown : where it is written.
    """
    predictions = pd.read_parquet(Path(results_folder) / PREDICTIONS)
    results = pd.read_parquet(Path(results_folder) / RESULTS)
    honest = predictions[predictions["protocol"] == "honest"]
    labels = honest["phenotype"].to_numpy(dtype=np.int8)
    scores = honest["score"].to_numpy(dtype=np.float64)
    curve = measure_roc(labels, scores)
    assert curve is not None  # every fold has cases and controls
    whole = results[results["fold"] == ALL_FOLDS]
    metrics = {f"{row['protocol']}_accuracy": float(row["accuracy"]) for row in whole.to_dict("records")}
    metrics["honest_auc"] = float(whole.loc[whole["protocol"] == "honest", "auc"].iloc[0])
    made = ShownProtocols(curve, count_confusion(labels, scores), metrics)
    with replace_together(shown) as [path]:
        path.write_text(json.dumps(asdict(made), allow_nan=False))
    return made
