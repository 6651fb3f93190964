"""Folds of cross-validation: stratified by case and control, families never parted."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int8, Int64

from genotransfer.errors import StudyError

Indices = Int64[np.ndarray, " _"]


def deal_folds(
    labels: Int8[np.ndarray, " n"],
    n_folds: int,
    seed: int,
    groups: Int64[np.ndarray, " n"] | None = None,
) -> Int64[np.ndarray, " n"]:
    """Return the fold of each person, 0 to ``n_folds - 1``.

    Parameters
    ----------
    labels : 1 case, 0 control; each fold has its share of both, as near as whole people and groups allow.
    n_folds : number of folds, 2 or more.
    seed : of the shuffling.
    groups : number of each person's family; a family lies in one fold. None: nobody is related.

    Raises
    ------
    StudyError
        There are fewer cases, controls or families than folds, or the families are so uneven that a
        fold is left without cases or controls.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    n_cases = int(labels.sum())
    for what, count in (("cases", n_cases), ("controls", len(labels) - n_cases)):
        if count < n_folds:
            raise StudyError(
                f"{n_folds} folds need as many {what}, and there are {count}. Ask for fewer folds."
            )
    if groups is not None and len(np.unique(groups)) < n_folds:
        raise StudyError(
            f"{n_folds} folds need as many families, and there are {len(np.unique(groups))}. Ask for fewer folds, "
            "or look whether folds.groups names the right column."
        )
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(n_splits=n_folds, shuffle=True, random_state=seed % 2**32)
    folds = np.zeros(len(labels), dtype=np.int64)
    for fold, (_, test) in enumerate(splitter.split(np.zeros((len(labels), 1)), labels, groups)):
        folds[test] = fold
    for fold in range(n_folds):
        held = labels[folds == fold]
        if not 0 < held.sum() < len(held):
            raise StudyError(
                f"Fold {fold + 1} of {n_folds} has {int(held.sum())} cases among {len(held)} people: the families "
                "are too few or too uneven. Ask for fewer folds."
            )
    return folds


def list_splits(folds: Int64[np.ndarray, " n"]) -> list[tuple[Indices, Indices]]:
    """Return training and test positions, one pair for each fold, in order."""
    numbers = range(int(folds.max()) + 1)
    return [(np.flatnonzero(folds != one), np.flatnonzero(folds == one)) for one in numbers]
