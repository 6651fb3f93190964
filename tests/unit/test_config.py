"""The study file: defaults, overrides, and errors that name the file, the row and the remedy."""

from typing import get_args

import pytest

from genotransfer.candidates import ADAPTED, METHODS, SCORES_METHOD
from genotransfer.config import DEFAULT_SCORES, ScoreName, Study
from genotransfer.errors import InputError, StudyError
from genotransfer.scores.registry import SCORES
from genotransfer.study_files import load_study, parse_study
from pipelines.cli import STUDIES, find_study


@pytest.fixture
def write(tmp_path):
    def write_study(text):
        path = tmp_path / "study.yaml"
        path.write_text(text)
        return path

    return write_study


def test_the_default_study_is_the_papers(write):
    study = load_study(write("name: x\n"))
    assert study.phenotype_names == ["5_1", "5_2", "5_3", "5_4", "10_1", "10_2", "10_3", "10_4"]
    assert study.families == ["ann", "gru", "lstm", "bilstm"]
    assert (study.splits.source.total, study.splits.target.total, study.splits.final) == (1000, 100, 50)
    assert len(study.models.networks) == 9
    assert len(study.models.classical) == 5
    assert len(study.panels.target) == 13
    assert len(study.panels.source) == 10
    assert (study.models.scores, study.models.folds, study.selection.rule) == (DEFAULT_SCORES, 5, "evidence")
    assert study.transfer.methods == [method for method in METHODS if method != ADAPTED]
    # The form of clumping that learns from statistics goes by the same name in a study.
    assert set(get_args(ScoreName)) == set(SCORES) - {"clumping_summary"}


def test_the_papers_study_has_the_papers_methods_and_rule_alone():
    study = load_study(STUDIES / "paper.yaml")
    assert study.transfer.methods == [method for method in METHODS if method not in (SCORES_METHOD, ADAPTED)]
    assert study.selection.rule == "paper"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_shipped_study_is_valid_and_survives_json(path):
    study = load_study(path)
    assert study.name == path.stem
    assert parse_study(study.to_json()) == study


def test_overrides_replace_settings(write):
    path = write("name: x\ntraining:\n  epochs: 5\n")
    study = load_study(path, ["training.epochs=7", "models.networks=[ann_1]", "splits.target.TD=20"])
    assert (study.training.epochs, study.families, study.splits.target.total) == (7, ["ann"], 50)


@pytest.mark.parametrize(
    ("text", "row", "says"),
    [
        ("name: x\nsplits:\n  sorce: {TD: 1}\n", 3, "unknown key 'splits.sorce'. Did you mean 'source'"),
        ("name: x\nepochs: 5\n", 2, "unknown key 'epochs'"),
        ("name: x\ntraining:\n  epochs: many\n", 3, "training.epochs: input should be a valid integer"),
        ("name: x\ntraining:\n  epochs: 2.5\n", 3, "training.epochs: input should be a valid integer"),
        ("name: x\nquality: 5\n", 2, "quality: input should be an object"),
        ("name: x\nmodels:\n  networks: [ann_1, ann_9]\n", 3, "models.networks.1"),
        ("name: x\nmodels:\n  scores: [susie, prs]\n", 3, "models.scores.1"),
        ("name: x\nmodels:\n  folds: 1\n", 3, "models.folds: input should be greater than or equal to 2"),
        ("name: x\nselection: {rule: best}\n", 2, "selection.rule"),
        ("name: x\nphenotypes: {preset: additive, heritability: 1.5}\n", 2, "less than or equal to 1"),
        ("name: x\ngenotypes: {kind: files}\n", 2, "'genotypes.source' is missing"),
        ("name: x\n  y: 1\n", 2, "this is no YAML"),
        ("name: x\npanels: {source: []}\n", 2, "panels.source"),
    ],
)
def test_an_error_names_file_row_and_remedy(write, text, row, says):
    path = write(text)
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert caught.value.row == row
    assert str(path) in str(caught.value)
    assert says in str(caught.value)
    assert caught.value.remedy


def test_a_power_of_ten_is_a_number(write):
    assert load_study(write("name: x\nquality: {hwe_p: 1e-6}\n")).quality.hwe_p == 1e-6


def test_one_population_cannot_be_both(write):
    with pytest.raises(InputError, match="source and target are both 'CEU'"):
        load_study(write("name: x\ntarget: CEU\n"))


def test_a_ceiling_needs_cases_above_the_mean(write):
    files = "{genotypes: a, phenotypes: b}"
    column = "{name: y, column: y, threshold: binary, heritability: 0.5}"
    text = f"name: x\ngenotypes: {{kind: files, source: {files}, target: {files}}}\n"
    with pytest.raises(InputError, match="above the mean only"):
        load_study(write(text + f"phenotypes: {{kind: files, columns: [{column}]}}\n"))


def test_an_override_that_is_wrong_is_said_to_be_the_override(write):
    path = write("name: x\n")
    with pytest.raises(InputError, match="with --set: training"):
        load_study(path, ["training.epochs=x"])
    with pytest.raises(StudyError, match="has no '='"):
        load_study(path, ["training.epochs"])


def test_an_unknown_study_lists_the_known_ones():
    with pytest.raises(InputError, match="additive, demo, null, paper, real"):
        find_study("nosuch", None)


def test_every_setting_is_written_out():
    assert '"epochs":50' in Study(name="x").to_json()
