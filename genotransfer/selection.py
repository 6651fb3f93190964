"""Selection: the rule for the best model of a phenotype and method, by ED and never by FD.

Higher accuracy on the target's ED wins. Ties: higher accuracy on the target's VD, then on the
source's ED (a candidate without one comes last), then fewer SNPs, fewer trainable layers, and the
key in the alphabet. Muneeb 2022 selects on YRI_ED and does not say how it broke ties.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from genotransfer.candidates import LEADERBOARD_COLUMNS, METHODS, RESULT_METHODS, Candidate
from genotransfer.errors import StudyError

Merit = tuple[float, float, float, int, int, str]


def measure_merit(candidate: Candidate) -> Merit:
    """Return a candidate's place in the total order: the smaller, the better.

    Accuracies count to 9 decimals, so that the same share of the same people is the same number
    however it was summed.
    """
    return (
        _descend(candidate.ed_accuracy),
        _descend(candidate.vd_accuracy),
        _descend(candidate.source_ed_accuracy),
        int(candidate.n_snps),
        int(candidate.trainable_layers),
        candidate.key,
    )


def is_better(candidate: Candidate, other: Candidate) -> bool:
    """Say whether `candidate` comes before `other`, so that a best one can be kept as they come."""
    return measure_merit(candidate) < measure_merit(other)


def rank_candidates(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """Return the leaderboard, best first, whatever order its rows had.

    Raises
    ------
    StudyError
        A column is missing, a key occurs twice, or a method is not one of `METHODS`.
    """
    _check_leaderboard(leaderboard)
    merits = [measure_merit(Candidate(**row)) for row in _list_rows(leaderboard)]
    order = sorted(range(len(merits)), key=merits.__getitem__)
    return leaderboard.iloc[order].reset_index(drop=True)


def list_tied(leaderboard: pd.DataFrame, methods: Sequence[str] = METHODS) -> pd.DataFrame:
    """Return, for each phenotype, the candidates of `methods` that tie for the best ED accuracy.

    Parameters
    ----------
    leaderboard : the table of all candidates.
    methods : methods that compete as one, e.g. `DEEP_METHODS`.

    Returns
    -------
    Rows of the leaderboard, phenotypes in natural order, best first. A phenotype without a
    candidate of these methods has no row.
    """
    ranked = rank_candidates(leaderboard[leaderboard["method"].isin(list(methods))])
    tied = [
        group[group["ed_accuracy"].map(_descend) == _descend(group["ed_accuracy"].iloc[0])]
        for _, group in _split_phenotypes(ranked)
    ]
    return pd.concat(tied, ignore_index=True) if tied else ranked


def select_best(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """Return the best candidate of each phenotype and method.

    Returns
    -------
    Rows of the leaderboard, phenotypes in natural order (5_1 before 10_1), methods in the order
    of `METHODS`, with a column ``n_tied``: the number of candidates of that phenotype and method
    that share the best ED accuracy, itself included. A method without a candidate has no row.
    """
    _check_leaderboard(leaderboard)
    chosen = []
    for method in METHODS:
        tied = list_tied(leaderboard, [method])
        first = tied.drop_duplicates("phenotype")
        chosen.append(first.assign(n_tied=first["phenotype"].map(tied["phenotype"].value_counts())))
    together = pd.concat([table for table in chosen if len(table)] or chosen[:1], ignore_index=True)
    together["n_tied"] = together["n_tied"].astype("int64")
    return sort_phenotypes(together)


def select_among(leaderboard: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Return the best candidate of each phenotype among several methods, in natural order."""
    return list_tied(leaderboard, methods).drop_duplicates("phenotype").reset_index(drop=True)


def sort_phenotypes(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with ``phenotype`` and ``method`` in natural order and the order of the methods."""
    keys = [
        (split_digits(phenotype), RESULT_METHODS.index(method))
        for phenotype, method in zip(table["phenotype"], table["method"], strict=True)
    ]
    return table.iloc[sorted(range(len(keys)), key=keys.__getitem__)].reset_index(drop=True)


def split_digits(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key by which 5_1 comes before 10_1, and panel_9 before panel_10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _descend(accuracy: float) -> float:
    return math.inf if math.isnan(accuracy) else -round(float(accuracy), 9)


def _split_phenotypes(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    groups = [(str(name), group) for name, group in table.groupby("phenotype", sort=False)]
    return sorted(groups, key=lambda pair: split_digits(pair[0]))


def _list_rows(leaderboard: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): value for name, value in row.items()}
        for row in leaderboard[LEADERBOARD_COLUMNS].to_dict("records")
    ]


def _check_leaderboard(leaderboard: pd.DataFrame) -> None:
    absent = [name for name in LEADERBOARD_COLUMNS if name not in leaderboard.columns]
    if absent:
        raise StudyError(f"The leaderboard lacks the column {absent[0]}. Make it with candidates.tabulate.")
    doubled = leaderboard["key"][leaderboard["key"].duplicated()]
    if len(doubled):
        raise StudyError(f"Two candidates have the key {doubled.iloc[0]}. Give each candidate its own key.")
    unknown = leaderboard["method"][~leaderboard["method"].isin(METHODS)]
    if len(unknown):
        raise StudyError(f"The method {unknown.iloc[0]} is unknown. The methods are {', '.join(METHODS)}.")
