"""Resampling: the statistics of the paper's design, drawn again and again out of replicates.

The paper has four phenotypes of a kind, each judged on 50 people. One draw takes four seeds at random,
with replacement, and of each one set of 50 people; methods are compared on the same people. The
uncertainty of what comes out is that of the replicates: they are resampled themselves (bootstrap).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy import stats

from genotransfer.errors import StudyError
from genotransfer.replication.gathering import DEEP, SET_SIZE, read_sets

GROUP_METHODS = ("none", "snp_transfer", DEEP)
N_PHENOTYPES = 4  # Muneeb 2022: four phenotypes of 5 and four of 10 risk SNPs
N_DRAWS = 20_000
N_BOOTSTRAP = 200
N_BOOTSTRAP_DRAWS = 2_000
LEAST_VARIANCE = 1e-12


@dataclass(frozen=True)
class Replicated:
    """Accuracies of the replicates of one kind of phenotype; 0 to 1.

    Attributes
    ----------
    sets : on each set of 50 people, methods in the order of `GROUP_METHODS`.
    ed : on ED, of the model chosen there.
    """

    sets: Float64[np.ndarray, "n_seeds n_sets 3"]
    ed: Float64[np.ndarray, "n_seeds 3"]

    def resample(self, generator: np.random.Generator) -> Replicated:
        """Return as many replicates, drawn with replacement."""
        at = generator.integers(len(self.sets), size=len(self.sets))
        return Replicated(self.sets[at], self.ed[at])


def arrange_replicates(table: pd.DataFrame, n_risk_snps: int) -> Replicated:
    """Return the replicates of the phenotypes with so many risk SNPs, those that have all methods.

    Raises
    ------
    StudyError
        No replicate has a model without transfer, one of SNP transfer and a deep one; or FD is
        smaller than the paper's.
    """
    own = table[table["n_risk_snps"] == n_risk_snps]
    by_method = [
        own[own["method"] == method].set_index(["seed", "phenotype"]).sort_index() for method in GROUP_METHODS
    ]
    shared = by_method[0].index
    for rows in by_method[1:]:
        shared = shared.intersection(rows.index)
    if not len(shared):
        raise StudyError(
            f"No replicate with {n_risk_snps} risk SNPs has all of {', '.join(GROUP_METHODS)}. Replicate a "
            "study with these methods."
        )
    by_method = [rows.loc[shared] for rows in by_method]
    sets = np.stack([read_sets(rows) for rows in by_method], axis=-1)
    if not sets.shape[1]:
        raise StudyError(f"FD holds fewer than {SET_SIZE} people. Replicate with a larger splits.final.")
    return Replicated(
        sets,
        np.stack([rows["ed_accuracy"].to_numpy(dtype=np.float64) for rows in by_method], axis=-1),
    )


@dataclass(frozen=True)
class Drawn:
    """Draws of the paper's design: accuracies of `GROUP_METHODS` for each phenotype of each draw."""

    fd: Float64[np.ndarray, "n_draws n_phenotypes 3"]
    ed: Float64[np.ndarray, "n_draws n_phenotypes 3"]

    def join(self, other: Drawn) -> Drawn:
        """Return draws whose phenotypes are those of both."""
        return Drawn(np.concatenate([self.fd, other.fd], 1), np.concatenate([self.ed, other.ed], 1))


def draw_phenotypes(
    replicated: Replicated, n_draws: int, generator: np.random.Generator, n_phenotypes: int = N_PHENOTYPES
) -> Drawn:
    """Draw the paper's design: each phenotype a seed, with replacement, and a set of 50 people."""
    n_seeds, n_sets, _ = replicated.sets.shape
    seeds = generator.integers(n_seeds, size=(n_draws, n_phenotypes))
    sets = generator.integers(n_sets, size=(n_draws, n_phenotypes))
    return Drawn(replicated.sets[seeds, sets], replicated.ed[seeds])


def compare_unpaired_rows(
    first: Float64[np.ndarray, "n_draws m"], second: Float64[np.ndarray, "n_draws m"]
) -> tuple[Float64[np.ndarray, " n_draws"], Float64[np.ndarray, " n_draws"]]:
    """Return t and P of `intervals.compare_unpaired` for each row; NaN where nothing varies."""
    m = first.shape[1]
    pooled = (first.var(axis=1, ddof=1) + second.var(axis=1, ddof=1)) / 2
    return _finish(second.mean(axis=1) - first.mean(axis=1), pooled * 2 / m, 2 * m - 2)


def compare_paired_rows(
    first: Float64[np.ndarray, "n_draws m"], second: Float64[np.ndarray, "n_draws m"]
) -> tuple[Float64[np.ndarray, " n_draws"], Float64[np.ndarray, " n_draws"]]:
    """Return t and P of `intervals.compare_paired` for each row; NaN where nothing varies."""
    difference = second - first
    m = first.shape[1]
    return _finish(difference.mean(axis=1), difference.var(axis=1, ddof=1) / m, m - 1)


def compare_rank_rows(
    first: Float64[np.ndarray, "n_draws m"], second: Float64[np.ndarray, "n_draws m"]
) -> Float64[np.ndarray, " n_draws"]:
    """Return the exact P of Wilcoxon's signed-rank test for each row, 1 where no pair differs.

    As `intervals.compare_ranks`: pairs without a difference are left out, equal differences share a
    rank, and all patterns of signs are counted; for up to 13 pairs.
    """
    difference = np.round(second - first, 9)
    zero = difference == 0
    # Pairs without a difference have the lowest ranks: taken off, their own rank becomes 0.
    ranks = stats.rankdata(np.abs(difference), axis=1) - zero.sum(axis=1, keepdims=True)
    ranks[zero] = 0
    m = difference.shape[1]
    signs = (np.arange(2**m)[:, None] >> np.arange(m)) & 1
    middle = ranks.sum(axis=1, keepdims=True) / 2
    away = np.abs((ranks * (difference > 0)).sum(axis=1, keepdims=True) - middle)
    return np.asarray((np.abs(ranks @ signs.T - middle) >= away - 1e-9).mean(axis=1))


def place(value: float, draws: Float64[np.ndarray, " n"]) -> float:
    """Return the share of draws below a value, ties by half: its percentile, 0 to 1."""
    known = np.round(draws[np.isfinite(draws)], 9)
    if not len(known):
        return float("nan")
    value = round(value, 9)
    return float(((known < value) + 0.5 * (known == value)).mean())


def _finish(
    difference: Float64[np.ndarray, " n"], variance: Float64[np.ndarray, " n"], df: int
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    varies = variance > LEAST_VARIANCE**2
    t = np.where(varies, difference / np.sqrt(np.where(varies, variance, 1.0)), np.nan)
    return t, np.asarray(2 * stats.t.sf(np.abs(t), df))
