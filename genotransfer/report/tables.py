"""The tables of a study: results.csv, and the paper's Tables 1-3 and 6-9, as CSV.

The same study and seed give the same bytes: rows have one order, floats a fixed number of
decimals, lines end in a bare newline, and an undefined value is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
import pandas as pd

from genotransfer.candidates import DEEP_METHODS
from genotransfer.errors import StudyError
from genotransfer.formats.files import replace_together
from genotransfer.report.gains import (
    TEST_COLUMNS,
    compare_gains,
    group_phenotypes,
    join_groups,
    tabulate_gains,
)
from genotransfer.selection import list_tied, sort_phenotypes, split_digits

RESULT_COLUMNS = [
    "phenotype",
    "method",
    "panel",
    "n_snps",
    "model",
    "trainable_layers",
    "ed_accuracy",
    "fd_accuracy",
    "fd_low",
    "fd_high",
    "fd_auc",
    "n_tied",
    "oracle_accuracy",
    "ceiling",
]
DECIMALS = 6
PERCENT_DECIMALS = 2


class StudyFacts(TypedDict):
    """What a report says of its study.

    ``source`` and ``target`` are the populations' names, ``n_ed`` and ``n_fd`` the numbers of
    people of the target's splits, ``heritability`` the SNP heritability of liability (None where
    it is not known), ``version`` that of genotransfer, ``methods`` those the study asks for (all when
    absent).
    """

    name: str
    source: str
    target: str
    n_ed: int
    n_fd: int
    heritability: float | None
    preset: str
    seed: int
    version: str
    methods: NotRequired[list[str]]


def arrange_results(results: pd.DataFrame) -> pd.DataFrame:
    """Return the results in the order of ``results.csv``: phenotypes in natural order, then methods.

    Parameters
    ----------
    results : one row a phenotype and method, with `RESULT_COLUMNS` and others; accuracies 0 to 1.

    Raises
    ------
    StudyError
        There is no result, a column is missing, or a phenotype has a method twice.
    """
    if results.empty:
        raise StudyError("There are no results to report. Evaluate at least one selected candidate.")
    absent = [name for name in RESULT_COLUMNS if name not in results.columns]
    if absent:
        raise StudyError(f"The results lack the column {absent[0]}. Make them with tabulate_results.")
    doubled = results[results.duplicated(["phenotype", "method"])]
    if len(doubled):
        first = doubled.iloc[0]
        raise StudyError(
            f"Phenotype {first['phenotype']} has two results for the method {first['method']}. "
            "Evaluate each row of select_best once."
        )
    return sort_phenotypes(results)


def write_results(path: str | Path, results: pd.DataFrame) -> Path:
    """Write ``results.csv``: `RESULT_COLUMNS`, accuracies as fractions with six decimals."""
    return write_table(path, arrange_results(results)[RESULT_COLUMNS], DECIMALS)


def write_tables(
    folder: str | Path,
    results: pd.DataFrame,
    leaderboard: pd.DataFrame,
    panel_sizes: pd.DataFrame,
    study: StudyFacts,
) -> list[Path]:
    """Write the paper's tables of this study, the tests, and all metrics.

    Parameters
    ----------
    folder : where ``table_1.csv`` ... ``table_9.csv``, ``tests.csv`` and ``metrics.csv`` go.
    results : one row a phenotype and method, see `arrange_results`; ``n_risk_snps`` groups the
        phenotypes of Tables 8 and 9 (see `gains.group_phenotypes`).
    leaderboard : the table of all candidates.
    panel_sizes : phenotype, population (``source`` or ``target``), panel, n_snps; an empty panel
        has 0.
    study : its facts; the seed fixes the bootstrap.

    Returns
    -------
    The files written. Accuracies are in percent, as in the paper, but in ``metrics.csv`` from 0 to 1.
    """
    results = arrange_results(results)
    groups = group_phenotypes(results)
    together = join_groups(groups)
    tested = groups if together is None else [*groups, together]
    tests = [compare_gains(results, leaderboard, group, study["seed"]) for group in tested]
    tables = {
        "table_1": tabulate_panels(panel_sizes, "target", study["target"]),
        "table_2": tabulate_panels(panel_sizes, "source", study["source"]),
        "table_3": tabulate_choices(results, "none", study["target"]),
        "table_6": tabulate_choices(results, "snp_transfer", study["target"]),
        "table_7": tabulate_ties(leaderboard, study["source"]),
    }
    tables |= {group.table: tabulate_gains(results, leaderboard, group) for group in groups}
    paths = [write_table(Path(folder) / f"{name}.csv", table) for name, table in tables.items()]
    known = [table for table in tests if len(table)]
    all_tests = pd.concat(known, ignore_index=True) if known else pd.DataFrame(columns=TEST_COLUMNS)
    paths.append(write_table(Path(folder) / "tests.csv", all_tests, DECIMALS))
    metrics = [name for name in results.columns if name.startswith("fd_")]
    paths.append(
        write_table(Path(folder) / "metrics.csv", results[["phenotype", "method", *metrics]], DECIMALS)
    )
    return paths


def tabulate_panels(panel_sizes: pd.DataFrame, population: str, name: str) -> pd.DataFrame:
    """Return Table 1 (``target``) or 2 (``source``): SNPs in each panel, one row a phenotype.

    Columns are ``phenotype`` (``YRI_5_1``) and 1, 2, ... in natural order of the panels' names; a
    phenotype with fewer panels has empty cells at the end.
    """
    rows = panel_sizes[panel_sizes["population"] == population]
    sizes: dict[str, list[int]] = {}
    for phenotype, group in rows.groupby("phenotype"):
        pairs = sorted(
            (split_digits(str(panel)), int(n)) for panel, n in group[["panel", "n_snps"]].to_numpy()
        )
        sizes[str(phenotype)] = [n for _, n in pairs]
    ordered = sorted(sizes, key=split_digits)
    width = max((len(row) for row in sizes.values()), default=0)
    columns = ["phenotype", *(str(at + 1) for at in range(width))]
    cells = [[f"{name}_{one}", *sizes[one], *[None] * (width - len(sizes[one]))] for one in ordered]
    return pd.DataFrame(cells, columns=columns, dtype=object)


def tabulate_choices(results: pd.DataFrame, method: str, name: str) -> pd.DataFrame:
    """Return Table 3 (``none``) or 6 (``snp_transfer``): the model chosen on ED, with its FD accuracy.

    Beside what the paper prints stands Wilson's 95 % interval, ``fd_low`` and ``fd_high``.
    """
    rows = arrange_results(results)
    rows = rows[rows["method"] == method]
    return pd.DataFrame(
        {
            "phenotype": [f"{name}_{one}" for one in rows["phenotype"]],
            "n_snps": rows["n_snps"].to_numpy(),
            "best_model": rows["model"].to_numpy(),
            "ed_accuracy": 100 * rows["ed_accuracy"].to_numpy(dtype=np.float64),
            **{
                one: 100 * rows[one].to_numpy(dtype=np.float64)
                for one in ("fd_accuracy", "fd_low", "fd_high")
            },
        }
    )


def tabulate_ties(leaderboard: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return Table 7: for each phenotype, all deep candidates that share the best ED accuracy.

    ``n_snps``, ``best_model``, ``method`` and ``trainable_layers`` list the tied candidates in the
    order of the selection rule, the chosen one first.
    """
    tied = list_tied(leaderboard, DEEP_METHODS)
    rows = [
        {
            "phenotype": f"{name}_{phenotype}",
            "n_snps": _join(group["n_snps"]),
            "best_model": _join(group["model"]),
            "method": _join(one.removeprefix("deep_") for one in group["method"]),
            "trainable_layers": _join(group["trainable_layers"]),
            "ed_accuracy": 100 * float(group["ed_accuracy"].iloc[0]),
            "n_tied": len(group),
        }
        for phenotype, group in tied.groupby("phenotype", sort=False)
    ]
    columns = ["phenotype", "n_snps", "best_model", "method", "trainable_layers", "ed_accuracy", "n_tied"]
    return pd.DataFrame(rows, columns=columns)


def write_table(path: str | Path, table: pd.DataFrame, decimals: int = PERCENT_DECIMALS) -> Path:
    """Write a table as CSV with a fixed number of decimals; an undefined value is empty."""
    path = Path(path)
    text = pd.DataFrame({name: [format_cell(one, decimals) for one in table[name]] for name in table.columns})
    with replace_together(path) as (temporary,):
        text.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")
    return path


def format_cell(value: object, decimals: int = PERCENT_DECIMALS) -> str:
    """Return a cell's text: integers whole, floats with `decimals`, None and NaN empty, never -0."""
    if value is None or value is pd.NA:
        return ""
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else f"{round(float(value), decimals) + 0.0:.{decimals}f}"
    return str(value)


def describe_missing(results: pd.DataFrame, methods: Iterable[str]) -> Mapping[str, list[str]]:
    """Return, for each phenotype that lacks some of `methods`, which ones."""
    wanted = list(methods)
    found = results.groupby("phenotype")["method"].agg(set)
    absent = {
        str(one): [method for method in wanted if method not in found[one]]
        for one in sorted(found.index, key=split_digits)
    }
    return {phenotype: lacking for phenotype, lacking in absent.items() if lacking}


def _join(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
