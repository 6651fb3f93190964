"""Figures of learning: the chosen networks' loss by epoch, and how long all networks learnt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genotransfer.report.drawing import COLOURS, MARKERS, add_legend, save_figure, start_figure
from genotransfer.selection import split_digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS = 10  # phenotypes on one picture
HEADS = {
    ("deep_simple", "source"): "Deep, not retrained:\nthe source",
    ("deep_pretrained", "source"): "Deep, frozen layers:\nthe source",
    ("deep_finetuned", "source"): "Deep, fine-tuned:\nthe source",
    ("deep_finetuned", "target"): "Deep, fine-tuned:\nthe target",
    ("deep_adapted", "source"): "Deep, adapted:\nthe source",
    ("deep_adapted", "both"): "Deep, adapted:\nboth",
}
TD_STYLE: dict[str, Any] = {"color": "#777777", "linewidth": 1, "linestyle": "--"}
COIN_STYLE: dict[str, Any] = {"color": "#999999", "linewidth": 0.8, "linestyle": ":"}
VD_WIDTH = 1.4
POPULATIONS = {
    "source": ("On the source", "deep_simple"),
    "target": ("Fine-tuning", "deep_finetuned"),
    "both": ("Adaptation", "deep_adapted"),
}


@dataclass(frozen=True, eq=False)
class Learning:
    """How the networks of a study learnt.

    Attributes
    ----------
    curves : one row an epoch of a chosen network: phenotype, method, trained_on (``source``, or
        ``target`` for the fine-tuning of `deep_finetuned`, or ``both`` for `deep_adapted`), model,
        n_snps, trainable_layers, epoch (from 1), td_loss and vd_loss (cross-entropy, nats).
    networks : one row a network of the study: family, trained_on, best_epoch and stopped_epoch.
    epochs : the most epochs a network may train.
    patience : epochs without a better VD loss after which training stops.
    """

    curves: pd.DataFrame = field(repr=False)
    networks: pd.DataFrame = field(repr=False)
    epochs: int
    patience: int


def draw_learning(folder: str | Path, learning: Learning) -> list[tuple[str, Path]]:
    """Draw the chosen networks' curves and all networks' epochs; returns titles and PNG files.

    The curves are ``learning.png``, and ``learning_2.png`` and so on where there are many
    phenotypes; the epochs are ``epochs.png``.
    """
    folder = Path(folder)
    phenotypes = sorted(set(learning.curves["phenotype"].astype(str)), key=split_digits)
    pages = [phenotypes[start : start + ROWS] for start in range(0, len(phenotypes), ROWS)]
    figures = []
    for at, page in enumerate(pages, 1):
        part = f" ({at} of {len(pages)})" if len(pages) > 1 else ""
        path = folder / ("learning.png" if at == 1 else f"learning_{at}.png")
        title = (
            f"Learning curves of the chosen networks{part}: TD trains, VD stops early and its lowest loss "
            "keeps the weights. A network that was fine-tuned stands beside its source's."
        )
        figures.append((title, draw_learning_curves(path, learning.curves, page)))
    title = (
        "All networks: how many had had their best epoch, and how many had stopped, by each epoch. Training "
        f"stops after {learning.patience} epochs without a lower loss on VD, or after {learning.epochs} in all."
    )
    figures.append((title, draw_epochs(folder / "epochs.png", learning.networks, learning.epochs)))
    return figures


def draw_learning_curves(path: str | Path, curves: pd.DataFrame, phenotypes: Sequence[str]) -> Path:
    """Draw the loss by epoch of each chosen network: a row a phenotype, a column a method.

    Parameters
    ----------
    path : PNG file to write.
    curves : see `Learning`.
    phenotypes : those to draw, in this order.
    """
    known = set(zip(curves["method"], curves["trained_on"], strict=True))
    columns = [place for place in HEADS if place in known]
    figure = start_figure(1.7 * len(columns) + 0.6, 1.25 * len(phenotypes) + 1.2)
    grid = figure.subplots(len(phenotypes), len(columns), squeeze=False, sharex=True, sharey="row")
    for row, phenotype in zip(grid, phenotypes, strict=True):
        for axes, (method, trained_on) in zip(row, columns, strict=True):
            mine = (curves["phenotype"] == phenotype) & (curves["method"] == method)
            _draw_curve(axes, curves[mine & (curves["trained_on"] == trained_on)].sort_values("epoch"))
        row[0].set_ylabel(phenotype, rotation=0, ha="right", va="center", fontweight="bold")
    _write_heads(grid[0], [HEADS[place] for place in columns])
    figure.supxlabel("Epoch", fontsize=9)
    figure.supylabel("Loss (cross-entropy, nats)", fontsize=9)
    _explain_lines(figure, list(dict.fromkeys(method for method, _ in columns)))
    return save_figure(figure, path)


def _explain_lines(figure: Figure, methods: Sequence[str]) -> None:
    """Add the legend: lines and marks of all methods together."""
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], color=COLOURS[one], marker=MARKERS[one], linestyle="", markersize=4.5)
        for one in methods
    ]
    lines: dict[str, Any] = {
        "TD": Line2D([], [], **TD_STYLE),
        "VD": tuple(Line2D([], [], color=COLOURS[one], linewidth=VD_WIDTH) for one in methods),
        "Lowest on VD": tuple(marks),
        "A coin (ln 2)": Line2D([], [], **COIN_STYLE),
    }
    figure.legend(
        list(lines.values()),
        list(lines),
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.4)},
        loc="outside upper center",
        ncols=4,
        handlelength=3,
        frameon=False,
        fontsize=8,
    )


def _write_heads(row: Iterable[Axes], heads: Iterable[str]) -> None:
    """Write the columns' heads above the titles of the first row."""
    for axes, head in zip(row, heads, strict=True):
        axes.annotate(
            head,
            (0, 1),
            (0, 18),
            xycoords="axes fraction",
            textcoords="offset points",
            va="bottom",
            fontsize=8,
            fontweight="bold",
        )


def _draw_curve(axes: Axes, rows: pd.DataFrame) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7)
    if rows.empty:
        axes.text(
            0.5, 0.5, "no candidate", transform=axes.transAxes, ha="center", fontsize=7, color="#777777"
        )
        return
    first = rows.iloc[0]
    colour = COLOURS[first["method"]]
    axes.axhline(np.log(2), zorder=0, **COIN_STYLE)
    axes.plot(rows["epoch"], rows["td_loss"], **TD_STYLE)
    axes.plot(rows["epoch"], rows["vd_loss"], color=colour, linewidth=VD_WIDTH)
    best = rows[rows["vd_loss"] == rows["vd_loss"].min()].head(1)
    axes.plot(best["epoch"], best["vd_loss"], MARKERS[first["method"]], color=colour, markersize=4.5)
    axes.set_title(_describe(first), fontsize=7, loc="left")


def _describe(first: pd.Series) -> str:
    if first["trained_on"] == "source":
        return f"{first['model']}, {first['n_snps']:,} SNP{'s' if first['n_snps'] > 1 else ''}"
    layers = first["trainable_layers"]
    return f"{first['model']}, " + ("top layer" if layers == 1 else f"top {layers} layers")


def draw_epochs(path: str | Path, networks: pd.DataFrame, epochs: int) -> Path:
    """Draw what share of each family's networks had stopped, and had had its best epoch, by each epoch.

    Parameters
    ----------
    path : PNG file to write.
    networks : see `Learning`.
    epochs : the most a network may train.
    """
    families = sorted(set(networks["family"]))
    columns = [one for one in POPULATIONS if (networks["trained_on"] == one).any()]
    figure = start_figure(3.4 * len(columns) + 0.6, 1.35 * len(families) + 1.1)
    grid = figure.subplots(len(families), len(columns), squeeze=False, sharex=True, sharey=True)
    edges = np.arange(epochs + 1) + 0.5
    for row, family in zip(grid, families, strict=True):
        for axes, trained_on in zip(row, columns, strict=True):
            mine = networks[(networks["family"] == family) & (networks["trained_on"] == trained_on)]
            _draw_shares(axes, mine, edges, COLOURS[POPULATIONS[trained_on][1]], epochs)
        row[0].set_ylabel(family, rotation=0, ha="right", va="center", fontweight="bold")
    _write_heads(grid[0], [POPULATIONS[one][0] for one in columns])
    figure.supxlabel("Epoch", fontsize=9)
    figure.supylabel("Networks by then (%)", fontsize=9)
    add_legend(figure, grid[0, 0])
    return save_figure(figure, path)


def _draw_shares(axes: Axes, networks: pd.DataFrame, edges: np.ndarray, colour: str, epochs: int) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7)
    n = len(networks)
    if not n:
        return
    best, stopped = (
        100 * np.histogram(networks[name], edges)[0].cumsum() / n for name in ("best_epoch", "stopped_epoch")
    )
    axes.stairs(stopped, edges, fill=True, color="#d5d9dc", label="Stopped")
    axes.stairs(best, edges, color=colour, linewidth=VD_WIDTH, baseline=None, label="Past their best epoch")
    whole = (networks["stopped_epoch"] >= epochs).mean()
    axes.set_title(
        f"{n:,} network{'' if n == 1 else 's'}, median best {networks['best_epoch'].median():g}, "
        f"{100 * whole:.0f} % ran all {epochs}",
        fontsize=7,
        loc="left",
    )
