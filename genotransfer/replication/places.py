"""Places: where each figure of the paper falls among the replicates, and how its tests behave there.

A place is the share of the replicated distribution below the paper's figure, ties by half. Accuracies
are in percent, as the paper prints them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
import pandas as pd
from jaxtyping import Float64

from genotransfer.intervals import NAN
from genotransfer.randomness import make_generator
from genotransfer.replication.resampling import (
    GROUP_METHODS,
    N_BOOTSTRAP,
    N_BOOTSTRAP_DRAWS,
    N_DRAWS,
    N_PHENOTYPES,
    Drawn,
    Replicated,
    arrange_replicates,
    compare_paired_rows,
    compare_rank_rows,
    compare_unpaired_rows,
    draw_phenotypes,
    place,
)
from genotransfer.report import published

NONE, SNP, DEEP = range(len(GROUP_METHODS))
PRINTED = {5: published.TABLE_8, 10: published.TABLE_9}
LEVEL = 0.05
Statistic = Callable[[Drawn], Float64[np.ndarray, " n_draws"]]

# Each figure of one phenotype: name, table it is printed in, and how it is made of accuracies on a set
# of 50 people or on ED (the last axis is GROUP_METHODS).
STATISTICS: dict[str, Statistic] = {
    "none, ED": lambda drawn: drawn.ed[..., NONE].mean(axis=1),
    "none, FD": lambda drawn: drawn.fd[..., NONE].mean(axis=1),
    "SNP transfer, ED": lambda drawn: drawn.ed[..., SNP].mean(axis=1),
    "SNP transfer, FD": lambda drawn: drawn.fd[..., SNP].mean(axis=1),
    "SNP transfer less none": lambda drawn: (drawn.fd[..., SNP] - drawn.fd[..., NONE]).mean(axis=1),
    "deep, ED": lambda drawn: drawn.ed[..., DEEP].mean(axis=1),
    "deep, FD": lambda drawn: drawn.fd[..., DEEP].mean(axis=1),
    "deep less none": lambda drawn: (drawn.fd[..., DEEP] - drawn.fd[..., NONE]).mean(axis=1),
    "final improvement (best of three on FD)": lambda drawn: (
        drawn.fd.max(axis=2) - drawn.fd[..., NONE]
    ).mean(axis=1),
}
TESTS: dict[str, Statistic] = {
    "t, deep less none (unpaired)": lambda drawn: compare_unpaired_rows(
        drawn.fd[..., NONE], drawn.fd[..., DEEP]
    )[0],
}


def list_printed(n_risk_snps: int) -> dict[str, dict[str, float]]:
    """Return the paper's figures of each phenotype with so many risk SNPs, by the names of `STATISTICS`.

    Source: Muneeb 2022, Tables 3 and 6 to 9.
    """
    printed = PRINTED[n_risk_snps]
    found = {}
    for at, phenotype in enumerate(printed.phenotypes):
        rows = {name: float(values[at]) for name, values in printed.rows.items()}
        figures = (
            published.TABLE_3[phenotype].ed_accuracy,
            published.TABLE_3[phenotype].fd_accuracy,
            published.TABLE_6[phenotype].ed_accuracy,
            published.TABLE_6[phenotype].fd_accuracy,
            rows[published.SNPS_GAIN],
            published.TABLE_7[phenotype].ed_accuracy,
            rows[published.WITH_DEEP],
            rows[published.DEEP_GAIN],
            rows[published.FINAL_GAIN],
        )
        found[phenotype] = dict(zip(STATISTICS, map(float, figures), strict=True))
    return found


def list_kinds(table: pd.DataFrame) -> list[int]:
    """Return the numbers of risk SNPs that both the replicates and the paper have."""
    return [number for number in PRINTED if (table["n_risk_snps"] == number).any()]


def place_phenotypes(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Place the paper's figures of each phenotype among single phenotypes on 50 people.

    Returns
    -------
    phenotype, figure, paper; median, low and high (2.5 and 97.5 %) of the replicates; ``place`` with
    its 95 % interval over seeds, ``place_low`` and ``place_high``.
    """
    rows = []
    for number in list_kinds(table):
        printed = list_printed(number)
        replicated = arrange_replicates(table, number)
        for name, measure in STATISTICS.items():
            values = [figures[name] for figures in printed.values()]
            placed = _place([replicated], measure, values, 1, make_generator(seed, "one", number, name))
            for phenotype, row in zip(printed, placed, strict=True):
                rows.append({"phenotype": phenotype, "figure": name} | row)
    return pd.DataFrame(rows)


def place_groups(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Place the paper's means of four phenotypes, and its t, among draws of four replicates.

    Returns
    -------
    n_risk_snps (``5``, ``10``, and ``all`` for the means of all eight) figure and the columns of
    `place_phenotypes`.
    """
    kinds = list_kinds(table)
    groups = [(str(number), [number]) for number in kinds]
    if len(kinds) > 1:
        groups.append(("all", kinds))
    rows = []
    for group, numbers in groups:
        printed = [figures for number in numbers for figures in list_printed(number).values()]
        replicated = [arrange_replicates(table, number) for number in numbers]
        tests = TESTS if len(numbers) == 1 else {}
        for name, measure in (STATISTICS | tests).items():
            value = (
                PRINTED[numbers[0]].t
                if name in tests
                else float(np.mean([figures[name] for figures in printed]))
            )
            generator = make_generator(seed, "four", group, name)
            [row] = _place(replicated, measure, [value], N_PHENOTYPES, generator, raw=name in tests)
            rows.append({"n_risk_snps": group, "figure": name} | row)
    return pd.DataFrame(rows)


def count_significant(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return how often tests of deep transfer against none call a draw of the paper's design significant.

    Returns
    -------
    n_risk_snps (``5``, ``10``, ``both`` where each group is, as in the paper, ``all`` eight in one
    test), test, ``rate`` at .05 two-tailed, ``rate_for``, significant with deep transfer ahead.
    """
    drawn = {
        number: draw_phenotypes(
            arrange_replicates(table, number), N_DRAWS, make_generator(seed, "tests", number)
        )
        for number in list_kinds(table)
    }
    cases: dict[str, list[Drawn]] = {str(number): [one] for number, one in drawn.items()}
    if len(drawn) == 2:
        first, second = drawn.values()
        cases |= {"both": [first, second], "all": [first.join(second)]}
    rows = []
    for name, parts in cases.items():
        gains = [(one.fd[..., DEEP] - one.fd[..., NONE]).mean(axis=1) for one in parts]
        ahead = np.all([gain > 0 for gain in gains], axis=0)
        for test, measure in (
            ("unpaired t (the paper's)", lambda a, b: compare_unpaired_rows(a, b)[1]),
            ("paired t", lambda a, b: compare_paired_rows(a, b)[1]),
            ("Wilcoxon", compare_rank_rows),
        ):
            p = [measure(one.fd[..., NONE], one.fd[..., DEEP]) for one in parts]
            significant = np.all([one < LEVEL for one in p], axis=0)
            rows.append(
                {
                    "n_risk_snps": name,
                    "test": test,
                    "rate": float(significant.mean()),
                    "rate_for": float((significant & ahead).mean()),
                }
            )
    return pd.DataFrame(rows)


def draw_gains(table: pd.DataFrame, method: str, n_phenotypes: int, seed: int) -> dict[int, np.ndarray]:
    """Return draws of a method's gain, in percent points, by number of risk SNPs; for figures."""
    at = GROUP_METHODS.index(method)
    gains = {}
    for number in list_kinds(table):
        generator = make_generator(seed, "gains", number, method, n_phenotypes)
        drawn = draw_phenotypes(arrange_replicates(table, number), N_DRAWS, generator, n_phenotypes)
        gains[number] = 100 * (drawn.fd[..., at] - drawn.fd[..., NONE]).mean(axis=1)
    return gains


def _place(
    replicated: list[Replicated],
    measure: Statistic,
    values: list[float],
    n_phenotypes: int,
    generator: np.random.Generator,
    *,
    raw: bool = False,
) -> list[dict[str, float]]:
    """Place values of one statistic of so many phenotypes of each kind; `raw` where it is no percentage."""
    scale = 1.0 if raw else 100.0

    def draw(kinds: list[Replicated], n_draws: int) -> np.ndarray:
        parts = [draw_phenotypes(one, n_draws, generator, n_phenotypes) for one in kinds]
        return scale * measure(reduce(Drawn.join, parts))

    def place_again() -> np.ndarray:
        again = draw([one.resample(generator) for one in replicated], N_BOOTSTRAP_DRAWS)
        return np.array([place(value, again) for value in values])

    draws = draw(replicated, N_DRAWS)
    known = draws[np.isfinite(draws)]
    middle = np.quantile(known, [0.5, 0.025, 0.975]) if len(known) else [NAN] * 3
    low, high = np.nanquantile([place_again() for _ in range(N_BOOTSTRAP)], [0.025, 0.975], axis=0)
    return [
        {
            "paper": value,
            "median": float(middle[0]),
            "low": float(middle[1]),
            "high": float(middle[2]),
            "place": place(value, draws),
            "place_low": float(low[at]),
            "place_high": float(high[at]),
        }
        for at, value in enumerate(values)
    ]
