"""What of this machine containers get: which files, and which of the surroundings."""

import pytest

from genotransfer.study_files import load_study, parse_study
from pipelines.cli import STUDIES
from pipelines.containers import PASSED, _drop_within, _follow_links, list_local_files
from tests.exome_cnn_support import make_study
from tests.integration.support import COHORTS, make_cohorts


def test_a_study_of_cohorts_names_its_folder_or_its_files(tmp_path, monkeypatch):
    make_cohorts(tmp_path)
    study = load_study(tmp_path / "study.yaml", [f"genotypes.folder={tmp_path}"])
    assert _drop_within(list_local_files(study), []) == [tmp_path]
    # Without the folder, the files themselves: a set of three, and nothing else that lies beside them.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "src").mkdir()
    due = {tmp_path / f"{name}.{end}" for name in ("src", "tgt") for end in ("bed", "bim", "fam", "tsv")}
    assert set(list_local_files(parse_study(COHORTS))) == due | {tmp_path / "src"}


def test_a_file_comes_with_its_companions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.gen", "a.sample", "src.tsv", "ab.gen"):
        (tmp_path / name).write_text("x")
    study = parse_study(COHORTS.replace("genotypes: src,", "genotypes: a.gen,"))
    assert list_local_files(study) == [tmp_path / "a.gen", tmp_path / "a.sample", tmp_path / "src.tsv"]


def test_a_link_brings_what_it_leads_to(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "far.bed").write_text("x")
    (tmp_path / "data/near.bed").symlink_to(tmp_path / "far.bed")
    (tmp_path / "data/broken.bed").symlink_to(tmp_path / "none")
    assert _follow_links([tmp_path / "data"]) == [tmp_path / "data", tmp_path / "far.bed"]


def test_a_study_of_an_exome_names_its_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.vcf", "a.tsv", "b.tsv", "secret.txt"):
        (tmp_path / name).write_text("x")
    files = {"kind": "files", "genotypes": "a.vcf", "phenotypes": "b.tsv", "column": "scz"}
    study = make_study(exome=files)
    assert list_local_files(study) == [tmp_path / name for name in ("a.tsv", "a.vcf", "b.tsv")]
    assert list_local_files(make_study()) == []


def test_files_in_a_bucket_and_words_are_none_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (
        list_local_files(parse_study(COHORTS.replace("genotypes:", "genotypes:\n  folder: gs://b/c", 1)))
        == []
    )
    assert list_local_files(load_study(STUDIES / "demo.yaml")) == []


@pytest.mark.parametrize(
    ("paths", "others", "kept"),
    [
        (["/a/b", "/a", "/c"], [], ["/a", "/c"]),
        (["/a/b", "/ab"], ["/a"], ["/ab"]),
        (["/a"], ["/a"], []),
        (["/a"], ["/a/runs"], ["/a"]),
    ],
)
def test_nested_folders_are_given_once(paths, others, kept):
    from pathlib import Path

    assert [str(one) for one in _drop_within([*map(Path, paths)], [*map(Path, others)])] == kept


@pytest.mark.parametrize(
    ("name", "passed"),
    [
        ("MLFLOW_TRACKING_PASSWORD", True),
        ("GENOTRANSFER_CACHE_GIB", True),
        ("STORAGE_EMULATOR_HOST", True),
        ("https_proxy", True),
        ("NO_PROXY", True),
        ("AWS_SECRET_ACCESS_KEY", False),
        ("HOME", False),
        ("PATH", False),
        ("KFP_TOKEN", False),
        ("MY_MLFLOW_X", False),
    ],
)
def test_of_the_surroundings_only_what_is_meant_is_passed_on(name, passed):
    assert bool(PASSED.fullmatch(name)) is passed
