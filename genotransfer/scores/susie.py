"""Sum of single effects, of one population and of two that share their causal variants.

SuSiE writes the effects as a sum of a few vectors that each have one entry that is not 0, and finds
for each vector how probable every variant is to be that entry. The posterior mean of the sum is the
score: it is spread over variants the data cannot tell apart. Two populations, as in SuSiEx, have the
same causal variants and each its own LD, which narrows the choice; here the target's few people also
help to choose, and each variant's two effects are drawn together from a normal distribution of a
correlation that is chosen by the evidence lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64

from genotransfer.scores.base import Sample
from genotransfer.scores.evidence import Evidence, screen_variants
from genotransfer.scores.from_summary import (
    SummaryScore,
    get_outcome_variance,
    make_evidence,
    rank_variants,
    scale_outcome,
)
from genotransfer.scores.summary_sample import SummarySample

# Prior variances tried at first, in log odds squared for one copy of an allele.
VARIANCES = np.concatenate([[0.0], np.geomspace(0.004, 8, 11)])
# A study of so many people finds smaller effects.
MANY = 10_000
SMALL_VARIANCES = np.concatenate([[0.0], np.geomspace(1e-5, 8, 16)])
NEARBY = np.array([0.75, 1.0, 1.33])
# Chi-squared of a typical variant that is not associated: the median at 1 df.
TYPICAL_CHI2 = 0.455
# Log odds of effects that are the same in both populations against effects that have nothing to do
# with each other, before the data speak: effects of common causal variants correlate by some .95
# between ancestries (Hou et al. 2023, Nat Genet 55:549).
CORRELATION_BELIEF = 3.0


@dataclass
class SumOfSingleEffects:
    """A variational posterior of effects in one or two populations.

    Attributes
    ----------
    inclusion : (n_effects, k); probability that each single effect lies in each variant. A row adds
        up to less than 1 by what is left to the variants that were screened out.
    means : (n_populations, n_effects, k); mean of the effect in each population, given that it is there.
    variances : (n_effects,); prior variance of each single effect; 0 for one that is not there.
    noise : (n_populations,); residual variance.
    correlation : of one variant's effects in the two populations.
    elbo : evidence lower bound.
    """

    inclusion: Float64[np.ndarray, "n_effects k"]
    means: Float64[np.ndarray, "n_populations n_effects k"]
    variances: Float64[np.ndarray, " n_effects"]
    noise: Float64[np.ndarray, " n_populations"]
    correlation: float
    elbo: float = -math.inf
    n_iterations: int = 0
    divergences: Float64[np.ndarray, " n_effects"] = field(default_factory=lambda: np.zeros(0))

    def average_effects(self, population: int) -> Float64[np.ndarray, " k"]:
        """Return the posterior mean of each variant's effect in one population."""
        return np.asarray((self.inclusion * self.means[population]).sum(axis=0))

    def inclusion_probabilities(self) -> Float64[np.ndarray, " k"]:
        """Return the probability that a variant has any effect (PIP)."""
        there = self.variances > 0
        return np.asarray(1 - np.prod(1 - self.inclusion[there], axis=0))


def fit_effects(
    evidence: list[Evidence],
    *,
    n_effects: int = 10,
    n_variants: int | None = None,
    correlation: float = 1.0,
    start: SumOfSingleEffects | None = None,
    variances: Float64[np.ndarray, " t"] = VARIANCES,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
) -> SumOfSingleEffects:
    """Fit single effects by coordinate ascent (iterative Bayesian stepwise selection).

    Parameters
    ----------
    evidence : one or two populations, the same variants in each.
    n_effects : the most single effects; those that nothing speaks for get a prior variance of 0.
    n_variants : variants there were before screening; each is as probable at the start.
    correlation : of one variant's effects in the two populations, 0 to 1.
    start : a fit of the same evidence to start from.
    variances : prior variances tried at first.
    max_iterations : rounds over all single effects.
    tolerance : stop when the evidence lower bound rises by less.

    Source
    ------
    Wang, Sarkar, Carbonetto & Stephens 2020, J R Stat Soc B 82:1273 (SuSiE); Yuan et al. 2024, Nat
    Genet 56:1841 (SuSiEx).
    """
    k, n_populations = len(evidence[0].products), len(evidence)
    total = max(n_variants or k, k)
    squares = np.stack([one.squares for one in evidence]).astype(np.float64)
    fit = start or SumOfSingleEffects(
        np.zeros((n_effects, k)),
        np.zeros((n_populations, n_effects, k)),
        np.zeros(n_effects),
        np.array([one.response_squares / max(one.n, 1) for one in evidence]),
        correlation,
    )
    fit.correlation = correlation
    n_effects = len(fit.inclusion)
    divergences = np.zeros(n_effects)
    spread = np.zeros((n_populations, n_effects))
    parts = [
        np.stack([one.predict(fit.inclusion[row] * fit.means[p, row]) for row in range(n_effects)])
        for p, one in enumerate(evidence)
    ]
    sums = [part.sum(axis=0) for part in parts]
    before = -math.inf
    for iteration in range(max_iterations):
        for row in range(n_effects):
            pulls = np.stack(
                [one.correlate(sums[p] - parts[p][row]) for p, one in enumerate(evidence)]
            ).astype(np.float64)
            single = _SingleEffect(
                pulls / fit.noise[:, None], squares / fit.noise[:, None], correlation, total
            )
            tried = variances if iteration < 2 or not fit.variances[row] else fit.variances[row] * NEARBY
            fit.variances[row] = single.choose_variance(tried)
            evidence_of, inclusion, means, second = single.update(float(fit.variances[row]))
            fit.inclusion[row], fit.means[:, row] = inclusion, means
            expected = (inclusion * squares * second).sum(axis=1)
            gained = 0.0
            for p, one in enumerate(evidence):
                mean = inclusion * means[p]
                changed = one.predict(mean)
                sums[p] = sums[p] - parts[p][row] + changed
                parts[p][row] = changed
                spread[p, row] = expected[p] - float(changed.astype(np.float64) @ changed)
                gained += (float(pulls[p] @ mean) - expected[p] / 2) / fit.noise[p]
            divergences[row] = gained - evidence_of
        fit.elbo = -float(divergences.sum())
        for p, one in enumerate(evidence):
            effects = fit.average_effects(p)
            fitted = sums[p].astype(np.float64)
            rest = one.response_squares - 2 * float(one.products @ effects) + float(fitted @ fitted)
            rest = max(rest + float(spread[p].sum()), 1e-3 * one.response_squares)
            fit.elbo -= one.n / 2 * math.log(2 * math.pi * fit.noise[p]) + rest / (2 * fit.noise[p])
            if one.known_noise:
                continue
            fit.noise[p] = min(rest / max(one.n, 1), one.response_squares / max(one.n, 1))
        fit.n_iterations = iteration + 1
        if iteration > 2 and abs(fit.elbo - before) < tolerance:
            break
        before = fit.elbo
    fit.divergences = divergences
    return fit


@dataclass(frozen=True)
class _SingleEffect:
    """The regression of one single effect on each variant alone, in all populations.

    Attributes
    ----------
    pull : (n_populations, k); X'r / noise.
    precision : (n_populations, k); diagonal of X'X / noise.
    """

    pull: Float64[np.ndarray, "n_populations k"]
    precision: Float64[np.ndarray, "n_populations k"]
    correlation: float
    n_variants: int

    def weigh(self, variance: float) -> Float64[np.ndarray, " k"]:
        """Return the log Bayes factor of each variant against no effect."""
        if len(self.pull) == 1 or self.correlation == 1:
            precision = self.precision.sum(axis=0)
            shrunk = variance * precision
            return np.asarray(
                -np.log1p(shrunk) / 2 + variance * self.pull.sum(axis=0) ** 2 / (1 + shrunk) / 2
            )
        covariance, determinant = self._spread(variance)
        quadratic = np.einsum("pk,pqk,qk->k", self.pull, covariance, self.pull)
        return np.asarray(-np.log(determinant) / 2 + quadratic / 2)

    def _spread(self, variance: float) -> tuple[np.ndarray, np.ndarray]:
        """Return each variant's posterior covariance (2, 2, k), and |I + prior x precision|."""
        rho, (first, second) = self.correlation, self.precision
        left = variance**2 * (1 - rho**2)
        determinant = 1 + variance * (first + second) + left * first * second
        covariance = (
            np.array(
                [
                    [variance + left * second, rho * variance + 0 * first],
                    [rho * variance + 0 * first, variance + left * first],
                ]
            )
            / determinant
        )
        return covariance, determinant

    @cached_property
    def typical(self) -> float:
        """Precision of a typical variant."""
        return float(np.median(self.precision.sum(axis=0)))

    def measure(self, variance: float, weights: Float64[np.ndarray, " k"]) -> float:
        """Return the log evidence of the single effect, the variants left out included."""
        left = self.n_variants - len(weights)
        rest = -math.inf
        if left:
            shrunk = variance * self.typical
            rest = math.log(left) - math.log1p(shrunk) / 2 + TYPICAL_CHI2 / 2 * shrunk / (1 + shrunk)
        most = max(float(weights.max()), rest)
        total = float(np.exp(weights - most).sum()) + math.exp(rest - most)
        return most + math.log(total / self.n_variants)

    def choose_variance(self, tried: Float64[np.ndarray, " t"]) -> float:
        """Return the prior variance of most evidence; 0, no effect, has a log evidence of 0."""
        best, most = 0.0, 0.0
        for variance in tried:
            if variance > 0:
                found = self.measure(float(variance), self.weigh(float(variance)))
                if found > most:
                    best, most = float(variance), found
        return best

    def update(self, variance: float) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """Return log evidence, inclusion (k,), and mean and mean square (n_populations, k) of the effect."""
        n_populations, k = self.pull.shape
        if variance == 0:
            nothing = np.zeros((n_populations, k))
            return 0.0, np.zeros(k), nothing, nothing
        weights = self.weigh(variance)
        found = self.measure(variance, weights)
        inclusion = np.exp(weights - found - math.log(self.n_variants))
        if n_populations == 1 or self.correlation == 1:
            spread = variance / (1 + variance * self.precision.sum(axis=0))
            mean = np.broadcast_to(spread * self.pull.sum(axis=0), (n_populations, k))
            return found, inclusion, mean, mean**2 + spread
        covariance, _ = self._spread(variance)
        mean = np.einsum("pqk,qk->pk", covariance, self.pull)
        return found, inclusion, mean, mean**2 + np.einsum("ppk->pk", covariance)


def gather_evidence(
    samples: list[Sample | SummarySample], most: int
) -> tuple[Int64[np.ndarray, " k"], list[Evidence]]:
    """Return the variants most associated, ascending, and what each population says of them.

    Parameters
    ----------
    samples : one population, or source and target.
    most : variants to return at most.
    """
    source, target = samples[0], samples[-1]
    if isinstance(source, SummarySample):
        variants, _ = rank_variants(samples, most)
        scale = scale_outcome(source, target) if isinstance(target, Sample) else 1.0
        found = [make_evidence(source, variants, scale)]
    else:
        variants, _ = screen_variants([one for one in samples if isinstance(one, Sample)], most)
        found = [Evidence.from_sample(source, variants)]
    return variants, found + [
        Evidence.from_sample(one, variants) for one in samples[1:] if isinstance(one, Sample)
    ]


class _Susie(SummaryScore):
    def __init__(self, n_effects: int = 10, screened: int = 4000) -> None:
        self.n_effects = n_effects
        self.screened = screened

    def _fit(
        self, samples: list[Sample | SummarySample], correlations: tuple[float, ...]
    ) -> tuple[SumOfSingleEffects, Int64[np.ndarray, " k"]]:
        variants, evidence = gather_evidence(samples, self.screened)
        n_variants = len(samples[0].squares)
        many = samples[0].n > MANY
        fits = [
            fit_effects(
                evidence,
                n_effects=self.n_effects,
                n_variants=n_variants,
                correlation=correlation,
                variances=SMALL_VARIANCES if many else VARIANCES,
            )
            for correlation in correlations
        ]
        believed = [one.elbo + CORRELATION_BELIEF * one.correlation for one in fits]
        return fits[int(np.argmax(believed))], variants

    def _spread_out(
        self, fit: SumOfSingleEffects, variants: np.ndarray, n_variants: int
    ) -> Float64[np.ndarray, " n_variants"]:
        effects = np.zeros(n_variants)
        effects[variants] = fit.average_effects(-1)
        self.inclusion_ = np.zeros(n_variants)
        self.inclusion_[variants] = fit.inclusion_probabilities()
        self.effect_correlation_ = fit.correlation
        self.elbo_ = fit.elbo
        return effects


class SourceSusie(_Susie):
    """Sum of single effects of the source, carried to the target.

    Parameters
    ----------
    n_effects : the most single effects.
    screened : variants kept by their marginal association before the fit.
    """

    source_only = True

    def _learn_effects(
        self, source: Sample | SummarySample, target: Sample
    ) -> Float64[np.ndarray, " n_variants"]:
        # No scale of the target's: it has no say in the fit, and the slope is found afterwards.
        fit, variants = self._fit([source if source.n else target], (1.0,))
        return self._spread_out(fit, variants, len(source.squares))


class JointSusie(_Susie):
    """Sum of single effects of both populations, which share their causal variants.

    Parameters
    ----------
    n_effects : the most single effects.
    screened : variants kept by their marginal association before the fit.
    correlations : of a variant's effects in the two populations; the one of most evidence is taken.
    """

    def __init__(
        self,
        n_effects: int = 10,
        screened: int = 4000,
        correlations: tuple[float, ...] = (1.0, 0.75, 0.0),
    ) -> None:
        super().__init__(n_effects, screened)
        self.correlations = correlations

    def _learn_effects(
        self, source: Sample | SummarySample, target: Sample
    ) -> Float64[np.ndarray, " n_variants"]:
        both: list[Sample | SummarySample] = [source, target]
        samples = [one for one in both if get_outcome_variance(one) > 0]
        correlations = tuple(self.correlations) if len(samples) == 2 else (1.0,)
        fit, variants = self._fit(samples or [source], correlations)
        return self._spread_out(fit, variants, len(source.squares))
