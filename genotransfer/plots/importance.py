"""Importance of variants to models, in tracks below the Manhattan plot of the association."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.plots.association import draw_points, name_places
from genotransfer.plots.canvas import COLOURS, LINE_COLOUR, NOTE_COLOUR, RISK_COLOUR, make_figure, save_figure

UPPER, TRACK, GAP = 3.2, 0.9, 0.22  # inches


@dataclass(frozen=True)
class Track:
    """One model's importance.

    Attributes
    ----------
    title : what is drawn, e.g. ``fine-tuned, gru_1: expected gradients``.
    table : one row a variant: id, share (0 to 1); see `interpretation.tables.list_leads`.
    """

    title: str
    table: pd.DataFrame = field(repr=False)


def draw_importance(
    association: pd.DataFrame,
    tracks: Sequence[Track],
    path: str | Path,
    *,
    title: str = "",
    risk_ids: Sequence[str] = (),
) -> Path:
    """Draw the Manhattan plot, and below it on the same axis how much each model rests on each variant.

    Parameters
    ----------
    association : with CHR, SNP, BP and P.
    tracks : models, top to bottom; variants that were not tested are left out.
    path : of the PNG.
    title : above the figure.
    risk_ids : true risk SNPs: ringed above, and marked by a line through the tracks.

    Raises
    ------
    StudyError
        No variant has a p-value.
    """
    inches = UPPER + len(tracks) * (TRACK + GAP) + 0.6
    figure, axes = make_figure(10.0, inches, title)
    axes.set_axis_off()
    share = UPPER / (inches - 0.6)
    upper = axes.inset_axes((0, 1 - share, 1, share))
    places = draw_points(upper, association, risk_ids, None)
    upper.spines[["right", "top"]].set_visible(False)
    upper.tick_params(labelbottom=not tracks)
    lowest = upper
    risky = places.across[places.across.index.isin(list(risk_ids))].to_numpy()
    for number, track in enumerate(tracks, start=1):
        bottom = 1 - share - number * (TRACK + GAP) / (inches - 0.6)
        lowest = axes.inset_axes((0, bottom, 1, TRACK / (inches - 0.6)), sharex=upper)
        _draw_track(lowest, track, places.across, risky)
        lowest.tick_params(labelbottom=number == len(tracks))
    name_places(lowest, places)
    return save_figure(figure, path)


def _draw_track(axes: object, track: Track, across: pd.Series, risky: np.ndarray) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    known = track.table[track.table["id"].isin(across.index)]
    place, height = across.loc[known["id"]].to_numpy(), known["share"].to_numpy(dtype=float)
    for one in risky:
        axes.axvline(one, color=RISK_COLOUR, linewidth=0.8, linestyle=":", zorder=0)
    axes.vlines(place, 0, height, color=COLOURS[0], linewidth=1.2)
    top = float(height.max()) if len(height) else 0.0
    if top > 0:
        first = int(np.argmax(height))
        axes.scatter(place[first], height[first], s=14, color=COLOURS[0], zorder=3)
        axes.annotate(
            f"{known['id'].iloc[first]}, {100 * top:.0f} %",
            (place[first], height[first]),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=NOTE_COLOUR,
        )
    axes.set_ylim(0, top * 1.25 if top > 0 else 1)
    axes.axhline(0, color=LINE_COLOUR, linewidth=0.6)
    axes.set_ylabel("share", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.set_title(track.title, fontsize=8, loc="left", pad=2)
    axes.spines[["right", "top"]].set_visible(False)
