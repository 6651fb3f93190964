"""Exact tests on discrete tables: Fisher's for two by two alleles, Wigginton's for Hardy–Weinberg.

Both sum the probability of every table, given the margins, that is no likelier than the one
observed. Tables with the same margins share one distribution, computed once.

Source: Fisher 1935; Wigginton, Cutler & Abecasis 2005, Am J Hum Genet 76:887.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import gammaln

# Two tables of equal probability may differ in the last bits of the logarithms summed here.
TIE = 1e-9

Distribution = Callable[..., tuple[Int64[np.ndarray, " m"], Float64[np.ndarray, " m"]]]


def fisher_exact(tables: Int64[np.ndarray, "k 2 2"]) -> Float64[np.ndarray, " k"]:
    """Return the two-sided p-value of Fisher's exact test for each table.

    Parameters
    ----------
    tables : int64 (k, 2, 2), counts >= 0.

    Returns
    -------
    float64 (k,), in [0, 1]; 1 for a table with an empty margin.
    """
    rows, first_column = tables.sum(axis=2), tables[:, :, 0].sum(axis=1)
    margins = np.column_stack([rows, first_column])
    return _sum_no_likelier(tables[:, 0, 0], margins, _hypergeometric)


def hardy_weinberg_exact(counts: Int64[np.ndarray, "k 3"]) -> Float64[np.ndarray, " k"]:
    """Return the exact p-value of Hardy–Weinberg proportions for each variant, without mid-p.

    Parameters
    ----------
    counts : int64 (k, 3); samples with 0, 1 and 2 copies.

    Returns
    -------
    float64 (k,), in [0, 1]; 1 for a variant with one allele only, or no genotype.
    """
    n_alleles = 2 * counts.sum(axis=1)
    copies = counts[:, 1] + 2 * counts[:, 2]
    margins = np.column_stack([n_alleles, np.minimum(copies, n_alleles - copies)])
    return _sum_no_likelier(counts[:, 1], margins, _heterozygotes)


def _sum_no_likelier(
    observed: Int64[np.ndarray, " k"], margins: Int64[np.ndarray, "k m"], distribution: Distribution
) -> Float64[np.ndarray, " k"]:
    p = np.ones(len(observed))
    unique, group = np.unique(margins, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    starts = np.searchsorted(group.ravel()[order], np.arange(len(unique) + 1))
    for number, margin in enumerate(unique.tolist()):
        members = order[starts[number] : starts[number + 1]]
        outcomes, log_weight = distribution(*margin)
        log_weight = log_weight - log_weight.max()
        ascending = np.sort(log_weight)
        cumulative = np.cumsum(np.exp(ascending))
        at = np.searchsorted(outcomes, observed[members])
        last = np.searchsorted(ascending, log_weight[at] + TIE, side="right") - 1
        p[members] = cumulative[last] / cumulative[-1]
    return p


def _hypergeometric(
    row_1: int, row_2: int, column: int
) -> tuple[Int64[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    """Log weights of the upper left cell."""
    cell = np.arange(max(0, column - row_2), min(row_1, column) + 1)
    others = (row_1 - cell, column - cell, row_2 - column + cell)
    return cell, -(gammaln(cell + 1) + sum(gammaln(other + 1) for other in others))


def _heterozygotes(n_alleles: int, minor: int) -> tuple[Int64[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    """Log weights of the number of heterozygotes."""
    hets = np.arange(minor % 2, minor + 1, 2)
    rare, common = (minor - hets) // 2, (n_alleles - minor - hets) // 2
    return hets, hets * np.log(2) - (gammaln(hets + 1) + gammaln(rare + 1) + gammaln(common + 1))
