import math

import jaxtyping
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from genotransfer.errors import StudyError
from genotransfer.evaluation import (
    METRICS,
    best_accuracy,
    compare_predictions,
    evaluate_predictions,
    expect_best_by_chance,
    expect_oracle_accuracy,
    measure_recovery,
    predict_oracle,
)
from genotransfer.intervals import (
    bootstrap_difference,
    compare_paired,
    compare_ranks,
    compare_unpaired,
    measure_half_width,
    wilson_interval,
)
from genotransfer.splits import LabelledSamples

LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], dtype=np.int8)
SCORES = np.array([0.9, 0.8, 0.6, 0.1, 0.7, 0.2, 0.2, 0.3, 0.4, 0.5])


def test_metrics_by_hand():
    """3 of 4 cases and 5 of 6 controls right; exactly 0.5 is a control."""
    metrics = evaluate_predictions(LABELS, SCORES)
    assert tuple(metrics) == METRICS
    assert metrics["accuracy"] == 0.8
    assert metrics["sensitivity"] == 3 / 4
    assert metrics["specificity"] == 5 / 6
    assert metrics["balanced_accuracy"] == pytest.approx((3 / 4 + 5 / 6) / 2)
    assert metrics["precision"] == 3 / 4
    assert metrics["f1"] == 3 / 4
    assert metrics["mcc"] == pytest.approx((3 * 5 - 1 * 1) / math.sqrt(4 * 4 * 6 * 6))
    assert metrics["auc"] == pytest.approx((6 + 6 + 5 + 0) / 24)
    assert metrics["brier"] == pytest.approx(((SCORES - LABELS) ** 2).sum() / 10)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_undefined_metrics_empty(label):
    metrics = evaluate_predictions(np.full(5, label, np.int8), np.array([0.9, 0.1, 0.2, 0.8, 0.3]))
    for name in ("auc", "auc_low", "auc_high", "balanced_accuracy", "mcc"):
        assert math.isnan(metrics[name])
    assert metrics["accuracy"] == (0.4 if label else 0.6)
    assert math.isnan(metrics["sensitivity"]) == (label == 0)


def test_no_predicted_case_leaves_precision_empty():
    metrics = evaluate_predictions(LABELS, np.full(10, 0.1))
    assert math.isnan(metrics["precision"])
    assert math.isnan(metrics["mcc"])
    assert metrics["f1"] == 0
    assert metrics["auc"] == 0.5
    assert math.isnan(metrics["auc_low"])  # a constant score has no measurable spread


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([], [], "0 labels"),
        ([1, 2], [0.1, 0.2], "label of person 2 is 2"),
        ([1, 0], [0.1, np.nan], "score of person 2 is nan"),
        ([1, 0], [1.5, 0.2], "score of person 1 is 1.5"),
    ],
)
def test_wrong_predictions_are_named(labels, scores, message):
    with pytest.raises(StudyError, match=message):
        evaluate_predictions(np.array(labels, np.int8), np.array(scores, np.float64))


def test_unequal_lengths_are_refused():
    with pytest.raises((StudyError, jaxtyping.TypeCheckError)):
        evaluate_predictions(LABELS, SCORES[1:])
    with pytest.raises((StudyError, jaxtyping.TypeCheckError)):
        compare_paired(np.zeros(3), np.zeros(2))


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 60))
def test_relabelling_cases_and_controls_conserves(seed, n):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n).astype(np.int8)
    scores = np.round(generator.uniform(0.001, 0.999, n), 2)
    scores[scores == 0.5] = 0.51  # the threshold itself is a control, the one asymmetry
    here, there = evaluate_predictions(labels, scores), evaluate_predictions(1 - labels, 1 - scores)
    for name in (
        "accuracy",
        "low",
        "high",
        "auc",
        "auc_low",
        "auc_high",
        "balanced_accuracy",
        "mcc",
        "brier",
    ):
        assert here[name] == pytest.approx(there[name], nan_ok=True)
    assert here["sensitivity"] == pytest.approx(there["specificity"], nan_ok=True)


def test_ceiling_is_that_of_the_method_and_of_a_simulation():
    for heritability, ceiling in ((0, 0.5), (0.01, 0.532), (0.1, 0.602), (0.3, 0.685), (0.8, 0.852), (1, 1)):
        assert best_accuracy(heritability) == pytest.approx(ceiling, abs=6e-4)
    assert math.isnan(best_accuracy(float("nan")))
    with pytest.raises(StudyError, match="impossible"):
        best_accuracy(1.2)
    generator = np.random.default_rng(3)
    genetic = generator.normal(0, math.sqrt(0.3), 400_000)
    liability = genetic + generator.normal(0, math.sqrt(0.7), 400_000)
    assert ((genetic > 0) == (liability > 0)).mean() == pytest.approx(best_accuracy(0.3), abs=0.003)


def test_recovered_fraction():
    assert measure_recovery(0.6, 0.75) == pytest.approx(0.4)
    assert measure_recovery(0.4, 0.75) == pytest.approx(-0.4)
    assert math.isnan(measure_recovery(0.6, 0.5))


@pytest.mark.parametrize("n_risk", [5, 10, 200])
def test_oracle_reaches_what_is_possible(n_risk):
    """With many risk SNPs that is the ceiling; with few, the mean over their own scores."""
    generator = np.random.default_rng(11)
    dosages = generator.binomial(2, 0.4, (20_000, n_risk)).astype(np.int8)
    effects = generator.normal(size=n_risk)
    score = dosages @ effects
    noise = generator.normal(size=20_000) * score.std()  # h2 = 1/2
    labels = (score + noise > np.mean(score + noise)).astype(np.int8)
    training = LabelledSamples(dosages[:10_000], labels[:10_000])
    accuracy = (predict_oracle(training, dosages[10_000:], effects) == labels[10_000:]).mean()
    assert accuracy == pytest.approx(expect_oracle_accuracy(score, 0.5), abs=0.012)
    if n_risk == 200:
        assert accuracy == pytest.approx(best_accuracy(0.5), abs=0.012)


def test_expected_oracle_in_closed_form():
    """Two equal points: Phi(1) at h2 = 1/2, far above the ceiling of a normal score."""
    assert expect_oracle_accuracy(np.array([-1.0, 1.0]), 0.5) == pytest.approx(stats.norm.cdf(1))
    normal = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    for heritability in (0.01, 0.3, 0.8, 1.0):
        assert expect_oracle_accuracy(normal, heritability) == pytest.approx(
            best_accuracy(heritability), abs=1e-3
        )
    assert expect_oracle_accuracy(np.zeros(3), 0.5) == 0.5
    assert expect_oracle_accuracy(normal, 0.0) == 0.5


def test_oracle_does_not_depend_on_the_counted_allele():
    generator = np.random.default_rng(5)
    dosages = generator.integers(-1, 3, (60, 4)).astype(np.int8)
    labels = generator.integers(0, 2, 60).astype(np.int8)
    effects = generator.normal(size=4)
    swapped = np.where(dosages < 0, -1, 2 - dosages).astype(np.int8)
    here = predict_oracle(LabelledSamples(dosages[:40], labels[:40]), dosages[40:], effects)
    there = predict_oracle(LabelledSamples(swapped[:40], labels[:40]), swapped[40:], -effects)
    np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize(("labels", "expected"), [([1, 1, 0], 1.0), ([1, 0, 0], 0.0)])
@pytest.mark.parametrize("n_risk", [0, 2])
def test_a_constant_oracle_predicts_the_majority_of_training(labels, expected, n_risk):
    training = LabelledSamples(np.ones((3, n_risk), np.int8), np.array(labels, np.int8))
    predicted = predict_oracle(training, np.full((4, n_risk), 2, np.int8), np.ones(n_risk))
    np.testing.assert_array_equal(predicted, np.full(4, expected))


def test_best_by_chance():
    """One candidate: its mean. Two of one person: 1 - 1/4. Many: by simulation."""
    assert expect_best_by_chance(1, 20) == pytest.approx(0.5)
    assert expect_best_by_chance(2, 1) == pytest.approx(0.75)
    assert expect_best_by_chance(1, 7, 0.3) == pytest.approx(0.3)
    drawn = np.random.default_rng(2).binomial(20, 0.5, (20_000, 65)).max(axis=1).mean() / 20
    assert expect_best_by_chance(65, 20) == pytest.approx(drawn, abs=0.002)
    assert math.isnan(expect_best_by_chance(0, 20))


def test_fifty_people_give_fourteen_points():
    assert round(100 * measure_half_width(50)) == 14
    assert math.isnan(measure_half_width(0))


def test_wilson_bounds_are_roots_of_the_score_test():
    """At each bound p the score statistic (share - p)^2 / (p (1 - p) / n) is z^2."""
    z = stats.norm.ppf(0.975)
    for successes, n in ((1, 20), (13, 20), (49, 50), (24, 50)):
        for bound in wilson_interval(successes, n):
            assert (successes / n - bound) ** 2 * n / (bound * (1 - bound)) == pytest.approx(z * z)
    assert wilson_interval(0, 5)[0] == 0
    assert wilson_interval(5, 5)[1] == 1
    assert all(math.isnan(bound) for bound in wilson_interval(0, 0))
    with pytest.raises(StudyError, match="6 successes of 5"):
        wilson_interval(6, 5)


def test_wilson_covers():
    generator = np.random.default_rng(8)
    bounds = {k: wilson_interval(k, 50) for k in range(51)}
    drawn = generator.binomial(50, 0.55, 20_000)
    covered = np.mean([bounds[int(k)][0] <= 0.55 <= bounds[int(k)][1] for k in drawn])
    assert 0.93 < covered < 0.97


def test_bootstrap_of_people_is_near_the_normal_interval():
    """5 people right by the first model only, 25 by the second only, 170 by both."""
    first = np.r_[np.ones(5), np.zeros(25), np.ones(170)]
    second = np.r_[np.zeros(5), np.ones(25), np.ones(170)]
    low, high = bootstrap_difference(first, second, np.random.default_rng(1))
    half = 1.96 * math.sqrt((30 / 200 - 0.1**2) / 200)
    assert low == pytest.approx(0.1 - half, abs=0.008)
    assert high == pytest.approx(0.1 + half, abs=0.008)
    again = bootstrap_difference(first, second, np.random.default_rng(1))
    assert (low, high) == again
    assert all(
        math.isnan(bound) for bound in bootstrap_difference(first[:1], second[:1], np.random.default_rng(1))
    )


def test_the_gain_of_a_model_over_itself_is_nothing():
    gain = compare_predictions(LABELS, SCORES, SCORES, np.random.default_rng(1))
    assert gain == {"gain": 0, "gain_low": 0, "gain_high": 0}
    flipped = compare_predictions(LABELS, SCORES, 1 - SCORES, np.random.default_rng(1))
    assert flipped["gain"] == pytest.approx(0.3 - 0.8)  # 0.5 stays a control


def test_undefined_tests_are_empty():
    one, same = np.array([0.5]), np.array([0.5, 0.6, 0.7])
    for test in (compare_unpaired, compare_paired, compare_ranks):
        outcome = test(one, one + 0.1)
        assert outcome.difference == pytest.approx(0.1)
        assert math.isnan(outcome.p)
    assert math.isnan(compare_paired(same, same + 0.1).p)
    assert math.isnan(compare_ranks(same, same).p)
    assert math.isnan(compare_unpaired(np.zeros(3), np.zeros(3)).p)


def test_four_phenotypes_never_give_wilcoxon_below_an_eighth():
    assert compare_ranks(np.zeros(4), np.array([1.0, 2.0, 3.0, 4.0])).p == 0.125
