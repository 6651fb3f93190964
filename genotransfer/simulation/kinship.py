"""Allele frequencies, standardised genotypes and the kinship of samples, as PhenotypeSimulator has them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float64, Int8

from genotransfer.errors import StudyError
from genotransfer.genotypes import MISSING

RIDGE = 1e-4  # added to the diagonal of a kinship so that it has a Cholesky factor


def count_alleles(
    dosages: Int8[np.ndarray, "n_samples n_variants"],
) -> Float64[np.ndarray, " n_variants"]:
    """Return each variant's frequency of the counted allele, over the samples that are not missing.

    A variant of which all samples are missing has frequency 0.
    """
    present = dosages != MISSING
    copies = np.where(present, dosages, 0).sum(axis=0, dtype=np.int64)
    frequencies: np.ndarray = copies / np.maximum(2 * present.sum(axis=0), 1)
    return frequencies


def standardise_genotypes(
    dosages: Int8[np.ndarray, "n_samples n_variants"],
) -> Float64[np.ndarray, "n_samples n_variants"]:
    """Return (g - 2q) / sqrt(2q(1 - q)) with q the frequency of the counted allele.

    Parameters
    ----------
    dosages : 0, 1, 2 copies; -1 (missing) becomes the variant's mean, rounded to a whole genotype
        as in PhenotypeSimulator, before q is counted.

    Returns
    -------
    float64 of the same shape; a monomorphic variant is 0 throughout.
    """
    filled = dosages
    missing = dosages == MISSING
    if missing.any():
        means = np.rint(2 * count_alleles(dosages)).astype(np.int8)
        filled = np.where(missing, means, dosages)
    q = count_alleles(filled)
    deviation = np.sqrt(2 * q * (1 - q))
    standardised: np.ndarray = (filled - 2 * q) / np.where(deviation > 0, deviation, 1.0)
    return standardised


def compute_kinship(
    blocks: Iterable[Float64[np.ndarray, "n_samples _"]], n_samples: int
) -> Float64[np.ndarray, "n_samples n_samples"]:
    """Return the kinship K = XX' / mean(diag(XX')), with 1e-4 added to the diagonal.

    Parameters
    ----------
    blocks : standardised genotypes X in blocks of variants, each (n_samples, any number); only
        one block is held at a time.

    Raises
    ------
    StudyError
        No variant varies, so the samples cannot be told apart.
    """
    products = np.zeros((n_samples, n_samples))
    for block in blocks:
        products += block @ block.T
    scale = np.trace(products) / max(n_samples, 1)
    if not scale > 0:
        raise StudyError("Kinship cannot be computed: all variants are monomorphic, or there are none.")
    kinship: np.ndarray = products / scale
    kinship[np.diag_indices(n_samples)] += RIDGE
    return kinship


def impute_means(
    dosages: Int8[np.ndarray, "n_samples n_variants"],
) -> Float64[np.ndarray, "n_samples n_variants"]:
    """Return dosages as float64 with missing ones (-1) at the variant's mean, 0 where all are missing."""
    missing = dosages == MISSING
    means = 2 * count_alleles(dosages)
    result: np.ndarray = np.where(missing, means, dosages).astype(np.float64)
    return result
