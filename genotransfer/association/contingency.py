"""Tests on counts: allelic, genotypic, trend, and the difference of mean allele counts.

Counts are int64 (n_variants, 2, 3): axis 1 is (cases, controls), axis 2 the copies 0, 1, 2 of A1.
NaN stands where a statistic is not defined, by PLINK 1.9's rules. P-values come from scipy.special's
`chdtrc`, which is chi-squared's upper tail: scipy.stats, which calls it, takes a second to import.
"""

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import chdtrc

from genotransfer.counts import count_alleles

Counts = Int64[np.ndarray, "n_variants 2 3"]
PerVariant = Float64[np.ndarray, " n_variants"]


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide, with NaN where the denominator is 0."""
    blank = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=blank, where=denominator != 0))


def compute_allelic(counts: Counts) -> tuple[PerVariant, PerVariant]:
    """Return chi-squared (1 df) and p of the two by two table of alleles; NaN with one allele only."""
    alleles = count_alleles(counts).astype(float)
    (a, b), (c, d) = alleles[:, 0].T, alleles[:, 1].T
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    statistic = divide((a * d - b * c) ** 2 * (a + b + c + d), margins)
    return statistic, chdtrc(1, statistic)


def compute_odds_ratio(counts: Counts) -> PerVariant:
    """Return the odds ratio of A1; NaN where cases lack A2 or controls lack A1."""
    alleles = count_alleles(counts).astype(float)
    (a, b), (c, d) = alleles[:, 0].T, alleles[:, 1].T
    return divide(a * d, b * c)


def compute_frequencies(counts: Counts) -> tuple[PerVariant, PerVariant]:
    """Return A1's frequency in cases and in controls; NaN where nobody was called."""
    alleles = count_alleles(counts).astype(float)
    frequency = divide(alleles[..., 0], alleles.sum(axis=-1))
    return frequency[:, 0], frequency[:, 1]


def compute_genotypic(
    counts: Counts, minimum_cell: int = 5
) -> tuple[PerVariant, PerVariant, Float64[np.ndarray, " n_variants"]]:
    """Return chi-squared, degrees of freedom and p of the two by three table of genotypes.

    Parameters
    ----------
    minimum_cell : all three are NaN where an observed cell holds fewer (PLINK's ``--cell``). With
        0, genotypes nobody has are taken out of the table, and its degrees of freedom fall.
    """
    observed = counts.astype(float)
    rows, columns = observed.sum(axis=2), observed.sum(axis=1)
    expected = divide(rows[:, :, None] * columns[:, None, :], rows.sum(axis=1)[:, None, None])
    terms = divide((observed - expected) ** 2, expected)
    statistic = np.nansum(terms, axis=(1, 2))
    freedom = (columns > 0).sum(axis=1) - 1.0
    defined = (freedom > 0) & (rows > 0).all(axis=1) & (counts >= minimum_cell).all(axis=(1, 2))
    statistic, freedom = np.where(defined, statistic, np.nan), np.where(defined, freedom, np.nan)
    return statistic, freedom, chdtrc(freedom, statistic)


def compute_trend(counts: Counts) -> tuple[PerVariant, PerVariant]:
    """Return chi-squared (1 df) and p of the Cochran–Armitage trend in copies of A1.

    Source: Armitage 1955, Biometrics 11:375. NaN where there is no variation to follow.
    """
    copies = np.arange(3.0)
    cases, everyone = counts[:, 0].astype(float), counts.sum(axis=1).astype(float)
    n_cases, n = cases.sum(axis=1), everyone.sum(axis=1)
    excess = n * (cases @ copies) - n_cases * (everyone @ copies)
    spread = n * (everyone @ copies**2) - (everyone @ copies) ** 2
    statistic = divide(n * excess**2, n_cases * (n - n_cases) * spread)
    return statistic, chdtrc(1, statistic)
