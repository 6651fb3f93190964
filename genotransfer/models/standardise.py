"""Standardise dosages with the mean and deviation of a training split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int8

from genotransfer.errors import AlignmentError, StudyError

# As if the mean were one copy less than none: the scale of networks that read genotypes.
COPIES_MEAN = -1.0


@dataclass(frozen=True)
class Standardiser:
    """Mean and standard deviation of each variant's dosage.

    Attributes
    ----------
    mean : float64 (n_variants,); mean number of copies of the counted allele, 0 to 2; or
        `COPIES_MEAN` throughout.
    sd : float64 (n_variants,); population standard deviation, 1 where the variant does not vary.
    """

    mean: Float64[np.ndarray, " n_variants"]
    sd: Float64[np.ndarray, " n_variants"]

    @classmethod
    def fit(cls, dosages: Int8[np.ndarray, "n_samples n_variants"]) -> Standardiser:
        """Estimate mean and deviation from the samples of a training split.

        Parameters
        ----------
        dosages : 0, 1, 2 copies of the counted allele; -1 is missing and left out of the estimates.

        Raises
        ------
        StudyError
            There are no samples, or no variants.
        """
        n_samples, n_variants = dosages.shape
        if not n_samples or not n_variants:
            raise StudyError(
                f"Standardisation was asked for {n_samples} samples of {n_variants} variants. "
                "Give at least one sample and one variant."
            )
        seen = dosages >= 0
        counted = np.maximum(seen.sum(axis=0), 1)
        total = np.where(seen, dosages, 0).sum(axis=0, dtype=np.int64)
        squares = np.where(seen, dosages.astype(np.int16) ** 2, 0).sum(axis=0, dtype=np.int64)
        # Whole numbers until here, so a variant that does not vary gets a variance of exactly 0.
        variance = np.maximum(counted * squares - total**2, 0) / counted**2
        sd = np.sqrt(variance)
        return cls(mean=total / counted, sd=np.where(sd > 0, sd, 1.0))

    @classmethod
    def count_copies(cls, n_variants: int) -> Standardiser:
        """Return the scale of networks that read genotypes: copies + 1, and 0 for missing.

        Which genotype somebody has cannot be told from standardised dosages, where a missing one is the
        mean.
        """
        return cls(np.full(n_variants, COPIES_MEAN), np.ones(n_variants))

    @property
    def counts_copies(self) -> bool:
        """Whether it is the scale of networks that read genotypes."""
        return bool((self.mean == COPIES_MEAN).all())

    def transform(
        self, dosages: Int8[np.ndarray, "n_samples n_variants"] | Float32[np.ndarray, "n_samples n_variants"]
    ) -> Float32[np.ndarray, "n_samples n_variants"]:
        """Return (dosage - mean) / sd; a missing dosage, -1 or NaN, becomes 0, which is the mean.

        Raises
        ------
        AlignmentError
            The number of variants is not the one this was fitted to.
        """
        if dosages.shape[1] != len(self.mean):
            raise AlignmentError(
                f"The dosages have {dosages.shape[1]} variants, the model was fitted to {len(self.mean)}. "
                "Give the variants of the model's panel, in its order."
            )
        scaled = (dosages.astype(np.float32) - self.mean.astype(np.float32)) / self.sd.astype(np.float32)
        scaled[~(dosages >= 0)] = 0  # NaN too
        return scaled


def fit_standardiser(network: str, dosages: Int8[np.ndarray, "n_samples n_variants"]) -> Standardiser:
    """Return the scale on which a network reads dosages, estimated from a training split.

    Parameters
    ----------
    network : its key.
    dosages : as for `Standardiser.fit`.
    """
    from genotransfer.models.networks import reads_genotypes

    if reads_genotypes(network):
        return Standardiser.count_copies(dosages.shape[1])
    return Standardiser.fit(dosages)


def impute_means(dosages: Int8[np.ndarray, "n m"]) -> Float32[np.ndarray, "n m"]:
    """Return dosages with each missing one (-1) the variant's mean."""
    filled = dosages.astype(np.float32)
    missing = dosages < 0
    columns = np.flatnonzero(missing.any(axis=0))
    if len(columns):
        means = Standardiser.fit(dosages[:, columns]).mean.astype(np.float32)
        filled[:, columns] = np.where(missing[:, columns], means, filled[:, columns])
    return filled
