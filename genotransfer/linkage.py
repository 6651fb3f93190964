"""Linkage disequilibrium of dosages: squared correlations, and variants gathered into bins by them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int8, Int64

MISSING = -1
BIN_R2 = 0.8
BIN_REACH = 1_000_000  # bp
ROWS_AT_ONCE = 1024


def compute_r2(dosages: Int8[np.ndarray, "n_samples k"]) -> Float64[np.ndarray, "k k"]:
    """Return squared correlations of dosages over the samples called at both variants.

    NaN where one of the two does not vary among them, as PLINK's ``--r2`` has it.
    """
    return compute_cross_r2(dosages, dosages)


def compute_cross_r2(
    left: Int8[np.ndarray, "n_samples k"], right: Int8[np.ndarray, "n_samples m"]
) -> Float64[np.ndarray, "k m"]:
    """Return squared correlations of each variant of `left` with each of `right`, as `compute_r2` does."""
    (x, x_called), (y, y_called) = _split(left), _split(right)
    n = x_called.T @ y_called
    # Sums over the pair's common samples: of x, of y, of their squares, and of x y.
    sum_x, sum_y = x.T @ y_called, x_called.T @ y
    covariance = n * (x.T @ y) - sum_x * sum_y
    spread_x = n * ((x**2).T @ y_called) - sum_x**2
    spread_y = n * (x_called.T @ (y**2)) - sum_y**2
    denominator = spread_x * spread_y
    blank = np.full_like(covariance, np.nan)
    return np.asarray(np.divide(covariance**2, denominator, out=blank, where=denominator > 0))


def _split(dosages: Int8[np.ndarray, "n k"]) -> tuple[Float64[np.ndarray, "n k"], Float64[np.ndarray, "n k"]]:
    called = dosages != MISSING
    return np.where(called, dosages, 0).astype(float), called.astype(float)


def bin_variants(
    dosages: Int8[np.ndarray, "n_samples n_variants"],
    variants: pd.DataFrame,
    *,
    r2: float = BIN_R2,
    reach: int = BIN_REACH,
) -> Int64[np.ndarray, " n_variants"]:
    """Gather variants that can stand for one another: each bin has one in LD with all its others.

    Of the variants without a bin, the one in LD with most others is taken again and again, with all
    of those. Of equals the first along the genome goes first.

    Parameters
    ----------
    dosages : 0, 1, 2 copies of the counted allele, -1 missing.
    variants : chromosome (str) and position (int, bp) of each.
    r2 : squared correlation (0 to 1) from which on a variant stands for another.
    reach : largest distance in bp within which it does.

    Returns
    -------
    The number of each variant's bin, from 0 up, in the order of the bins' first variants in `variants`.

    Source
    ------
    Carlson et al. 2004, Am J Hum Genet 74:106, LDSelect.
    """
    partners = _find_partners(dosages, variants, r2, reach)
    count = len(partners)
    owner = np.full(count, -1, dtype=np.int64)
    degree = np.array([len(one) for one in partners], dtype=np.int64)
    while degree.max(initial=0) > 0:
        at = int(np.argmax(degree))
        members = partners[at][owner[partners[at]] < 0]
        taken = np.append(members, at)
        owner[taken], degree[taken] = at, -1
        for one in taken:
            near = partners[one]
            degree[near[owner[near] < 0]] -= 1
    owner[owner < 0] = np.flatnonzero(owner < 0)
    return pd.factorize(owner)[0].astype(np.int64)


def _find_partners(
    dosages: Int8[np.ndarray, "n m"], variants: pd.DataFrame, r2: float, reach: int
) -> list[Int64[np.ndarray, " _"]]:
    """Return for each variant those it is in LD with, itself left out."""
    chromosome = pd.factorize(variants["chromosome"])[0]
    position = variants["position"].to_numpy(dtype=np.int64)
    order = np.lexsort((position, chromosome))
    # A chromosome's places begin further from the last one's than any reach.
    place = position[order] + chromosome[order] * (int(position.max(initial=0)) + reach + 1)
    last = np.searchsorted(place, place + reach, side="right")
    found: list[list[int]] = [[] for _ in order]
    for start in range(0, len(order), ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, len(order))
        until = int(last[start:stop].max())
        near = compute_cross_r2(dosages[:, order[start:stop]], dosages[:, order[start:until]])
        across = np.arange(start, until)
        rows = np.arange(start, stop)[:, None]
        with np.errstate(invalid="ignore"):
            linked = (near >= r2 - 1e-9) & (across > rows) & (across < last[start:stop, None])
        for left, right in zip(*np.nonzero(linked), strict=True):
            one, other = int(order[start + left]), int(order[start + right])
            found[one].append(other)
            found[other].append(one)
    return [np.array(sorted(one), dtype=np.int64) for one in found]
