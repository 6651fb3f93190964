"""The compiled pipeline of an exome: its form, and that only the evaluation reads the test people's labels.

Renew the snapshot with `make snapshot`, and read the difference before committing it.
"""

import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from pipelines.compilation import compile_pipeline, write_manifests
from pipelines.kinds import find_any_study
from tests.pipelines.test_compiled import find_consumers, normalise

SNAPSHOT = Path(__file__).parent / "exome_cnn.yaml"


def compile_exome(folder):
    path = Path(folder) / "compiled.yaml"
    kind, study = find_any_study("exome-cnn")
    compile_pipeline(study, path, kind)
    return path


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return compile_exome(tmp_path_factory.mktemp("exome"))


def test_the_compiled_form_is_the_one_held(compiled):
    assert normalise(compiled.read_text()) == yaml.safe_load(SNAPSHOT.read_text())


def test_only_the_evaluation_reads_the_labels_of_the_test_people(compiled):
    pipeline, *_ = yaml.safe_load_all(compiled.read_text())
    assert find_consumers(pipeline, {("comp-split-exome", "tests")}) == {("comp-evaluate-exome", "tests")}
    # Who is a case goes to the task that parts the people, and after all is done to MLflow, by its hash and count.
    assert find_consumers(pipeline, {("comp-prepare-exome", "phenotypes")}) == {
        ("comp-split-exome", "phenotypes"),
        ("comp-track-exome", "phenotypes"),
        ("comp-register-exome", "phenotypes"),
    }


def test_nothing_that_chooses_reads_scores_of_the_test_people(compiled):
    pipeline, *_ = yaml.safe_load_all(compiled.read_text())
    seeds = {("comp-train-exome-networks", "scores")}
    assert find_consumers(pipeline, seeds) == {("comp-evaluate-exome", "scores")}
    assert find_consumers(pipeline, {("comp-evaluate-exome", "results")}) == {
        ("comp-write-exome-report", "results"),
        ("comp-track-exome", "results"),
        ("comp-register-exome", "results"),
    }


def test_manifests_are_named_by_the_pipeline(tmp_path):
    kind, study = find_any_study("exome-cnn")
    written = write_manifests(study, tmp_path, kind)
    assert written == tmp_path / "exome_cnn.yaml"
    kinds = [one["kind"] for one in yaml.safe_load_all(written.read_text())]
    assert kinds == ["Pipeline", "PipelineVersion"]


if __name__ == "__main__" and sys.argv[1:] == ["--renew"]:
    with tempfile.TemporaryDirectory() as folder:
        SNAPSHOT.write_text(yaml.safe_dump(normalise(compile_exome(folder).read_text()), sort_keys=True))
