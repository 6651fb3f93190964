"""Copied haplotypes against the model worked out by brute force on small panels."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare, norm

from genotransfer.errors import StudyError
from genotransfer.simulation.disease import CaseSampler
from genotransfer.simulation.haplotypes import (
    DEFAULT_NE,
    DiseaseLocus,
    compute_default_theta,
    copy_haplotypes,
    simulate_blocks,
    simulate_genotypes,
)
from genotransfer.simulation.mosaic import Copier
from genotransfer.simulation.panel import ReferencePanel

NE, THETA = 1000.0, 0.8
ROWS = np.array([[0, 0, 1, 0], [0, 1, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]], dtype=np.uint8)
CM = [0.0, 0.04, 0.05, 0.3]


def make_panel(haplotypes, cm, population="TST"):
    n_variants = haplotypes.shape[1]
    return ReferencePanel(
        population=population,
        chromosome="1",
        build="",
        variants=pd.DataFrame(
            {
                "chromosome": "1",
                "id": [f"v{i}" for i in range(n_variants)],
                "cm": np.asarray(cm, dtype=float),
                "position": 100 * (1 + np.arange(n_variants)),
                "counted": "A",
                "other": "C",
            }
        ),
        haplotypes=np.asarray(haplotypes, dtype=np.uint8),
    )


def enumerate_haplotypes(rows, cm, ne, theta):
    """Return P(haplotype) for each of 2 ** n_variants, by summing over every path of states.

    Transcribed from the model's statement with no recursion, in plain Python.
    """
    n, length = rows.shape
    flip = theta / (2 * (n + theta))
    probabilities = {}
    for emitted in itertools.product((0, 1), repeat=length):
        total = 0.0
        for path in itertools.product(range(n), repeat=length):
            p = 1 / n
            for site in range(1, length):
                stay = np.exp(-4 * ne * (cm[site] - cm[site - 1]) / 100 / n)
                p *= stay * (path[site] == path[site - 1]) + (1 - stay) / n
            for site in range(length):
                p *= 1 - flip if rows[path[site], site] == emitted[site] else flip
            total += p
        probabilities[emitted] = total
    return probabilities


def enumerate_dosages(haplotypes, loci=()):
    """Return P(dosages) of pairs of haplotypes, weighted by relative risk at (site, allele, het, hom)."""
    probabilities = {}
    for (a, p), (b, q) in itertools.product(haplotypes.items(), repeat=2):
        dosages = tuple(x + y for x, y in zip(a, b, strict=True))
        weight = p * q
        for site, allele, het, hom in loci:
            carried = dosages[site] if allele == 1 else 2 - dosages[site]
            weight *= (1, het, hom)[carried]
        probabilities[dosages] = probabilities.get(dosages, 0.0) + weight
    total = sum(probabilities.values())
    return {dosages: p / total for dosages, p in probabilities.items()}


def assert_drawn_from(rows, expected):
    """Chi-squared of observed rows against probabilities, cells below 5 expected joined."""
    counts = pd.Series(list(map(tuple, rows.tolist()))).value_counts()
    assert set(counts.index) <= set(expected)
    observed = np.array([counts.get(cell, 0) for cell in expected], dtype=float)
    due = len(rows) * np.array(list(expected.values()))
    rare = due < 5
    if rare.any():
        observed = np.append(observed[~rare], observed[rare].sum())
        due = np.append(due[~rare], due[rare].sum())
    assert chisquare(observed, due * observed.sum() / due.sum()).pvalue > 1e-3


@pytest.fixture(scope="module")
def small():
    return make_panel(ROWS, CM), enumerate_haplotypes(ROWS, CM, NE, THETA)


def test_haplotypes_follow_the_models_joint_distribution(small):
    panel, expected = small
    assert sum(expected.values()) == pytest.approx(1)
    copies = copy_haplotypes(panel, 5_000, ne=NE, theta=THETA, generator=np.random.default_rng(1))
    assert copies.dtype == np.uint8
    assert_drawn_from(copies, expected)


def test_the_joint_test_tells_a_wrong_rate(small):
    """The comparison has the power to see Ne off by two fifths."""
    panel, expected = small
    copies = copy_haplotypes(panel, 5_000, ne=0.6 * NE, theta=THETA, generator=np.random.default_rng(1))
    with pytest.raises(AssertionError):
        assert_drawn_from(copies, expected)


def test_controls_pair_two_independent_haplotypes(small):
    panel, haplotypes = small
    simulated = simulate_genotypes(panel, 5_000, ne=NE, theta=THETA, generator=np.random.default_rng(2))
    assert simulated.dosages.dtype == np.int8
    assert not simulated.status.any()
    assert_drawn_from(simulated.dosages, enumerate_dosages(haplotypes))


@pytest.mark.parametrize(
    "loci",
    [
        [(1, 1, 2.0, 5.0)],
        [(2, 0, 0.5, 3.0)],
        [(0, 1, 3.0, 9.0), (3, 0, 1.5, 1.0)],
        [(3, 1, 4.0, 4.0), (0, 0, 1.0, 3.0), (1, 1, 2.0, 6.0)],
    ],
)
def test_cases_are_the_population_weighted_by_relative_risk(small, loci):
    """Every site's genotype, at, between and beyond the loci, is jointly of the exact distribution."""
    panel, haplotypes = small
    disease = [DiseaseLocus(100 * (1 + site), allele, het, hom) for site, allele, het, hom in loci]
    simulated = simulate_genotypes(
        panel,
        5_500,
        ne=NE,
        theta=THETA,
        generator=np.random.default_rng(3),
        disease=disease,
        n_cases=5_000,
    )
    assert simulated.status.tolist() == [0] * 500 + [1] * 5_000
    assert_drawn_from(simulated.dosages[500:], enumerate_dosages(haplotypes, loci))
    assert_drawn_from(simulated.dosages[:500], enumerate_dosages(haplotypes))


def test_cases_of_two_loci_keep_the_ld_around_each():
    """The second locus lies beyond a likely switch, with close neighbours on both its sides."""
    rows = np.array([[0, 0, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 1, 1, 1], [1, 0, 0, 0, 0]], dtype=np.uint8)
    cm = [0.0, 0.01, 0.11, 0.115, 0.12]
    simulated = simulate_genotypes(
        make_panel(rows, cm),
        5_000,
        ne=NE,
        theta=0.05,
        generator=np.random.default_rng(13),
        disease=[DiseaseLocus(200, 1, 2.0, 4.0), DiseaseLocus(400, 1, 1.5, 4.0)],
        n_cases=5_000,
    )
    expected = enumerate_dosages(
        enumerate_haplotypes(rows, cm, NE, 0.05), [(1, 1, 2.0, 4.0), (3, 1, 1.5, 4.0)]
    )
    assert_drawn_from(simulated.dosages, expected)


def test_one_locus_has_the_closed_form_of_hapgen(small):
    """P(g) RR(g) / sum with P(g) Hardy–Weinberg, without mutation: p = 3/5 at the second variant."""
    panel, _ = small
    simulated = simulate_genotypes(
        panel,
        6_000,
        ne=NE,
        theta=0.0,
        generator=np.random.default_rng(4),
        disease=[DiseaseLocus(200, 1, 1.7, 3.1)],
        n_cases=6_000,
    )
    weights = np.array([0.4**2, 2 * 0.4 * 0.6 * 1.7, 0.6**2 * 3.1])
    observed = np.bincount(simulated.dosages[:, 1], minlength=3)
    assert chisquare(observed, 6_000 * weights / weights.sum()).pvalue > 1e-3


def test_extreme_risks_fix_the_genotype(small):
    panel, _ = small
    disease = [DiseaseLocus(100 * (1 + site), 1, 1.0, 1e12) for site in range(4)]
    simulated = simulate_genotypes(
        panel,
        20,
        ne=NE,
        theta=THETA,
        generator=np.random.default_rng(5),
        disease=disease,
        n_cases=20,
    )
    np.testing.assert_array_equal(simulated.dosages, 2)


def test_number_of_switches_is_the_expected_one():
    """Changes of state: sum over intervals of (1 - exp(-4 Ne r / n)) (1 - 1/n), independent of each other."""
    n = 12
    cm = np.cumsum(np.random.default_rng(6).exponential(0.02, size=3000))
    cm[100:110] = cm[100]  # no distance, no switch
    panel = make_panel(np.zeros((n, len(cm)), dtype=np.uint8), cm)
    copier = Copier(panel, 500.0, None)
    p = -np.expm1(-4 * 500.0 * np.diff(cm) / 100 / n) * (1 - 1 / n)
    observed, generator = 0, np.random.default_rng(7)
    for _ in range(200):
        mosaic = copier.draw_path(generator)
        states = mosaic.states[np.searchsorted(mosaic.starts, np.arange(len(cm)), side="right") - 1]
        changed = states[1:] != states[:-1]
        assert not changed[100:109].any()
        observed += changed.sum()
    expected, sd = 200 * p.sum(), np.sqrt(200 * (p * (1 - p)).sum())
    assert 2 * norm.sf(abs(observed - expected) / sd) > 1e-3


@pytest.mark.parametrize("theta", [None, 0.0, 2.5])
def test_flip_rate_is_thetas(theta):
    n, n_variants, n_copies = 10, 5_000, 200
    panel = make_panel(np.ones((n, n_variants)), np.linspace(0, 1, n_variants))
    copies = copy_haplotypes(panel, n_copies, ne=1e3, theta=theta, generator=np.random.default_rng(8))
    used = 1 / sum(1 / i for i in range(1, n)) if theta is None else theta
    flip = used / (2 * (n + used))
    sd = np.sqrt(flip * (1 - flip) / copies.size)
    assert abs((1 - copies.mean()) - flip) <= 3.3 * sd


def test_default_theta_of_120_haplotypes():
    assert compute_default_theta(120) == pytest.approx(1 / sum(1 / i for i in range(1, 120)))
    assert compute_default_theta(2) == 1.0


def test_samples_depend_on_the_seed_and_their_number_only(small):
    panel, _ = small
    disease = [DiseaseLocus(200, 1, 2.0, 4.0)]

    def draw(n_samples, **settings):
        return simulate_genotypes(
            panel, n_samples, ne=NE, generator=np.random.default_rng(9), **settings
        ).dosages

    first = draw(50, disease=disease, n_cases=20)
    np.testing.assert_array_equal(draw(50, disease=disease, n_cases=20), first)
    np.testing.assert_array_equal(draw(30), first[:30])  # controls know nothing of the disease
    assert (draw(50) != first).any()
    for block in (1, 7, 50, 1000):
        blocks = list(
            simulate_blocks(
                panel,
                50,
                ne=NE,
                generator=np.random.default_rng(9),
                disease=disease,
                n_cases=20,
                block=block,
            )
        )
        assert max(len(part.dosages) for _, part in blocks) <= block
        np.testing.assert_array_equal(np.concatenate([part.dosages for _, part in blocks]), first)
        np.testing.assert_array_equal(
            np.concatenate([part.status for _, part in blocks]), [0] * 30 + [1] * 20
        )


def test_a_generator_gives_other_samples_the_second_time(small):
    panel, _ = small
    generator = np.random.default_rng(10)
    first, second = (simulate_genotypes(panel, 40, ne=NE, generator=generator).dosages for _ in range(2))
    assert (first != second).any()


def test_default_ne_is_the_populations():
    haplotypes = np.random.default_rng(11).integers(2, size=(6, 40))
    assert DEFAULT_NE == {"CEU": 11418.0, "YRI": 17469.0}
    for population, ne in DEFAULT_NE.items():
        panel = make_panel(haplotypes, np.linspace(0, 0.1, 40), population)
        default, named = (
            simulate_genotypes(panel, 5, generator=np.random.default_rng(12), ne=given).dosages
            for given in (None, ne)
        )
        np.testing.assert_array_equal(default, named)


def test_no_samples_is_an_empty_matrix(small):
    panel, _ = small
    simulated = simulate_genotypes(panel, 0, ne=NE, generator=np.random.default_rng(0))
    assert simulated.dosages.shape == (0, 4)
    assert copy_haplotypes(panel, 0, ne=NE, theta=None, generator=np.random.default_rng(0)).shape == (0, 4)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"ne": None}, "'TST' has no default Ne"),
        ({"ne": 0.0}, "Ne 0.0"),
        ({"ne": float("nan")}, "Ne nan"),
        ({"theta": -1.0}, "theta -1.0"),
        ({"n_samples": -1}, "-1 samples"),
        ({"n_cases": 3}, "3 cases among 5 samples with 0 disease loci"),
        ({"disease": [DiseaseLocus(200, 1, 2.0, 3.0)], "n_cases": 6}, "6 cases among 5"),
        ({"disease": [DiseaseLocus(201, 1, 2.0, 3.0)]}, "1:201 is at 0 variants"),
        ({"disease": [DiseaseLocus(200, 2, 2.0, 3.0)]}, "risk allele 2"),
        ({"disease": [DiseaseLocus(200, 1, 0.0, 3.0)]}, "relative risk that is not positive"),
        ({"disease": [DiseaseLocus(200, 1, 2.0, float("inf"))]}, "relative risk"),
        ({"disease": [DiseaseLocus(200, 1, 2.0, 3.0), DiseaseLocus(200, 0, 2.0, 3.0)]}, "stands twice"),
    ],
)
def test_what_cannot_be_simulated_is_refused(small, settings, problem):
    panel, _ = small
    given = {"ne": NE, "n_samples": 5, "generator": np.random.default_rng(0)} | settings
    with pytest.raises(StudyError, match=problem):
        simulate_genotypes(panel, **given)


def test_blocks_are_refused_before_the_first_is_asked_for(small):
    panel, _ = small
    with pytest.raises(StudyError, match="blocks of 0"):
        simulate_blocks(panel, 5, ne=NE, generator=np.random.default_rng(0), block=0)


def test_monomorphic_locus_is_refused():
    panel = make_panel(np.zeros((4, 3)), [0, 1, 2])
    with pytest.raises(StudyError, match="monomorphic"):
        CaseSampler(panel, [DiseaseLocus(200, 1, 2.0, 3.0)], np.arange(3.0), 0.01)
