"""Genetic maps: centimorgan at positions of a chromosome."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from genotransfer.simulation.tables import read_columns, refuse_row, to_numbers, to_positions

POSITION_NAMES = {"position", "pos", "position(bp)"}
CM_NAMES = {"cm", "genetic_map(cm)", "map(cm)"}


@dataclass(frozen=True)
class GeneticMap:
    """A recombination map: centimorgan at each of some positions (bp), both ascending."""

    positions: Int64[np.ndarray, " n_points"]
    cm: Float64[np.ndarray, " n_points"]

    def interpolate(self, positions: Int64[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
        """Return centimorgan at any positions (bp), linear between points.

        Before the first and after the last point the map is level: no recombination is known there.
        """
        return np.asarray(np.interp(positions, self.positions, self.cm))


def read_genetic_map(path: Path) -> GeneticMap:
    """Read a genetic map by its header; see `read_hapgen_panel` for the columns.

    Raises
    ------
    InputError
        The file is absent or malformed, positions do not ascend, or centimorgan go down.
    """
    table = read_columns(path, {"position": POSITION_NAMES, "cm": CM_NAMES})
    positions = to_positions(table["position"], path)
    cm = to_numbers(table["cm"], path)
    if len(bad := np.flatnonzero(np.diff(positions) <= 0)):
        refuse_row(
            path, bad[0] + 1, "the position does not exceed the one before it", "Sort the map by position"
        )
    if len(bad := np.flatnonzero(np.diff(cm) < 0)):
        refuse_row(
            path,
            bad[0] + 1,
            f"the map goes down, from {cm[bad[0]]} to {cm[bad[0] + 1]} cM",
            "Give cumulative centimorgan of one chromosome",
        )
    return GeneticMap(positions, cm)
