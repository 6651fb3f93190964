"""A bundle written: saved models, tables and facts into a folder, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from genotransfer import __version__
from genotransfer.formats.files import replace_together
from genotransfer.models.archives import hash_file
from genotransfer.prediction.facts import MANIFEST, BundleFacts, BundleMember
from genotransfer.prediction.opened import Bundle, load_bundle

NAMED = ("key", "method", "model", "weight")


def write_bundle(
    folder: Path,
    members: pd.DataFrame,
    saved: Sequence[Path],
    tables: dict[str, pd.DataFrame],
    **facts: Any,
) -> Bundle:
    """Write a bundle and open it; one that is already there is replaced.

    Parameters
    ----------
    folder : where it is written.
    members : a row a model: key, method, model, weight.
    saved : the folder of each, as `genotransfer.models.store.save_predictor` wrote it.
    tables : by the name of their file.
    facts : those of `BundleFacts` that neither the members nor the files tell.

    Raises
    ------
    InputError
        A model cannot be opened, or reads variants that the tables do not hold.
    """
    with replace_together(folder, replace_folders=True) as [temporary]:
        listed = []
        for number, one in enumerate(members.to_dict("records")):
            place = f"models/{number}"
            shutil.copytree(saved[number], temporary / place)
            listed.append(BundleMember(folder=place, **{name: one[name] for name in NAMED}))
        for name, table in tables.items():
            table.to_parquet(temporary / name, index=False)
        described = BundleFacts(
            library_version=__version__,
            members=listed,
            sha256={
                path.relative_to(temporary).as_posix(): hash_file(path)
                for path in sorted(temporary.rglob("*"))
                if path.is_file()
            },
            **facts,
        )
        (temporary / MANIFEST).write_text(described.model_dump_json(indent=1) + "\n", encoding="utf-8")
        opened = load_bundle(temporary)  # what cannot be opened again is not handed out
    return replace(opened, folder=folder)
