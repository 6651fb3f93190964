"""Integrated and expected gradients: what each variant adds to one person's prediction.

A person's attributions add up to the difference between the model's output for the person and for a
baseline (integrated gradients), or to the mean difference from a group of people (expected gradients).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64

from genotransfer.interpretation.outputs import MOST_NUMBERS, Gradient

STEPS = 32


def integrate_gradients(
    gradient: Gradient,
    values: Float32[np.ndarray, "n_samples n_variants"],
    baseline: Float32[np.ndarray, " n_variants"] | None = None,
    steps: int = STEPS,
) -> Float64[np.ndarray, "n_samples n_variants"]:
    """Return integrated gradients: (x - x') times the mean gradient on the straight way from x' to x.

    Parameters
    ----------
    gradient : of the output, from `outputs.take_gradient`.
    values : standardised dosages x.
    baseline : x'; a person of mean dosages, all 0, when None.
    steps : nodes of Gauss and Legendre's quadrature.

    Source
    ------
    Sundararajan, Taly and Yan 2017, Axiomatic attribution for deep networks, ICML.
    """
    start = np.zeros(values.shape[1], dtype=np.float32) if baseline is None else baseline
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    step = values - start
    mean = np.zeros(values.shape, dtype=np.float64)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        mean += weight * gradient((start + np.float32(node) * step).astype(np.float32))
    return np.asarray(mean * step)


def expect_gradients(
    gradient: Gradient,
    values: Float32[np.ndarray, "n_samples n_variants"],
    background: Float32[np.ndarray, "n_background n_variants"],
    generator: np.random.Generator,
) -> Float64[np.ndarray, "n_samples n_variants"]:
    """Return expected gradients: integrated gradients averaged over baselines from a group of people.

    Each person of the background is a baseline of each explained person once, at one place of the way
    between them: the places are spread evenly over the background, at random.

    Parameters
    ----------
    gradient : of the output, from `outputs.take_gradient`.
    values : standardised dosages of the people who are explained.
    background : those of the people they are compared with.
    generator : of the places.

    Source
    ------
    Erion et al. 2021, Nat Mach Intell 3:620.
    """
    count, width = values.shape
    total = np.zeros((count, width), dtype=np.float64)
    others = len(background)
    places = np.argsort(generator.random((count, others)), axis=1) + generator.random((count, others))
    places = (places / others).astype(np.float32)
    at_once = max(MOST_NUMBERS // (2 * max(count * width, 1)), 1)
    for start in range(0, others, at_once):
        some = background[start : start + at_once, None, :]
        step = values[None] - some
        way = some + places[:, start : start + at_once].T[:, :, None] * step
        slopes = gradient(way.reshape(-1, width)).reshape(step.shape)
        total += (slopes * step).sum(axis=0)
    return total / others


def sum_bins(
    attributions: Float64[np.ndarray, "n_samples n_variants"], bins: np.ndarray
) -> Float64[np.ndarray, "n_samples n_bins"]:
    """Return each person's attributions added up over the variants of each bin."""
    order = np.argsort(bins, kind="stable")
    starts = np.searchsorted(bins[order], np.arange(int(bins.max(initial=-1)) + 1))
    return np.asarray(np.add.reduceat(attributions[:, order], starts, axis=1))
