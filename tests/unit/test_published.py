"""The two transcriptions of the paper's tables agree, and its arithmetic is checked."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from genotransfer.intervals import compare_paired, compare_unpaired
from genotransfer.report import published

DATA = Path(__file__).parents[1] / "data" / "published"


def read_rows(number):
    with (DATA / f"table_{number}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(("number", "population"), [(1, "YRI"), (2, "CEU")])
def test_panels(number, population):
    second = {row[0]: tuple(int(n) for n in row[1:]) for row in read_rows(number)}
    first = {1: published.TABLE_1, 2: published.TABLE_2}[number]
    assert {f"{population}_{name}": sizes for name, sizes in first.items()} == second


@pytest.mark.parametrize("number", [3, 6])
def test_choices(number):
    second = {row[0]: (int(row[1]), row[2], int(row[3]), int(row[4])) for row in read_rows(number)[1:]}
    first = {3: published.TABLE_3, 6: published.TABLE_6}[number]
    assert {
        f"YRI_{name}": (one.n_snps, one.model, one.ed_accuracy, one.fd_accuracy)
        for name, one in first.items()
    } == second


def test_ties():
    second = {
        row[0]: (tuple(map(int, row[1].split())), tuple(map(int, row[2].split())), int(row[3]))
        for row in read_rows(7)[1:]
    }
    assert {
        f"CEU_{name}": (one.n_snps, one.models, one.ed_accuracy) for name, one in published.TABLE_7.items()
    } == second


@pytest.mark.parametrize("table", [published.TABLE_8, published.TABLE_9])
def test_gains(table):
    header, *rows = read_rows(table.number)
    assert tuple(header[1:]) == table.phenotypes
    assert {row[0]: tuple(map(int, row[1:])) for row in rows} == table.rows
    assert tuple(table.rows) == published.GAIN_ROWS


@pytest.mark.parametrize("table", [published.TABLE_8, published.TABLE_9])
def test_printed_arithmetic_reproduces(table):
    rows = {name: np.array(values, dtype=np.float64) for name, values in table.rows.items()}
    np.testing.assert_array_equal(
        rows["With snps transfer learning"] - rows[published.WITHOUT], rows[published.SNPS_GAIN]
    )
    np.testing.assert_array_equal(
        rows[published.WITH_DEEP] - rows[published.WITHOUT], rows[published.DEEP_GAIN]
    )
    largest = np.maximum(
        np.maximum(rows[published.WITHOUT], rows[published.WITH_SNPS]), rows[published.WITH_DEEP]
    )
    np.testing.assert_array_equal(largest, rows[published.MAXIMUM])
    np.testing.assert_array_equal(largest - rows[published.WITHOUT], rows[published.FINAL_GAIN])


@pytest.mark.parametrize("table", [published.TABLE_8, published.TABLE_9])
def test_printed_t_test_reproduces_as_unpaired(table):
    without, deep = (
        np.array(table.rows[name], dtype=np.float64) for name in (published.WITHOUT, published.WITH_DEEP)
    )
    ours = compare_unpaired(without, deep)
    assert round(ours.statistic, 4) == table.t
    assert ours.df == table.df
    assert round(ours.p, 4) == table.p
    assert math.isclose(ours.standard_error, table.standard_error, abs_tol=6e-4)
    assert stats.ttest_ind(deep, without).statistic == pytest.approx(ours.statistic)
    # Paired by phenotype, as the design asks, neither is below .05.
    assert compare_paired(without, deep).p > 0.05


def test_tables_agree_with_one_another():
    for table in (published.TABLE_8, published.TABLE_9):
        for at, phenotype in enumerate(table.phenotypes):
            assert table.rows[published.WITHOUT][at] == published.TABLE_3[phenotype].fd_accuracy
            assert table.rows[published.WITH_SNPS][at] == published.TABLE_6[phenotype].fd_accuracy
    for phenotype, one in published.TABLE_3.items():
        assert one.n_snps in published.TABLE_1[phenotype]
    for phenotype, ties in published.TABLE_7.items():
        assert set(ties.n_snps) <= set(published.TABLE_2[phenotype])
        assert len(ties.n_snps) == len(ties.models)


def test_the_discrepancies_are_there():
    gains = published.TABLE_8.rows[published.DEEP_GAIN] + published.TABLE_9.rows[published.DEEP_GAIN]
    assert (min(gains), max(gains)) == (2, 20)
    printed = {name: (one.n_snps, one.ed_accuracy) for name, one in published.TABLE_3.items()}
    assert {name: (one.n_snps, one.ed_accuracy) for name, one in published.TABLE_6.items()} == printed
    held = [name for name, one in published.TABLE_6.items() if one.n_snps in published.TABLE_2[name]]
    assert held == ["5_3"]
    accuracies = {
        one.ed_accuracy
        for table in (published.TABLE_3, published.TABLE_6, published.TABLE_7)
        for one in table.values()
    }
    assert accuracies - {100 * right // 21 for right in range(22)} == {75}
    assert {accuracy for accuracy in accuracies if accuracy % 5} == {61, 66, 71, 76}
    assert [name for name, sizes in published.TABLE_1.items() if len(sizes) != 13] == ["10_1"]
    assert [name for name, sizes in published.TABLE_2.items() if len(sizes) != 10] == ["10_1"]
