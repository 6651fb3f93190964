"""Components of a simulated phenotype: PhenotypeSimulator's arithmetic, and apart from it the draws.

Functions named `draw_*` take numbers from a generator, in the order in which the R package takes them;
all others compute from numbers they are given. Matrices are filled by columns, as in R.

Reference: Meyer and Birney, Bioinformatics 34:2951 (2018).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from genotransfer.errors import StudyError
from genotransfer.simulation.variance import CovariateSet, EffectSizes


class Parts(NamedTuple):
    """The two parts of a component: shared by all traits, and independent; each (n_samples, n_traits)."""

    shared: Float64[np.ndarray, "n_samples n_traits"] | None
    independent: Float64[np.ndarray, "n_samples n_traits"] | None


class FixedEffects(NamedTuple):
    """Variants or covariates with an effect, and the component they make.

    Attributes
    ----------
    parts : the component, not scaled yet.
    shared_effects, independent_effects : (n_members, n_traits), effect for each unit of a member.
    """

    parts: Parts
    shared_effects: Float64[np.ndarray, "n_shared n_traits"]
    independent_effects: Float64[np.ndarray, "n_independent n_traits"]


def rescale_variance(
    component: Float64[np.ndarray, "n_samples n_traits"], share: float
) -> tuple[Float64[np.ndarray, "n_samples n_traits"], float]:
    """Scale a component so that its mean variance over the traits is `share`; return it and the factor.

    Raises
    ------
    StudyError
        The component does not vary between samples.
    """
    variance = float(component.var(axis=0, ddof=1).mean()) if len(component) > 1 else 0.0
    if not variance > 0:
        raise StudyError(f"A component without variance cannot be given the share {share:g} of it.")
    factor = math.sqrt(share / variance)
    return component * factor, factor


def draw_shared(count: int, independent: float, generator: np.random.Generator) -> Bool[np.ndarray, " count"]:
    """Draw which of `count` members act on all traits; the share `independent` of them does not."""
    n_independent = round(independent * count)
    shared = np.arange(count) < count - n_independent
    return shared[generator.permutation(count)] if 0 < n_independent < count else shared


def spread_exponentials(
    products: Float64[np.ndarray, "n_members n_traits"], sizes: EffectSizes
) -> Float64[np.ndarray, "n_members n_traits"]:
    """Map products of exponentials to effects that fill [mean - spread, mean + spread] exactly.

    A single value, which cannot fill an interval, takes its upper end.
    """
    decayed = np.exp(-products / products.mean())
    top, width = decayed.max(), np.ptp(decayed)
    stretch = 2 * sizes.spread / width if width > 0 else 0.0
    result: np.ndarray = sizes.mean + sizes.spread + stretch * (decayed - top)
    return result


def draw_shared_effects(
    n_members: int, n_traits: int, sizes: EffectSizes, generator: np.random.Generator
) -> Float64[np.ndarray, "n_members n_traits"]:
    """Draw effects of rank one: a member's effect times a trait's, for every member and trait."""
    if sizes.distribution == "unif":
        members = generator.standard_exponential(n_members)
        return spread_exponentials(np.outer(members, generator.standard_exponential(n_traits)), sizes)
    members = sizes.mean + sizes.spread * generator.standard_normal(n_members)
    return np.outer(members, np.abs(generator.standard_normal(n_traits)))


def draw_independent_effects(
    n_members: int,
    n_traits: int,
    traits_independent: float,
    sizes: EffectSizes,
    generator: np.random.Generator,
) -> Float64[np.ndarray, "n_members n_traits"]:
    """Draw effects that differ between traits; each member acts on the share `traits_independent`."""
    count = n_members * n_traits
    if sizes.distribution == "unif":
        values = generator.uniform(sizes.mean - sizes.spread, sizes.mean + sizes.spread, count)
    else:
        values = sizes.mean + sizes.spread * generator.standard_normal(count)
    effects = values.reshape((n_members, n_traits), order="F").copy()
    n_affected = n_traits if n_traits == 1 else math.ceil(traits_independent * n_traits)
    for row in effects:
        row[generator.permutation(n_traits) >= n_affected] = 0.0
    return effects


def draw_genetic_effects(
    dosages: Float64[np.ndarray, "n_samples n_variants"],
    n_traits: int,
    independent: float,
    traits_independent: float,
    sizes: EffectSizes,
    generator: np.random.Generator,
) -> tuple[FixedEffects, Bool[np.ndarray, " n_variants"]]:
    """Draw the effects of risk variants on all traits; return them and which variants are shared.

    Parameters
    ----------
    dosages : copies of the counted allele, without missing values, not standardised.
    independent, traits_independent : share of variants that act on some traits only, and of the
        traits such a variant acts on.
    """
    shared = draw_shared(dosages.shape[1], independent, generator)
    effects = np.zeros((0, n_traits)), np.zeros((0, n_traits))
    if shared.any():
        effects = draw_shared_effects(int(shared.sum()), n_traits, sizes, generator), effects[1]
    if not shared.all():
        n_independent = int((~shared).sum())
        effects = (
            effects[0],
            draw_independent_effects(n_independent, n_traits, traits_independent, sizes, generator),
        )
    return combine_effects(dosages[:, shared], dosages[:, ~shared], *effects), shared


def combine_effects(
    shared: Float64[np.ndarray, "n_samples n_shared"],
    independent: Float64[np.ndarray, "n_samples n_independent"],
    shared_effects: Float64[np.ndarray, "n_shared n_traits"],
    independent_effects: Float64[np.ndarray, "n_independent n_traits"],
) -> FixedEffects:
    """Multiply members by their effects; a part without members is None."""
    parts = Parts(
        shared @ shared_effects if len(shared_effects) else None,
        independent @ independent_effects if len(independent_effects) else None,
    )
    return FixedEffects(parts, shared_effects, independent_effects)


def draw_covariates(
    n_samples: int, count: int, kind: CovariateSet, generator: np.random.Generator
) -> Float64[np.ndarray, "n_samples count"]:
    """Draw covariates of one kind."""
    total = n_samples * count
    values: np.ndarray
    if kind.distribution == "norm":
        values = kind.mean + kind.spread * generator.standard_normal(total)
    elif kind.distribution == "unif":
        values = generator.uniform(kind.mean - kind.spread, kind.mean + kind.spread, total)
    elif kind.distribution == "bin":
        values = generator.binomial(1, kind.probability, total).astype(np.float64)
    else:
        chances = find_category_chances(kind)
        values = 1.0 + generator.choice(kind.categories, total, replace=True, p=chances)
    return values.reshape((n_samples, count), order="F")


def find_category_chances(kind: CovariateSet) -> Float64[np.ndarray, " n_categories"]:
    """Return the probability of each category: equal, or a normal density cut at 1, 2, ..."""
    if kind.distribution == "cat_unif":
        return np.full(kind.categories, 1 / kind.categories)
    depth = [
        0.5 * math.erfc(-(category - kind.mean) / (kind.spread * math.sqrt(2)))
        for category in range(1, kind.categories + 1)
    ]
    chances = np.diff(np.array([0.0, *depth]))
    result: np.ndarray = chances / chances.sum()
    return result


def draw_covariate_effects(
    n_samples: int,
    n_traits: int,
    kind: CovariateSet,
    independent: float,
    traits_independent: float,
    sizes: EffectSizes,
    generator: np.random.Generator,
) -> tuple[FixedEffects, Float64[np.ndarray, "n_samples n_covariates"]]:
    """Draw covariates of one kind and their effects; return the effects and the covariates."""
    n_independent = round(independent * kind.count)
    n_shared = kind.count - n_independent
    shared, alone = np.zeros((n_samples, 0)), np.zeros((n_samples, 0))
    shared_effects, effects = np.zeros((0, n_traits)), np.zeros((0, n_traits))
    if n_shared:
        shared = draw_covariates(n_samples, n_shared, kind, generator)
        shared_effects = draw_shared_effects(n_shared, n_traits, sizes, generator)
    if n_independent:
        alone = draw_covariates(n_samples, n_independent, kind, generator)
        effects = draw_independent_effects(n_independent, n_traits, traits_independent, sizes, generator)
    return combine_effects(shared, alone, shared_effects, effects), np.hstack([shared, alone])


def combine_background(
    shared: tuple[Float64[np.ndarray, "n_samples n_traits"], Float64[np.ndarray, " n_traits"]] | None,
    independent: tuple[Float64[np.ndarray, "n_samples n_traits"], Float64[np.ndarray, " n_traits"]] | None,
    factor: Float64[np.ndarray, "n_samples n_samples"] | None = None,
) -> Parts:
    """Compute L B A' and L D C: background that follows kinship, or, without L, noise.

    Parameters
    ----------
    shared : B and the one column of A that is not zero.
    independent : D and the diagonal of C.
    factor : lower Cholesky factor L of the kinship; the identity when None.
    """
    left = None if shared is None else np.outer(shared[0][:, 0], shared[1])
    right = None if independent is None else independent[0] * independent[1]
    if factor is None:
        return Parts(left, right)
    return Parts(None if left is None else factor @ left, None if right is None else factor @ right)


def draw_background(
    n_samples: int,
    n_traits: int,
    shared_share: float,
    generator: np.random.Generator,
    factor: Float64[np.ndarray, "n_samples n_samples"] | None = None,
) -> Parts:
    """Draw kinship background (with `factor`) or observational noise (without).

    A part that gets none of the variance (`shared_share` 0 or 1) is not drawn and is None.
    """

    def draw() -> tuple[np.ndarray, np.ndarray]:
        samples = generator.standard_normal(n_samples * n_traits).reshape((n_samples, n_traits), order="F")
        return samples, generator.standard_normal(n_traits)

    shared = draw() if shared_share > 0 else None
    return combine_background(shared, draw() if shared_share < 1 else None, factor)


def correlate_traits(n_traits: int, correlation: float) -> Float64[np.ndarray, "n_traits n_traits"]:
    """Return correlations that fall with the distance of traits: correlation ** |i - j|."""
    at = np.arange(n_traits)
    result: np.ndarray = np.power(float(correlation), np.abs(at[:, None] - at))
    return result


def correlate_noise(
    noise: Float64[np.ndarray, "n_samples n_traits"], correlations: Float64[np.ndarray, "n_traits n_traits"]
) -> Float64[np.ndarray, "n_samples n_traits"]:
    """Multiply independent normals by the symmetric square root of the correlations."""
    values, vectors = np.linalg.eigh(correlations)
    result: np.ndarray = noise @ ((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
    return result


def transform_nonlinear(
    component: Float64[np.ndarray, "n_samples n_traits"],
    alpha: float,
    method: Literal["exp", "log", "poly", "sqrt"],
    *,
    negatives: Literal["abs", "set0"] = "abs",
    base: float | None = None,
    power: float = 2.0,
) -> Float64[np.ndarray, "n_samples n_traits"]:
    """Return (1 - alpha) component + alpha f(component).

    Parameters
    ----------
    negatives : what f is given for a negative value: its absolute value, or 0 (1e-5 for ``log``).
    base : of ``exp`` (e when None) and ``log`` (10 when None).
    power : of ``poly``.

    Raises
    ------
    StudyError
        ``log`` of zero.
    """
    floor = 1e-5 if method == "log" else 0.0
    x = np.abs(component) if negatives == "abs" else np.where(component < 0, floor, component)
    if method == "exp":
        bent = np.exp(x) if base is None else base**x
    elif method == "log":
        if (x <= 0).any():
            raise StudyError("The logarithm needs values above zero, and the component has a zero.")
        bent = np.log(x) / math.log(10 if base is None else base)
    else:
        bent = x**power if method == "poly" else np.sqrt(x)
    return (1 - alpha) * component + alpha * bent
