"""Polygenic scores: what their base promises, and sums of single effects against brute force."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from genotransfer.errors import StudyError
from genotransfer.scores.base import fit_slope, place_intercepts, take_sample
from genotransfer.scores.evidence import Evidence, screen_variants
from genotransfer.scores.registry import SCORES, build_score
from genotransfer.scores.susie import JointSusie, SourceSusie, fit_effects


def simulate(seed=1, n_source=500, n_target=120, n_variants=300, causal=(40, 200), effect=1.0):
    """Return dosages with LD, labels and the target's mask; the causal variants act in both populations."""
    rng = np.random.default_rng(seed)
    parts, labels = [], []
    for n, copying in ((n_source, 0.9), (n_target, 0.7)):
        dosages = np.zeros((n, n_variants), dtype=np.float32)
        for _ in range(2):
            haplotypes = rng.random((n, n_variants)) < 0.4
            for at in range(1, n_variants):
                same = rng.random(n) < copying
                haplotypes[same, at] = haplotypes[same, at - 1]
            dosages += haplotypes
        liability = effect * dosages[:, list(causal)].sum(axis=1) + rng.standard_normal(n)
        parts.append(dosages)
        labels.append((liability > np.median(liability)).astype(np.int8))
    target = np.repeat([False, True], [n_source, n_target])
    return np.concatenate(parts), np.concatenate(labels), target


@pytest.fixture(scope="module")
def people():
    return simulate()


def split(X, y, target):
    return [take_sample(X, y, target == ours) for ours in (False, True)]


# These are given weights; they have tests of their own.
LEARNT = sorted(set(SCORES) - {"ready", "champion"})


@pytest.mark.parametrize("name", LEARNT)
class TestEveryScore:
    def test_is_a_classifier_of_scikit_learn(self, name, people):
        X, y, target = people
        score = clone(build_score(name, 3)).fit(X, y, target)
        assert score.coef_.shape == (X.shape[1],)
        assert np.isfinite(score.coef_).all()
        probability = score.predict_proba(X)
        assert np.allclose(probability.sum(axis=1), 1)
        assert (score.predict(X) == (probability[:, 1] > 0.5)).all()

    def test_the_same_twice(self, name, people):
        X, y, target = people
        first, second = (build_score(name, 3).fit(X, y, target) for _ in range(2))
        assert np.array_equal(first.coef_, second.coef_)
        assert first.intercept_ == second.intercept_

    def test_predicts_people_it_has_not_seen(self, name, people):
        X, y, target = people
        score = build_score(name, 3).fit(X, y, target)
        X_new, y_new, target_new = simulate(seed=2, n_source=2, n_target=800)
        assert score.score(X_new[target_new], y_new[target_new]) > 0.62

    def test_relabelled_cases_turn_every_effect_around(self, name, people):
        X, y, target = people
        score, other = (build_score(name, 3).fit(X, labels, target) for labels in (y, 1 - y))
        assert np.allclose(score.coef_, -other.coef_, atol=2e-3 * np.abs(score.coef_).max())

    def test_without_a_target_the_source_stands_for_it(self, name, people):
        X, y, target = people
        score = build_score(name, 3).fit(X[~target], y[~target])
        assert score.intercept_ == score.source_intercept_
        assert score.score(X[~target], y[~target]) > 0.6

    def test_variants_that_do_not_vary_have_no_effect(self, name, people):
        X, y, target = people
        X = X.copy()
        X[:, 7], X[target, 8] = 2, 0
        score = build_score(name, 3).fit(X, y, target)
        assert score.coef_[7] == pytest.approx(0, abs=1e-6)
        assert np.isfinite(score.coef_[8])

    def test_one_class_is_refused(self, name, people):
        X, _, target = people
        with pytest.raises(StudyError, match="needs cases and controls"):
            build_score(name, 3).fit(X, np.ones(len(X), dtype=int), target)


def test_an_unknown_score_is_told():
    with pytest.raises(StudyError, match="no score 'susi'"):
        build_score("susi", 1)


def test_the_intercept_makes_probabilities_add_up_to_cases():
    # One variant with three values: a cut at a quantile would fall on people who all have it.
    rng = np.random.default_rng(1)
    X = rng.binomial(2, 0.5, (400, 1)).astype(np.float32)
    y = (X[:, 0] + rng.standard_normal(400) > 1).astype(np.int8)
    sample = take_sample(X, y, np.ones(400, dtype=bool))
    (intercept,) = place_intercepts(np.array([1.7]), [sample])
    assert expit(X[:, 0] * 1.7 + intercept).mean() == pytest.approx((y.sum() + 0.5) / 401, abs=1e-6)


def test_the_slope_is_that_of_logistic_regression():
    rng = np.random.default_rng(4)
    x = rng.standard_normal(3000)
    group = np.arange(3000) < 2000
    y = (rng.random(3000) < expit(0.8 * x + np.where(group, 0.5, -1.0))).astype(np.int8)
    found = fit_slope([x[group], x[~group]], [y[group], y[~group]])
    peer = LogisticRegression(C=1e6).fit(np.column_stack([x, group]), y)
    assert found == pytest.approx(peer.coef_[0, 0], rel=1e-3)


def test_screening_keeps_the_strongest_in_order(people):
    X, y, target = people
    kept, _ = screen_variants(split(X, y, target), 30)
    assert (np.diff(kept) > 0).all()
    assert {40, 200} <= set(kept)
    # Of one population, chi-squared is n r2.
    (source, _) = split(X, y, target)
    _, alone = screen_variants([source], 30)
    r = np.corrcoef(X[~target, 40], y[~target])[0, 1]
    assert alone[40] == pytest.approx((~target).sum() * r**2, rel=1e-4)


def make_evidence(people):
    return [Evidence.from_sample(one, np.arange(one.dosages.shape[1])) for one in split(*people)]


def log_evidence(y, x, variance, noise):
    """Log density of y ~ N(0, variance x x' + noise I): the closed form for one variant."""
    covariance = variance * np.outer(x, x) + noise * np.eye(len(y))
    return stats.multivariate_normal(np.zeros(len(y)), covariance).logpdf(y)


def test_one_effect_is_the_exact_posterior():
    X, y, target = simulate(n_source=60, n_target=2, n_variants=12, causal=(5,))
    X, y = X[~target], y[~target]
    sample = take_sample(X, y, np.ones(len(y), dtype=bool))
    evidence = Evidence.from_sample(sample, np.arange(12))
    fit = fit_effects([evidence], n_effects=1, max_iterations=200, tolerance=1e-12)
    response = (y - y.mean()) / (y.mean() * (1 - y.mean()))
    density = [
        log_evidence(response, sample.dosages[:, at].astype(float), fit.variances[0], fit.noise[0])
        for at in range(12)
    ]
    posterior = np.exp(np.array(density) - np.logaddexp.reduce(density))
    assert np.allclose(fit.inclusion[0], posterior, atol=2e-3)
    # With one effect the bound is the evidence itself.
    assert fit.elbo == pytest.approx(np.logaddexp.reduce(density) - math.log(12), abs=0.01)


def test_two_populations_and_one_effect_are_the_exact_posterior():
    X, y, target = simulate(n_source=50, n_target=30, n_variants=8, causal=(3,))
    samples = split(X, y, target)
    evidence = [Evidence.from_sample(one, np.arange(8)) for one in samples]
    fit = fit_effects(evidence, n_effects=1, correlation=0.6, max_iterations=300, tolerance=1e-12)
    density = []
    for at in range(8):
        x = np.zeros((80, 2))
        x[:50, 0], x[50:, 1] = samples[0].dosages[:, at], samples[1].dosages[:, at]
        prior = fit.variances[0] * np.array([[1, 0.6], [0.6, 1]])
        noise = np.repeat(fit.noise, [50, 30])
        response = np.concatenate([(one.labels - one.labels.mean()) / np.var(one.labels) for one in samples])
        density.append(
            stats.multivariate_normal(np.zeros(80), x @ prior @ x.T + np.diag(noise)).logpdf(response)
        )
    posterior = np.exp(np.array(density) - np.logaddexp.reduce(density))
    assert np.allclose(fit.inclusion[0], posterior, atol=2e-3)


def test_the_bound_never_falls(people):
    evidence = make_evidence(people)
    bounds = [
        fit_effects(evidence, n_effects=4, max_iterations=rounds, tolerance=0.0).elbo
        for rounds in range(1, 9)
    ]
    assert (np.diff(bounds) > -1e-3 * abs(bounds[0])).all()
    assert bounds[-1] > bounds[0]


def test_it_finds_the_causal_variants_and_their_effects():
    people = simulate(n_source=3000, n_target=300, causal=(40, 200), effect=0.7)
    fit = fit_effects(make_evidence(people), n_effects=5)
    found = np.argsort(fit.inclusion_probabilities())[-2:]
    assert set(found) == {40, 200}
    assert (fit.average_effects(1)[[40, 200]] > 0.3).all()


def test_variants_screened_out_take_what_nothing_speaks_for():
    X, y, target = simulate(effect=0.0)
    evidence = [Evidence.from_sample(one, np.arange(20)) for one in split(X, y, target)]
    few = fit_effects(evidence, n_effects=3, n_variants=20)
    many = fit_effects(evidence, n_effects=3, n_variants=100_000)
    assert many.inclusion.sum() <= few.inclusion.sum() + 1e-9
    assert np.abs(many.average_effects(1)).sum() <= np.abs(few.average_effects(1)).sum() + 1e-9


def test_the_targets_people_choose_between_variants_the_source_cannot_tell_apart():
    rng = np.random.default_rng(5)
    n_source, n_target = 800, 150
    X = np.zeros((n_source + n_target, 2), dtype=np.float32)
    X[:, 0] = rng.binomial(2, 0.4, len(X))
    X[:n_source, 1] = X[:n_source, 0]
    X[n_source:, 1] = rng.binomial(2, 0.4, n_target)
    target = np.arange(len(X)) >= n_source
    y = (X[:, 0] + rng.standard_normal(len(X)) > 0.8).astype(np.int8)
    alone, joint = (score.fit(X, y, target) for score in (SourceSusie(), JointSusie()))
    assert alone.coef_[0] == pytest.approx(alone.coef_[1], rel=1e-3)
    assert joint.coef_[0] > 20 * abs(joint.coef_[1])


@pytest.mark.parametrize("same", [True, False])
def test_effects_that_differ_are_learnt_apart(same):
    rng = np.random.default_rng(6)
    X = rng.binomial(2, 0.4, (4000, 40)).astype(np.float32)
    target = np.arange(4000) >= 2000
    effects = np.zeros((2, 40))
    effects[0, 2:38:4] = [0.8, -0.7, 0.6, -0.9, 0.7, 0.6, -0.8, 0.7, -0.6]
    effects[1] = effects[0] if same else -effects[0]
    effects[1, 2:38:8] *= 1 if same else -0.5
    liability = np.where(target, X @ effects[1], X @ effects[0]) + rng.standard_normal(4000)
    y = np.where(target, liability > np.median(liability[target]), liability > np.median(liability[~target]))
    score = JointSusie().fit(X, y.astype(np.int8), target)
    assert (score.effect_correlation_ == 1.0) == same
    assert np.corrcoef(score.coef_, effects[1])[0, 1] > 0.97
