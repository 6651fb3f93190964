"""Kinds of study: how one is told from another, and that each kind's pipeline is what it says."""

import inspect

import pytest

from genotransfer.config import Study
from genotransfer.errors import InputError, StudyError
from pipelines.cli import find_study
from pipelines.exome_cnn_commands import exome_cnn
from pipelines.kinds import KINDS, STUDIES, find_any_study, list_shipped
from pipelines.local import resume_run
from pipelines.run_folder import RunFolder


def test_a_study_that_names_no_pipeline_is_a_transfer_study():
    kind, study = find_any_study("demo", ["seed=7"])
    assert kind == "study"
    assert isinstance(study, Study)
    assert study.seed == 7


def test_an_unknown_pipeline_is_told(tmp_path):
    (tmp_path / "x.yaml").write_text("name: x\npipeline: nosuch\n")
    with pytest.raises(InputError, match=r"x.yaml: there is no pipeline 'nosuch'\. "):
        find_any_study(str(tmp_path / "x.yaml"))
    (tmp_path / "x.yaml").write_text("name: x\npipeline: [exome-cnn]\n")
    with pytest.raises(InputError, match=r"x.yaml: there is no pipeline \['exome-cnn'\]"):
        find_any_study(str(tmp_path / "x.yaml"))


def test_a_retraining_is_no_kind_of_study_file(tmp_path):
    (tmp_path / "x.yaml").write_text("name: x\npipeline: retraining\n")
    with pytest.raises(InputError, match="there is no pipeline 'retraining'"):
        find_any_study(str(tmp_path / "x.yaml"))


def test_a_file_that_is_no_yaml_is_told_with_its_row(tmp_path):
    (tmp_path / "x.yaml").write_text("name: x\n  seed: 3\n")
    with pytest.raises(InputError, match=r"x\.yaml, row 2: this is no YAML"):
        find_any_study(str(tmp_path / "x.yaml"))


@pytest.mark.parametrize("name", list_shipped())
def test_every_shipped_study_is_of_a_kind_and_names_its_own_loops(name):
    kind, study = find_any_study(name)
    module = KINDS[kind].open_module()
    given = {"study", *KINDS[kind].find_loops(study, here=True)}
    assert set(inspect.signature(getattr(module, KINDS[kind].compose)).parameters) == given
    assert KINDS[kind].open().name == module.NAME == KINDS[kind].name


def test_no_two_shipped_studies_have_one_name():
    assert len(set(list_shipped())) == len(list_shipped()) == len(list(STUDIES.rglob("*.yaml")))


def test_a_run_of_a_pipeline_that_is_not_here_is_not_resumed(tmp_path):
    (tmp_path / "study.yaml").write_text("name: x\n")
    (tmp_path / "pipeline").write_text("nosuch")
    with pytest.raises(InputError, match="a run of the pipeline 'nosuch', which this release does not have"):
        resume_run(tmp_path)
    with pytest.raises(InputError, match="this is the folder of a run of the pipeline 'nosuch'"):
        _ = RunFolder(tmp_path).study


def test_a_command_of_transfer_studies_takes_no_other():
    with pytest.raises(
        StudyError, match="exome-cnn is of the pipeline 'exome-cnn'; this command takes transfer"
    ):
        find_study("exome-cnn", [])


def test_the_command_of_exomes_takes_their_studies_only(tmp_path):
    (tmp_path / "x.yaml").write_text("pipeline: exome-cnn\nname: x\npeople: {folds: 1}\n")
    with pytest.raises(InputError, match=r"x\.yaml, row 3: people\.folds: input should be greater than"):
        exome_cnn(str(tmp_path / "x.yaml"), runs=tmp_path / "runs")
    with pytest.raises(
        StudyError, match=r"demo is no study of an exome\. Begin it with 'pipeline: exome-cnn'"
    ):
        exome_cnn("demo", runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
