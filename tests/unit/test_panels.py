"""Panels: nested, named from the strictest, in the genotypes' coding."""

import numpy as np
import pandas as pd
import pytest

from genotransfer.errors import AlignmentError, InputError, StudyError
from genotransfer.panels import (
    PANEL_COLUMNS,
    SOURCE_DIFFERENCES,
    SOURCE_THRESHOLDS,
    TARGET_DIFFERENCES,
    TARGET_THRESHOLDS,
    panel_sizes,
    read_panels,
    select_panels,
    write_panels,
)


@pytest.fixture
def association():
    return pd.DataFrame(
        {
            "SNP": ["a", "b", "c", "d", "e"],
            "A1": ["A", "C", "G", "T", "A"],
            "A2": ["G", "T", "A", "C", "C"],
            "P": [0.04, 0.001, np.nan, 0.3, 0.04],
            "DIFF": [-0.4, 0.1, np.nan, 0.2, 0.6],
        }
    )


@pytest.fixture
def variants():
    # Another order than the association's, b's alleles the other way round, and d absent.
    return pd.DataFrame(
        {"id": ["e", "c", "b", "a"], "counted": ["A", "G", "T", "A"], "other": ["C", "A", "C", "G"]}
    )


def test_panels_are_nested_and_follow_the_variants_order_and_coding(association, variants):
    panels = select_panels(association, "p", [0.5, 0.01, 0.05, 1e-6], "source", variants)
    assert list(panels) == PANEL_COLUMNS
    assert panels.groupby("panel")["id"].agg(list).to_dict() == {
        "source_02": ["b"],
        "source_03": ["e", "b", "a"],
    }
    b = panels[panels["id"] == "b"].iloc[0]
    assert (b["counted"], b["other"], b["population"]) == ("T", "C", "source")


def test_sizes_tell_of_the_panels_left_out(association, variants):
    sizes = panel_sizes(association, "p", [0.5, 0.01, 0.05, 1e-6], "target", variants)
    assert sizes["panel"].tolist() == ["target_01", "target_02", "target_03", "target_04"]
    assert sizes["threshold"].tolist() == [1e-6, 0.01, 0.05, 0.5]
    assert sizes["n_snps"].tolist() == [0, 1, 3, 3]
    assert sizes["note"].tolist() == ["empty", "", "", "same as target_03"]


def test_difference_goes_by_its_size_from_the_largest(association, variants):
    panels = select_panels(association, "difference", [0.3, 0.5], "target", variants)
    assert panels.groupby("panel")["id"].agg(list).to_dict() == {
        "target_01": ["e"],
        "target_02": ["e", "a"],
    }


def test_all_empty_says_the_best_value_there_was(association, variants):
    with pytest.raises(StudyError, match=r"smallest p of 3 variants is 0\.001, the loosest threshold 1e-05"):
        select_panels(association, "p", [1e-6, 1e-5], "source", variants)
    with pytest.raises(
        StudyError, match=r"largest difference of 3 variants is 0\.6, the loosest threshold 0\.9"
    ):
        select_panels(association, "difference", [0.9], "source", variants)
    with pytest.raises(StudyError, match="none of its 4 variants has a value"):
        select_panels(association.assign(P=np.nan), "p", [0.5], "source", variants)


def test_alleles_that_do_not_agree_are_refused(association, variants):
    variants.loc[2, "other"] = "G"
    with pytest.raises(AlignmentError, match=r"1 variants have other alleles.*first: b, C/T against G/T"):
        select_panels(association, "p", [0.5], "source", variants)


@pytest.mark.parametrize("thresholds", [[], [0.0, 0.1], [0.1, 0.1], [float("nan")]])
def test_thresholds_that_make_no_sense_are_refused(association, variants, thresholds):
    with pytest.raises(StudyError, match="panel thresholds"):
        panel_sizes(association, "p", thresholds, "source", variants)


def test_statistics_and_populations_that_are_not_are_refused(association, variants):
    with pytest.raises(StudyError, match="cannot be selected by 'chisq'"):
        panel_sizes(association, "chisq", [0.5], "source", variants)
    with pytest.raises(StudyError, match="no column DIFF"):
        panel_sizes(association.drop(columns="DIFF"), "difference", [0.5], "source", variants)
    with pytest.raises(StudyError, match="no population 'CEU'"):
        panel_sizes(association, "p", [0.5], "CEU", variants)


def test_panels_are_read_as_they_were_written(association, variants, tmp_path):
    panels = select_panels(association, "p", [0.01, 0.05], "source", variants)
    write_panels(tmp_path / "panels.parquet", panels)
    pd.testing.assert_frame_equal(read_panels(tmp_path / "panels.parquet"), panels)
    (tmp_path / "text.parquet").write_text("panel")
    with pytest.raises(InputError, match=r"text\.parquet: this is no table of panels"):
        read_panels(tmp_path / "text.parquet")
    association.to_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match=r"other\.parquet"):
        read_panels(tmp_path / "other.parquet")


def test_default_thresholds_are_the_papers_ten_and_thirteen():
    assert (len(SOURCE_THRESHOLDS), len(TARGET_THRESHOLDS)) == (10, 13)
    assert (len(SOURCE_DIFFERENCES), len(TARGET_DIFFERENCES)) == (10, 13)
    for p_values in (SOURCE_THRESHOLDS, TARGET_THRESHOLDS):
        assert list(p_values) == sorted(p_values)
    for differences in (SOURCE_DIFFERENCES, TARGET_DIFFERENCES):
        assert list(differences) == sorted(differences, reverse=True)
