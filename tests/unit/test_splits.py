"""Splits: sizes, balance of cases, and what they depend on."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genotransfer.errors import StudyError
from genotransfer.randomness import make_generator
from genotransfer.splits import SPLITS, assign_splits, take_split


@st.composite
def cohorts(draw):
    """Labels, and sizes of TD, VD and ED that fit into them."""
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=3, max_size=300)), dtype=np.int8)
    cuts = sorted(draw(st.lists(st.integers(0, len(labels)), min_size=3, max_size=3)))
    return labels, dict(zip(SPLITS, np.diff([0, *cuts]).tolist(), strict=True)), draw(st.integers(0, 2**32))


@given(cohorts())
def test_splits_are_exact_and_each_has_its_share_of_cases(cohort):
    labels, sizes, seed = cohort
    assigned = assign_splits(labels, sizes, make_generator(seed))
    share = labels.mean()
    for name, size in sizes.items():
        inside = assigned == name
        assert inside.sum() == size
        assert abs(labels[inside].sum() - share * size) < 1 + 1e-9
    assert set(assigned) <= {*SPLITS, ""}
    assert (assigned == "").sum() == len(labels) - sum(sizes.values())


@given(cohorts())
def test_the_same_generator_gives_the_same_splits(cohort):
    labels, sizes, seed = cohort
    first, second = (assign_splits(labels, sizes, make_generator(seed)) for _ in range(2))
    assert (first == second).all()


def test_another_seed_gives_other_splits():
    labels = np.arange(200, dtype=np.int8) % 2
    drawn = [
        assign_splits(labels, {"TD": 100, "VD": 40, "ED": 60}, make_generator(seed)) for seed in range(5)
    ]
    assert len({"".join(one) for one in drawn}) == 5


def test_everyone_is_as_likely_to_be_in_a_split():
    """A sample's place in the file tells nothing of its split."""
    labels = (np.arange(60) < 20).astype(np.int8)
    drawn = [assign_splits(labels, {"TD": 30, "VD": 10, "ED": 20}, make_generator(at)) for at in range(3000)]
    for name, size in (("TD", 30), ("VD", 10), ("ED", 20)):
        often = np.mean([one == name for one in drawn], axis=0)
        assert often == pytest.approx(size / 60, abs=0.045)  # five standard errors


def test_the_papers_sizes_take_everyone():
    labels = (np.random.default_rng(1).random(1000) < 0.3).astype(np.int8)
    assigned = assign_splits(labels, {"TD": 700, "VD": 100, "ED": 200}, make_generator(1))
    assert "" not in assigned
    cases = pd.Series(labels).groupby(assigned).mean()
    assert cases.to_numpy() == pytest.approx(labels.mean(), abs=0.011)


@pytest.mark.parametrize("n", [0, 1, 9])
def test_splits_larger_than_the_cohort_are_refused(n):
    with pytest.raises(StudyError, match=rf"10 samples \(TD 7 \+ VD 1 \+ ED 2\), but only {n} have"):
        assign_splits(np.zeros(n, dtype=np.int8), {"TD": 7, "VD": 1, "ED": 2}, make_generator(1))


def test_take_split_keeps_rows_together():
    dosages = np.arange(12, dtype=np.int8).reshape(6, 2) % 3
    table = pd.DataFrame({"phenotype": [1, 0, 1, 0, 1, 1], "split": ["TD", "ED", "", "TD", "VD", "TD"]})
    taken = take_split(dosages, table, "TD")
    assert taken.labels.tolist() == [1, 0, 1]
    assert (taken.dosages == dosages[[0, 3, 5]]).all()
    assert take_split(dosages, table, "FD").dosages.shape == (0, 2)
