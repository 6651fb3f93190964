"""Every reference output of R's PhenotypeSimulator 0.3.4, draw for draw, from R's own seeds."""

import io
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from genotransfer.simulation.components import (
    combine_background,
    combine_effects,
    correlate_noise,
    correlate_traits,
    draw_background,
    draw_covariate_effects,
    draw_genetic_effects,
    rescale_variance,
    transform_nonlinear,
)
from genotransfer.simulation.kinship import compute_kinship, count_alleles, standardise_genotypes
from genotransfer.simulation.traits import draw_risk_variants, simulate_traits
from genotransfer.simulation.variance import VIGNETTE_COVARIATES, EffectSizes, paper_model
from tests.parity.r_random import RGenerator

REFERENCE = Path(__file__).parents[1] / "data" / "phenotypesimulator" / "reference.zip"
EXACT = {"rtol": 0, "atol": 1e-12}
SIZES = {"norm": EffectSizes("norm", 0.0, 1.0), "unif": EffectSizes("unif", 0.5, 1.0)}


@cache
def read(name, index=True):
    with zipfile.ZipFile(REFERENCE) as archive:
        return pd.read_csv(io.BytesIO(archive.read(f"{name}.csv")), index_col=0 if index else None)


def dosages_of(name):
    return read(name).fillna(-1).to_numpy().astype(np.int8)


def values_of(name):
    return read(name).to_numpy(dtype=np.float64)


def test_r_streams():
    expected = read("00_rng_seed219453", index=False)
    assert_allclose(RGenerator(219453).random(20), expected["runif"], **EXACT)
    assert_allclose(RGenerator(219453).standard_normal(20), expected["rnorm"], **EXACT)
    assert_allclose(RGenerator(219453).standard_exponential(20), expected["rexp"], **EXACT)
    assert_array_equal(RGenerator(219453).permutation(20) + 1, expected["sample_small"])
    drawn = RGenerator(219453).choice(60000, 20, replace=False) + 1
    assert_array_equal(drawn, expected["sample"])


def test_allele_frequencies():
    q = count_alleles(dosages_of("01_genotypes_012"))
    assert_allclose(np.column_stack([1 - q, q]), values_of("02_allele_freq_p_q"), **EXACT)


@pytest.mark.parametrize(
    ("genotypes", "expected"),
    [("01_genotypes_012", "03_standardised"), ("03b_genotypes_missing", "03c_standardised_imputed")],
)
def test_standardised_genotypes(genotypes, expected):
    assert_allclose(standardise_genotypes(dosages_of(genotypes)), values_of(expected), **EXACT)


@pytest.mark.parametrize(
    ("genotypes", "expected"),
    [("01_genotypes_012", "04_kinship"), ("20_ex2_genotypes_012", "20_ex2_kinship")],
)
def test_kinship(genotypes, expected):
    dosages = dosages_of(genotypes)
    blocks = (standardise_genotypes(dosages[:, at : at + 37]) for at in range(0, dosages.shape[1], 37))
    assert_allclose(compute_kinship(blocks, len(dosages)), values_of(expected), **EXACT)


def test_causal_snps():
    genotypes, expected = read("01_genotypes_012"), read("05_causal_k5_seed102")
    drawn = draw_risk_variants(200, 5, RGenerator(102))
    assert list(genotypes.columns[drawn]) == list(expected.columns)
    assert_array_equal(genotypes.to_numpy()[:, drawn], expected.to_numpy())


@pytest.mark.parametrize("distribution", ["norm", "unif"])
def test_genetic_effects(distribution):
    causal = read("05_causal_k5_seed102")
    effects, shared = draw_genetic_effects(
        causal.to_numpy(dtype=np.float64), 4, 0.4, 0.2, SIZES[distribution], RGenerator(103)
    )
    drawn = np.vstack([effects.shared_effects, effects.independent_effects]).T
    assert_allclose(drawn, values_of(f"06_{distribution}_fixed_effects"), **EXACT)
    assert_allclose(effects.parts.shared, values_of(f"06_{distribution}_fixed_shared"), **EXACT)
    assert_allclose(effects.parts.independent, values_of(f"06_{distribution}_fixed_independent"), **EXACT)
    ordered = list(causal.columns[shared]) + list(causal.columns[~shared])
    assert ordered == list(read(f"06_{distribution}_fixed_cov").columns)
    scaled, _ = rescale_variance(effects.parts.shared, 0.008)
    assert_allclose(scaled, values_of(f"07_{distribution}_fixed_shared_rescaled_0.008"), **EXACT)


@pytest.mark.parametrize("distribution", ["norm", "unif"])
def test_genetic_effects_from_rs_effects(distribution):
    effects, snps = values_of(f"06_{distribution}_fixed_effects").T, values_of(f"06_{distribution}_fixed_cov")
    parts = combine_effects(snps[:, :3], snps[:, 3:], effects[:3], effects[3:]).parts
    assert_allclose(parts.shared, values_of(f"06_{distribution}_fixed_shared"), **EXACT)
    assert_allclose(parts.independent, values_of(f"06_{distribution}_fixed_independent"), **EXACT)


@pytest.mark.parametrize(("name", "seed", "kinship"), [("08_bg", 104, "04_kinship"), ("09_noise", 105, None)])
def test_background_and_noise(name, seed, kinship):
    factor = None if kinship is None else np.linalg.cholesky(values_of(kinship))
    first = read(f"{name}_A1_C")
    from_draws = combine_background(
        (values_of(f"{name}_B"), first["A1"].to_numpy()),
        (values_of(f"{name}_D"), first["Cdiag"].to_numpy()),
        factor,
    )
    from_seed = draw_background(60, 4, 0.8, RGenerator(seed), factor)
    for parts in (from_draws, from_seed):
        assert_allclose(parts.shared, values_of(f"{name}_shared"), **EXACT)
        assert_allclose(parts.independent, values_of(f"{name}_independent"), **EXACT)


def test_correlated_noise():
    correlations = correlate_traits(4, 0.8)
    assert_allclose(correlations, values_of("10_corr_matrix"), **EXACT)
    assert_allclose(RGenerator(106).standard_normal(240).reshape(60, 4), values_of("10_corr_Z"), **EXACT)
    assert_allclose(
        correlate_noise(values_of("10_corr_Z"), correlations), values_of("10_corr_effect"), **EXACT
    )


def test_covariates():
    generator = RGenerator(107)
    drawn = [
        draw_covariate_effects(60, 4, kind, kind.independent, 0.2, EffectSizes(), generator)
        for kind in VIGNETTE_COVARIATES
    ]
    assert_allclose(np.hstack([values for _, values in drawn]), values_of("11_covariates"), **EXACT)
    effects = np.vstack([part for one, _ in drawn for part in (one.shared_effects, one.independent_effects)])
    assert_allclose(effects.T, values_of("11_covariate_effects"), **EXACT)
    shared = sum(one.parts.shared for one, _ in drawn if one.parts.shared is not None)
    independent = sum(one.parts.independent for one, _ in drawn if one.parts.independent is not None)
    assert_allclose(shared, values_of("11_cov_shared"), **EXACT)
    assert_allclose(independent, values_of("11_cov_independent"), **EXACT)


@pytest.mark.parametrize("method", ["exp", "poly"])
def test_nonlinear_transforms(method):
    bent = transform_nonlinear(values_of("30_Y"), 0.7, method)
    expected = values_of("30_exp_alpha0.7" if method == "exp" else "30_poly2_alpha0.7")
    assert_allclose(bent, expected, **EXACT)


@pytest.mark.parametrize("k", [5, 10, 30])
@pytest.mark.parametrize("n_traits", [1, 15])
def test_whole_run_from_the_seed(k, n_traits):
    name = f"20_ex2_k{k}_P{n_traits}"
    genotypes, causal = read("20_ex2_genotypes_012"), read(f"{name}_causal")
    run = simulate_traits(
        dosages_of("20_ex2_genotypes_012"),
        n_traits,
        k,
        paper_model(),
        values_of("20_ex2_kinship"),
        RGenerator(219453),
    )
    drawn = genotypes.columns[run.risk_variants]
    assert [*drawn[run.shared], *drawn[~run.shared]] == list(causal.columns)
    raw = np.vstack([run.genetic.shared_effects, run.genetic.independent_effects])
    assert_allclose(raw.T, values_of(f"{name}_beta"), **EXACT)
    names = {
        "genFixed": "risk_variants",
        "genBg": "background",
        "correlatedBg": "correlated_noise",
        "noiseBg": "observational_noise",
        "noiseFixed": "covariates",
    }
    for theirs, ours in names.items():
        assert_allclose(run.components[ours], values_of(f"{name}_Y_{theirs}"), **EXACT)
    assert_allclose(run.traits, values_of(f"{name}_Y"), **EXACT)


def test_shares_of_the_variance():
    model, expected = paper_model(), read("20_ex2_k5_P1_varcomp")["V1"]
    ours = {
        "genVar": model.gen_var,
        "h2s": model.h2s,
        "h2bg": 1 - model.h2s,
        "proportionNonlinear": 0,
        "var_genFixed_shared": model.theta * model.snp_heritability,
        "var_genFixed_independent": (1 - model.theta) * model.snp_heritability,
        "var_genBg_shared": model.eta * model.background_var,
        "var_genBg_independent": (1 - model.eta) * model.background_var,
        "noiseVar": model.noise_var,
        "var_noiseFixed_shared": model.gamma * model.delta * model.noise_var,
        "var_noiseFixed_independent": (1 - model.gamma) * model.delta * model.noise_var,
        "var_noiseBg_shared": model.alpha * model.phi * model.noise_var,
        "var_noiseBg_independent": (1 - model.alpha) * model.phi * model.noise_var,
        "var_noiseCorrelated": model.rho * model.noise_var,
    }
    assert list(ours) == list(expected.index)
    assert_allclose(list(ours.values()), expected, **EXACT)
    assert model.snp_heritability == pytest.approx(0.01)
