"""SNPs chosen inside a scikit-learn pipeline: by association, by correlation, by recursive elimination.

All of them take and give dosages as they are, int8, 0, 1, 2 copies and -1 missing, so that what
stands behind them, a network or an imputer, does as it likes with the missing ones.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from genotransfer.errors import StudyError
from genotransfer.genotypes import MISSING
from genotransfer.models.standardise import Standardiser

BLOCK = 2048


class _DosageSelector(SelectorMixin, BaseEstimator):  # type: ignore[misc]
    """Base of selectors of variants; the support is found by `_choose`."""

    def fit(self, X: Any, y: Any) -> Any:
        """Choose variants.

        Parameters
        ----------
        X : int8 (n_samples, n_variants); 0, 1, 2 copies, -1 missing.
        y : (n_samples,); 1 case, 0 control.
        """
        X = validate_data(self, X, dtype=np.int8)
        self.support_ = self._choose(X, np.asarray(y, dtype=np.float64))
        return self

    def _choose(self, X: np.ndarray, y: np.ndarray) -> Bool[np.ndarray, " n_variants"]:
        raise NotImplementedError

    def _get_support_mask(self) -> Bool[np.ndarray, " n_variants"]:
        check_is_fitted(self, "support_")
        return np.asarray(self.support_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class AssociationSelector(_DosageSelector):
    """Keep the variants most associated with the phenotype.

    Parameters
    ----------
    n_variants : how many; all where there are no more.

    Attributes
    ----------
    support_ : bool (n_variants,); which were kept.
    """

    def __init__(self, n_variants: int = 500) -> None:
        self.n_variants = n_variants

    def _choose(self, X: np.ndarray, y: np.ndarray) -> Bool[np.ndarray, " n_variants"]:
        check_selection(self.n_variants, None)
        return mark_first(rank_variants(X, y)[: self.n_variants], X.shape[1])


class CorrelationFilter(_DosageSelector):
    """Leave out the weaker of two variants that are correlated.

    Parameters
    ----------
    r2 : squared correlation from which on two variants count as correlated, above 0 to 1. Variants are
        gone through from the most associated on, and each is kept unless it is correlated with one
        that was kept before.
    """

    def __init__(self, r2: float = 0.8) -> None:
        self.r2 = r2

    def _choose(self, X: np.ndarray, y: np.ndarray) -> Bool[np.ndarray, " n_variants"]:
        check_selection(None, self.r2)
        scaled = Standardiser.fit(X).transform(X)
        kept: list[int] = []
        columns = np.empty((len(X), X.shape[1]), dtype=np.float32)
        for at in rank_variants(X, y):
            correlation = columns[:, : len(kept)].T @ scaled[:, at] / len(X)
            # Rounding must not part two copies of one variant.
            if not (correlation**2 >= self.r2 - 1e-5).any():
                columns[:, len(kept)] = scaled[:, at]
                kept.append(int(at))
        return mark_first(np.array(kept, dtype=np.int64), X.shape[1])


def check_selection(n_variants: Any, r2: Any) -> None:
    """Refuse a number of variants or an r2 that selects nothing sensible; None for what is not asked.

    Raises
    ------
    StudyError
        The number is no whole one of 1 or more, or r2 is not above 0 and up to 1.
    """
    whole = isinstance(n_variants, Integral) and not isinstance(n_variants, bool)
    if n_variants is not None and not (whole and n_variants >= 1):
        raise StudyError(f"n_variants is {n_variants!r}. Give a whole number of 1 or more.")
    number = isinstance(r2, Real) and not isinstance(r2, bool)
    if r2 is not None and not (number and 0 < r2 <= 1):
        raise StudyError(f"r2 is {r2!r}. Give a number above 0, up to 1.")


def correlate_phenotype(X: np.ndarray, y: np.ndarray) -> Float64[np.ndarray, " n_variants"]:
    """Return the squared correlation of each variant with the phenotype, 0 to 1.

    Parameters
    ----------
    X : int8 (n_samples, n_variants); -1 is missing and left out of its variant.
    y : float64 (n_samples,); 1 case, 0 control.

    Returns
    -------
    0 where a variant or the phenotype does not vary. Times the number of people called, it is the
    statistic of the Cochran-Armitage trend test.

    Source
    ------
    Armitage 1955, Biometrics 11:375.
    """
    found = np.zeros(X.shape[1])
    for start in range(0, X.shape[1], BLOCK):
        block = X[:, start : start + BLOCK]
        seen = block != MISSING
        x = np.where(seen, block, 0).astype(np.float64)
        n = np.maximum(seen.sum(axis=0), 1)
        cases = y @ seen
        sum_x, sum_xx, sum_xy = x.sum(axis=0), (x * x).sum(axis=0), y @ x
        varied = (n * sum_xx - sum_x**2) * (n * cases - cases**2)
        covaried = (n * sum_xy - sum_x * cases) ** 2
        found[start : start + BLOCK] = np.divide(covaried, varied, out=np.zeros(len(n)), where=varied > 0)
    return found


def rank_variants(X: np.ndarray, y: np.ndarray) -> Int64[np.ndarray, " n_variants"]:
    """Return positions of variants from the most associated on; of equal ones the first comes first."""
    strength = correlate_phenotype(X, np.asarray(y, dtype=np.float64)) * (X != MISSING).sum(axis=0)
    return np.argsort(-strength, kind="stable")


def mark_first(at: Int64[np.ndarray, " k"], size: int) -> Bool[np.ndarray, " size"]:
    """Return a mask of so many variants with those at some positions marked."""
    mask = np.zeros(size, dtype=bool)
    mask[at] = True
    return mask
