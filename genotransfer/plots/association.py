"""Manhattan and quantile-quantile plots of an association."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy.special import betaincinv, chdtri

from genotransfer.plots.canvas import (
    COLOURS,
    LINE_COLOUR,
    NOTE_COLOUR,
    make_figure,
    ring,
    save_figure,
    take_tested,
    to_heights,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GENOME_WIDE = 5e-8
GAP_MB = 12.0


def draw_manhattan(
    table: pd.DataFrame,
    path: str | Path,
    *,
    title: str = "",
    risk_ids: Sequence[str] = (),
    thresholds: Sequence[float] | None = None,
) -> Path:
    """Draw -log10 p along the genome, chromosomes in two colours by turns.

    Parameters
    ----------
    table : with CHR, SNP, BP and P. Variants without a p-value are left out; one of p = 0 stands,
        as a triangle, above the highest other.
    path : of the PNG.
    title : above the figure, for instance ``CEU_5_1, allelic test, n = 700``.
    risk_ids : variants to ring, such as the simulated risk SNPs.
    thresholds : p-values at which to draw a line; when None, genome-wide significance (5e-8) and
        Bonferroni's .05 / tests.

    Raises
    ------
    StudyError
        No variant has a p-value.
    """
    figure, axes = make_figure(10.0, 4.2, title)
    places = draw_points(axes, table, risk_ids, thresholds)
    name_places(axes, places)
    return save_figure(figure, path)


@dataclass(frozen=True)
class Places:
    """Where variants lie along the axis of a Manhattan plot.

    Attributes
    ----------
    across : float64 by variant id: Mb, on one chromosome its own, else of chromosomes side by side.
    ticks, names : the middle of each chromosome, and its name.
    width : of the whole axis.
    """

    across: pd.Series
    ticks: list[float]
    names: list[str]
    width: float


def draw_points(
    axes: Axes, table: pd.DataFrame, risk_ids: Sequence[str], thresholds: Sequence[float] | None
) -> Places:
    """Draw what `draw_manhattan` draws within its axes, and return where the variants lie.

    Raises
    ------
    StudyError
        No variant has a p-value.
    """
    tested = order_along_genome(take_tested(table, "Manhattan plot"))
    height, clipped = to_heights(tested["P"].to_numpy())
    single = len(set(tested["CHR"])) == 1
    offset, ticks, names, across = 0.0, [], [], np.empty(len(tested))
    chromosomes = tested["CHR"].to_numpy()
    for number, name in enumerate(dict.fromkeys(chromosomes)):
        here = np.flatnonzero(chromosomes == name)
        place = tested["BP"].to_numpy()[here] / 1e6
        across[here] = place if single else place - place.min() + offset
        ticks.append(float(across[here].min() + across[here].max()) / 2)
        names.append(str(name))
        dots, tops = here[~clipped[here]], here[clipped[here]]
        colour = COLOURS[number % 2]
        axes.scatter(across[dots], height[dots], s=7, color=colour, linewidths=0)
        axes.scatter(across[tops], height[tops], s=26, color=colour, linewidths=0, marker="^")
        offset = float(across[here].max()) + GAP_MB

    lines = [GENOME_WIDE, 0.05 / len(tested)] if thresholds is None else list(thresholds)
    labels = ["5e-8", "0.05 / tests"] if thresholds is None else [f"{line:g}" for line in lines]
    top = max(height.max(), -np.log10(min([*lines, 1.0])))
    _draw_lines(axes, lines, labels)

    risky = np.flatnonzero(np.isin(tested["SNP"].to_numpy(), list(risk_ids)))
    if len(risky):
        label = f"risk SNP ({len(risky)} of {len(set(risk_ids))} tested)"
        ring(axes, across[risky], height[risky], label)
        axes.legend(loc="upper left", frameon=False, fontsize=8)
    axes.set_ylim(0, top * (1.2 if len(risky) else 1.1))
    axes.set_xmargin(0.01)
    axes.set_ylabel("$-\\log_{10}(p)$")
    return Places(pd.Series(across, index=tested["SNP"].to_numpy()), ticks, names, offset)


def name_places(axes: Axes, places: Places) -> None:
    """Name the axis along the genome, and its chromosomes where there are several."""
    ticks, names = places.ticks, places.names
    if len(names) == 1:
        axes.set_xlabel(f"position on chromosome {names[0]} (Mb)")
        return
    # A short chromosome's name would run into the one before it: leave it out.
    room, shown = places.width / 60, [0]
    for at in range(1, len(ticks)):
        if ticks[at] - ticks[shown[-1]] > room:
            shown.append(at)
    axes.set_xticks([ticks[at] for at in shown], [names[at] for at in shown], fontsize=8)
    axes.set_xlabel("chromosome")


def draw_qq(table: pd.DataFrame, path: str | Path, *, title: str = "") -> Path:
    """Draw observed against expected -log10 p, a 95 % band of the null, and lambda GC.

    The band is that of independent tests; with linkage disequilibrium the null strays further.

    Parameters
    ----------
    table : with P.
    path : of the PNG.
    title : above the figure.

    Raises
    ------
    StudyError
        No variant has a p-value.
    """
    p = np.sort(take_tested(table, "QQ plot")["P"].to_numpy())
    height, clipped = to_heights(p)
    n = len(p)
    rank = np.arange(1, n + 1)
    expected = -np.log10((rank - 0.5) / n)
    # A few hundred points draw the band as well as a million do.
    shown = np.unique(np.geomspace(1, n, min(n, 400)).astype(int))
    low, high = (-np.log10(betaincinv(shown, n + 1 - shown, level)) for level in (0.975, 0.025))

    figure, axes = make_figure(4.8, 4.8, title)
    axes.fill_between(
        expected[shown - 1], low, high, color=LINE_COLOUR, alpha=0.25, linewidth=0, label="95 % of the null"
    )
    end = float(expected[0]) * 1.04
    axes.plot([0, end], [0, end], color=LINE_COLOUR, linewidth=1)
    axes.scatter(expected[~clipped], height[~clipped], s=9, color=COLOURS[0], linewidths=0)
    axes.scatter(expected[clipped], height[clipped], s=26, color=COLOURS[0], marker="^", linewidths=0)
    axes.set_xlim(0, end)
    axes.set_ylim(0, max(float(height.max()), float(high.max())) * 1.05)
    axes.set_xlabel("expected $-\\log_{10}(p)$")
    axes.set_ylabel("observed $-\\log_{10}(p)$")
    note = f"$\\lambda_{{GC}}$ = {compute_lambda_gc(p):.3f}\n{n:,} tests"
    axes.text(0.04, 0.95, note, transform=axes.transAxes, va="top")
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    return save_figure(figure, path)


def compute_lambda_gc(p: Float64[np.ndarray, " n"]) -> float:
    """Return the genomic inflation factor: the median chi-squared (1 df) over the null's median.

    Source: Devlin & Roeder 1999, Biometrics 55:997.
    """
    return float(chdtri(1, np.median(p)) / chdtri(1, 0.5))


def order_along_genome(table: pd.DataFrame) -> pd.DataFrame:
    """Sort variants by chromosome, 1 to 22 and then the lettered, and position."""
    rank = {name: _rank_chromosome(name) for name in table["CHR"].unique()}
    return table.iloc[np.lexsort((table["BP"], table["CHR"].map(rank)))]


def _draw_lines(axes: Axes, levels: Sequence[float], labels: Sequence[str]) -> None:
    for level, label in zip(levels, labels, strict=True):
        at = -np.log10(level)
        axes.axhline(at, color=LINE_COLOUR, linewidth=0.9, linestyle="--", zorder=0)
        axes.annotate(
            label,
            (1, at),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=NOTE_COLOUR,
        )


def _rank_chromosome(name: str) -> int:
    bare = str(name).lower().removeprefix("chr")
    return int(bare) if bare.isdigit() else 1000 + sum(map(ord, bare))
