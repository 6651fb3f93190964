"""The scores' parts beside closed forms, other libraries, and plain second implementations."""

import numpy as np
import pytest
from scipy.linalg import eig
from scipy.stats import linregress, pearsonr
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from genotransfer.scores.adaptation import align_covariances, find_components
from genotransfer.scores.clumping import ClumpingScore, limit_correlation
from genotransfer.scores.forward import ForwardScore
from genotransfer.scores.gblup import GblupScore
from genotransfer.scores.lasso import ElasticNetScore, LassoScore
from genotransfer.scores.pool import Pool, measure_aucs
from genotransfer.scores.tuned import TunedScore, descend
from tests.score_support import draw_study

STUDY = draw_study(seed=4)
SOURCE, TARGET = STUDY.samples()
BOTH = Pool((SOURCE, TARGET))
Z = BOTH.take(np.arange(BOTH.n_variants)).astype(np.float64)
Y = BOTH.responses.astype(np.float64)


def test_correlations_without_a_fold_are_those_of_the_rest():
    people = Pool((SOURCE,))
    fold = people.deal_folds(5, np.random.default_rng(0))
    found = people.correlate(people.leave_out(fold, 5))
    for number in range(5):
        kept = fold != number
        for variant in (0, 7, 100):
            expected = pearsonr(SOURCE.dosages[kept, variant], SOURCE.labels[kept]).statistic
            # The dosage's deviation is that of everyone: it knows no labels.
            ratio = SOURCE.dosages[kept, variant].std() / SOURCE.dosages[:, variant].std()
            np.testing.assert_allclose(found[variant, number], expected * ratio, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        found[:, -1], np.corrcoef(SOURCE.dosages.T, SOURCE.labels)[-1, :-1], rtol=1e-4, atol=1e-6
    )


def test_folds_spread_cases_and_controls_of_each_population():
    fold = BOTH.deal_folds(5, np.random.default_rng(0))
    for group in (0, 1):
        for label in (0, 1):
            sizes = np.bincount(fold[(BOTH.group == group) & (BOTH.labels == label)], minlength=5)
            assert np.ptp(sizes) <= 1


def test_areas_under_the_curve():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60).astype(np.int8)
    scores = rng.integers(0, 9, (60, 5)).astype(float)  # with ties
    expected = [roc_auc_score(labels, one) for one in scores.T]
    np.testing.assert_allclose(measure_aucs(labels, scores), expected)


def test_limits_are_of_the_t_test():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 40))
    found = linregress(x, y)
    np.testing.assert_allclose(limit_correlation(found.pvalue, 40), abs(found.rvalue))


def test_clumping_counts_marginal_slopes_of_variants_that_pass():
    score = ClumpingScore().fit(STUDY.X, STUDY.y, target=STUDY.target)
    effects = score._learn_effects(SOURCE, TARGET)
    counted = np.flatnonzero(effects)
    fits = [linregress(SOURCE.dosages[:, at], SOURCE.labels) for at in range(BOTH.n_variants)]
    np.testing.assert_allclose(effects[counted], [fits[at].slope for at in counted], rtol=1e-4)
    assert max(fits[at].pvalue for at in counted) <= score.p_value_
    r2 = np.corrcoef(SOURCE.dosages.T) ** 2
    # Every variant that passes is counted, or is in LD with one counted that is stronger.
    for at in np.flatnonzero([one.pvalue <= score.p_value_ for one in fits]):
        stronger = [one for one in counted if fits[one].pvalue <= fits[at].pvalue]
        assert max(r2[at, stronger]) >= score.r2_ - 1e-6


def test_forward_selection_by_brute_force():
    score = ForwardScore().fit(STUDY.X, STUDY.y, target=STUDY.target)
    chosen: list[int] = []
    for variant in score.variants_:
        losses = np.full(BOTH.n_variants, np.inf)
        for at in set(range(BOTH.n_variants)) - set(chosen):
            design = Z[:, [*chosen, at]]
            losses[at] = ((Y - design @ np.linalg.lstsq(design, Y)[0]) ** 2).sum()
        assert int(np.argmin(losses)) == variant
        chosen.append(int(variant))
    expected = np.linalg.lstsq(Z[:, chosen], Y)[0]
    np.testing.assert_allclose(score._learn_effects(SOURCE, TARGET)[chosen], expected, rtol=1e-8)
    # Noise explains less than the charge for choosing.
    noise = np.random.default_rng(0).permutation(STUDY.y)
    assert len(ForwardScore().fit(STUDY.X, noise, target=STUDY.target).variants_) == 1


@pytest.mark.parametrize("estimator", [LassoScore, ElasticNetScore])
def test_penalised_effects_meet_the_optimality_conditions(estimator):
    """For effects b of unit-variance dosages: |z'r| / n <= the penalty, with equality where b is not 0."""
    score = estimator(n_screened=BOTH.n_variants)
    score.fit(STUDY.X, STUDY.y, target=STUDY.target)
    deviations = Z.std(axis=0)
    effects = score._learn_effects(SOURCE, TARGET) * deviations
    ratio = score._l1_ratio
    scaled = Z / deviations
    slopes = scaled.T @ (Y - scaled @ effects) / len(Y) - score.penalty_ * (1 - ratio) * effects
    limit = score.penalty_ * ratio
    assert (effects != 0).sum() > 3
    np.testing.assert_allclose(slopes[effects != 0], limit * np.sign(effects[effects != 0]), rtol=0.02)
    assert np.abs(slopes).max() <= 1.02 * limit


def test_screening_leaves_the_lasso_as_it_was_when_the_rest_have_no_effect():
    whole, screened = (
        LassoScore(n_screened=number).fit(STUDY.X, STUDY.y, target=STUDY.target)
        for number in (BOTH.n_variants, 150)
    )
    np.testing.assert_allclose(screened.penalty_, whole.penalty_)
    np.testing.assert_allclose(screened.coef_, whole.coef_, atol=0.01 * np.abs(whole.coef_).max())


def test_gblup_is_ridge_regression():
    score = GblupScore().fit(STUDY.X, STUDY.y, target=STUDY.target)
    effects = score._learn_effects(SOURCE, TARGET)
    ridge = Ridge(alpha=score.penalty_, fit_intercept=False).fit(Z, Y)
    np.testing.assert_allclose(effects, ridge.coef_, atol=1e-4 * np.abs(ridge.coef_).max())


@pytest.mark.parametrize("n_variants", [240, 40])
def test_gblup_maximises_the_restricted_likelihood(n_variants):
    """The likelihood of labels less the populations' intercepts, written out with determinants."""
    some = slice(0, n_variants)
    samples = [type(one)(one.dosages[:, some], one.labels, one.means[some]) for one in (SOURCE, TARGET)]
    score = GblupScore()
    score._learn_effects(*samples)
    K = Z[:, some] @ Z[:, some].T / Z[:, some].var(axis=0).sum()
    X = np.eye(2)[BOTH.group]

    def measure(share: float) -> float:
        V = share * K + (1 - share) * np.eye(len(Y))
        inverse = np.linalg.inv(V)
        middle = X.T @ inverse @ X
        P = inverse - inverse @ X @ np.linalg.solve(middle, X.T @ inverse)
        labels = BOTH.labels.astype(float)
        freedom = len(Y) - 2
        logs = np.linalg.slogdet(V)[1] + np.linalg.slogdet(middle)[1]
        return -0.5 * (logs + freedom * np.log(labels @ P @ labels))

    best = measure(score.heritability_)
    assert 0.05 < score.heritability_ < 0.95
    assert best >= max(measure(share) for share in np.linspace(0.01, 0.99, 25)) - 1e-6
    for step in (-0.01, 0.01):
        assert best > measure(score.heritability_ + step)


def test_gradient_descent_by_its_closed_form():
    """b_t = b_inf + (I - rate/curvature X'X)^t (b_0 - b_inf)."""
    rng = np.random.default_rng(0)
    values, responses, begin = rng.standard_normal((40, 6)), rng.standard_normal(40), rng.standard_normal(6)
    path = descend(values, responses, begin, 0.5, 30)
    end = np.linalg.lstsq(values, responses)[0]
    curvature = np.linalg.eigvalsh(values.T @ values)[-1]
    shrink = np.eye(6) - 0.5 / curvature * values.T @ values
    for step in (0, 1, 7, 30):
        expected = end + np.linalg.matrix_power(shrink, step) @ (begin - end)
        np.testing.assert_allclose(path[step], expected, rtol=1e-8)


def test_tuning_starts_from_the_source_and_moves_within_its_variants():
    score = TunedScore(start="lasso", random_state=2).fit(STUDY.X, STUDY.y, target=STUDY.target)
    start = LassoScore(random_state=2)._learn_effects(SOURCE, BOTH.samples[0])
    effects = score._learn_effects(SOURCE, TARGET)
    assert score.n_steps_ > 0
    assert not effects[start == 0].any()

    def lose(one: np.ndarray) -> float:
        return float(((TARGET.residuals - TARGET.dosages @ one) ** 2).sum())

    assert lose(effects) < lose(start)
    score.max_steps = 0
    np.testing.assert_allclose(score._learn_effects(SOURCE, TARGET), start)


def test_coral_is_skadas(monkeypatch):
    monkeypatch.setenv("POT_BACKEND_DISABLE_TENSORFLOW", "1")  # not needed, and slow to import
    from skada import CORALAdapter

    domain = np.where(STUDY.target, -2, 1)
    for columns in (slice(0, 20), slice(0, 240, 3)):  # fewer and more variants than people
        adapter = CORALAdapter().fit(Z[:, columns], sample_domain=domain)
        expected = adapter.cov_source_inv_sqrt_ @ adapter.cov_target_sqrt_
        found = align_covariances(Z[~STUDY.target, columns], Z[STUDY.target, columns])
        np.testing.assert_allclose(found, expected, atol=1e-10 * np.abs(expected).max())


def test_aligned_values_have_the_targets_covariance():
    rng = np.random.default_rng(0)
    source, target = (rng.standard_normal((5000, 6)) @ rng.standard_normal((6, 6)) for _ in range(2))
    aligned = np.cov((source @ align_covariances(source, target)).T)
    expected = np.cov(target.T)
    np.testing.assert_allclose(aligned, expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("mu", [0.1, 1.0])
def test_transfer_components_are_the_papers_eigenvectors(mu):
    """Of (K L K + mu I)^-1 K H K, solved as it stands."""
    at = np.r_[0:60, np.flatnonzero(STUDY.target)[:20]]
    X, group = STUDY.X[at, :40:5].astype(np.float64), (at >= 60).astype(np.int64)
    n, k = X.shape
    K = X @ X.T / k
    share = np.where(group == 0, 1 / 60, -1 / 20)
    H = np.eye(n) - 1 / n
    KLK = K @ np.outer(share, share) @ K
    values, vectors = eig(np.linalg.solve(KLK + mu * np.eye(n), K @ H @ K))
    leading = vectors[:, np.argsort(-values.real)[:5]].real
    found = X @ find_components(X, group, 5, mu)
    np.testing.assert_allclose(found.std(axis=0), 1)
    for ours, theirs in zip(found.T, (K @ leading).T, strict=True):
        assert abs(pearsonr(ours, theirs).statistic) > 1 - 1e-6
