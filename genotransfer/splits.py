"""Splits of a population: TD trains, VD stops early, ED selects, FD is read once at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int8, Int64

from genotransfer.errors import StudyError

SPLITS = ("TD", "VD", "ED")


@dataclass(frozen=True)
class LabelledSamples:
    """Dosages and case-control labels of the samples of one split.

    Attributes
    ----------
    dosages : int8 (n_samples, n_variants); 0, 1, 2 copies of the counted allele, -1 missing.
    labels : int8 (n_samples,); 1 case, 0 control.
    """

    dosages: Int8[np.ndarray, "n_samples n_variants"]
    labels: Int8[np.ndarray, " n_samples"]


def assign_splits(
    labels: Int8[np.ndarray, " n_samples"],
    sizes: dict[str, int],
    generator: np.random.Generator,
) -> np.ndarray:
    """Assign samples to splits at random, stratified by case and control.

    Parameters
    ----------
    labels : 1 case, 0 control.
    sizes : number of samples of each split, in the order in which they are filled. Samples left
        over get the split ``""``.
    generator : source of randomness.

    Returns
    -------
    The name of each sample's split, object array (n_samples,). Each split has as near to the
    whole's share of cases as whole people allow.

    Raises
    ------
    StudyError
        The sizes add up to more samples than there are.
    """
    wanted, available = sum(sizes.values()), len(labels)
    if wanted > available:
        parts = " + ".join(f"{name} {size}" for name, size in sizes.items())
        raise StudyError(
            f"The splits ask for {wanted} samples ({parts}), but only {available} have a phenotype. "
            "Make the splits smaller or give more samples."
        )
    # Interleave cases and controls evenly; any run of this order then has the whole's share.
    order = generator.permutation(available)
    position = np.empty(available)
    for label in (0, 1):
        members = order[labels[order] == label]
        position[members] = (np.arange(len(members)) + generator.random()) / max(len(members), 1)
    ranked = np.argsort(position, kind="stable")
    assigned = np.full(available, "", dtype=object)
    start = 0
    for name, size in sizes.items():
        assigned[ranked[start : start + size]] = name
        start += size
    return assigned


def take_split(
    dosages: Int8[np.ndarray, "n_samples n_variants"], table: pd.DataFrame, split: str
) -> LabelledSamples:
    """Return the samples of one split.

    Parameters
    ----------
    dosages : int8 (n_samples, n_variants).
    table : a row for each row of `dosages`, with columns ``phenotype`` (1 case, 0 control) and ``split``.
    split : TD, VD or ED.
    """
    at: Int64[np.ndarray, " k"] = np.flatnonzero(table["split"].to_numpy() == split)
    return LabelledSamples(dosages[at], table["phenotype"].to_numpy()[at].astype(np.int8))
