"""The identity of a set of final data: the same people with the same labels are the same FD."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int

from genotransfer.candidates import CHOSEN

SHORT = 12


def hash_final(iids: list[str], labels: Int[np.ndarray, " n"]) -> str:
    """Return the sha256 of people and labels, whatever their order, variants and files.

    Parameters
    ----------
    iids : individual ids.
    labels : 1 case, 0 control.
    """
    lines = sorted(f"{iid}\t{int(label)}\n" for iid, label in zip(iids, labels, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_final(results_folder: str | Path, phenotype: str) -> pd.DataFrame:
    """Return FD's people of a phenotype, as the final evaluation wrote them.

    Returns
    -------
    FID, IID, label, and score of the chosen model, one row a person.
    """
    predictions = pd.read_parquet(Path(results_folder) / "predictions.parquet")
    mine = predictions[(predictions["phenotype"] == phenotype) & (predictions["method"] == CHOSEN)]
    people: pd.DataFrame = mine[["FID", "IID", "label", "score"]].reset_index(drop=True)
    return people
