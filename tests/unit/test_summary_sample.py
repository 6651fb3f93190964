"""Statistics stand for individual data: equal products where they must be, sound ones elsewhere."""

import dataclasses

import numpy as np
import pytest

from genotransfer.errors import StudyError
from genotransfer.scores.base import take_sample
from genotransfer.scores.evidence import Evidence
from genotransfer.scores.from_summary import make_evidence
from genotransfer.scores.summary_sample import (
    assign_windows,
    choose_shrinkage,
    make_summary_sample,
)
from genotransfer.scores.susie import fit_effects
from genotransfer.summary.statistics import clean_statistics
from tests.summary_support import describe, draw_labels, draw_population, regress

N, M = 300, 60
EFFECTS = np.zeros(M)
EFFECTS[[5, 30, 52]] = [1.0, -0.8, 0.6]


@pytest.fixture(scope="module")
def study():
    dosages = draw_population(N, M, 1)
    labels = draw_labels(dosages, EFFECTS, 2)
    sample = take_sample(dosages, labels.astype(np.int8), np.ones(N, dtype=bool))
    return dosages, labels, sample, regress(dosages, labels.astype(float))


def make_own(study):
    dosages, labels, _, statistics = study
    return make_summary_sample(statistics, dosages, same_people=True, case_share=float(labels.mean()))


def test_products_are_those_of_the_people_themselves(study):
    dosages, labels, _, _ = study
    own = make_own(study)
    centred = dosages.astype(np.float64) - dosages.mean(axis=0, dtype=np.float64)
    effects = np.random.default_rng(0).normal(size=M)
    single = np.finfo(np.float32).eps
    some = np.array([3, 4, 50, 7])
    assert own.n == N
    np.testing.assert_allclose(own.products, centred.T @ (labels - labels.mean()), rtol=1e-6, atol=1e-9 * N)
    np.testing.assert_allclose(own.squares, (centred**2).sum(axis=0), rtol=4 * single)
    gram = centred[:, some].T @ centred[:, some]
    np.testing.assert_allclose(own.gram(some), gram, atol=N * 8 * single)
    np.testing.assert_allclose(
        own.gram_times(effects), centred.T @ (centred @ effects), atol=N * M * 8 * single
    )
    np.testing.assert_allclose(own.means, dosages.mean(axis=0), rtol=1e-6)


def test_single_effects_are_those_of_the_people_themselves(study):
    *_, sample, _ = study
    variants = np.arange(M)
    ours = make_evidence(make_own(study), variants)
    theirs = Evidence.from_sample(sample, variants)
    assert ours.response_squares == pytest.approx(theirs.response_squares, rel=1e-6)
    fits = [fit_effects([one], n_effects=4, tolerance=1e-6) for one in (ours, theirs)]
    np.testing.assert_allclose(*(fit.average_effects(0) for fit in fits), atol=1e-4)
    assert np.abs(fits[0].average_effects(0)).max() > 0.2


def test_evidence_of_another_reference_has_its_shrunk_products(study):
    *_, statistics = study
    sample = make_summary_sample(statistics, draw_population(80, M, 9), window_bp=100_000, shrinkage=0.1)
    some = np.arange(0, M, 2)
    design = make_evidence(sample, some).design.astype(np.float64)
    np.testing.assert_allclose(design.T @ design, sample.gram(some), atol=1e-3)


def test_windows_and_shrinkage_weigh_correlations_as_they_say(study):
    *_, statistics = study
    reference = draw_population(40, M, 5)
    reference[:, 11] = 1  # nobody varies
    sample = make_summary_sample(statistics, reference, window_bp=50_000, shrinkage=0.2)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.nan_to_num(np.corrcoef(reference.T.astype(np.float64)))
    expected = np.empty((M, M))
    for i in range(M):
        for j in range(M):
            together = [row[i] == row[j] for row in sample.windows]
            expected[i, j] = 1 if i == j else 0.8 * r[i, j] * sum(together) / len(together)
    scale = np.sqrt(sample.variances)
    expected *= N * scale[:, None] * scale
    np.testing.assert_allclose(sample.gram(np.arange(M)), expected, atol=1e-4)
    for at in (0, 11, 33):
        np.testing.assert_allclose(sample.gram_times(np.eye(M)[at]), expected[at], atol=1e-4)
    assert np.linalg.eigvalsh(sample.gram(np.arange(M)))[0] > 0
    assert sample.gram(np.array([0, M - 1]))[0, 1] == 0  # 295 kb apart


def test_windows_fall_off_with_distance_and_end_with_the_chromosome():
    table = describe(40)
    windows = assign_windows(table["chromosome"], table["position"], 20_000, partitions=4)
    shared = (windows[:, :, None] == windows[:, None, :]).mean(axis=0)
    gap = np.abs(np.subtract.outer(np.arange(40), np.arange(40))) * 5000
    np.testing.assert_allclose(shared, np.maximum(1 - gap / 20_000, 0), atol=1e-12)
    split = table["chromosome"].where(table.index < 20, "2")
    windows = assign_windows(split, table["position"], 20_000)
    assert not (windows[:, :20, None] == windows[:, None, 20:]).any()


def test_shrinkage_minimises_the_square_error(study):
    """Against the correlations of a population without end, the chosen shrinkage is near the best there is."""
    truth = np.corrcoef(draw_population(20_000, M, 31).T)
    for n in (60, 200):
        chosen, best = [], []
        for seed in range(12):
            reference = draw_population(n, M, 100 + seed)
            r = np.corrcoef(reference.T)
            sample = make_summary_sample(study[3], reference, window_bp=None)
            chosen.append(sample.shrinkage)
            off = ~np.eye(M, dtype=bool)
            best.append(1 - (r * truth)[off].sum() / (r**2)[off].sum())
        assert np.mean(chosen) == pytest.approx(np.mean(best), abs=0.03)
    assert choose_shrinkage(np.zeros((5, 4), dtype=np.float32), None) == 1


def test_frequencies_or_standard_errors_give_the_variances(study):
    dosages, _, _, statistics = study
    true = dosages.var(axis=0, dtype=np.float64)
    other = draw_population(500, M, 8, np.random.default_rng(8).uniform(0.1, 0.9, M))
    elsewhere = make_summary_sample(statistics, other, same_population=False)
    # Without frequencies only the level is the reference's.
    ratio = elsewhere.variances / true
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)
    named = statistics.variants.assign(frequency=dosages.mean(axis=0, dtype=np.float64) / 2)
    named = dataclasses.replace(statistics, variants=named)
    sample = make_summary_sample(named, other, same_population=False)
    np.testing.assert_allclose(sample.means, dosages.mean(axis=0), rtol=1e-6)
    frequency = named.variants["frequency"]
    np.testing.assert_allclose(sample.variances, 2 * frequency * (1 - frequency))
    assert sample.reference_error > make_summary_sample(named, other).reference_error > 0


def test_what_makes_no_study_is_refused(study):
    dosages, *_, statistics = study
    with pytest.raises(StudyError, match="ready score"):
        make_summary_sample(clean_statistics(describe(M), scale="unknown", ready=True), dosages)
    with pytest.raises(StudyError, match="5 variants, for statistics of 60"):
        make_summary_sample(statistics, dosages[:, :5])
