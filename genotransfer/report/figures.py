"""Figures of the report: accuracies with intervals, ED against FD, and learning curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from genotransfer.candidates import METHODS
from genotransfer.formats.files import replace_together
from genotransfer.report.findings import METHOD_NAMES
from genotransfer.report.tables import arrange_results
from genotransfer.selection import split_digits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision tell apart, and a shape for each.
COLOURS = dict(zip(METHODS, ("#000000", "#e69f00", "#56b4e9", "#009e73", "#0072b2"), strict=True))
MARKERS = dict(zip(METHODS, "osD^v", strict=True))
DPI = 200


def draw_figures(
    folder: str | Path, results: pd.DataFrame, curves: pd.DataFrame | None = None
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
    if curves is not None and len(curves):
        figures.append(
            (
                "Learning curves of the chosen networks: TD trains, VD stops early; those of the target where "
                "a network was fine-tuned, else those of the source.",
                draw_learning_curves(folder / "learning.png", curves),
            )
        )
    return figures


def draw_accuracies(path: str | Path, results: pd.DataFrame) -> Path:
    """Draw FD accuracy by phenotype and method with intervals, the ceiling and the oracle.

    Parameters
    ----------
    path : PNG file to write.
    results : one row a phenotype and method; accuracies 0 to 1.
    """
    results = arrange_results(results)
    phenotypes = list(dict.fromkeys(results["phenotype"].astype(str)))
    methods = [method for method in METHODS if (results["method"] == method).any()]
    figure = _start_figure(5.8, 1.6 + 0.13 * len(phenotypes) * (len(methods) + 1))
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
    _add_legend(figure, axes)
    return _save_figure(figure, path)


def draw_selection(path: str | Path, results: pd.DataFrame) -> Path:
    """Draw ED against FD accuracy of the selected models; on the diagonal the choice kept its word.

    Parameters
    ----------
    path : PNG file to write.
    results : one row a phenotype and method; accuracies 0 to 1.
    """
    figure = _start_figure(5.0, 5.4)
    axes = figure.add_subplot()
    shown = [100 * results[name].to_numpy(dtype=np.float64) for name in ("ed_accuracy", "fd_accuracy")]
    low, high = min(np.nanmin(one) for one in shown) - 4, max(np.nanmax(one) for one in shown) + 4
    axes.plot([low, high], [low, high], color="#999999", linestyle="--", linewidth=0.8, zorder=0)
    axes.axhline(50, color="#e5e8eb", linewidth=0.8, zorder=0)
    for method in METHODS:
        rows = results[results["method"] == method]
        if len(rows):
            x, y = (100 * rows[name].to_numpy(dtype=np.float64) for name in ("ed_accuracy", "fd_accuracy"))
            axes.plot(x, y, MARKERS[method], color=COLOURS[method], alpha=0.8, label=METHOD_NAMES[method])
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.set_xlabel("Accuracy on ED, where it was chosen (%)")
    axes.set_ylabel("Accuracy on FD (%)")
    _add_legend(figure, axes)
    return _save_figure(figure, path)


def draw_learning_curves(path: str | Path, curves: pd.DataFrame) -> Path:
    """Draw the loss by epoch of each network, on TD and VD.

    Parameters
    ----------
    path : PNG file to write.
    curves : ``name`` (what is printed above the panel), ``epoch`` (from 1), ``td_loss`` and
        ``vd_loss`` (cross-entropy, nats).
    """
    names = sorted(set(curves["name"].astype(str)), key=split_digits)
    n_columns = min(3, len(names))
    n_rows = -(-len(names) // n_columns)
    figure = _start_figure(1.75 * n_columns + 0.5, 1.6 * n_rows + 0.4)
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for at, axes in enumerate(grid.flat):
        if at >= len(names):
            axes.set_axis_off()
            continue
        rows = curves[curves["name"] == names[at]].sort_values("epoch")
        axes.plot(rows["epoch"], rows["td_loss"], color="#000000", linewidth=1.2, label="TD")
        axes.plot(rows["epoch"], rows["vd_loss"], color="#0072b2", linewidth=1.2, label="VD")
        axes.set_title(names[at], fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        if at == 0:
            axes.legend(frameon=False, fontsize=8)
        if at + n_columns >= len(names):
            axes.set_xlabel("Epoch")
        if at % n_columns == 0:
            axes.set_ylabel("Loss")
    return _save_figure(figure, path)


def _start_figure(width: float, height: float) -> Figure:
    # A Figure of its own, without pyplot: nothing global, safe in threads.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _add_legend(figure: Figure, axes: object) -> None:
    axes.spines[["top", "right"]].set_visible(False)  # type: ignore[attr-defined]
    handles, labels = axes.get_legend_handles_labels()  # type: ignore[attr-defined]
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize=8)


def _save_figure(figure: Figure, path: str | Path) -> Path:
    path = Path(path)
    with replace_together(path) as (temporary,):
        # Without the software's version the same figure is the same bytes.
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
    return path
