"""The canvas all figures are drawn on, and what they share.

Figures are drawn on matplotlib's Agg canvas without pyplot, so nothing global changes, and the same
data give the same bytes. matplotlib is imported when a figure is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64

from genotransfer.errors import StudyError
from genotransfer.formats.files import replace_together

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#274c77", "#8aa9c9")
RISK_COLOUR = "#d1495b"
LINE_COLOUR = "#8d99ae"
NOTE_COLOUR = "#5c677d"
DPI = 150


def make_figure(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """Return an empty figure of so many inches, with its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["right", "top"]].set_visible(False)
    if title:
        axes.set_title(title, fontsize=11)
    return figure, axes


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, whole or not at all."""
    with replace_together(path) as (target,):
        # matplotlib writes its version by default, and the bytes would change with it.
        figure.savefig(target, format="png", metadata={"Software": "genotransfer"})
    return Path(path)


def take_tested(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return the variants that have a p-value.

    Raises
    ------
    StudyError
        None has.
    """
    tested = table[table["P"].notna()]
    if tested.empty:
        raise StudyError(
            f"The {what} has no p-value to draw: none of {len(table)} variants has one. "
            "Choose another association test, or look at quality control's counts."
        )
    return tested


def to_heights(p: Float64[np.ndarray, " n"]) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Return -log10 p, that of p = 0 a tenth above the highest other, and which were 0."""
    clipped = p <= 0
    height = -np.log10(np.where(clipped, 1, p)) + 0.0
    height[clipped] = max(height.max() * 1.1, 10.0)
    return height, clipped


def ring(axes: Axes, across: np.ndarray, height: np.ndarray, label: str) -> None:
    """Draw rings about risk SNPs."""
    axes.scatter(
        across,
        height,
        s=50,
        facecolors="none",
        edgecolors=RISK_COLOUR,
        linewidths=1.4,
        label=label,
        zorder=4,
    )
