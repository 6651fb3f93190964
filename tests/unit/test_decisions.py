"""The rule of promotion at its edges, and the identity of final data."""

import hashlib
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from genotransfer.final_data import hash_final
from genotransfer.paired import PairedComparison, compare_models
from genotransfer.registry_settings import Registry
from genotransfer.tracking.decisions import Decision, judge, refuse_reused


def make_comparison(gain=0.1, p=0.01, *, accuracy_gain=0.0, mcnemar_p=1.0):
    return PairedComparison(
        n=1234,
        only_first=0,
        only_second=0,
        accuracy_difference=accuracy_gain,
        mcnemar_p=mcnemar_p,
        auc_difference=gain,
        auc_low=gain - 0.02,
        auc_high=gain + 0.02,
        auc_p=p,
    )


@pytest.mark.parametrize(
    ("gain", "p", "least", "outcome", "says"),
    [
        (0.1, 0.01, 0.0, "promoted", r"^Better: AUC \+0\.100 against version 7 on 1,234 people"),
        (0.1, math.nextafter(0.05, 0), 0.0, "promoted", "^Better"),
        (0.1, 0.05, 0.0, "kept", "the challenger is not better"),  # below the level, not at it
        (0.1, 0.5, 0.0, "kept", "the challenger is not better"),
        (0.0, 0.01, 0.0, "kept", "the challenger is not better"),  # no gain is no gain
        (-0.1, 0.01, 0.0, "kept", r"not better: AUC -0\.100"),
        (0.02, 0.01, 0.02, "promoted", "^Better"),  # the least gain is enough
        (math.nextafter(0.02, 0), 0.01, 0.02, "kept", r"below the least gain of 0\.02"),
        (-0.1, 0.01, 0.02, "kept", "the challenger is not better"),
        (0.01, 0.2, 0.02, "kept", "the challenger is not better"),
        (math.nan, math.nan, 0.0, "refused", "one class only"),
    ],
)
def test_the_rule_by_auc(gain, p, least, outcome, says):
    rule = Registry(least_gain=least)
    found, reason = judge(rule, make_comparison(gain, p), "7")
    assert found == outcome
    assert re.search(says, reason), reason


def test_the_rule_by_accuracy_does_not_look_at_the_auc():
    rule = Registry(measure="accuracy")
    better = make_comparison(-0.2, 0.001, accuracy_gain=0.05, mcnemar_p=0.01)
    assert judge(rule, better, "1") == (
        "promoted",
        "Better: accuracy +0.050 against version 1 on 1,234 people (McNemar P 0.01).",
    )
    assert judge(rule, make_comparison(0.2, 0.001, accuracy_gain=0.0, mcnemar_p=1.0), "1")[0] == "kept"


def test_the_level_is_the_studys():
    assert judge(Registry(level=0.005), make_comparison(0.1, 0.01), "1")[0] == "kept"
    assert judge(Registry(level=0.2), make_comparison(0.1, 0.1), "1")[0] == "promoted"
    with pytest.raises(ValidationError):
        Registry(least_gain=-0.1)


def test_a_decision_as_tags_holds_no_number_that_is_undefined():
    labels = np.ones(6, np.int8)
    comparison = compare_models(
        labels, np.linspace(0, 1, 6), np.linspace(1, 0, 6), np.random.default_rng(0), 9
    )
    outcome, reason = judge(Registry(), comparison, "3")
    tags = Decision("5_1", "m", "4", outcome, reason, "3", "f" * 64, comparison).to_tags()
    assert tags["decision"] == "refused"
    assert tags["decided_against"] == "3"
    assert tags["decided_on_final"] == "f" * 64
    assert tags["compared_mcnemar_p"] == "1"
    assert not [name for name in tags if "auc" in name]
    first = Decision("5_1", "m", "1", "promoted", "first", "", "f" * 64).to_tags()
    assert first["decided_against"] == "none"
    assert not [name for name in first if name.startswith("compared_")]


def test_the_way_out_a_refusal_names_is_one_the_settings_take():
    final = hash_final(["a", "b"], np.array([0, 1]))
    reason = refuse_reused("m", final, "2")
    [named] = reason.partition("reuse_final: [")[2].partition("]")[:1]
    assert Registry(reuse_final=[named]).reuse_final == [final[:12]]
    assert final.startswith(named)
    assert "decided version 2 of m" in reason


PEOPLE = st.lists(
    st.tuples(st.text("abc019_", min_size=1, max_size=4), st.integers(0, 1)),
    min_size=1,
    max_size=12,
    unique_by=lambda one: one[0],
)


@given(PEOPLE, st.randoms(use_true_random=False))
def test_final_data_are_their_people_and_labels_in_any_order(people, random):
    shuffled = random.sample(people, len(people))
    hashes = {
        hash_final([iid for iid, _ in some], np.array([label for _, label in some], dtype=dtype))
        for some in (people, shuffled)
        for dtype in (np.int8, np.int64)
    }
    due = hashlib.sha256("".join(sorted(f"{iid}\t{label}\n" for iid, label in people)).encode()).hexdigest()
    assert hashes == {due}


@given(PEOPLE, st.data())
def test_another_label_or_person_makes_other_final_data(people, data):
    iids, labels = [iid for iid, _ in people], np.array([label for _, label in people])
    before = hash_final(iids, labels)
    at = data.draw(st.integers(0, len(people) - 1))
    other = labels.copy()
    other[at] = 1 - other[at]
    assert hash_final(iids, other) != before
    assert hash_final([*iids[:at], "another", *iids[at + 1 :]], labels) != before
    assert hash_final(iids[:at] + iids[at + 1 :], np.delete(labels, at)) != before
    assert hash_final([*iids, "another"], np.append(labels, 0)) != before


def test_swapping_two_peoples_labels_makes_other_final_data():
    assert hash_final(["a", "b"], np.array([0, 1])) != hash_final(["a", "b"], np.array([1, 0]))
