"""Gains: Tables 8 and 9 of the paper, what each transfer adds on FD, with tests and intervals.

"With deep transfer" is, for each phenotype, the candidate the selection rule puts first among the
three deep methods. It is chosen on ED; its FD accuracy plays no part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float64

from genotransfer.candidates import DEEP_METHODS
from genotransfer.errors import StudyError
from genotransfer.intervals import bootstrap_difference, compare_paired, compare_ranks, compare_unpaired
from genotransfer.randomness import make_generator
from genotransfer.report import published
from genotransfer.selection import select_among, split_digits

TEST_COLUMNS = [
    "table",
    "n_risk_snps",
    "comparison",
    "n_phenotypes",
    "mean_without",
    "mean_with",
    "difference",
    "standard_error",
    "t",
    "df",
    "p",
    "paired_standard_error",
    "paired_t",
    "paired_df",
    "paired_p",
    "paired_low",
    "paired_high",
    "wilcoxon",
    "wilcoxon_p",
    "bootstrap_low",
    "bootstrap_high",
]


@dataclass(frozen=True)
class Group:
    """Phenotypes that share a table of gains: those with the same number of risk SNPs.

    Attributes
    ----------
    table : name of the table's file without ``.csv``.
    n_risk_snps : their number of risk SNPs; None where it is not known, as in a real cohort.
    phenotypes : in natural order.
    """

    table: str
    n_risk_snps: int | None
    phenotypes: tuple[str, ...]


def group_phenotypes(results: pd.DataFrame) -> list[Group]:
    """Group phenotypes by their number of risk SNPs, fewest first.

    The first group is ``table_8`` and the second ``table_9``, as in the paper; a third, with k risk
    SNPs, is ``table_8_<k>``. Phenotypes whose number is not known come last, as
    ``table_8_unknown``.
    """
    unique = results.drop_duplicates("phenotype")
    numbers = unique.get("n_risk_snps", pd.Series(np.nan, index=unique.index)).astype("float64")
    known = sorted({int(k) for k in numbers.dropna()})
    names = {k: ("table_8", "table_9")[at] if at < 2 else f"table_8_{k}" for at, k in enumerate(known)}
    groups = [Group(names[k], k, _name_phenotypes(unique, numbers == k)) for k in known]
    if numbers.isna().any():
        groups.append(Group("table_8_unknown", None, _name_phenotypes(unique, numbers.isna())))
    return groups


def join_groups(groups: list[Group]) -> Group | None:
    """Return the phenotypes of all groups as one, ``all``; None where there are not several groups."""
    together = tuple(phenotype for group in groups for phenotype in group.phenotypes)
    return Group("all", None, together) if len(groups) > 1 else None


def choose_deep(results: pd.DataFrame, leaderboard: pd.DataFrame) -> pd.DataFrame:
    """Return the results of the deep candidate chosen on ED, one row a phenotype.

    Raises
    ------
    StudyError
        The chosen candidate's method has no result for its phenotype.
    """
    chosen = select_among(leaderboard, DEEP_METHODS)
    rows = []
    for phenotype, method in zip(chosen["phenotype"], chosen["method"], strict=True):
        at = (results["phenotype"] == phenotype) & (results["method"] == method)
        if not at.any():
            raise StudyError(
                f"The leaderboard's best deep candidate of phenotype {phenotype} is a {method}, but the "
                "results have no such row. Evaluate every row of select_best."
            )
        rows.append(results[at].iloc[[0]])
    return pd.concat(rows, ignore_index=True) if rows else results.iloc[:0]


def read_accuracies(
    results: pd.DataFrame, phenotypes: tuple[str, ...], method: str | None = None
) -> Float64[np.ndarray, " n_phenotypes"]:
    """Return FD accuracies, 0 to 1, in the order of `phenotypes`; NaN where there is none.

    With `method` None, `results` has one row a phenotype, as from `choose_deep`.
    """
    rows = results if method is None else results[results["method"] == method]
    found = dict(zip(rows["phenotype"], rows["fd_accuracy"].astype("float64"), strict=True))
    return np.array([found.get(phenotype, np.nan) for phenotype in phenotypes], dtype=np.float64)


def tabulate_gains(results: pd.DataFrame, leaderboard: pd.DataFrame, group: Group) -> pd.DataFrame:
    """Return Table 8 or 9: rows as the paper's, one column a phenotype, FD accuracy in percent.

    "Max achieved" is the largest of the three printed accuracies, as in the paper. It looks at FD,
    so it and "Final improvement" flatter: no test uses them.
    """
    without = 100 * read_accuracies(results, group.phenotypes, "none")
    snps = 100 * read_accuracies(results, group.phenotypes, "snp_transfer")
    deep = 100 * read_accuracies(choose_deep(results, leaderboard), group.phenotypes)
    maximum = np.fmax(np.fmax(without, snps), deep)
    rows = {
        published.WITHOUT: without,
        published.WITH_SNPS: snps,
        published.SNPS_GAIN: snps - without,
        published.WITH_DEEP: deep,
        published.DEEP_GAIN: deep - without,
        published.MAXIMUM: maximum,
        published.FINAL_GAIN: maximum - without,
    }
    table = pd.DataFrame(rows, index=list(group.phenotypes)).T
    return table.rename_axis("row").reset_index()


def compare_gains(results: pd.DataFrame, leaderboard: pd.DataFrame, group: Group, seed: int) -> pd.DataFrame:
    """Return the tests below Table 8 or 9, for SNP transfer and deep transfer against none.

    Accuracies and differences are in percent points; only phenotypes that have both methods count.
    Unpaired t-test (the paper's), paired t-test with its 95 % interval, Wilcoxon's signed-rank
    test, and the 95 % bootstrap interval over phenotypes. What fewer than 2 phenotypes leave
    undefined is NaN.
    """
    without = read_accuracies(results, group.phenotypes, "none")
    compared = {
        "snp_transfer": read_accuracies(results, group.phenotypes, "snp_transfer"),
        "deep": read_accuracies(choose_deep(results, leaderboard), group.phenotypes),
    }
    rows = []
    for name, values in compared.items():
        both = np.isfinite(without) & np.isfinite(values)
        if not both.any():
            continue
        generator = make_generator(seed, "report", "bootstrap", group.table, name)
        row = compare_methods(100 * without[both], 100 * values[both], generator)
        rows.append({"table": group.table, "n_risk_snps": group.n_risk_snps, "comparison": name} | row)
    whole = dict.fromkeys(("n_risk_snps", "n_phenotypes", "df", "paired_df"), "Int64")
    return pd.DataFrame(rows, columns=TEST_COLUMNS).astype(whole)


def compare_methods(
    first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"], generator: np.random.Generator
) -> dict[str, float]:
    """Return every test of ``second - first`` over phenotypes, by the names of `TEST_COLUMNS`."""
    unpaired, paired = compare_unpaired(first, second), compare_paired(first, second)
    ranks = compare_ranks(first, second)
    low, high = bootstrap_difference(first, second, generator)
    return {
        "n_phenotypes": float(len(first)),
        "mean_without": float(first.mean()),
        "mean_with": float(second.mean()),
        "difference": unpaired.difference,
        "standard_error": unpaired.standard_error,
        "t": unpaired.statistic,
        "df": unpaired.df,
        "p": unpaired.p,
        "paired_standard_error": paired.standard_error,
        "paired_t": paired.statistic,
        "paired_df": paired.df,
        "paired_p": paired.p,
        "paired_low": paired.low,
        "paired_high": paired.high,
        "wilcoxon": ranks.statistic,
        "wilcoxon_p": ranks.p,
        "bootstrap_low": low,
        "bootstrap_high": high,
    }


def _name_phenotypes(unique: pd.DataFrame, member: pd.Series) -> tuple[str, ...]:
    return tuple(sorted((str(name) for name in unique["phenotype"][member]), key=split_digits))
