"""Alleles of paired variants: equal, swapped, labelled on the other strand, ambiguous or unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool

from genotransfer.genotypes import Genotypes

COMPLEMENT = str.maketrans("ACGT", "TGCA")
UNKNOWN_ALLELES = ("0", ".")


@dataclass(frozen=True)
class AlleleComparison:
    """How the alleles of paired variants relate; one element a pair, at most one mask true each."""

    equal: Bool[np.ndarray, " n"]
    swapped: Bool[np.ndarray, " n"]
    flipped: Bool[np.ndarray, " n"]
    flipped_swapped: Bool[np.ndarray, " n"]
    ambiguous: Bool[np.ndarray, " n"]

    @property
    def same(self) -> Bool[np.ndarray, " n"]:
        """Whether both variants have the same pair of alleles, on either strand."""
        return np.asarray(self.equal | self.swapped | self.flipped | self.flipped_swapped)

    @property
    def swap(self) -> Bool[np.ndarray, " n"]:
        """Whether the second variant counts the first one's other allele."""
        return np.asarray(self.swapped | self.flipped_swapped)


def compare_alleles(first: pd.DataFrame, second: pd.DataFrame) -> AlleleComparison:
    """Compare the counted and other alleles of two tables of variants, row by row, in any letter case."""
    a, b = _upper(first["counted"]), _upper(first["other"])
    c, d = _upper(second["counted"]), _upper(second["other"])
    c_other, d_other = complement_alleles(c), complement_alleles(d)
    equal, swapped = (a == c) & (b == d), (a == d) & (b == c)
    same_strand = equal | swapped
    return AlleleComparison(
        equal=equal,
        swapped=swapped,
        flipped=(a == c_other) & (b == d_other) & ~same_strand,
        flipped_swapped=(a == d_other) & (b == c_other) & ~same_strand,
        ambiguous=complement_alleles(a) == b,
    )


def _upper(alleles: pd.Series) -> np.ndarray:
    return alleles.map({allele: str(allele).upper() for allele in alleles.unique()}).to_numpy(dtype=object)


def complement_alleles(alleles: np.ndarray) -> np.ndarray:
    """Return alleles read on the other strand: complemented, and backwards when longer than a base."""
    table = {allele: allele.translate(COMPLEMENT)[::-1] for allele in pd.unique(alleles)}
    return pd.Series(alleles, dtype=object).map(table).to_numpy(dtype=object)


def fill_unknown_alleles(wanted: pd.DataFrame, genotypes: Genotypes) -> Genotypes:
    """Label a variant's unknown allele (nobody has it) so that its pair is the wanted one's, if it can be."""
    return replace(genotypes, variants=label_unknown_alleles(wanted, genotypes.variants))


def label_unknown_alleles(wanted: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """Return a table of variants, its index 0 to n - 1, with unknown alleles as `fill_unknown_alleles` has them."""
    columns = ("counted", "other")
    have = {column: _upper(given[column]) for column in columns}
    unknown = {column: np.isin(have[column].astype(str), UNKNOWN_ALLELES) for column in columns}
    at = np.flatnonzero(unknown["counted"] ^ unknown["other"])
    if not len(at):
        return given
    known = np.where(unknown["counted"][at], have["other"][at], have["counted"][at])
    a, b = _upper(wanted["counted"].iloc[at]), _upper(wanted["other"].iloc[at])
    fill = np.full(len(at), None, dtype=object)
    # The last assignment wins: the same strand goes before the other.
    for one, two in ((complement_alleles(a), complement_alleles(b)), (a, b)):
        fill = np.where(known == one, two, np.where(known == two, one, fill))
    variants = given.copy()
    for column in columns:
        chosen = unknown[column][at] & (fill != None)  # noqa: E711 (elementwise)
        variants.loc[at[chosen], column] = fill[chosen]
    return variants
