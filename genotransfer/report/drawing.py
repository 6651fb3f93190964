"""What the report's figures share: colours and marks of the methods, and how a figure is made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genotransfer.candidates import RESULT_METHODS
from genotransfer.formats.files import replace_together

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision tell apart, and a shape for each. Their
# yellow, of adapted networks, is darker here: it has to stand on white.
_COLOURS = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#b5a800", "#cc79a7", "#d55e00")
COLOURS = dict(zip(RESULT_METHODS, _COLOURS, strict=True))
MARKERS = dict(zip(RESULT_METHODS, "osD^vXP*", strict=True))
DPI = 200


def start_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches."""
    # A Figure of its own, without pyplot: nothing global, safe in threads.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def add_legend(figure: Figure, axes: Axes, n_columns: int = 2) -> None:
    """Put the legend of some axes above the figure."""
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=n_columns, frameon=False, fontsize=8)


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, whole or not at all."""
    path = Path(path)
    with replace_together(path) as (temporary,):
        # Without the software's version the same figure is the same bytes.
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
    return path
