"""What holds for each score that others are compared with: hard cases, symmetries, reproducibility."""

import numpy as np
import pytest
from sklearn.base import clone

from genotransfer.scores.base import PolygenicScore
from genotransfer.scores.registry import build_score
from tests.score_support import Study, draw_study

NAMES = (
    "clumping",
    "forward",
    "lasso",
    "elastic_net",
    "gblup",
    "logistic",
    "tuned",
    "coral",
    "tca",
)
# Fewer settings to choose among: these refit a regression for each.
FEWER = {"logistic": {"sizes": (5, 30)}, "coral": {"sizes": (5, 30)}, "tca": {"sizes": (5, 30)}}


def build(name: str) -> PolygenicScore:
    return build_score(name, 5, **FEWER.get(name, {}))


@pytest.fixture(scope="module")
def study() -> Study:
    return draw_study()


@pytest.mark.parametrize("name", NAMES)
def test_predicts_the_target_and_is_reproducible(name, study):
    score = build(name)
    twin = clone(score)
    assert twin.get_params() == score.get_params()
    score.fit(study.X, study.y, target=study.target)
    twin.fit(study.X, study.y, target=study.target)
    np.testing.assert_array_equal(score.coef_, twin.coef_)
    assert score.intercept_ == twin.intercept_
    # 400 people: chance has a standard deviation of .025.
    assert score.score(study.X_new, study.y_new) > 0.62


@pytest.mark.parametrize("name", NAMES)
def test_counting_the_other_allele_changes_signs_alone(name, study):
    flipped = np.arange(study.X.shape[1]) % 3 == 0
    other = np.where(flipped, 2 - study.X, study.X)
    score = build(name).fit(study.X, study.y, target=study.target)
    mirror = build(name).fit(other, study.y, target=study.target)
    size = np.abs(score.coef_).max()
    np.testing.assert_allclose(mirror.coef_, np.where(flipped, -1, 1) * score.coef_, atol=2e-3 * size)


@pytest.mark.parametrize("name", NAMES)
def test_monomorphic_variants(name, study):
    X = study.X.copy()
    X[:, 0] = 2
    X[~study.target, 1] = 0
    X[study.target, 2] = 1
    score = build(name).fit(X, study.y, target=study.target)
    assert score.coef_[0] == 0
    assert np.isfinite(score.coef_).all()
    assert score.score(study.X_new, study.y_new) > 0.55


@pytest.mark.parametrize("name", NAMES)
def test_without_a_target(name, study):
    source = ~study.target
    score = build(name).fit(study.X[source], study.y[source])
    assert score.score(study.X[source], study.y[source]) > 0.65
    assert score.score(study.X_new, study.y_new) > 0.55


@pytest.mark.parametrize("name", NAMES)
def test_a_target_alone_stands_for_the_source(name, study):
    source = ~study.target
    score = build(name).fit(study.X[source], study.y[source], target=np.ones(source.sum(), bool))
    alone = build(name).fit(study.X[source], study.y[source])
    ours, theirs = (one.coef_ / np.abs(one.coef_).max() for one in (score, alone))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("label", [0, 1])
def test_a_target_of_one_class(name, label, study):
    y = np.where(study.target, label, study.y)
    score = build(name).fit(study.X, y, target=study.target)
    assert np.isfinite(score.coef_).all()
    assert np.isfinite(score.intercept_)
    chance = score.predict_proba(study.X_new)[:, 1]
    assert (chance.mean() > 0.5) == (label == 1)


@pytest.mark.parametrize("name", NAMES)
def test_few_people_and_few_variants(name, study):
    few = np.r_[0:12, np.flatnonzero(study.target)[:4]]
    y = np.arange(len(few)) % 2
    for columns in (slice(0, 6), slice(0, 1), slice(None)):
        X = study.X[few][:, columns]
        score = build(name).fit(X, y, target=study.target[few])
        assert np.isfinite(score.decision_function(X)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_target_of_one_person(name, study):
    some = np.flatnonzero(~study.target | (np.cumsum(study.target) == 1))
    score = build(name).fit(study.X[some], study.y[some], target=study.target[some])
    log_odds = score.decision_function(study.X_new)
    assert log_odds[study.y_new == 1].mean() > log_odds[study.y_new == 0].mean()


@pytest.mark.parametrize("name", NAMES)
def test_dosages_that_do_not_vary_at_all_leave_the_share_of_cases(name, study):
    X = np.ones_like(study.X)
    score = build(name).fit(X, study.y, target=study.target)
    assert not score.coef_.any()
    n = int(study.target.sum())
    share = (study.y[study.target].sum() + 0.5) / (n + 1)
    np.testing.assert_allclose(score.predict_proba(X[:1])[0, 1], share)


@pytest.mark.parametrize("name", NAMES)
def test_cases_and_controls_change_places(name, study):
    score = build(name).fit(study.X, study.y, target=study.target)
    mirror = build(name).fit(study.X, 1 - study.y, target=study.target)
    np.testing.assert_allclose(mirror.coef_, -score.coef_, atol=2e-3 * np.abs(score.coef_).max())
