"""Genotype counts: how many of each group's samples hold 0, 1 and 2 copies, streamed over blocks."""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int8, Int64

from genotransfer.genotypes import Genotypes

# 0 is PLINK's code of an unplaced variant; PLINK tests it as a diploid one, and so do we.
AUTOSOMES = frozenset(str(number) for number in range(23))


def find_autosomal(chromosomes: pd.Series) -> Bool[np.ndarray, " n_variants"]:
    """Say which chromosomes are autosomes (1 to 22, ``chr`` before the number or not) or unplaced (0)."""
    # Few names for many variants: each is looked at once.
    codes, names = pd.factorize(chromosomes.astype(str))
    autosomal = [name.lower().removeprefix("chr") in AUTOSOMES for name in names]
    return np.array([*autosomal, False])[codes]


def count_block(
    dosages: Int8[np.ndarray, "n_samples k"], groups: Int8[np.ndarray, " n_samples"], n_groups: int
) -> Int64[np.ndarray, "k n_groups 3"]:
    """Count the genotypes of one block of variants; see `count_genotypes`."""
    counts = np.zeros((dosages.shape[1], n_groups, 3), dtype=np.int64)
    for group in range(n_groups):
        members = dosages[groups == group]
        for copies in (0, 1, 2):
            counts[:, group, copies] = np.count_nonzero(members == copies, axis=0)
    return counts


def count_genotypes(
    genotypes: Genotypes,
    groups: Int8[np.ndarray, " n_samples"] | None = None,
    n_groups: int = 1,
    *,
    block: int = 4096,
) -> Int64[np.ndarray, "n_variants n_groups 3"]:
    """Count genotypes by variant, group of samples and number of copies of the counted allele.

    Parameters
    ----------
    genotypes : of the samples to count.
    groups : the group of each sample, 0 to ``n_groups`` - 1; all samples in group 0 when None.
        Samples of any other group are not counted.
    n_groups : number of groups.
    block : variants read at a time.

    Returns
    -------
    int64 (n_variants, n_groups, 3); missing genotypes are in no cell.
    """
    if groups is None:
        groups = np.zeros(genotypes.n_samples, dtype=np.int8)
    counts = np.zeros((genotypes.n_variants, n_groups, 3), dtype=np.int64)
    for where, dosages in genotypes.blocks(block):
        counts[where] = count_block(dosages, groups, n_groups)
    return counts


def count_alleles(counts: Int64[np.ndarray, "*axes 3"]) -> Int64[np.ndarray, "*axes 2"]:
    """Turn genotype counts into counts of the (counted, other) allele."""
    return np.stack([counts[..., 1] + 2 * counts[..., 2], counts[..., 1] + 2 * counts[..., 0]], axis=-1)


def find_major_counted(
    counts: Int64[np.ndarray, "n_variants n_groups 3"],
) -> Bool[np.ndarray, " n_variants"]:
    """Say for which variants the counted allele is the commoner one, over all groups.

    At a tie the counted allele passes for the minor one, as in PLINK.
    """
    counted, other = count_alleles(counts.sum(axis=1)).T
    return np.asarray(counted > other)


def find_frequencies(genotypes: Genotypes) -> Float64[np.ndarray, " n_variants"]:
    """Return the frequency of each variant's counted allele, 0 to 1; NaN where nobody is typed."""
    counts = count_alleles(count_genotypes(genotypes)[:, 0]).astype(np.float64)
    total = counts.sum(axis=1)
    frequencies = np.full(len(counts), np.nan)
    np.divide(counts[:, 0], total, out=frequencies, where=total > 0)
    return frequencies
