"""Figures of the report: accuracies with intervals, ED against FD, and how the networks learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.candidates import RESULT_METHODS
from genotransfer.report.drawing import COLOURS, MARKERS, add_legend, save_figure, start_figure
from genotransfer.report.findings import METHOD_NAMES
from genotransfer.report.learning import Learning, draw_learning
from genotransfer.report.tables import arrange_results


def draw_figures(
    folder: str | Path, results: pd.DataFrame, learning: Learning | None = None
) -> list[tuple[str, Path]]:
    """Draw every figure of the report; returns titles and PNG files for `html.write_report`."""
    folder = Path(folder)
    figures = [
        (
            "Accuracy on FD, with Wilson's 95 % interval; the dashed line is a coin.",
            draw_accuracies(folder / "accuracy.png", results),
        ),
        (
            "The selected models: accuracy on ED, where they were chosen, against FD.",
            draw_selection(folder / "selection.png", results),
        ),
    ]
    return figures if learning is None else figures + draw_learning(folder, learning)


def draw_accuracies(path: str | Path, results: pd.DataFrame) -> Path:
    """Draw FD accuracy by phenotype and method with intervals, the ceiling and the oracle.

    Parameters
    ----------
    path : PNG file to write.
    results : one row a phenotype and method; accuracies 0 to 1.
    """
    results = arrange_results(results)
    phenotypes = list(dict.fromkeys(results["phenotype"].astype(str)))
    methods = [method for method in RESULT_METHODS if (results["method"] == method).any()]
    figure = start_figure(5.8, 1.6 + 0.13 * len(phenotypes) * (len(methods) + 1))
    axes = figure.add_subplot()
    step = 0.84 / max(len(methods), 1)
    for at, method in enumerate(methods):
        rows = results[results["method"] == method]
        y = [phenotypes.index(str(one)) - 0.42 + step * (at + 0.5) for one in rows["phenotype"]]
        x = 100 * rows["fd_accuracy"].to_numpy(dtype=np.float64)
        low, high = (100 * rows[name].to_numpy(dtype=np.float64) for name in ("fd_low", "fd_high"))
        axes.hlines(y, low, high, color=COLOURS[method], linewidth=1.4, alpha=0.55)
        axes.plot(x, y, MARKERS[method], color=COLOURS[method], markersize=5, label=METHOD_NAMES[method])
    by_phenotype = results.drop_duplicates("phenotype")
    for name, colour, style, label in (
        ("oracle_accuracy", "#cc3311", "-", "True risk SNPs (oracle)"),
        ("ceiling", "#555555", ":", "Ceiling"),
    ):
        values = 100 * by_phenotype[name].to_numpy(dtype=np.float64)
        known = np.isfinite(values)
        if known.any():
            y = np.arange(len(values))[known]
            axes.vlines(values[known], y - 0.45, y + 0.45, color=colour, linestyle=style, label=label)
    axes.axvline(50, color="#999999", linestyle="--", linewidth=0.8, zorder=0)
    for boundary in np.arange(len(phenotypes) - 1) + 0.5:
        axes.axhline(boundary, color="#e5e8eb", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(phenotypes)), phenotypes)
    axes.set_ylim(len(phenotypes) - 0.5, -0.5)
    axes.set_xlabel("Accuracy on FD (%)")
    add_legend(figure, axes)
    return save_figure(figure, path)


def draw_selection(path: str | Path, results: pd.DataFrame) -> Path:
    """Draw ED against FD accuracy of the selected models; on the diagonal the choice kept its word.

    Parameters
    ----------
    path : PNG file to write.
    results : one row a phenotype and method; accuracies 0 to 1.
    """
    figure = start_figure(5.0, 5.4)
    axes = figure.add_subplot()
    shown = [100 * results[name].to_numpy(dtype=np.float64) for name in ("ed_accuracy", "fd_accuracy")]
    low, high = min(np.nanmin(one) for one in shown) - 4, max(np.nanmax(one) for one in shown) + 4
    axes.plot([low, high], [low, high], color="#999999", linestyle="--", linewidth=0.8, zorder=0)
    axes.axhline(50, color="#e5e8eb", linewidth=0.8, zorder=0)
    for method in RESULT_METHODS:
        rows = results[results["method"] == method]
        if len(rows):
            x, y = (100 * rows[name].to_numpy(dtype=np.float64) for name in ("ed_accuracy", "fd_accuracy"))
            axes.plot(x, y, MARKERS[method], color=COLOURS[method], alpha=0.8, label=METHOD_NAMES[method])
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.set_xlabel("Accuracy on ED, where it was chosen (%)")
    axes.set_ylabel("Accuracy on FD (%)")
    add_legend(figure, axes)
    return save_figure(figure, path)
