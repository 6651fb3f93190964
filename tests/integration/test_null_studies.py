"""Where no SNP has an effect the study calls nothing significant too often, and a leak is caught."""

import pandas as pd
import pytest

from genotransfer.replication.null_studies import NullDesign, run_null_studies
from genotransfer.replication.rejections import tabulate_rejections

DESIGN = NullDesign(
    n_variants=500,
    source=(80, 10, 10),
    n_final=200,
    thresholds=(0.01, 0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4),
    classifiers=("svm", "cart"),
)
N_REPLICATES = 60


@pytest.fixture(scope="module")
def counts():
    return pd.concat(run_null_studies(DESIGN, N_REPLICATES, seed=7), ignore_index=True)


def test_honest_studies_reject_as_often_as_they_must_and_a_leak_does_not_pass(counts):
    rates = tabulate_rejections(counts).set_index(["chosen_on", "test", "method"])
    assert (rates["n_replicates"] == N_REPLICATES).all()
    assert rates["calibrated"].loc["ED"].all(), rates
    assert not rates["calibrated"].loc["FD"].any(), rates
    assert (rates["rate"].loc["FD"] > rates["high"].loc["FD"]).all()  # too many, not too few


def test_the_choice_on_fd_is_the_best_there(counts):
    """The leak is what it is said to be: never worse on FD than the honest choice of the same study."""
    accuracy = counts[counts["test"] == "accuracy"]
    right = accuracy.pivot_table(index=["replicate", "method"], columns="chosen_on", values="successes")
    assert (right["FD"] >= right["ED"]).all()
    assert (right["FD"] > right["ED"]).mean() > 0.5
    assert (accuracy["n"] == DESIGN.n_final).all()


def test_the_same_seed_gives_the_same_counts(counts):
    [first] = run_null_studies(DESIGN, 1, seed=7)
    pd.testing.assert_frame_equal(first, counts[counts["replicate"] == 0])
