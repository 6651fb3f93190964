"""Many correlated traits at once: PhenotypeSimulator's whole run, with risk variants drawn in it.

Reference: Meyer and Birney, Bioinformatics 34:2951 (2018).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64

from genotransfer.errors import StudyError
from genotransfer.simulation.components import (
    FixedEffects,
    Parts,
    correlate_noise,
    correlate_traits,
    draw_background,
    draw_covariate_effects,
    draw_genetic_effects,
    rescale_variance,
)
from genotransfer.simulation.kinship import impute_means
from genotransfer.simulation.variance import VarianceModel

RISK_VARIANTS = "risk_variants"


@dataclass(frozen=True)
class SimulatedTraits:
    """What a whole run of PhenotypeSimulator returns.

    Attributes
    ----------
    traits : standardised phenotypes, (n_samples, n_traits).
    components : name to the component, scaled to its share of the variance, before the sum is
        standardised.
    risk_variants : columns of the genotypes, increasing; those of the shared part are where `shared`
        is true.
    genetic : the raw effects and the parts they make.
    """

    traits: Float64[np.ndarray, "n_samples n_traits"]
    components: dict[str, Float64[np.ndarray, "n_samples n_traits"]]
    risk_variants: Int64[np.ndarray, " k"]
    shared: Bool[np.ndarray, " k"]
    genetic: FixedEffects | None


def draw_risk_variants(
    n_variants: int,
    k: int,
    generator: np.random.Generator,
    allowed: Bool[np.ndarray, " n_variants"] | None = None,
) -> Int64[np.ndarray, " k"]:
    """Draw the positions of k risk variants without replacement, in increasing order.

    Parameters
    ----------
    allowed : the variants that may be drawn, for example those polymorphic in both populations;
        all when None.

    Raises
    ------
    StudyError
        There are fewer than k variants to draw from, or k is below 1.
    """
    pool = np.arange(n_variants) if allowed is None else np.flatnonzero(allowed)
    if not 1 <= k <= len(pool):
        raise StudyError(
            f"{k} risk SNPs were asked for, but {len(pool)} of {n_variants} variants can be drawn. "
            f"Ask for 1 to {len(pool)} risk SNPs."
        )
    return np.sort(pool[generator.choice(len(pool), size=k, replace=False)]).astype(np.int64)


def simulate_traits(
    dosages: Int8[np.ndarray, "n_samples n_variants"],
    n_traits: int,
    k: int,
    model: VarianceModel,
    kinship: Float64[np.ndarray, "n_related n_related"] | None,
    generator: np.random.Generator,
) -> SimulatedTraits:
    """Simulate correlated traits, drawing risk variants and effects: PhenotypeSimulator's whole run.

    Parameters
    ----------
    dosages : copies of the counted allele; -1 (missing) becomes the variant's mean.
    k : number of risk variants.

    Raises
    ------
    StudyError
        As `simulate_phenotype` and `draw_risk_variants`.
    """
    n_samples, n_variants = dosages.shape
    where, shared = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    scaled: dict[str, np.ndarray] = {}
    genetic = None
    if model.snp_heritability > 0:
        where = draw_risk_variants(n_variants, k, generator)
        genetic, shared = draw_genetic_effects(
            impute_means(dosages[:, where]),
            n_traits,
            model.share_risk_variants(),
            model.traits_independent,
            model.effects,
            generator,
        )
        scaled[RISK_VARIANTS] = _scale_parts(genetic.parts, model.snp_heritability, model.theta)
    scaled |= simulate_other_components(n_samples, n_traits, model, kinship, generator)
    total = np.sum(list(scaled.values()), axis=0)
    traits = (total - total.mean(axis=0)) / total.std(axis=0, ddof=1)
    return SimulatedTraits(traits, scaled, where, shared, genetic)


def simulate_other_components(
    n_samples: int,
    n_traits: int,
    model: VarianceModel,
    kinship: Float64[np.ndarray, "n_related n_related"] | None,
    generator: np.random.Generator,
) -> dict[str, Float64[np.ndarray, "n_samples n_traits"]]:
    """Draw and scale everything but the risk variants, in the package's order.

    Returns
    -------
    Name to component: ``background``, ``correlated_noise``, ``observational_noise``,
    ``covariates``; those without a share are absent.

    Raises
    ------
    StudyError
        The background has no kinship, or one of other samples or not positive definite; or a
        component came out the same for all samples.
    """
    scaled: dict[str, np.ndarray] = {}
    if model.background_var > 0:
        parts = draw_background(n_samples, n_traits, model.eta, generator, _factorise(kinship, n_samples))
        scaled["background"] = _scale_parts(parts, model.background_var, model.eta)
    if model.rho * model.noise_var > 0:
        noise = generator.standard_normal(n_samples * n_traits).reshape(n_samples, n_traits)
        noise = correlate_noise(noise, correlate_traits(n_traits, model.correlation))
        scaled["correlated_noise"], _ = rescale_variance(noise, model.rho * model.noise_var)
    if model.phi * model.noise_var > 0:
        parts = draw_background(n_samples, n_traits, model.alpha, generator)
        scaled["observational_noise"] = _scale_parts(parts, model.phi * model.noise_var, model.alpha)
    if model.delta * model.noise_var > 0:
        sets = [
            draw_covariate_effects(
                n_samples,
                n_traits,
                kind,
                model.share_covariates(kind.independent),
                model.traits_independent,
                model.covariate_effects,
                generator,
            )[0].parts
            for kind in model.covariates
        ]
        parts = Parts(_add(part.shared for part in sets), _add(part.independent for part in sets))
        scaled["covariates"] = _scale_parts(parts, model.delta * model.noise_var, model.gamma)
    return scaled


def _add(parts: Iterable[np.ndarray | None]) -> np.ndarray | None:
    there = [part for part in parts if part is not None]
    return np.sum(there, axis=0) if there else None


def _scale_parts(parts: Parts, share: float, shared: float) -> np.ndarray:
    """Give the two parts of a component their shares of the variance and add them."""
    pieces = [
        rescale_variance(part, share * fraction)[0]
        for part, fraction in ((parts.shared, shared), (parts.independent, 1 - shared))
        if part is not None and fraction > 0
    ]
    return np.asarray(np.sum(pieces, axis=0))


def _factorise(kinship: np.ndarray | None, n_samples: int) -> np.ndarray:
    if kinship is None:
        raise StudyError("The model has a background that follows kinship, but no kinship was given.")
    if kinship.shape != (n_samples, n_samples):
        raise StudyError(
            f"The kinship is of {kinship.shape[0]} samples, but the genotypes are of {n_samples}. "
            "Compute it from the same samples."
        )
    try:
        return np.linalg.cholesky(kinship)
    except np.linalg.LinAlgError as error:
        raise StudyError(
            "The kinship is not positive definite. Compute it with compute_kinship, which adds 1e-4 to "
            "its diagonal."
        ) from error
