"""Continuous shrinkage of two populations' effects together, as in PRS-CSx.

Each variant has a scale of its own, drawn from a prior with much of its mass near 0 and a long tail,
and shared by the populations; each population has an effect of its own size on that scale. PRS-CSx
draws from the posterior; here it is approximated by coordinate ascent: effects are normal within
blocks of neighbouring variants, correlated with each other there, and blocks and scales are
independent. The global scale falls from a large value to its own in steps, since a start at the end
leaves weak variants at 0 before the strong ones have taken their share.

Departures from PRS-CSx: a deterministic approximation; the prior's shape is a setting, by default the
horseshoe's, a = b = 1/2, where the Strawderman-Berger prior has a = 1; and the two effects of a variant
are correlated, so that the target's few people change the source's effects and do not start from 0.

Source: Ruan et al. 2022, Nat Genet 54:573 (PRS-CSx); Ge et al. 2019, Nat Commun 10:1776 (PRS-CS);
Carvalho, Polson & Scott 2010, Biometrika 97:465 (horseshoe).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float64
from scipy.linalg import get_lapack_funcs

from genotransfer.scores.base import Sample
from genotransfer.scores.from_summary import SummaryScore, get_outcome_variance, make_gram, rank_variants
from genotransfer.scores.summary_sample import SummarySample

# The global scale, when the fit starts, and the steps it takes to its own.
FIRST_SCALE, STEPS, SWEEPS_A_STEP = 3e-5, 4, 4
# A residual variance below this would say that SNPs explain nearly all.
LEAST_NOISE = 0.3
# Log local scale and log mean square effect, relative to the global scale, between which tables are made.
LOCAL_RANGE, SQUARE_RANGE = (-25.0, 25.0), (-30.0, 30.0)


class ShrinkageScore(SummaryScore):
    """Effects of both populations under one global-local shrinkage prior.

    Parameters
    ----------
    screened : variants kept by their marginal association before the fit.
    global_scale : of the prior variance of an effect, both outcome and dosage having variance 1; the
        smaller, the fewer variants have one.
    shape, tail : a and b of the prior of local scales: near 0 its density goes with their a - 1st power, far
        off with the -b - 1st. 1/2 and 1/2 is the horseshoe, 1 and 1/2 Strawderman-Berger's.
    correlation : of a variant's effects in the two populations.
    block : variants whose effects are fitted together.
    sweeps : rounds over all blocks once the global scale is reached.
    """

    def __init__(
        self,
        screened: int = 2000,
        global_scale: float = 5e-6,
        shape: float = 0.5,
        tail: float = 0.5,
        correlation: float = 0.98,
        block: int = 150,
        sweeps: int = 12,
    ) -> None:
        self.screened = screened
        self.global_scale = global_scale
        self.shape = shape
        self.tail = tail
        self.correlation = correlation
        self.block = block
        self.sweeps = sweeps

    def _learn_effects(
        self, source: Sample | SummarySample, target: Sample
    ) -> Float64[np.ndarray, " n_variants"]:
        if source is target or get_outcome_variance(target) == 0:
            # Nobody of the target, or nobody who differs: its effects follow from the source's.
            target = Sample(target.dosages[:0], target.labels[:0], target.means)
        samples: list[Sample | SummarySample] = [source, target]
        at, _ = rank_variants(samples, self.screened)
        people = sum(sample.n for sample in samples)
        scale = np.sqrt(sum(sample.squares[at].astype(np.float64) for sample in samples) / people)
        varies = scale > 1e-6
        at, scale = at[varies], scale[varies]
        grams, products = [], []
        for sample in samples:
            outcome = np.sqrt(get_outcome_variance(sample)) or 1.0
            grams.append(make_gram(sample, at) / scale[:, None] / scale)
            products.append(sample.products[at].astype(np.float64) / scale / outcome)
        fitted = fit_shrinkage(
            grams,
            products,
            [sample.n for sample in samples],
            (source.reference_error if isinstance(source, SummarySample) else 0.0, 0.0),
            global_scale=self.global_scale,
            prior=(self.shape, self.tail),
            correlation=self.correlation,
            block=self.block,
            sweeps=self.sweeps,
        )
        effects = np.zeros(len(target.means))
        effects[at] = fitted[1] / scale
        return effects


@dataclass
class _Population:
    """What one population says, and the effects fitted so far."""

    gram: Float64[np.ndarray, "k k"]
    products: Float64[np.ndarray, " k"]
    n: int
    noise: float
    error: float
    effects: Float64[np.ndarray, " k"]
    fitted: Float64[np.ndarray, " k"]

    def measure_noise(self, some: slice) -> float:
        """Return the variance that the effects of a block are fitted against.

        Where X'X is only known by a reference, what a block explains comes with the reference's error,
        and the more it explains the less can be made of its remainder.
        """
        if not self.error:
            return self.noise
        effects = self.effects[some]
        explained = max(float(effects @ self.gram[some, some] @ effects), 0.0) / self.n
        return self.noise + self.n * self.error * explained

    def residual_variance(self) -> float:
        """Return the outcome's variance less what the effects explain."""
        explained = 2 * float(self.effects @ self.products) - float(self.effects @ self.fitted)
        return min(max(1 - explained / max(self.n, 1), LEAST_NOISE), 1.0)


def fit_shrinkage(
    grams: list[Float64[np.ndarray, "k k"]],
    products: list[Float64[np.ndarray, " k"]],
    sizes: list[int],
    errors: tuple[float, float] = (0.0, 0.0),
    *,
    global_scale: float,
    prior: tuple[float, float] = (0.5, 0.5),
    correlation: float = 0.98,
    block: int = 150,
    sweeps: int = 12,
) -> Float64[np.ndarray, "2 k"]:
    """Return the posterior mean of the effects in two populations.

    Parameters
    ----------
    grams, products : X'X and X'y of each population, dosages and outcomes scaled to variance 1.
    sizes : people in each population; X'X and X'y are 0 where there is nobody.
    errors : variance of a correlation in X'X about the one among the population's people.
    global_scale, prior, correlation, block, sweeps : see `ShrinkageScore`.
    """
    k = len(products[0])
    populations = [
        _Population(gram, product, n, 1.0, error, np.zeros(k), np.zeros(k))
        for gram, product, n, error in zip(grams, products, sizes, errors, strict=True)
    ]
    coupling = np.linalg.inv(np.array([[1, correlation], [correlation, 1]]))
    first = max(FIRST_SCALE, global_scale)
    scales = np.repeat(np.geomspace(first, global_scale, STEPS + 1)[:STEPS], SWEEPS_A_STEP)
    scales = np.append(scales, np.full(sweeps, global_scale))
    precision = np.full(k, 1 / first)
    blocks = [slice(start, min(start + block, k)) for start in range(0, k, block)]
    table = _tabulate_precision(*prior)
    for step, scale in enumerate(scales):
        for some in blocks:
            squares = _update_block(populations, some, coupling, precision[some])
            precision[some] = np.exp(np.interp(np.log(squares / scale), *table)) / scale
        if step >= STEPS * SWEEPS_A_STEP and not populations[0].error:
            # The target's few people cannot say how large their noise is.
            populations[0].noise = populations[0].residual_variance()
    return np.stack([one.effects for one in populations])


def _update_block(
    populations: list[_Population],
    some: slice,
    coupling: Float64[np.ndarray, "2 2"],
    precision: Float64[np.ndarray, " m"],
) -> Float64[np.ndarray, " m"]:
    """Fit the effects of one block, all others held; return each variant's expected square of both."""
    m = some.stop - some.start
    both = np.zeros((2, m, 2, m))
    pull = np.empty((2, m))
    diagonal = np.arange(m)
    for row, one in enumerate(populations):
        gram = one.gram[some, some]
        noise = one.measure_noise(some)
        both[row, :, row] = gram / noise
        pull[row] = (one.products[some] - one.fitted[some] + gram @ one.effects[some]) / noise
        for column in range(2):
            both[row, diagonal, column, diagonal] += precision * coupling[row, column]
    invert, factor = get_lapack_funcs(("trtri", "potrf"), (both,))
    lower, _ = factor(both.reshape(2 * m, 2 * m), lower=1, clean=1)
    root, _ = invert(lower, lower=1)
    mean = (root.T @ (root @ pull.ravel())).reshape(2, m)
    parts = root.reshape(2 * m, 2, m)
    covariance = np.einsum("ipj,iqj->pqj", parts, parts)
    for row, one in enumerate(populations):
        one.fitted += one.gram[:, some] @ (mean[row] - one.effects[some])
        one.effects[some] = mean[row]
    second = covariance + mean[:, None] * mean[None]
    return np.asarray(np.einsum("pqj,pq->j", second, coupling))


@lru_cache(maxsize=8)
def _tabulate_precision(
    shape: float, tail: float
) -> tuple[Float64[np.ndarray, " s"], Float64[np.ndarray, " s"]]:
    """Return log mean square effects, and the log of the expected 1 / local scale at each.

    Both relative to the global scale. The effects of two populations of square s have density
    proportional to exp(-s / 2 x) / x, given a local scale x of density x^(a-1) (1 + x)^-(a+b); the mean of 1 / x is
    found by summing over a fine grid of log x.
    """
    grid = np.linspace(*LOCAL_RANGE, 1500)
    squares = np.linspace(*SQUARE_RANGE, 300)
    density = shape * grid - (shape + tail) * np.logaddexp(0, grid) - grid
    weights = density - np.exp(squares[:, None] - grid) / 2
    weights = np.exp(weights - weights.max(axis=1, keepdims=True))
    expected = (weights @ np.exp(-grid)) / weights.sum(axis=1)
    return squares, np.log(expected)
