"""Variance models: which share of a phenotype's variance comes from where, and the presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genotransfer.errors import StudyError

TOLERANCE = 1e-9
SHARES = (
    *("gen_var", "h2s", "phi", "rho", "delta", "theta", "eta", "gamma", "alpha"),
    *("independent", "traits_independent"),
)


@dataclass(frozen=True)
class EffectSizes:
    """Distribution of raw effect sizes, before they are scaled to a share of the variance.

    Attributes
    ----------
    distribution : ``norm``: mean `mean`, standard deviation `spread`; ``unif``: between
        ``mean - spread`` and ``mean + spread`` (shared effects fill that interval by an exponential
        form, see `components.draw_shared_effects`).
    """

    distribution: Literal["norm", "unif"] = "norm"
    mean: float = 0.0
    spread: float = 1.0


@dataclass(frozen=True)
class CovariateSet:
    """Covariates of one kind: sex is ``bin``, a study centre ``cat_unif``, age ``norm``.

    Attributes
    ----------
    count : number of covariates.
    distribution : ``bin`` 0/1; ``cat_norm``, ``cat_unif`` categories 1, 2, ...; ``norm``; ``unif``.
    independent : share of the covariates that act on some traits only, 0 to 1.
    mean, spread : of ``norm`` (standard deviation), ``unif`` (half width), and of the normal density
        ``cat_norm`` is cut from.
    categories : number of categories of ``cat_norm`` and ``cat_unif``.
    probability : of a 1 in ``bin``.
    """

    count: int
    distribution: Literal["bin", "cat_norm", "cat_unif", "norm", "unif"] = "norm"
    independent: float = 0.4
    mean: float = 0.0
    spread: float = 1.0
    categories: int = 2
    probability: float = 0.5


# PhenotypeSimulator 0.3.4, vignette, example 2. With several sets of covariates the package passes 9
# as mean and standard deviation to those that are not normal, so its three categories have the
# probabilities of a normal (9, 9) density cut at 1, 2 and 3.
VIGNETTE_COVARIATES = (
    CovariateSet(1, "bin", independent=0.0, probability=0.2),
    CovariateSet(2, "cat_norm", independent=1.0, categories=3, mean=9.0, spread=9.0),
    CovariateSet(1, "cat_unif", independent=1.0, categories=4),
    CovariateSet(2, "norm", independent=0.5),
)


@dataclass(frozen=True)
class VarianceModel:
    """Shares of a phenotype's variance, in the terms of PhenotypeSimulator.

    Attributes
    ----------
    gen_var : genetic share of the variance; the rest, ``1 - gen_var``, is noise.
    h2s : share of the genetic variance that comes from the risk variants; the rest is background
        that follows the samples' kinship.
    phi, rho, delta : shares of the noise: observational, correlated between traits, covariates.
        They sum to 1.
    theta, eta, gamma, alpha : of the risk variants', background, covariate and observational
        variance, the part that is shared by all traits. A single trait has both parts too.
    independent : share of the risk variants that belong to the part which is not shared.
    traits_independent : share of the traits on which an independent variant or covariate acts.
    correlation : correlation of neighbouring traits in the correlated noise.
    effects, covariate_effects : distributions of raw effects.
    covariates : what `delta` is made of.

    Raises
    ------
    StudyError
        A share is not between 0 and 1, the shares of the noise do not sum to 1, or there is a share
        for covariates but no covariate.

    References
    ----------
    Meyer and Birney, Bioinformatics 34:2951 (2018); the package's version 0.3.4.
    """

    gen_var: float
    h2s: float
    phi: float
    rho: float = 0.0
    delta: float = 0.0
    theta: float = 0.8
    eta: float = 0.8
    gamma: float = 0.8
    alpha: float = 0.8
    independent: float = 0.4
    traits_independent: float = 0.2
    correlation: float = 0.8
    effects: EffectSizes = EffectSizes()
    covariate_effects: EffectSizes = EffectSizes()
    covariates: tuple[CovariateSet, ...] = ()

    def __post_init__(self) -> None:
        for name in SHARES:
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise StudyError(f"{name} is a share of the variance and must lie in [0, 1], not {share}.")
        noise = self.phi + self.rho + self.delta
        if abs(noise - 1) > TOLERANCE:
            change = f"{'Raise' if noise < 1 else 'Lower'} phi by {abs(1 - noise):g}"
            raise StudyError(
                f"The shares of the noise must sum to 1, but phi {self.phi} + rho {self.rho} + "
                f"delta {self.delta} = {noise:g}. {change}."
            )
        if self.delta * self.noise_var > 0 and not self.covariates:
            raise StudyError(f"delta is {self.delta}, but there are no covariates. Name some or set delta 0.")

    @property
    def noise_var(self) -> float:
        """Share of the variance that is not genetic."""
        return 1 - self.gen_var

    @property
    def snp_heritability(self) -> float:
        """Share of the variance that all risk variants explain together."""
        return self.gen_var * self.h2s

    @property
    def background_var(self) -> float:
        """Share of the variance that follows kinship."""
        return self.gen_var * (1 - self.h2s)

    def share_risk_variants(self) -> float:
        """Return the share of the risk variants outside the shared part; it follows `theta` at 0 and 1."""
        return _follow_extremes(self.theta, self.independent)

    def share_covariates(self, independent: float) -> float:
        """Return the share of covariates outside the shared part; it follows `gamma` at 0 and 1."""
        return _follow_extremes(self.gamma, independent)


def _follow_extremes(shared: float, independent: float) -> float:
    """Where a part has the whole variance, every variant or covariate belongs to it."""
    return 1 - shared if shared in (0, 1) else independent


def paper_model() -> VarianceModel:
    """Return the model of Muneeb et al. 2022: the vignette's example 2, risk variants explain 1 %."""
    gen_var = 0.6
    return VarianceModel(
        gen_var=gen_var,
        h2s=0.01 / gen_var,
        phi=0.6,
        rho=0.1,
        delta=0.3,
        effects=EffectSizes("unif", mean=0.5, spread=1.0),
        covariates=VIGNETTE_COVARIATES,
    )


def additive_model(h2: float = 0.5) -> VarianceModel:
    """Return a model of risk variants that explain `h2` of the variance, and independent noise."""
    return VarianceModel(gen_var=h2, h2s=1.0, phi=1.0, theta=1.0, alpha=1.0)


def null_model() -> VarianceModel:
    """Return a model in which no variant has an effect: the phenotype is noise."""
    return VarianceModel(gen_var=0.0, h2s=0.0, phi=1.0, alpha=1.0)
