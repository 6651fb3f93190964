"""What a population says of linear effects: X'y, and products with X'X, whatever they are made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from genotransfer.scores.base import Sample


@dataclass(frozen=True)
class Evidence:
    """A linear model of one population on the scale of the log odds.

    The response of a person is (label - share of cases) / variance of the label. At small effects
    a regression on it gives log odds ratios, so that populations with different shares of cases
    speak of the same effects.

    Attributes
    ----------
    design : float32 (n_rows, n_variants), centred; ``design.T @ design`` is X'X.
    products : float32 (n_variants,); X'y.
    squares : float32 (n_variants,); the diagonal of X'X.
    response_squares : y'y.
    n : number of people.
    known_noise : whether the residual variance stays y'y / n, and is not estimated.
    """

    design: Float32[np.ndarray, "n_rows n_variants"]
    products: Float32[np.ndarray, " n_variants"]
    squares: Float32[np.ndarray, " n_variants"]
    response_squares: float
    n: int
    known_noise: bool = False

    @classmethod
    def from_sample(cls, sample: Sample, variants: Int64[np.ndarray, " k"]) -> Evidence:
        """Make the evidence of some variants from people's dosages and labels."""
        design = np.ascontiguousarray(sample.dosages[:, variants])
        share = float(sample.labels.mean())
        variance = share * (1 - share)
        response = sample.residuals / np.float32(variance or 1.0)
        return cls(
            design,
            response @ design,
            np.einsum("ij,ij->j", design, design),
            float(response.astype(np.float64) @ response),
            sample.n,
        )

    def correlate(self, fitted: Float32[np.ndarray, " n_rows"]) -> Float32[np.ndarray, " n_variants"]:
        """Return X'(y - fitted)."""
        return np.asarray(self.products - fitted @ self.design)

    def predict(self, effects: Float64[np.ndarray, " n_variants"]) -> Float32[np.ndarray, " n_rows"]:
        """Return the fitted values of effects."""
        return np.asarray(self.design @ effects.astype(np.float32))


def screen_variants(
    samples: list[Sample], most: int
) -> tuple[Int64[np.ndarray, " k"], Float64[np.ndarray, " n_variants"]]:
    """Return the variants most associated in all people together or in the first sample, in order.

    A variant far down this list has no say in a sparse model, and a tenth of the variants takes a
    tenth of the time.

    Parameters
    ----------
    samples : the populations, the largest first.
    most : how many to return at most.

    Returns
    -------
    The positions, ascending, and chi-squared (1 df) of every variant in all people together.
    """
    total = information = np.zeros(samples[0].dosages.shape[1])
    first = None
    for sample in samples:
        if not sample.n or sample.labels.min() == sample.labels.max():
            continue
        variance = float(np.var(sample.labels))
        squares = sample.squares.astype(np.float64)
        total = total + sample.products.astype(np.float64) / variance
        information = information + squares / variance
        if first is None:
            first = np.divide(total**2, information, out=np.zeros_like(squares), where=squares > 1e-9)
    if first is None:
        n_variants = samples[0].dosages.shape[1]
        return np.arange(min(most, n_variants)), np.zeros(n_variants)
    pooled = np.divide(total**2, information, out=np.zeros_like(first), where=information > 1e-9)
    strongest = np.argsort(-np.maximum(pooled, first), kind="stable")[:most]
    return np.sort(strongest), pooled
