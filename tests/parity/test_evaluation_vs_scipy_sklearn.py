"""Metrics, intervals and tests against scikit-learn, scipy, and a naive second implementation."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as peer

from genotransfer.evaluation import evaluate_predictions
from genotransfer.intervals import (
    compare_paired,
    compare_ranks,
    compare_unpaired,
    measure_auc,
    wilson_interval,
)


def make_case(seed, n=40, ties=False):
    generator = np.random.default_rng(seed)
    labels = np.r_[1, 1, 0, 0, generator.integers(0, 2, n - 4)].astype(np.int8)
    scores = np.clip(0.3 * labels + generator.uniform(0, 0.7, n), 0, 1)
    return labels, np.round(scores, 1) if ties else scores


def delong_naive(labels, scores):
    """DeLong's variance from every pair of a case and a control, as in the 1988 paper."""
    cases, controls = scores[labels == 1], scores[labels == 0]
    psi = np.array([[1.0 if x > y else 0.5 if x == y else 0.0 for y in controls] for x in cases])
    auc = psi.mean()
    m, n = psi.shape
    s10 = sum((psi[i].mean() - auc) ** 2 for i in range(m)) / (m - 1)
    s01 = sum((psi[:, j].mean() - auc) ** 2 for j in range(n)) / (n - 1)
    return auc, math.sqrt(s10 / m + s01 / n)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_delong_by_midranks_and_by_pairs(seed, ties):
    labels, scores = make_case(seed, ties=ties)
    auc, low, high = measure_auc(labels, scores)
    expected, error = delong_naive(labels, scores)
    assert auc == pytest.approx(expected, abs=1e-12)
    assert low == pytest.approx(max(0, expected - stats.norm.ppf(0.975) * error), abs=1e-12)
    assert high == pytest.approx(min(1, expected + stats.norm.ppf(0.975) * error), abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_metrics_equal_scikit_learn(seed, ties):
    labels, scores = make_case(seed, ties=ties)
    called = scores > 0.5
    ours = evaluate_predictions(labels, scores)
    theirs = {
        "accuracy": peer.accuracy_score(labels, called),
        "balanced_accuracy": peer.balanced_accuracy_score(labels, called),
        "sensitivity": peer.recall_score(labels, called),
        "specificity": peer.recall_score(labels, called, pos_label=0),
        "precision": peer.precision_score(labels, called),
        "f1": peer.f1_score(labels, called),
        "auc": peer.roc_auc_score(labels, scores),
        "mcc": peer.matthews_corrcoef(labels, called),
        "brier": peer.brier_score_loss(labels, scores),
    }
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_equals_scipy(level):
    for n in (1, 7, 20, 50):
        for successes in range(n + 1):
            theirs = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
            assert wilson_interval(successes, n, level) == pytest.approx(tuple(theirs), abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_t_tests_equal_scipy(seed):
    generator = np.random.default_rng(seed)
    first, second = generator.normal(0.5, 0.1, 6), generator.normal(0.6, 0.2, 6)
    ours, theirs = compare_unpaired(first, second), stats.ttest_ind(second, first)
    assert (ours.statistic, ours.df, ours.p) == pytest.approx((theirs.statistic, theirs.df, theirs.pvalue))
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval()))
    ours, theirs = compare_paired(first, second), stats.ttest_rel(second, first)
    assert (ours.statistic, ours.df, ours.p) == pytest.approx((theirs.statistic, theirs.df, theirs.pvalue))
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval()))


@pytest.mark.parametrize("n", [4, 8, 13, 30])
def test_wilcoxon_equals_scipy_exact_table(n):
    difference = np.random.default_rng(n).normal(0.2, 1, n)
    ours = compare_ranks(np.zeros(n), difference)
    theirs = stats.wilcoxon(difference, method="exact" if n <= 13 else "approx")
    assert (ours.statistic, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue))


def test_wilcoxon_with_ties_is_the_share_of_sign_patterns():
    """A second implementation: every pattern of signs, by hand."""
    difference = np.array([14.0, 14.0, 2.0, -6.0, 6.0])
    ranks = stats.rankdata(np.abs(difference))
    observed = ranks[difference > 0].sum()
    signs = (np.arange(2**5)[:, None] >> np.arange(5)) & 1
    sums = signs @ ranks
    upper = (sums >= observed).mean()
    assert compare_ranks(np.zeros(5), difference).p == pytest.approx(min(1, 2 * upper))
