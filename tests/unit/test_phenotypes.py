"""Simulated phenotypes of a study: heritability, ceiling, sharing between populations, refusals."""

import math

import numpy as np
import pytest

from genotransfer.errors import StudyError
from genotransfer.randomness import make_generator
from genotransfer.simulation.components import (
    draw_covariates,
    find_category_chances,
    rescale_variance,
    spread_exponentials,
    transform_nonlinear,
)
from genotransfer.simulation.kinship import compute_kinship, standardise_genotypes
from genotransfer.simulation.phenotypes import (
    CovariateSet,
    EffectSizes,
    VarianceModel,
    additive_model,
    assign_shared,
    correlate_effects,
    draw_raw_effects,
    draw_risk_variants,
    null_model,
    paper_model,
    simulate_phenotype,
)
from genotransfer.simulation.traits import simulate_traits


def draw_dosages(n_samples, n_variants, seed=1, low=0.05):
    generator = make_generator(seed, "dosages")
    q = generator.uniform(low, 0.5, n_variants)
    return generator.binomial(2, q, (n_samples, n_variants)).astype(np.int8)


def kinship_of(dosages):
    return compute_kinship([standardise_genotypes(dosages)], len(dosages))


def regress(values, dosages):
    """R squared of values on dosages."""
    design = np.column_stack([np.ones(len(dosages)), dosages])
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return fitted.var() / values.var()


@pytest.mark.parametrize("h2", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("k", [1, 5, 10])
def test_heritability_and_ceiling(h2, k):
    n = 20_000
    model = additive_model(h2)
    generator = make_generator(3, "trait", k)
    dosages = draw_dosages(n, k)
    trait = simulate_phenotype(dosages, model, draw_raw_effects(k, model, generator), None, generator)
    assert model.snp_heritability == h2
    # Standard error of R squared: 2 sqrt(h2) (1 - h2) / sqrt(n); four of them.
    assert regress(trait.liability, dosages) == pytest.approx(
        h2, abs=8 * math.sqrt(h2) * (1 - h2) / math.sqrt(n)
    )
    assert np.corrcoef(trait.genetic, trait.liability)[0, 1] ** 2 == pytest.approx(h2, abs=0.02)


@pytest.mark.parametrize("h2", [0.01, 0.3, 0.5, 0.8])
def test_true_risk_variants_reach_the_ceiling(h2):
    """With many risk variants the genetic values are normal, and the closed form holds."""
    n, k = 20_000, 300
    model = additive_model(h2)
    generator = make_generator(5, "ceiling")
    dosages = draw_dosages(n, k)
    trait = simulate_phenotype(dosages, model, draw_raw_effects(k, model, generator), None, generator)
    accuracy = np.mean((trait.genetic > 0) == (trait.labels == 1))
    ceiling = 0.5 + math.asin(math.sqrt(h2)) / math.pi
    assert accuracy == pytest.approx(ceiling, abs=4 * math.sqrt(ceiling * (1 - ceiling) / n))


def test_paper_model_explains_one_percent():
    model = paper_model()
    assert model.snp_heritability == pytest.approx(0.01)
    dosages = draw_dosages(1000, 400)
    where = draw_risk_variants(400, 10, make_generator(1, "risk"))
    kinship = kinship_of(dosages)
    shares = []
    for repeat in range(5):
        generator = make_generator(1, "paper", repeat)
        raw = draw_raw_effects(10, model, generator)
        trait = simulate_phenotype(dosages[:, where], model, raw, kinship, generator)
        shares.append({name: part.var(ddof=1) for name, part in trait.components.items()})
    expected = {
        "risk_variants": 0.01,
        "background": 0.59,
        "correlated_noise": 0.04,
        "observational_noise": 0.24,
        "covariates": 0.12,
    }
    for name, share in expected.items():
        assert np.mean([one[name] for one in shares]) == pytest.approx(share, rel=0.2), name


def test_null_model_has_no_effects():
    dosages = draw_dosages(500, 5)
    model = null_model()
    generator = make_generator(2, "null")
    trait = simulate_phenotype(dosages, model, draw_raw_effects(5, model, generator), None, generator)
    assert model.snp_heritability == 0
    assert not trait.effects.any()
    assert not trait.genetic.any()
    assert trait.liability.std(ddof=1) == pytest.approx(1)


@pytest.mark.parametrize("model", [paper_model(), additive_model(0.4), null_model()])
def test_what_a_phenotype_is_made_of(model):
    dosages = draw_dosages(300, 50)
    dosages[::17, 3] = -1
    generator = make_generator(4, "parts")
    raw = draw_raw_effects(6, model, generator)
    trait = simulate_phenotype(dosages[:, :6], model, raw, kinship_of(dosages), generator)
    np.testing.assert_allclose(sum(trait.components.values()), trait.liability, atol=1e-12)
    assert trait.liability.mean() == pytest.approx(0, abs=1e-12)
    assert trait.liability.std(ddof=1) == pytest.approx(1)
    np.testing.assert_array_equal(trait.labels == 1, trait.liability > 0)
    assert trait.labels.dtype == np.int8
    imputed = np.where(dosages < 0, np.nan, dosages)[:, :6]
    imputed = np.where(np.isnan(imputed), np.nanmean(imputed, axis=0), imputed)
    values = imputed @ trait.effects
    np.testing.assert_allclose(values - values.mean(), trait.genetic, atol=1e-12)


def test_shares_before_the_sum_is_standardised():
    """Each part has its share of the variance exactly; components are the sum of two parts."""
    model = paper_model()
    dosages = draw_dosages(200, 60)
    generator = make_generator(6, "shares")
    raw = draw_raw_effects(10, model, generator)
    trait = simulate_phenotype(dosages[:, :10], model, raw, kinship_of(dosages), generator)
    shared = assign_shared(10, model)
    parts = [
        (dosages[:, :10][:, members] @ trait.effects[members]).var(ddof=1) for members in (shared, ~shared)
    ]
    correlated = trait.components["correlated_noise"].var(ddof=1)
    assert parts[0] / parts[1] == pytest.approx(0.8 / 0.2)
    assert parts[0] / correlated == pytest.approx(0.8 * 0.01 / (0.1 * 0.4))


@pytest.mark.parametrize(("k", "shared"), [(1, "1"), (2, "10"), (5, "11010"), (10, "1101011010")])
def test_shared_risk_variants_are_spread_evenly(k, shared):
    assert "".join(str(int(one)) for one in assign_shared(k, paper_model())) == shared
    assert assign_shared(k, additive_model(0.5)).all()


def test_both_populations_share_effects():
    model = additive_model(0.5)
    raw = draw_raw_effects(5, model, make_generator(7, "raw"))
    effects = [
        simulate_phenotype(draw_dosages(400, 5, seed), model, raw, None, make_generator(seed)).effects
        for seed in (1, 2)
    ]
    ratio = effects[0] / effects[1]
    np.testing.assert_allclose(ratio, ratio[0])


@pytest.mark.parametrize("model", [paper_model(), additive_model(0.5)])
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.7, 1.0])
def test_correlation_of_effects(model, correlation):
    generator = make_generator(8, "correlation")
    pairs = []
    for _ in range(2500):
        raw = draw_raw_effects(5, model, generator)
        pairs.append((raw, correlate_effects(raw, correlation, model, generator)))
    first, second = np.array(pairs).transpose(1, 0, 2)
    for at in range(5):
        assert np.corrcoef(first[:, at], second[:, at])[0, 1] == pytest.approx(correlation, abs=0.07)
        assert second[:, at].std() == pytest.approx(first[:, at].std(), rel=0.07)
    if correlation == 1:
        np.testing.assert_array_equal(first, second)


def test_paper_effects_fill_the_vignettes_interval():
    raw = draw_raw_effects(10, paper_model(), make_generator(9))
    shared = assign_shared(10, paper_model())
    assert (raw[shared].min(), raw[shared].max()) == (-0.5, 1.5)
    assert ((raw >= -0.5) & (raw <= 1.5)).all()
    assert spread_exponentials(np.array([[0.4]]), EffectSizes("unif", 0.5, 1.0)) == 1.5


def test_risk_variants_are_drawn_evenly_where_allowed():
    allowed = np.arange(12) % 3 > 0
    counts = np.zeros(12)
    generator = make_generator(10)
    for _ in range(2000):
        drawn = draw_risk_variants(12, 3, generator, allowed)
        assert (np.diff(drawn) > 0).all()
        counts[drawn] += 1
    assert not counts[~allowed].any()
    np.testing.assert_allclose(counts[allowed] / 2000, 3 / 8, atol=0.05)


def test_same_generator_same_phenotype():
    dosages = draw_dosages(50, 5)
    model = additive_model(0.5)
    raw = draw_raw_effects(5, model, make_generator(1, "raw"))
    one, two = (simulate_phenotype(dosages, model, raw, None, make_generator(1, "noise")) for _ in range(2))
    np.testing.assert_array_equal(one.liability, two.liability)


def test_monomorphic_risk_variants():
    dosages = draw_dosages(200, 5)
    model = paper_model()
    raw = draw_raw_effects(5, model, make_generator(11))
    shared = assign_shared(5, model)
    kinship = kinship_of(draw_dosages(200, 100, 2))
    dosages[:, ~shared] = 2  # the shared part then carries the whole share
    trait = simulate_phenotype(dosages, model, raw, kinship, make_generator(11))
    assert np.isfinite(trait.effects).all()
    noise = trait.components["correlated_noise"].var(ddof=1)
    assert trait.genetic.var(ddof=1) / noise == pytest.approx(0.01 / 0.04)
    dosages[:, shared] = -1
    with pytest.raises(StudyError, match=r"None of the 5 risk SNPs varies .* explain 0.01"):
        simulate_phenotype(dosages, model, raw, kinship, make_generator(11))


def test_background_follows_kinship():
    """The background of two families' members agrees as their kinship says."""
    kinship = np.kron(np.eye(40), np.full((5, 5), 0.8) + 0.2 * np.eye(5))
    model = VarianceModel(gen_var=0.8, h2s=0.1, phi=1.0)
    dosages = draw_dosages(200, 4)
    raw = np.ones(4)
    within = []
    for repeat in range(60):
        trait = simulate_phenotype(dosages, model, raw, kinship, make_generator(12, repeat))
        families = trait.components["background"].reshape(40, 5)
        families = families / families.std()
        within.append((families.sum(axis=1) ** 2 - (families**2).sum(axis=1)).mean() / 20)
    assert np.mean(within) == pytest.approx(0.8, abs=0.03)


def test_kinship_is_the_same_in_any_blocks():
    dosages = draw_dosages(30, 101)
    whole = kinship_of(dosages)
    blocks = (standardise_genotypes(dosages[:, at : at + 7]) for at in range(0, 101, 7))
    np.testing.assert_allclose(compute_kinship(blocks, 30), whole, atol=1e-12)
    assert np.diag(whole).mean() == pytest.approx(1 + 1e-4)
    np.linalg.cholesky(whole)
    with pytest.raises(StudyError, match="monomorphic"):
        compute_kinship([standardise_genotypes(np.ones((3, 4), np.int8))], 3)


@pytest.mark.parametrize(
    "kind",
    [
        CovariateSet(1, "bin", probability=0.3),
        CovariateSet(1, "cat_unif", categories=4),
        CovariateSet(1, "cat_norm", categories=5, mean=2.0, spread=1.0),
        CovariateSet(1, "unif", mean=2.0, spread=0.5),
        CovariateSet(1, "norm", mean=-1.0, spread=2.0),
    ],
)
def test_covariates_have_their_distribution(kind):
    drawn = draw_covariates(20_000, 1, kind, make_generator(13))[:, 0]
    if kind.distribution.startswith("cat"):
        categories, counts = np.unique(drawn, return_counts=True)
        np.testing.assert_array_equal(categories, np.arange(1, kind.categories + 1))
        np.testing.assert_allclose(counts / 20_000, find_category_chances(kind), atol=0.015)
        return
    moments = {"bin": (0.3, math.sqrt(0.21)), "unif": (2.0, 0.5 / math.sqrt(3)), "norm": (-1.0, 2.0)}
    mean, deviation = moments[kind.distribution]
    assert drawn.mean() == pytest.approx(mean, abs=0.05)
    assert drawn.std() == pytest.approx(deviation, rel=0.02)


def test_covariates_become_part_of_the_phenotype():
    """All covariates shared, and all independent: gamma at its ends."""
    covariates = (CovariateSet(2, "norm"), CovariateSet(2, "unif"))
    for gamma in (0.0, 1.0):
        model = VarianceModel(0.0, 0.0, phi=0.5, delta=0.5, gamma=gamma, covariates=covariates)
        run = simulate_traits(draw_dosages(100, 3), 3, 1, model, None, make_generator(14))
        assert set(run.components) == {"observational_noise", "covariates"}
        variance = run.components["covariates"].var(axis=0, ddof=1).mean()
        assert variance == pytest.approx(0.5)
        assert run.genetic is None


def test_nonlinear_transforms_in_closed_form():
    x = np.array([[-4.0, 0.25]])
    np.testing.assert_allclose(transform_nonlinear(x, 1.0, "sqrt"), [[2.0, 0.5]])
    np.testing.assert_allclose(transform_nonlinear(x, 1.0, "sqrt", negatives="set0"), [[0.0, 0.5]])
    np.testing.assert_allclose(transform_nonlinear(x, 1.0, "log", base=2.0), [[2.0, -2.0]])
    np.testing.assert_allclose(
        transform_nonlinear(x, 1.0, "log", negatives="set0"), [[-5.0, math.log10(0.25)]]
    )
    np.testing.assert_allclose(transform_nonlinear(x, 1.0, "exp", base=16.0), [[65536.0, 2.0]])
    np.testing.assert_allclose(transform_nonlinear(x, 0.5, "poly", power=3.0), [[30.0, 0.1328125]])
    with pytest.raises(StudyError, match="logarithm"):
        transform_nonlinear(np.zeros((1, 1)), 0.5, "log")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gen_var": 1.2}, r"gen_var is a share .* not 1.2"),
        ({"phi": 0.7}, r"phi 0.7 \+ rho 0.0 \+ delta 0.0 = 0.7. Raise phi by 0.3"),
        ({"phi": 0.8, "rho": 0.3}, r"= 1.1. Lower phi by 0.1"),
        ({"phi": 0.7, "delta": 0.3}, r"no covariates"),
        ({"theta": -0.1}, r"theta"),
    ],
)
def test_shares_are_checked(arguments, message):
    with pytest.raises(StudyError, match=message):
        VarianceModel(**{"gen_var": 0.5, "h2s": 0.5, "phi": 1.0, **arguments})


def test_studies_that_cannot_be_simulated():
    generator = make_generator(15)
    dosages = draw_dosages(20, 5)
    with pytest.raises(StudyError, match="6 risk SNPs were asked for, but 4 of 5 variants can be drawn"):
        draw_risk_variants(5, 6, generator, np.arange(5) > 0)
    with pytest.raises(StudyError, match="0 risk SNPs"):
        draw_risk_variants(5, 0, generator)
    with pytest.raises(StudyError, match=r"effect_correlation must lie between 0 and 1, not 1.5"):
        correlate_effects(np.ones(5), 1.5, paper_model(), generator)
    with pytest.raises(StudyError, match="no kinship was given"):
        simulate_phenotype(dosages, paper_model(), np.ones(5), None, generator)
    with pytest.raises(StudyError, match="kinship is of 19 samples, but the genotypes are of 20"):
        simulate_phenotype(dosages, paper_model(), np.ones(5), np.eye(19), generator)
    with pytest.raises(StudyError, match="not positive definite"):
        simulate_phenotype(dosages, paper_model(), np.ones(5), np.ones((20, 20)), generator)
    with pytest.raises(StudyError, match="5 risk SNPs, but 4 effects"):
        simulate_phenotype(dosages, additive_model(), np.ones(4), None, generator)
    with pytest.raises(StudyError, match="for 1 samples"):
        simulate_phenotype(dosages[:1], additive_model(), np.ones(5), None, generator)
    with pytest.raises(StudyError, match="without variance"):
        rescale_variance(np.ones((4, 2)), 0.5)
