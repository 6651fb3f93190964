"""Figures of a study of an exome: accuracy by protocol, and learning curves as Henriques et al. 2025, Figure 2."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genotransfer.report.drawing import save_figure, start_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's.
COLOURS = {"honest": "#0072b2", "preselected": "#e69f00", "published": "#d55e00"}
LINE: dict[str, Any] = {"color": "#777777", "linewidth": 1}
WATCHED = {"published": "Test (stops and chooses)"}
PANELS = (("Accuracy", "accuracy", "val_accuracy"), ("Loss (cross-entropy, nats)", "loss", "val_loss"))


def draw_protocols(path: str | Path, results: pd.DataFrame) -> Path:
    """Draw each protocol's accuracy with its interval, each fold's as a dot, the majority and the ceiling.

    Parameters
    ----------
    path : PNG file to write.
    results : from `genotransfer.exome_cnn.evaluation.evaluate_networks`.
    """
    figure = start_figure(5.2, 3.4)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    whole = results[results["fold"] == "all"]
    for at, row in enumerate(whole.to_dict("records")):
        colour = COLOURS[str(row["protocol"])]
        folds = results[(results["protocol"] == row["protocol"]) & (results["fold"] != "all")]["accuracy"]
        axes.plot(np.full(len(folds), at - 0.15), folds, ".", color=colour, alpha=0.5)
        accuracy = float(row["accuracy"])
        reach = [[accuracy - row["low"]], [row["high"] - accuracy]]
        axes.errorbar(at, accuracy, reach, fmt="o", color=colour, capsize=4)
        axes.annotate(
            f"{100 * accuracy:.1f} %", (at, accuracy), (8, 4), textcoords="offset points", fontsize=8
        )
    majority, ceiling = float(whole["majority"].iloc[0]), float(whole["ceiling"].iloc[0])
    axes.axhline(majority, **LINE, linestyle=":", label="Everybody the commoner class")
    if np.isfinite(ceiling):
        axes.axhline(ceiling, **LINE, linestyle="--", label="Ceiling: the true genetic score")
    axes.set_xticks(range(len(whole)), whole["protocol"].str.capitalize())
    axes.set_xlim(-0.6, len(whole) - 0.4)
    axes.set_ylabel("Accuracy on the test people")
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    return save_figure(figure, path)


def draw_curves(path: str | Path, curves: pd.DataFrame) -> Path:
    """Draw accuracy and loss by epoch of the chosen networks: a row a protocol, a line a fold.

    Parameters
    ----------
    path : PNG file to write.
    curves : protocol, fold, epoch, loss, accuracy, val_loss, val_accuracy and best_epoch of what was chosen.
    """
    protocols = list(dict.fromkeys(curves["protocol"]))
    figure = start_figure(7.2, 2.4 * len(protocols) + 0.4)
    grid = figure.subplots(len(protocols), len(PANELS), squeeze=False, sharex=True, sharey="col")
    for row, protocol in zip(grid, protocols, strict=True):
        mine = curves[curves["protocol"] == protocol]
        for axes, (label, training, watching) in zip(row, PANELS, strict=True):
            _draw_panel(
                axes, mine, training, watching, COLOURS[protocol], WATCHED.get(protocol, "Validation")
            )
            axes.set_ylabel(label, fontsize=8)
        row[0].set_title(protocol.capitalize(), fontsize=9, loc="left")
        row[0].legend(frameon=False, fontsize=7)
    figure.supxlabel("Epoch", fontsize=9)
    return save_figure(figure, path)


def _draw_panel(
    axes: Axes, curves: pd.DataFrame, training: str, watching: str, colour: str, watched: str
) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    for at, (_, one) in enumerate(curves.groupby("fold", sort=False)):
        # A label that begins with _ is left out of the legend.
        hide = "_" if at else ""
        axes.plot(one["epoch"], one[training], **LINE, linestyle="--", alpha=0.7, label=f"{hide}Training")
        axes.plot(
            one["epoch"], one[watching], color=colour, linewidth=1.3, alpha=0.85, label=f"{hide}{watched}"
        )
        kept = one[one["epoch"] == one["best_epoch"]]
        axes.plot(kept["epoch"], kept[watching], "o", color=colour, markersize=4, label=f"{hide}Epoch kept")
