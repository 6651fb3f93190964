"""The source's networks between training and transfer: a folder of ``.keras`` files with a manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from genotransfer.errors import InputError
from genotransfer.formats.files import replace_together
from genotransfer.models import archives
from genotransfer.models.network_files import NetworkFiles
from genotransfer.models.store import check_replaceable
from genotransfer.training.jobs import CURVE_COLUMNS, TrainedNetwork, Weights

FORMAT_VERSION = 1
MANIFEST = "source_models.json"
CURVES = "learning_curves.parquet"
NAME_COLUMNS = ["phenotype", "panel", "network"]


@dataclass(frozen=True, eq=False)
class SourceModel:
    """A network trained on the source.

    Attributes
    ----------
    phenotype, panel : what it was trained on.
    variants_sha256 : of the panel's variants, by `hash_variants`.
    trained : the network.
    """

    phenotype: str
    panel: str
    variants_sha256: str
    trained: TrainedNetwork


@dataclass(frozen=True, eq=False)
class SourceModels:
    """Saved source models, read one by one.

    Attributes
    ----------
    folder : where they are.
    table : one row a model: phenotype, panel, network, window, n_variants, variants_sha256,
        best_epoch, stopped_epoch, sha256, file.
    """

    folder: Path
    table: pd.DataFrame = field(repr=False)
    _files: NetworkFiles = field(default_factory=NetworkFiles, init=False, repr=False)

    @property
    def curves(self) -> pd.DataFrame:
        """Learning curves, long: phenotype, panel, network, epoch, loss, accuracy, val_loss, val_accuracy."""
        return pd.read_parquet(self.folder / CURVES)

    def read_weights(self, phenotype: str, panel: str, network: str, variants: pd.DataFrame) -> Weights:
        """Return one network's weights, in the order of Keras's ``get_weights``.

        Parameters
        ----------
        variants : the panel's variants (id, counted, other), which must be those of training.

        Raises
        ------
        InputError
            There is no such model, its file is not the one that was written, or the panel has
            other variants now.
        """
        row = self.find(phenotype, panel, network)
        if row["variants_sha256"] != hash_variants(variants):
            raise InputError(
                f"{phenotype}/{panel}/{network} was trained on other variants than panel {panel} has now",
                remedy="Train the source models on these panels",
                file=self.folder / MANIFEST,
            )
        path = self.folder / row["file"]
        archives.check_hash(path, row["sha256"])
        return self._files.read(path, network, int(row["n_variants"]), row["window"])

    def find(self, phenotype: str, panel: str, network: str) -> dict[str, Any]:
        """Return one model's row of the table.

        Raises
        ------
        InputError
            There is no such model.
        """
        rows = self._rows.get((phenotype, panel, network), [])
        if len(rows) != 1:
            raise InputError(
                f"There is no source model {phenotype}/{panel}/{network}",
                remedy="Train it, or leave it out of the transfer",
                file=self.folder / MANIFEST,
            )
        return dict(rows[0])

    @cached_property
    def _rows(self) -> dict[tuple[str, ...], list[dict[str, Any]]]:
        rows: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for row in self.table.to_dict("records"):
            named = {str(name): value for name, value in row.items()}
            rows.setdefault(tuple(named[name] for name in NAME_COLUMNS), []).append(named)
        return rows


def hash_variants(variants: pd.DataFrame) -> str:
    """Return the sha256 of a panel's variants: ids and alleles, in order."""
    columns = [variants[name].astype(str).tolist() for name in ("id", "counted", "other")]
    rows = map("\t".join, zip(*columns, strict=True))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def save_source_models(folder: str | Path, models: Iterable[SourceModel]) -> SourceModels:
    """Write source models as they come, e.g. ``5_1/source_03/gru_1.keras``, and return them.

    The folder appears when all of them are written. It holds a JSON manifest, and the learning
    curves as one Parquet file. Source models that are already there are replaced.

    Raises
    ------
    InputError
        The folder holds something else, or two models have one name.
    """
    folder = Path(folder)
    check_replaceable(folder, MANIFEST)
    files = NetworkFiles()
    rows: list[dict[str, Any]] = []
    curves = [pd.DataFrame(columns=[*NAME_COLUMNS, *CURVE_COLUMNS])]
    with replace_together(folder, replace_folders=True) as [temporary]:
        temporary.mkdir()
        for model in models:
            trained = model.trained
            path = temporary / model.phenotype / model.panel / f"{trained.network}.keras"
            if path.exists():
                raise InputError(
                    f"Two source models are named {model.phenotype}/{model.panel}/{trained.network}",
                    remedy="Give each network of a panel once",
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write(path, trained.network, trained.n_variants, trained.window, trained.weights)
            names = {"phenotype": model.phenotype, "panel": model.panel, "network": trained.network}
            rows.append(
                {
                    **names,
                    "window": trained.window,
                    "n_variants": trained.n_variants,
                    "variants_sha256": model.variants_sha256,
                    "best_epoch": trained.best_epoch,
                    "stopped_epoch": trained.stopped_epoch,
                    "sha256": archives.hash_file(path),
                    "file": path.relative_to(temporary).as_posix(),
                }
            )
            curves.append(trained.curve.assign(**names)[[*NAME_COLUMNS, *CURVE_COLUMNS]])
        archives.write_json(temporary / MANIFEST, {"format_version": FORMAT_VERSION, "models": rows})
        together = pd.concat(curves[1:] or curves, ignore_index=True)
        together.to_parquet(temporary / CURVES, index=False)
    return load_source_models(folder)


def load_source_models(folder: str | Path) -> SourceModels:
    """Open a folder of source models; a network is read when it is asked for.

    Raises
    ------
    InputError
        The manifest is absent or malformed.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    manifest = archives.read_manifest(path, FORMAT_VERSION)
    columns = [*NAME_COLUMNS, "window", "n_variants", "variants_sha256", "best_epoch", "stopped_epoch"]
    columns += ["sha256", "file"]
    try:
        # Objects, so that a window of None stays None and numbers stay whole.
        rows = [[row[name] for name in columns] for row in manifest["models"]]
        table = pd.DataFrame(rows, columns=columns, dtype=object)
    except (KeyError, TypeError) as error:
        raise InputError(
            f"The manifest lacks or garbles {error}", remedy=archives.REMAKE, file=path
        ) from error
    for file in table["file"]:
        if not (folder / str(file)).resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{file} lies outside the folder", remedy=archives.REMAKE, file=path)
    return SourceModels(folder, table)
