"""Preselection: chi-squared of the three genotypes by case and control, and the variants it keeps.

Source: Henriques et al. 2025, Dataset and preprocessing: p-values without a correction for many tests.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Int8, Int64

from genotransfer.errors import StudyError
from genotransfer.genotypes import Genotypes

KEPT_COLUMNS = ["CHR", "SNP", "BP", "A1", "A2", "AFF", "UNAFF", "CHISQ", "DF", "P"]


def compare_genotypes(genotypes: Genotypes, labels: Int8[np.ndarray, " n_samples"]) -> pd.DataFrame:
    """Test every autosomal variant's genotypes against the label, without Yates' or any correction.

    A genotype nobody has is taken out of the table, which lowers the degrees of freedom; everything
    else is `scipy.stats.chi2_contingency` with ``correction=False``. Variants are streamed.

    Parameters
    ----------
    genotypes : of the samples to learn from. What is chosen by the labels of people a model is later
        tested on makes the test worthless: give training samples only.
    labels : 1 case, 0 control.

    Returns
    -------
    A row a variant, in the order of `genotypes`: CHR, SNP, BP, A1 (the minor allele), A2, AFF and
    UNAFF (numbers with two, one and no copies of A1), CHISQ, DF, P. NaN where one genotype is all
    there is, or cases or controls have none called.

    Raises
    ------
    StudyError
        As `associate`.
    """
    from genotransfer.association import associate  # it imports scipy.special, a fifth of a second

    return associate(genotypes, labels, "genotypic", minimum_cell=0)[KEPT_COLUMNS]


def preselect(
    table: pd.DataFrame,
    *,
    n_variants: int | None = None,
    p: float | None = None,
    order: Literal["genome", "p"] = "genome",
) -> Int64[np.ndarray, " k"]:
    """Return the rows of the variants kept: those of the least p, or below a threshold, or both.

    Parameters
    ----------
    table : from `compare_genotypes`.
    n_variants : keep at most so many; of equal p the earlier ones.
    p : keep those with P at or below this.
    order : of the rows returned, the table's own or by p.

    Raises
    ------
    StudyError
        Neither is given, one is out of range, or nothing is kept.
    """
    if n_variants is None and p is None:
        raise StudyError("Preselection needs a number of variants or a threshold of p. Give one.")
    if (n_variants is not None and n_variants < 1) or (p is not None and not 0 < p <= 1):
        raise StudyError(
            f"Preselection cannot keep {n_variants} variants, p <= {p}. Give 1 or more, and 0 < p <= 1."
        )
    # CHISQ parts p-values that are 0 in a double, DF those of one CHISQ.
    values = table["P"].to_numpy(dtype=float)
    ranked = np.lexsort((np.arange(len(table)), -table["CHISQ"].to_numpy(dtype=float), values))
    ranked = ranked[np.isfinite(values[ranked])]
    if p is not None:
        ranked = ranked[values[ranked] <= p]
    ranked = ranked[:n_variants]
    if not len(ranked):
        raise StudyError(f"No variant has p <= {p}; the least is {np.nanmin(values, initial=1):g}. Raise p.")
    return np.asarray(ranked if order == "p" else np.sort(ranked), dtype=np.int64)
