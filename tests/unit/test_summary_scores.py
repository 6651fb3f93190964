"""Scores from statistics: the same as from individual data, and by brute force what they claim to be."""

import numpy as np
import pytest
from scipy.integrate import quad
from sklearn.base import clone

from genotransfer.errors import StudyError
from genotransfer.scores.ready import ReadyScore
from genotransfer.scores.registry import build_score
from genotransfer.scores.shrinkage import ShrinkageScore, _tabulate_precision, fit_shrinkage
from genotransfer.scores.summary_clumping import SummaryClumping, clump
from genotransfer.scores.summary_sample import make_summary_sample
from tests.summary_support import draw_labels, draw_population, regress

M = 80
EFFECTS = np.zeros(M)
EFFECTS[[8, 40, 66]] = [1.0, -0.8, 0.7]
SCORES = [ShrinkageScore(block=30), SummaryClumping()]


@pytest.fixture(scope="module")
def people():
    source, target, final = (draw_population(n, M, seed) for seed, n in enumerate((500, 60, 1500)))
    labels = [draw_labels(one, EFFECTS, 10 + at) for at, one in enumerate((source, target, final))]
    return (source, labels[0]), (target, labels[1]), (final, labels[2])


def fit_both(score, people):
    (source, cases), (target, labels), _ = people
    statistics = regress(source, cases.astype(float))
    sample = make_summary_sample(statistics, source, same_people=True, case_share=float(cases.mean()))
    X, y = np.concatenate([source, target]), np.concatenate([cases, labels])
    theirs = np.arange(len(y)) >= len(cases)
    return clone(score).fit(X, y, theirs), clone(score).fit_summary(target, labels, sample)


@pytest.mark.parametrize("score", SCORES, ids=lambda one: type(one).__name__)
def test_statistics_of_the_people_give_the_score_of_the_people(score, people):
    individual, summary = fit_both(score, people)
    a, b = individual.coef_, summary.coef_
    assert np.abs(a).max() > 0.1
    np.testing.assert_allclose(a / np.linalg.norm(a), b / np.linalg.norm(b), atol=2e-4)
    final, truth = people[2]
    truest = ((final @ EFFECTS > np.median(final @ EFFECTS)) == truth).mean()
    for one in (individual, summary):
        assert one.score(final, truth) > truest - 0.06
        assert one.score(final, truth) > 0.65


@pytest.mark.parametrize("score", SCORES, ids=lambda one: type(one).__name__)
def test_probabilities_add_up_to_the_targets_cases(score, people):
    _, (target, labels), _ = people
    _, summary = fit_both(score, people)
    assert summary.predict_proba(target)[:, 1].sum() == pytest.approx(labels.sum(), abs=1)
    assert 0.3 < summary.decision_function(people[2][0]).std() < 6


@pytest.mark.parametrize("score", SCORES, ids=lambda one: type(one).__name__)
def test_counting_the_other_allele_changes_no_prediction(score, people):
    (source, cases), (target, labels), (final, _) = people
    turned = np.arange(M) % 3 == 0
    found = []
    for turn in (np.zeros(M, dtype=bool), turned):
        x, t, f = (np.where(turn, 2 - one, one).astype(np.float32) for one in (source, target, final))
        sample = make_summary_sample(regress(x, cases.astype(float)), x[:200], window_bp=150_000)
        found.append(clone(score).fit_summary(t, labels, sample).decision_function(f))
    np.testing.assert_allclose(*found, atol=2e-3)


def test_shrinkage_without_a_target_or_with_labels_of_one_kind(people):
    (source, cases), (target, _), (final, truth) = people
    alone = ShrinkageScore().fit(source, cases)
    assert alone.score(final, truth) > 0.65
    both = ShrinkageScore().fit(
        np.concatenate([source, target]),
        np.concatenate([cases, np.ones(len(target), dtype=int)]),
        np.arange(len(source) + len(target)) >= len(source),
    )
    np.testing.assert_allclose(
        both.coef_ / np.linalg.norm(both.coef_), alone.coef_ / np.linalg.norm(alone.coef_), atol=1e-3
    )


def expect_precision(square, shape, tail):
    """Mean of 1 / x by adaptive quadrature, x having the prior of a local scale and two effects."""

    def density(log_x, power):
        return np.exp(
            shape * log_x
            - (shape + tail) * np.logaddexp(0, log_x)
            - log_x
            - square / 2 * np.exp(-log_x)
            - power * log_x
        )

    limits = {"limit": 400, "epsabs": 0, "points": [np.log(square)]}
    return quad(density, -30, 30, args=(1,), **limits)[0] / quad(density, -30, 30, args=(0,), **limits)[0]


@pytest.mark.parametrize("prior", [(0.5, 0.5), (1.0, 0.5)])
def test_local_scales_are_those_of_the_integral(prior):
    squares, logs = _tabulate_precision(*prior)
    for at in range(60, 260, 40):
        expected = expect_precision(float(np.exp(squares[at])), *prior)
        assert logs[at] == pytest.approx(np.log(expected), abs=1e-3)


def test_independent_variants_are_each_fitted_alone():
    """With X'X diagonal the fit is a fixed point of one variant's two effects, found here one by one."""
    n, scale, rho = np.array([400.0, 90.0]), 1e-3, 0.9
    products = (
        np.random.default_rng(3).normal(size=(2, 6)) * np.sqrt(n)[:, None] * np.array([1, 1, 2, 3, 5, 8])
    )
    fitted = fit_shrinkage(
        [np.eye(6) * n[0], np.eye(6) * n[1]],
        list(products),
        [400, 90],
        global_scale=scale,
        correlation=rho,
        block=4,
        sweeps=0,
    )
    coupling = np.linalg.inv([[1, rho], [rho, 1]])
    for at in range(6):
        precision = 1 / scale
        for _ in range(16):
            covariance = np.linalg.inv(np.diag(n) + precision * coupling)
            mean = covariance @ products[:, at]
            square = np.trace(coupling @ (covariance + np.outer(mean, mean)))
            precision = expect_precision(square / scale, 0.5, 0.5) / scale
        np.testing.assert_allclose(fitted[:, at], mean, rtol=2e-3, atol=1e-7)


def test_clumps_are_those_of_a_plain_search():
    rng = np.random.default_rng(4)
    r2 = np.corrcoef(draw_population(50, 30, 6).T) ** 2
    strength = rng.exponential(size=30)
    kept = []
    for one in sorted(range(30), key=lambda at: -strength[at]):
        if all(r2[one, other] < 0.1 for other in kept):
            kept.append(one)
    assert np.flatnonzero(clump(strength, r2, 0.1)).tolist() == sorted(kept)
    assert 1 < len(kept) < 30


def test_clumping_without_any_significant_variant_keeps_the_strongest(people):
    (source, cases), (target, labels), _ = people
    shuffled = np.random.default_rng(0).permutation(cases)
    sample = make_summary_sample(regress(source, shuffled.astype(float)), source, same_people=True)
    score = SummaryClumping(thresholds=(40.0,)).fit_summary(target, labels, sample)
    assert np.count_nonzero(score.coef_) <= 1


def test_a_ready_score_keeps_its_weights_and_finds_its_scale(people):
    _, (target, labels), (final, truth) = people
    fitted = [ReadyScore(EFFECTS * factor).fit(target, labels) for factor in (1, 50)]
    np.testing.assert_allclose(fitted[0].coef_, fitted[1].coef_, rtol=1e-5)
    ratio = fitted[0].coef_[EFFECTS != 0] / EFFECTS[EFFECTS != 0]
    np.testing.assert_allclose(ratio, ratio[0])
    assert ratio[0] > 0
    assert fitted[0].score(final, truth) > 0.65
    # The slope's score equation: residuals do not correlate with the score, but for the weak prior.
    score = target @ EFFECTS
    residual = labels - fitted[0].predict_proba(target)[:, 1]
    assert abs((score - score.mean()) / score.std() @ residual) < 0.5
    # A score that goes the wrong way says nothing.
    assert not ReadyScore(-EFFECTS).fit(target, labels).coef_.any()
    mixed = ReadyScore(EFFECTS).fit(
        np.concatenate([final, target]), np.concatenate([truth, labels]), np.arange(1560) >= 1500
    )
    np.testing.assert_allclose(mixed.coef_, fitted[0].coef_)


def test_what_cannot_be_fitted_is_refused(people):
    (source, cases), (target, labels), _ = people
    sample = make_summary_sample(regress(source, cases.astype(float)), source, same_people=True)
    with pytest.raises(StudyError, match="of both"):
        ShrinkageScore().fit_summary(target, np.zeros(len(target)), sample)
    with pytest.raises(StudyError, match="80 variants, the target's people 79"):
        ShrinkageScore().fit_summary(target[:, :79], labels, sample)
    with pytest.raises(StudyError, match="3 weights for 80"):
        ReadyScore(np.ones(3)).fit(target, labels)
    with pytest.raises(StudyError, match="of both"):
        ReadyScore(EFFECTS).fit(target, np.ones(len(target)))


def test_both_scores_have_names():
    assert isinstance(build_score("shrinkage", 1, screened=10), ShrinkageScore)
    assert isinstance(build_score("clumping_summary", 1), SummaryClumping)
