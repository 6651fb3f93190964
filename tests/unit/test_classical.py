"""The classical classifiers and the standardiser."""

import numpy as np
import pytest
from imblearn.pipeline import Pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from genotransfer.errors import AlignmentError, StudyError
from genotransfer.models.archives import hash_file, write_skops
from genotransfer.models.classical import CLASSICAL, build_classifier, fit_classifier, score_cases
from genotransfer.models.standardise import Standardiser


def draw(n, p, seed, noise=0.5):
    rng = np.random.default_rng(seed)
    dosages = rng.integers(0, 3, size=(n, p)).astype(np.int8)
    labels = (dosages[:, :2].sum(axis=1) + noise * rng.normal(size=n) > 2).astype(np.int8)
    return (dosages - 1).astype(np.float32), labels


@pytest.mark.parametrize("name", CLASSICAL)
@pytest.mark.parametrize("constant", [False, True])
def test_scores_lie_on_the_estimators_own_side_of_one_half(name, constant):
    values, labels = draw(70, 6, 1)
    if constant:
        values = np.zeros_like(values)
    estimator = fit_classifier(name, values, labels, 3)
    test = values if constant else draw(300, 6, 2)[0]
    scores = score_cases(estimator, test)
    assert scores.dtype == np.float64
    assert ((scores >= 0) & (scores <= 1)).all()
    assert np.array_equal(scores > 0.5, estimator.predict(test) == 1)


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_real_signal_is_found_and_a_seed_repeats(name):
    values, labels = draw(70, 6, 1)
    test, truth = draw(300, 6, 2)
    scores = score_cases(fit_classifier(name, values, labels, 3), test)
    assert ((scores > 0.5) == truth).mean() > 0.75
    assert np.array_equal(scores, score_cases(fit_classifier(name, values, labels, 3), test))


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_fit_is_scikit_learns_own(name, tmp_path):
    values, labels = draw(70, 20, 5)
    plain = build_classifier(name, 3).fit(values, labels)
    fitted = fit_classifier(name, values, labels, 3)
    for estimator, file in ((plain, "plain.skops"), (fitted, "fitted.skops")):
        write_skops(estimator, tmp_path / file)
    assert hash_file(tmp_path / "plain.skops") == hash_file(tmp_path / "fitted.skops")
    assert np.array_equal(score_cases(plain, values), score_cases(fitted, values))


def test_a_fit_leaves_scikit_learn_as_it_was():
    values, labels = draw(70, 6, 1)
    fit_classifier("rus", values, labels, 3)
    with pytest.raises(ValueError, match="infinity"):
        fit_classifier("forest", np.full_like(values, np.inf), labels, 3)
    for part in (DecisionTreeClassifier, RandomUnderSampler, Pipeline):
        assert not hasattr(part.__init__, "__signature__")


@pytest.mark.parametrize("name", CLASSICAL)
@pytest.mark.parametrize("cases", [1, 3, 67, 69])
def test_few_of_one_class_are_enough(name, cases):
    values = draw(70, 5, 4)[0]
    labels = (np.arange(70) < cases).astype(np.int8)
    assert np.isfinite(score_cases(fit_classifier(name, values, labels, 1), values)).all()


@pytest.mark.parametrize("name", CLASSICAL)
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_is_refused(name, label):
    values = draw(20, 3, 1)[0]
    with pytest.raises(StudyError, match="cases" if label else "controls"):
        fit_classifier(name, values, np.full(20, label, dtype=np.int8), 1)


def test_an_unknown_classifier_is_refused():
    with pytest.raises(StudyError, match="no classifier 'knn'"):
        build_classifier("knn", 1)


def test_swapping_cases_and_controls_mirrors_an_svm():
    values, labels = draw(70, 6, 5)
    test = draw(200, 6, 6)[0]
    there = score_cases(fit_classifier("svm", values, labels, 1), test)
    back = score_cases(fit_classifier("svm", values, 1 - labels, 1), test)
    assert np.allclose(there, 1 - back, atol=5e-3)  # libsvm stops at a tolerance of 1e-3


@pytest.mark.parametrize("name", CLASSICAL)
def test_permuting_variants_leaves_the_accuracy(name):
    values, labels = draw(70, 6, 7)
    test, truth = draw(300, 6, 8)
    order = np.random.default_rng(9).permutation(6)
    there = score_cases(fit_classifier(name, values, labels, 1), test)
    back = score_cases(fit_classifier(name, values[:, order], labels, 1), test[:, order])
    if name == "svm":
        assert np.allclose(there, back, atol=1e-5)
    assert abs(((there > 0.5) == truth).mean() - ((back > 0.5) == truth).mean()) < 0.1


def test_standardiser_equals_scikit_learns():
    rng = np.random.default_rng(1)
    dosages = rng.integers(-1, 3, size=(50, 8)).astype(np.int8)
    missing = np.where(dosages < 0, np.nan, dosages.astype(float))
    scaler = StandardScaler().fit(missing)
    standardiser = Standardiser.fit(dosages)
    assert np.allclose(standardiser.mean, scaler.mean_, rtol=1e-14)
    assert np.allclose(standardiser.sd, scaler.scale_, rtol=1e-12)
    scaled = standardiser.transform(dosages)
    assert scaled.dtype == np.float32
    assert np.allclose(scaled, np.nan_to_num(scaler.transform(missing)), atol=1e-6)


def test_variants_that_do_not_vary_have_deviation_one():
    dosages = np.array([[2, -1, 0], [2, -1, 0], [2, -1, -1]], dtype=np.int8)
    standardiser = Standardiser.fit(dosages)
    assert standardiser.mean.tolist() == [2, 0, 0]
    assert standardiser.sd.tolist() == [1, 1, 1]
    assert not standardiser.transform(dosages).any()


def test_other_widths_and_nothing_at_all_are_refused():
    standardiser = Standardiser.fit(np.ones((2, 3), dtype=np.int8))
    with pytest.raises(AlignmentError, match="4 variants"):
        standardiser.transform(np.ones((2, 4), dtype=np.int8))
    for shape in ((0, 3), (3, 0)):
        with pytest.raises(StudyError):
            Standardiser.fit(np.zeros(shape, dtype=np.int8))
