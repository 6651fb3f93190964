"""Two models on the same people, against the exact binomial, a textbook's case and DeLong's variance."""

import dataclasses
import math

import jaxtyping
import numpy as np
import pytest
from scipy import stats

from genotransfer.errors import StudyError
from genotransfer.intervals import measure_auc
from genotransfer.paired import compare_models


def make_generator(seed=0):
    return np.random.default_rng(seed)


def draw_scores(seed, n_cases, n_controls, first_shift=1.0, second_shift=1.0, shared=0.5):
    """Return labels and two models' correlated probabilities; each ranks cases higher by its shift."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.array([1, 0], np.int8), [n_cases, n_controls])
    common = math.sqrt(shared) * generator.normal(size=len(labels))
    scores = [
        stats.norm.cdf(
            (labels - 0.5) * shift + common + math.sqrt(1 - shared) * generator.normal(size=len(labels))
        )
        for shift in (first_shift, second_shift)
    ]
    return labels, *scores


def make_table(both, only_first, only_second, neither):
    """Return labels and scores in which the models are right on so many people."""
    n = both + only_first + only_second + neither
    labels = (np.arange(n) % 2).astype(np.int8)
    right = [
        np.repeat([True, True, False, False], [both, only_first, only_second, neither]),
        np.repeat([True, False, True, False], [both, only_first, only_second, neither]),
    ]
    return labels, *(np.where(one == (labels == 1), 0.8, 0.2) for one in right)


def sum_binomial(fewer, n):
    """McNemar's exact P by hand: twice the tail of the binomial with one half, at most 1."""
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n)


@pytest.mark.parametrize(
    ("only_first", "only_second"), [(0, 0), (0, 1), (5, 0), (0, 6), (3, 9), (7, 7), (40, 19)]
)
def test_mcnemar_is_the_exact_binomial(only_first, only_second):
    found = compare_models(*make_table(11, only_first, only_second, 5), make_generator(), 10)
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.n == 16 + only_first + only_second
    assert found.accuracy_difference == pytest.approx((only_second - only_first) / found.n)
    differing = only_first + only_second
    assert found.mcnemar_p == pytest.approx(sum_binomial(min(only_first, only_second), differing), rel=1e-12)
    if differing:
        assert found.mcnemar_p == pytest.approx(stats.binomtest(only_first, differing, 0.5).pvalue)


def test_mcnemar_of_a_textbook():
    """Agresti 1990, Categorical Data Analysis, p. 350: a prime minister's ratings, 794, 150, 86, 570.

    R's exact2x2::mcnemar.exact gives P 3.716e-05, and an odds ratio of 150 to 86.
    """
    found = compare_models(*make_table(794, 150, 86, 570), make_generator(), 10)
    assert (found.n, found.only_first, found.only_second) == (1600, 150, 86)
    assert found.mcnemar_p == pytest.approx(3.716e-05, abs=5e-9)
    assert found.accuracy_difference == pytest.approx(-64 / 1600)


def test_a_probability_of_a_half_is_a_control():
    labels = np.array([1, 0], np.int8)
    found = compare_models(labels, np.array([0.5, 0.5]), np.array([0.5 + 1e-9, 0.5]), make_generator(), 10)
    assert (found.only_first, found.only_second) == (0, 1)


def test_the_same_model_twice_does_not_differ():
    labels, scores, _ = draw_scores(1, 40, 60)
    found = compare_models(labels, scores, scores, make_generator(), 500)
    assert (found.only_first, found.only_second, found.mcnemar_p) == (0, 0, 1.0)
    assert (found.auc_difference, found.auc_low, found.auc_high, found.auc_p) == (0, 0, 0, 1)
    # The AUC knows ranks alone, accuracy the cut alone.
    found = compare_models(labels, scores, scores / 2, make_generator(), 500)
    assert (found.auc_difference, found.auc_p) == (0, 1)
    assert found.only_second < found.only_first


def test_swapping_the_models_turns_the_signs():
    labels, first, second = draw_scores(2, 50, 80, 0.5, 1.2)
    one = compare_models(labels, first, second, make_generator(), 1000)
    other = compare_models(labels, second, first, make_generator(), 1000)
    assert one.auc_difference > 0.05
    assert (other.only_first, other.only_second) == (one.only_second, one.only_first)
    assert other.accuracy_difference == -one.accuracy_difference
    assert other.auc_difference == pytest.approx(-one.auc_difference, abs=1e-12)
    assert (other.auc_low, other.auc_high) == pytest.approx((-one.auc_high, -one.auc_low), abs=1e-9)
    assert (other.mcnemar_p, other.auc_p) == (one.mcnemar_p, one.auc_p)


def test_the_order_of_people_is_noise_of_the_bootstrap_alone():
    labels, first, second = draw_scores(3, 60, 90, 0.8, 1.2)
    one = compare_models(labels, first, second, make_generator())
    order = make_generator(9).permutation(len(labels))
    other = compare_models(labels[order], first[order], second[order], make_generator())
    for name in ("n", "only_first", "only_second", "accuracy_difference", "mcnemar_p"):
        assert getattr(one, name) == getattr(other, name)
    assert other.auc_difference == pytest.approx(one.auc_difference, abs=1e-12)
    # A quantile at 2.5 % of 4,000 normal draws has a standard error of 0.042 standard deviations.
    deviation = (one.auc_high - one.auc_low) / 3.92
    assert abs(other.auc_low - one.auc_low) < 5 * 0.042 * math.sqrt(2) * deviation
    assert abs(other.auc_high - one.auc_high) < 5 * 0.042 * math.sqrt(2) * deviation
    assert other.auc_low != one.auc_low


def measure_delong(labels, first, second):
    """Return DeLong's variance of the difference of two paired AUCs, by its definition (1988, eq. 5)."""
    by_case, by_control = [], []
    for scores in (first, second):
        cases, controls = scores[labels == 1], scores[labels == 0]
        above = (cases[:, None] > controls) + 0.5 * (cases[:, None] == controls)
        by_case.append(above.mean(axis=1))
        by_control.append(above.mean(axis=0))
    contrast = np.array([-1, 1])
    return sum(contrast @ np.cov(one) @ contrast / len(one[0]) for one in (by_case, by_control))


@pytest.mark.parametrize(("seed", "rounded"), [(4, False), (5, False), (6, True)])
def test_the_bootstrap_has_delongs_variance(seed, rounded):
    labels, first, second = draw_scores(seed, 220, 300, 0.8, 1.1)
    if rounded:  # ties within and between the classes
        first, second = np.round(first, 1), np.round(second, 1)
    found = compare_models(labels, first, second, make_generator(seed))
    due = measure_auc(labels, second)[0] - measure_auc(labels, first)[0]
    assert found.auc_difference == pytest.approx(due, abs=1e-12)
    deviation = math.sqrt(measure_delong(labels, first, second))
    assert (found.auc_high - found.auc_low) / 2 == pytest.approx(1.96 * deviation, rel=0.07)
    assert (found.auc_high + found.auc_low) / 2 == pytest.approx(due, abs=0.15 * deviation)
    assert found.auc_p == pytest.approx(2 * stats.norm.sf(abs(due) / deviation), abs=0.02)


def test_many_cases_are_taken_in_parts_to_the_same_end(monkeypatch):
    labels, first, second = draw_scores(7, 70, 50)
    whole = compare_models(labels, first, second, make_generator(), 300)
    monkeypatch.setattr("genotransfer.paired.HELD", 50 * 9)  # nine cases at a time
    parts = compare_models(labels, first, second, make_generator(), 300)
    assert dataclasses.astuple(parts) == pytest.approx(dataclasses.astuple(whole), abs=1e-7)


def test_the_bootstrap_rejects_at_its_level_where_models_are_equally_good():
    rejected = 0
    for seed in range(300):
        labels, first, second = draw_scores(1000 + seed, 50, 60)
        rejected += compare_models(labels, first, second, make_generator(seed), 400).auc_p < 0.05
    assert 4 <= rejected <= 28  # 15 are due; 3 standard deviations of the binomial


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_auc(label):
    labels = np.full(8, label, np.int8)
    scores = np.linspace(0.1, 0.9, 8)
    found = compare_models(labels, scores, 1 - scores, make_generator(), 20)
    for name in ("auc_difference", "auc_low", "auc_high", "auc_p"):
        assert math.isnan(getattr(found, name))
    assert (found.only_first, found.only_second, found.mcnemar_p) == (4, 4, 1.0)


def test_what_cannot_be_paired_is_refused():
    labels, first, second = draw_scores(8, 5, 5)
    with pytest.raises((StudyError, jaxtyping.TypeCheckError)):
        compare_models(labels, first, second[1:], make_generator())
    with pytest.raises(StudyError, match="0 labels"):
        compare_models(labels[:0], first[:0], second[:0], make_generator())
