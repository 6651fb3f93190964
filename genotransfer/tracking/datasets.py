"""What a study read, as MLflow's datasets: names, sizes and hashes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow's limit on the length of a digest.
DIGEST_LENGTH = 36


@dataclass(frozen=True)
class Datum:
    """One dataset of a study.

    Attributes
    ----------
    name : e.g. ``CEU genotypes``.
    context : source, target, final, or learning for labels.
    sha256 : of its files.
    place : where it lies.
    n_samples, n_variants : its size; no variants for labels.
    """

    name: str
    context: str
    sha256: str
    place: str
    n_samples: int
    n_variants: int | None = None


def hash_folder(folder: str | Path) -> str:
    """Return the sha256 of the names and contents of a folder's files, in order of their names."""
    digest = hashlib.sha256()
    for path in sorted(one for one in Path(folder).rglob("*") if one.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def log_datasets(client: MlflowClient, run: str, data: list[Datum]) -> None:
    """Log datasets as inputs of a run.

    The digest MLflow shows is the beginning of the hash; the whole of it is in the profile.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = [
        DatasetInput(
            Dataset(
                name=one.name,
                digest=one.sha256[:DIGEST_LENGTH],
                source_type="genotransfer",
                source=json.dumps({"uri": one.place}),
                profile=json.dumps(_describe(one)),
            ),
            [InputTag("mlflow.data.context", one.context)],
        )
        for one in data
    ]
    if inputs:
        client.log_inputs(run, inputs)


def _describe(one: Datum) -> dict[str, Any]:
    facts = {name: value for name, value in asdict(one).items() if value is not None}
    return {name: facts[name] for name in ("n_samples", "n_variants", "sha256") if name in facts}
