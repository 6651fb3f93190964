"""What holds for the association of any genotypes and labels."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from genotransfer.association import TESTS, associate
from genotransfer.exact import fisher_exact, hardy_weinberg_exact
from tests.unit.test_association import make_genotypes

STATISTICS = ("CHISQ", "P", "DF", "SE")
SHAPES = st.tuples(st.integers(6, 25), st.integers(1, 6))


@st.composite
def studies(draw):
    shape = draw(SHAPES)
    dosages = draw(arrays(np.int8, shape, elements=st.integers(-1, 2)))
    labels = np.array(
        draw(
            st.permutations(
                [1, 0, *draw(st.lists(st.integers(0, 1), min_size=shape[0] - 2, max_size=shape[0] - 2))]
            )
        ),
        dtype=np.int8,
    )
    return dosages, labels


def run(dosages, labels, test, **options):
    with tempfile.TemporaryDirectory() as folder:
        return associate(make_genotypes(Path(folder), dosages), labels, test, minimum_cell=1, **options)


@pytest.mark.parametrize("test", TESTS)
@settings(max_examples=25, deadline=None)
@given(study=studies())
def test_relabelling_cases_and_controls_turns_the_effect_only(study, test):
    dosages, labels = study
    one, other = run(dosages, labels, test), run(dosages, 1 - labels, test)
    for column in set(STATISTICS) & set(one):
        np.testing.assert_allclose(one[column], other[column], rtol=1e-6, atol=1e-9)
    for column in set(one) & {"DIFF", "BETA", "STAT"}:
        np.testing.assert_allclose(one[column], -other[column], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("test", TESTS)
@settings(max_examples=25, deadline=None)
@given(study=studies(), data=st.data())
def test_order_of_samples_variants_and_blocks_is_nothing(study, test, data):
    dosages, labels = study
    rows = np.array(data.draw(st.permutations(range(dosages.shape[0]))))
    columns = np.array(data.draw(st.permutations(range(dosages.shape[1]))))
    one = run(dosages, labels, test).iloc[columns]
    other = run(dosages[rows][:, columns], labels[rows], test, block=2)
    for column in set(one) - {"SNP", "BP"}:
        if one[column].dtype == float:
            np.testing.assert_allclose(one[column], other[column], rtol=1e-6, atol=1e-9)
        else:
            assert one[column].tolist() == other[column].tolist()


@pytest.mark.parametrize("test", TESTS)
@settings(max_examples=25, deadline=None)
@given(study=studies())
def test_counting_the_other_allele_changes_nothing_but_ties(study, test):
    dosages, labels = study
    one = run(dosages, labels, test)
    other = run(np.where(dosages >= 0, 2 - dosages, -1), labels, test)
    for column in set(STATISTICS) & set(one):
        np.testing.assert_allclose(one[column], other[column], rtol=1e-6, atol=1e-9)
    called = np.where(dosages >= 0, dosages - 1, 0).sum(axis=0)
    untied = called != 0
    # The files say A and G for counted and other, so the minor allele has changed its letter.
    assert (one["A1"].to_numpy()[untied] != other["A1"].to_numpy()[untied]).all()
    if "DIFF" in one:
        np.testing.assert_allclose(one["DIFF"][untied], other["DIFF"][untied], atol=1e-12)


@settings(max_examples=200, deadline=None)
@given(table=arrays(np.int64, (2, 2), elements=st.integers(0, 60)))
def test_fisher_equals_scipy(table):
    assert fisher_exact(table[None])[0] == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-9)


@settings(max_examples=200, deadline=None)
@given(counts=arrays(np.int64, 3, elements=st.integers(0, 40)))
def test_hardy_weinberg_equals_a_sum_of_exact_fractions(counts):
    from fractions import Fraction
    from math import factorial

    n, copies = int(counts.sum()), int(counts[1] + 2 * counts[2])

    def weigh(hets):
        rare, common = (copies - hets) // 2, (2 * n - copies - hets) // 2
        return Fraction(2**hets, factorial(hets) * factorial(rare) * factorial(common))

    weights = {hets: weigh(hets) for hets in range(copies % 2, min(copies, 2 * n - copies) + 1, 2)}
    tail = sum(weight for weight in weights.values() if weight <= weights[int(counts[1])])
    expected = float(tail / sum(weights.values()))
    assert hardy_weinberg_exact(counts[None])[0] == pytest.approx(expected, rel=1e-9)
