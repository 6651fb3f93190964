import functools
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genotransfer.candidates import DEEP_METHODS, METHODS, Candidate, tabulate
from genotransfer.errors import StudyError
from genotransfer.selection import (
    is_better,
    list_tied,
    rank_candidates,
    select_among,
    select_best,
    split_digits,
)


def make(key="a", **changes):
    values = {
        "phenotype": "5_1",
        "method": "none",
        "fit_on": "target",
        "panel": "target_1",
        "n_snps": 10,
        "model": "svm",
        "trainable_layers": 0,
        "td_accuracy": 1.0,
        "vd_accuracy": 0.5,
        "ed_accuracy": 0.7,
        "source_ed_accuracy": 0.6,
    }
    return Candidate(key=key, **(values | changes))


@st.composite
def leaderboards(draw):
    """Few distinct values, so that every tie-break is reached."""
    accuracies = st.sampled_from([0.0, 0.3, 0.1 + 0.2, 0.5, 0.7, float("nan")])
    n = draw(st.integers(1, 25))
    return [
        make(
            key=f"k{at}",
            phenotype=draw(st.sampled_from(["10_1", "5_1", "5_2"])),
            method=draw(st.sampled_from(METHODS)),
            n_snps=draw(st.integers(1, 3)),
            trainable_layers=draw(st.integers(0, 2)),
            vd_accuracy=draw(accuracies),
            ed_accuracy=draw(accuracies),
            source_ed_accuracy=draw(accuracies),
        )
        for at in range(n)
    ]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"ed_accuracy": 0.75, "vd_accuracy": 0.0}, {"ed_accuracy": 0.7, "vd_accuracy": 1.0}),
        ({"vd_accuracy": 0.6, "source_ed_accuracy": 0.0}, {"source_ed_accuracy": 1.0}),
        ({"source_ed_accuracy": 0.61, "n_snps": 99}, {"n_snps": 1}),
        ({"source_ed_accuracy": 0.0}, {"source_ed_accuracy": float("nan")}),
        ({"n_snps": 9, "trainable_layers": 5}, {"trainable_layers": 0}),
        ({"trainable_layers": 1}, {"trainable_layers": 2}),
        ({"ed_accuracy": 0.1}, {"ed_accuracy": float("nan")}),
    ],
)
def test_each_step_of_the_rule(better, worse):
    first, second = make("z", **better), make("a", **worse)
    assert is_better(first, second)
    assert not is_better(second, first)
    assert list(rank_candidates(tabulate([second, first]))["key"]) == ["z", "a"]


def test_the_last_step_is_the_key():
    assert is_better(make("a"), make("b"))


def test_accuracies_that_differ_by_rounding_are_equal():
    """0.1 + 0.2 is not 0.3 in floating point, but both are 6 of 20 people."""
    first, second = (
        make("a", ed_accuracy=0.3, vd_accuracy=0.1),
        make("b", ed_accuracy=0.1 + 0.2, vd_accuracy=0.2),
    )
    assert is_better(second, first)
    assert list(select_best(tabulate([first, second]))["n_tied"]) == [2]


@settings(deadline=None, max_examples=40)
@given(leaderboards(), st.randoms())
def test_ranking_is_total_and_does_not_depend_on_row_order(candidates, random):
    ranked = list(rank_candidates(tabulate(candidates))["key"])
    shuffled = candidates.copy()
    random.shuffle(shuffled)
    assert list(rank_candidates(tabulate(shuffled))["key"]) == ranked
    pd.testing.assert_frame_equal(select_best(tabulate(shuffled)), select_best(tabulate(candidates)))


@settings(deadline=None, max_examples=40)
@given(leaderboards())
def test_keeping_the_better_one_finds_the_first_in_rank(candidates):
    kept = functools.reduce(lambda best, one: one if is_better(one, best) else best, candidates)
    ranked = rank_candidates(tabulate(candidates))
    assert kept.key == ranked["key"].iloc[0]
    by_key = {one.key: one for one in candidates}
    ordered = [by_key[key] for key in ranked["key"]]
    assert all(is_better(a, b) and not is_better(b, a) for a, b in itertools.pairwise(ordered))


@settings(deadline=None, max_examples=40)
@given(leaderboards())
def test_selection_agrees_with_a_plain_search(candidates):
    best = select_best(tabulate(candidates))
    found = {(row["phenotype"], row["method"]): row for row in best.to_dict("records")}
    assert set(found) == {(one.phenotype, one.method) for one in candidates}
    for (phenotype, method), row in found.items():
        rivals = [one for one in candidates if (one.phenotype, one.method) == (phenotype, method)]
        top = max(
            (round(one.ed_accuracy, 9) for one in rivals if one.ed_accuracy == one.ed_accuracy), default=None
        )
        same = [one for one in rivals if top is None or round(one.ed_accuracy, 9) == top]
        assert row["n_tied"] == len(same)
        assert row["key"] in {one.key for one in same}
    assert len(list_tied(tabulate(candidates), METHODS)) >= best["phenotype"].nunique()


def test_order_and_absent_methods():
    candidates = [
        make("a", phenotype="10_1", method="snp_transfer"),
        make("b", phenotype="5_2"),
        make("c", phenotype="10_1"),
    ]
    best = select_best(tabulate(candidates))
    assert list(zip(best["phenotype"], best["method"], strict=True)) == [
        ("5_2", "none"),
        ("10_1", "none"),
        ("10_1", "snp_transfer"),
    ]
    assert select_among(tabulate(candidates), DEEP_METHODS).empty
    assert select_best(tabulate([])).empty


def test_deep_methods_compete_as_one():
    candidates = [
        make("a", method="deep_simple", ed_accuracy=0.8),
        make("b", method="deep_finetuned", ed_accuracy=0.8, vd_accuracy=0.9),
        make("c", method="none", ed_accuracy=1.0),
    ]
    assert list(select_among(tabulate(candidates), DEEP_METHODS)["key"]) == ["b"]
    assert list(list_tied(tabulate(candidates), DEEP_METHODS)["key"]) == ["b", "a"]


def test_natural_order():
    names = ["10_1", "5_2", "5_10", "T2D", "5_1", "panel_9", "panel_10"]
    assert sorted(names, key=split_digits) == ["5_1", "5_2", "5_10", "10_1", "T2D", "panel_9", "panel_10"]


def test_a_wrong_leaderboard_is_named():
    good = tabulate([make("a"), make("b")])
    with pytest.raises(StudyError, match="lacks the column vd_accuracy"):
        select_best(good.drop(columns="vd_accuracy"))
    with pytest.raises(StudyError, match="have the key a"):
        select_best(good.assign(key="a"))
    with pytest.raises(StudyError, match="method magic is unknown"):
        rank_candidates(good.assign(method="magic"))


def test_fd_plays_no_part():
    """A column of FD accuracies in the leaderboard changes nothing."""
    board = tabulate([make(f"k{at}", n_snps=at + 1) for at in range(5)])
    first = select_best(board.assign(fd_accuracy=np.linspace(0, 1, 5)))
    second = select_best(board.assign(fd_accuracy=np.linspace(1, 0, 5)))
    assert list(first["key"]) == list(second["key"]) == ["k0"]
