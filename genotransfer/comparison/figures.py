"""Figures of a comparison: ROC curves of all models, and their accuracies with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int8

from genotransfer.comparison.judging import JudgedModel
from genotransfer.report.drawing import add_legend, save_figure, start_figure

# Okabe and Ito's colours; from the ninth model on they come again, with another line.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#b5a800")
_LINES = ("-", "--", ":", "-.")


def trace_roc(
    labels: Int8[np.ndarray, " n"], scores: Float64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, " k"]]:
    """Return false and true positive rates at every threshold, from (0, 0) to (1, 1).

    Parameters
    ----------
    labels : 1 case, 0 control; both are there.
    scores : higher means more likely a case.
    """
    from sklearn.metrics import roc_curve

    false_rate, true_rate, _ = roc_curve(labels, scores)
    return false_rate.astype(np.float64), true_rate.astype(np.float64)


def draw_roc(path: str | Path, judged: Sequence[JudgedModel], table: pd.DataFrame) -> Path:
    """Draw the ROC curve of every model over the predictions of all folds.

    Parameters
    ----------
    table : from `tabulate_models`, for the AUCs of the legend.
    """
    figure = start_figure(5.4, 5.6)
    axes = figure.add_subplot()
    aucs = table.set_index("model")["auc"]
    for number, one in enumerate(judged):
        labels = one.predictions["label"].to_numpy(dtype=np.int8)
        rates = trace_roc(labels, one.predictions["score"].to_numpy(dtype=np.float64))
        colour, line = _choose_style(number)
        label = f"{one.name}, AUC {aucs[one.name]:.2f}"
        axes.plot(*rates, label=label, linewidth=1.4, color=colour, linestyle=line)
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle="--", label="Chance, .50")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.set_xlabel("1 - specificity")
    axes.set_ylabel("Sensitivity")
    add_legend(figure, axes)
    return save_figure(figure, path)


def draw_accuracies(path: str | Path, table: pd.DataFrame, bounds: dict[str, float]) -> Path:
    """Draw each model's accuracy with Wilson's interval, chance, and what could be reached.

    Parameters
    ----------
    table : from `tabulate_models`.
    bounds : from `measure_bounds`.
    """
    figure = start_figure(6.4, 1.2 + 0.34 * len(table))
    axes = figure.add_subplot()
    for number, row in enumerate(table.to_dict("records")):
        colour, _ = _choose_style(number)
        axes.hlines(number, 100 * row["low"], 100 * row["high"], color=colour, linewidth=2)
        axes.plot(100 * row["accuracy"], number, "o", color=colour)
    axes.axvline(50, color="#999999", linestyle="--", linewidth=0.8, zorder=0, label="Chance")
    for name, label, line in (("ceiling", "Ceiling", ":"), ("oracle_accuracy", "True risk SNPs", "-")):
        if not np.isnan(bounds[name]):
            axes.axvline(100 * bounds[name], color="#555555", linestyle=line, linewidth=1, label=label)
    axes.set_yticks(range(len(table)), table["model"].tolist(), fontsize=8)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xlabel("Accuracy on people the model has not seen (%)")
    add_legend(figure, axes, 3)
    return save_figure(figure, path)


def _choose_style(number: int) -> tuple[str, str]:
    """Return the colour and the line of a model by its place in the study."""
    return _COLOURS[number % len(_COLOURS)], _LINES[number // len(_COLOURS) % len(_LINES)]
