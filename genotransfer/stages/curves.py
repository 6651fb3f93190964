"""Learning curves: of every network that a candidate is made of, each once.

A folder of models holds two Parquet files, both for ``pandas.read_parquet``:

``curves.parquet``
    One row an epoch: ``key`` of the network (dictionary), ``epoch`` (from 1), ``loss`` and
    ``accuracy`` on TD, ``val_loss`` and ``val_accuracy`` on VD (float32; cross-entropy in nats,
    accuracy 0 to 1). A network that was fine-tuned or adapted has its candidate's key; a source
    network, the one key of all candidates that start from it: ``<phenotype>.source.<panel>.<network>``.
``curve_keys.parquet``
    One row a candidate with a network: ``key`` of the candidate, ``curve`` and ``source_curve``,
    keys in ``curves.parquet``: of the network the candidate uses, and of the source network it
    starts from. They are the same where nothing was trained on the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genotransfer.errors import InputError
from genotransfer.formats.files import replace_together
from genotransfer.training.jobs import CURVE_COLUMNS

if TYPE_CHECKING:
    from genotransfer.baselines import Fitted
    from genotransfer.candidates import Candidate

CURVES = "curves.parquet"
KEYS = "curve_keys.parquet"
KEY_COLUMNS = ["key", "curve", "source_curve"]
TYPES: dict[str, Any] = {"key": "category", "epoch": "int32"} | dict.fromkeys(CURVE_COLUMNS[1:], "float32")


@dataclass(frozen=True, eq=False)
class Curves:
    """The learning curves of a study or of a part of it; see the module for both tables.

    Attributes
    ----------
    points : one row an epoch of a network.
    keys : one row a candidate with a network.
    """

    points: pd.DataFrame = field(repr=False)
    keys: pd.DataFrame = field(repr=False)

    def take(self, candidates: pd.Series, which: str = "curve") -> pd.DataFrame:
        """Return curves of candidates, ``key`` being the candidate's; the classical models have none.

        Parameters
        ----------
        candidates : their keys.
        which : ``curve`` for the network a candidate uses, ``source_curve`` for the source's.
        """
        named = self.keys.loc[self.keys["key"].isin(candidates), ["key", which]]
        points = self.points.rename(columns={"key": which})
        return named.merge(points, on=which).drop(columns=which)

    def measure_epochs(self) -> pd.DataFrame:
        """Return ``key``, ``best_epoch`` and ``stopped_epoch`` of each network.

        The best epoch has the lowest loss on VD, the first of several; it is the one whose weights
        were kept. A loss that is not a number counts as the worst.
        """
        points = self.points.sort_values(["key", "epoch"], ignore_index=True)
        groups = points.assign(val_loss=points["val_loss"].fillna(np.inf)).groupby("key")
        best = points.loc[groups["val_loss"].idxmin(), ["key", "epoch"]]
        stopped = groups["epoch"].max().rename("stopped_epoch")
        return best.rename(columns={"epoch": "best_epoch"}).merge(stopped, on="key")


class CurveBook:
    """Collects the learning curves of candidates as they pass by, and writes them at the end.

    Parameters
    ----------
    of_sources : the curves of the source's networks, see `SourceModels.curves`.
    """

    def __init__(self, of_sources: pd.DataFrame) -> None:
        self._of_sources = of_sources
        self._tuned: list[tuple[str, pd.DataFrame]] = []
        self._keys: list[tuple[str, str, str]] = []

    def add(self, one: Fitted) -> None:
        """Note a candidate of deep transfer, and its own curve where it was fine-tuned or adapted."""
        key, source = one.candidate.key, name_source(one.candidate)
        self._keys.append((key, source if one.curve is None else key, source))
        if one.curve is not None:
            self._tuned.append((key, one.curve))

    def write(self, folder: str | Path) -> None:
        """Write both tables into a folder of models; nothing where no candidate had a network.

        Raises
        ------
        InputError
            A source network has no curve.
        """
        if not self._keys:
            return
        curves = self._gather()
        with replace_together(Path(folder) / CURVES, Path(folder) / KEYS) as [points, keys]:
            write_points(curves.points, points)
            curves.keys.to_parquet(keys, index=False)

    def _gather(self) -> Curves:
        keys = pd.DataFrame(self._keys, columns=KEY_COLUMNS)
        theirs = self._of_sources
        names = theirs["phenotype"] + ".source." + theirs["panel"] + "." + theirs["network"]
        theirs = theirs.assign(key=names)
        theirs = theirs[theirs["key"].isin(keys["source_curve"])]
        absent = sorted(set(keys["source_curve"]) - set(theirs["key"]))
        if absent:
            raise InputError(
                f"The source networks have no learning curve of {absent[0]}",
                remedy="Train the source models again",
            )
        return Curves(pd.concat([theirs, *self._list_tuned()])[["key", *CURVE_COLUMNS]], keys)

    def _list_tuned(self) -> list[pd.DataFrame]:
        if not self._tuned:
            return []
        keys, curves = zip(*self._tuned, strict=True)
        return [pd.concat(curves).assign(key=np.repeat(keys, [len(curve) for curve in curves]))]


def name_source(candidate: Candidate) -> str:
    """Return the key of the source network that a candidate of deep transfer starts from."""
    network = candidate.model.split("+")[0]
    return f"{candidate.phenotype}.source.{candidate.panel}.{network}"


def read_curves(models_folders: Sequence[str | Path]) -> Curves:
    """Read the learning curves in folders of models; those without a network have none."""
    places = [Path(folder) for folder in models_folders if (Path(folder) / CURVES).exists()]
    points = [pd.DataFrame(columns=["key", *CURVE_COLUMNS])]
    keys = [pd.DataFrame(columns=KEY_COLUMNS)]
    for place in places:
        points.append(pd.read_parquet(place / CURVES).astype({"key": object}))
        keys.append(pd.read_parquet(place / KEYS))
    return Curves(
        pd.concat(points[1:] or points, ignore_index=True), pd.concat(keys[1:] or keys, ignore_index=True)
    )


def write_points(points: pd.DataFrame, path: str | Path) -> None:
    """Write the points of curves as one Parquet file, keys as a dictionary."""
    points.astype(TYPES).to_parquet(path, index=False)
