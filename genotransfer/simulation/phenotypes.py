"""One case-control phenotype of a population with given risk variants: what a study simulates.

The model is PhenotypeSimulator's for one trait: components, each scaled to its share of the variance,
are added and the sum is standardised. Risk variants and raw effects come from outside, so that two
populations can have the same.

Reference: Meyer and Birney, Bioinformatics 34:2951 (2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int8

from genotransfer.errors import StudyError
from genotransfer.simulation.components import draw_shared_effects
from genotransfer.simulation.kinship import compute_kinship, impute_means, standardise_genotypes
from genotransfer.simulation.traits import RISK_VARIANTS, draw_risk_variants, simulate_other_components
from genotransfer.simulation.variance import (
    CovariateSet,
    EffectSizes,
    VarianceModel,
    additive_model,
    null_model,
    paper_model,
)

__all__ = [
    "CovariateSet",
    "EffectSizes",
    "SimulatedPhenotype",
    "VarianceModel",
    "additive_model",
    "assign_shared",
    "compute_kinship",
    "correlate_effects",
    "draw_raw_effects",
    "draw_risk_variants",
    "null_model",
    "paper_model",
    "simulate_phenotype",
    "standardise_genotypes",
]


@dataclass(frozen=True)
class SimulatedPhenotype:
    """One phenotype of the samples of a population.

    Attributes
    ----------
    liability : mean 0, standard deviation 1.
    labels : 1 case (liability above 0), 0 control.
    genetic : what the risk variants add to the liability; mean 0.
    effects : change of the liability with each copy of a risk variant's counted allele, so that
        ``genetic`` is ``dosages @ effects`` less its mean. All 0 when the model gives the risk
        variants no share.
    components : name to values of each component, mean 0; their sum is the liability. Names:
        ``risk_variants``, ``background``, ``covariates``, ``observational_noise``, ``correlated_noise``;
        a component without a share is absent, except ``risk_variants``.
    """

    liability: Float64[np.ndarray, " n_samples"]
    labels: Int8[np.ndarray, " n_samples"]
    genetic: Float64[np.ndarray, " n_samples"]
    effects: Float64[np.ndarray, " k"]
    components: dict[str, Float64[np.ndarray, " n_samples"]]


def assign_shared(k: int, model: VarianceModel) -> Bool[np.ndarray, " k"]:
    """Return which risk variants belong to the shared part of the genetic variance.

    R draws this anew in each run. Here the others are spread evenly over the (randomly drawn, then
    sorted) risk variants, so that a variant belongs to the same part in every population.
    """
    n_independent = round(model.share_risk_variants() * k)
    steps = np.arange(k + 1) * n_independent // max(k, 1)
    shared: np.ndarray = np.diff(steps) == 0
    return shared


def draw_raw_effects(
    k: int, model: VarianceModel, generator: np.random.Generator
) -> Float64[np.ndarray, " k"]:
    """Draw the raw effects of k risk variants, in the order of their positions.

    Raw effects say how the variants compare; `simulate_phenotype` scales them to the shares of the
    model in a population.
    """
    sizes = model.effects
    if sizes.distribution == "norm":
        # The package multiplies by one more draw for the trait, which the scaling takes out again.
        return sizes.mean + sizes.spread * generator.standard_normal(k)
    shared = assign_shared(k, model)
    effects = generator.uniform(sizes.mean - sizes.spread, sizes.mean + sizes.spread, k)
    if shared.any():
        effects[shared] = draw_shared_effects(int(shared.sum()), 1, sizes, generator)[:, 0]
    return effects


def correlate_effects(
    raw: Float64[np.ndarray, " k"],
    correlation: float,
    model: VarianceModel,
    generator: np.random.Generator,
) -> Float64[np.ndarray, " k"]:
    """Return raw effects for a second population, correlated with those of the first.

    Parameters
    ----------
    correlation : 1 the same effects, 0 drawn anew. Between them each variant keeps its effect with
        this probability and has it drawn anew otherwise: the expected correlation is then exact and
        the distribution of the effects is the same, whatever it is.

    Raises
    ------
    StudyError
        The correlation is not between 0 and 1.
    """
    if not 0 <= correlation <= 1:
        raise StudyError(f"effect_correlation must lie between 0 and 1, not {correlation}.")
    if correlation == 1:
        return raw.copy()
    redrawn = draw_raw_effects(len(raw), model, generator)
    kept = generator.random(len(raw)) < correlation
    return np.where(kept, raw, redrawn)


def simulate_phenotype(
    risk_dosages: Int8[np.ndarray, "n_samples k"],
    model: VarianceModel,
    raw_effects: Float64[np.ndarray, " n_effects"],
    kinship: Float64[np.ndarray, "n_related n_related"] | None,
    generator: np.random.Generator,
) -> SimulatedPhenotype:
    """Simulate one phenotype of one population.

    Parameters
    ----------
    risk_dosages : copies of the counted allele at the risk variants, in increasing order of position;
        -1 (missing) becomes the variant's mean. All samples of the population belong in one call:
        shares of the variance and the threshold are relative to them.
    raw_effects : from `draw_raw_effects` or `correlate_effects`.
    kinship : of the same samples, from `compute_kinship`; needed where the model has a background.

    Raises
    ------
    StudyError
        There are fewer than two samples, the shapes do not agree, the background has no kinship or
        one that is not positive definite, or the risk variants have a share of the variance and none
        of them varies.
    """
    n_samples, k = risk_dosages.shape
    if len(raw_effects) != k:
        raise StudyError(f"There are {k} risk SNPs, but {len(raw_effects)} effects. Give each one effect.")
    if n_samples < 2:
        raise StudyError(f"A phenotype cannot be simulated for {n_samples} samples: two are the least.")
    dosages = impute_means(risk_dosages)
    effects = _scale_effects(dosages, raw_effects, model)
    scaled = {RISK_VARIANTS: (dosages @ effects)[:, None]}
    scaled |= simulate_other_components(n_samples, 1, model, kinship, generator)
    total = np.sum(list(scaled.values()), axis=0)[:, 0]
    deviation = float(total.std(ddof=1))
    components = {name: (part[:, 0] - part.mean()) / deviation for name, part in scaled.items()}
    liability = np.sum(list(components.values()), axis=0)
    return SimulatedPhenotype(
        liability=liability,
        labels=(liability > 0).astype(np.int8),
        genetic=components[RISK_VARIANTS],
        effects=effects / deviation,
        components=components,
    )


def _scale_effects(dosages: np.ndarray, raw: np.ndarray, model: VarianceModel) -> np.ndarray:
    """Scale raw effects so that each part of the risk variants has its share of the variance.

    A part of which no variant varies in this population leaves its share to the other part.
    """
    share = model.snp_heritability
    if share == 0:
        return np.zeros(len(raw))
    shared = assign_shared(len(raw), model)
    # Monomorphic variants are left out by their range: a variance of rounding errors is not zero.
    polymorphic = np.ptp(dosages, axis=0) > 0
    effects = np.zeros(len(raw))
    used = 0.0
    for part, fraction in ((shared, model.theta), (~shared, 1 - model.theta)):
        varying = part & polymorphic & (raw != 0)
        if not varying.any() or fraction == 0:
            continue
        variance = float((dosages[:, varying] @ raw[varying]).var(ddof=1))
        effects[part] = raw[part] * math.sqrt(share * fraction / variance)
        used += fraction
    if used == 0:
        raise StudyError(
            f"None of the {len(raw)} risk SNPs varies in this population, so they cannot explain {share:g} "
            "of the variance. Draw risk SNPs among those polymorphic in both populations."
        )
    result: np.ndarray = effects / math.sqrt(used)
    return result
