"""Heat map of linkage disequilibrium about a variant, under the association there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from genotransfer.errors import StudyError
from genotransfer.genotypes import Genotypes
from genotransfer.linkage import compute_r2
from genotransfer.plots.canvas import (
    COLOURS,
    LINE_COLOUR,
    make_figure,
    ring,
    save_figure,
    take_tested,
    to_heights,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_ld(
    genotypes: Genotypes,
    path: str | Path,
    *,
    centre: str | None = None,
    table: pd.DataFrame | None = None,
    n_variants: int = 200,
    title: str = "",
    risk_ids: Sequence[str] = (),
) -> Path:
    """Draw r2 between the variants about one of them: a triangle under their positions.

    Parameters
    ----------
    genotypes : of one population.
    path : of the PNG.
    centre : id of the variant in the middle; when None, the one of smallest P in `table`, or the
        first variant.
    table : association with SNP and P, drawn above the triangle.
    n_variants : at most so many, half on either side, all on the centre's chromosome.
    title : above the figure.
    risk_ids : variants to mark.

    Raises
    ------
    InputError
        The centre is not among the variants.
    StudyError
        There are fewer than two variants about the centre.
    """
    centre = centre or _choose_centre(genotypes, table)
    near = take_neighbours(genotypes, int(genotypes.locate_variants([centre])[0]), n_variants)
    if len(near) < 2:
        raise StudyError(
            f"The LD heat map about {centre} has {len(near)} variant: it needs two or more on one "
            "chromosome. Name another centre."
        )
    region = genotypes.select(variants=near)
    r2, k = compute_r2(region.read()), len(near)
    ids, position = region.variants["id"].to_numpy(), region.variants["position"].to_numpy() / 1e6

    # Heights: the triangle, the lines that tie it to the positions, the association if there is one.
    figure, axes = make_figure(8.0, 5.0 if table is None else 6.6, title)
    triangle, links = (0.82, 0.1) if table is None else (0.6, 0.08)
    lower = axes.inset_axes((0, 0, 1, triangle))
    link = axes.inset_axes((0, triangle, 1, links))
    upper = axes.inset_axes((0, triangle + links, 1, 1 - triangle - links))
    axes.set_axis_off()

    # Turn the upper triangle by 45 degrees: the pair (i, j) is a diamond at ((i + j) / 2, j - i).
    edge = np.arange(k + 1) - 0.5
    row, column = np.meshgrid(edge, edge, indexing="ij")
    shown = np.ma.masked_where(np.tri(k, k=-1, dtype=bool) | np.isnan(r2), r2)
    mesh = lower.pcolormesh((row + column) / 2, row - column, shown, cmap="magma_r", vmin=0, vmax=1)
    lower.set(xlim=(-0.5, k - 0.5), ylim=(-k, 1))
    lower.set_axis_off()
    bar = figure.colorbar(mesh, cax=lower.inset_axes((0.86, 0.02, 0.02, 0.5)))
    bar.set_label("$r^2$")
    lower.text(
        0.0, 0.03, f"{k} variants\n{region.n_samples:,} samples", transform=lower.transAxes, fontsize=8
    )

    width = max(position[-1] - position[0], 1e-9)
    along = (position - position[0]) / width * (k - 1)
    for at in range(k):
        link.plot([at, along[at]], [0, 1], color=LINE_COLOUR, linewidth=0.3)
    link.set(xlim=(-0.5, k - 0.5), ylim=(0, 1))
    link.set_axis_off()
    _draw_region(upper, table, ids, position, centre, risk_ids)
    upper.set_xlim(position[0] - width * 0.5 / (k - 1), position[-1] + width * 0.5 / (k - 1))
    upper.set_xlabel(f"position on chromosome {region.variants['chromosome'].iloc[0]} (Mb)", fontsize=8)
    upper.xaxis.set_label_position("top")
    upper.xaxis.tick_top()
    return save_figure(figure, path)


def _draw_region(
    axes: Axes,
    table: pd.DataFrame | None,
    ids: np.ndarray,
    position: Float64[np.ndarray, " k"],
    centre: str,
    risk_ids: Sequence[str],
) -> None:
    height = np.zeros(len(ids))
    if table is not None:
        found = table.set_index("SNP")["P"].reindex(ids).to_numpy(dtype=float)
        told = ~np.isnan(found)
        height = np.full(len(ids), np.nan)
        height[told] = to_heights(found[told])[0]
        axes.set_ylabel("$-\\log_{10}(p)$", fontsize=8)
    else:
        axes.set_yticks([])
    middle, risky = ids == centre, np.isin(ids, list(risk_ids))
    axes.scatter(position, height, s=10, color=COLOURS[0], linewidths=0)
    axes.scatter(position[middle], height[middle], s=34, marker="D", color=COLOURS[0], label=centre, zorder=3)
    if risky.any():
        ring(axes, position[risky], height[risky], "risk SNP")
    axes.set_ylim(*((-1, 1) if table is None else (0, max(np.nanmax(height, initial=0), 1) * 1.15)))
    axes.tick_params(labelsize=8)
    if table is not None:
        axes.legend(loc="upper right", frameon=False, fontsize=8)
    axes.spines[["right", "top"]].set_visible(True)


def _choose_centre(genotypes: Genotypes, table: pd.DataFrame | None) -> str:
    ids = genotypes.variants["id"]
    if table is None:
        return str(ids.iloc[0])
    # As objects: of Arrow's strings, pandas turns each wanted one into a scalar of its own.
    known = table[table["SNP"].astype(object).isin(set(ids))]
    tested = take_tested(known, "LD heat map")
    return str(tested["SNP"].iloc[int(tested["P"].to_numpy().argmin())])


def take_neighbours(genotypes: Genotypes, at: int, n_variants: int) -> Int64[np.ndarray, " k"]:
    """Return the positions of the variants about `at`, by their place on its chromosome."""
    chromosome = genotypes.variants["chromosome"].to_numpy()
    on = np.flatnonzero(chromosome == chromosome[at])
    on = on[np.argsort(genotypes.variants["position"].to_numpy()[on], kind="stable")]
    start = int(np.flatnonzero(on == at)[0]) - n_variants // 2
    start = max(0, min(start, len(on) - n_variants))
    return np.asarray(on[start : start + n_variants])
