"""Bad input through the command line: one clear message, status 2, and nothing half-written."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from genotransfer.errors import InputError
from genotransfer.formats.convert import convert
from genotransfer.stages.genotypes import prepare_genotypes
from genotransfer.study_files import load_study
from tests.integration.support import COHORTS, make_cohorts, run_cli, share, tell_where


@pytest.fixture(scope="session")
def sound(tmp_path_factory) -> Path:
    """A folder with a sound study of two cohorts, in PLINK's and in Oxford's format."""

    def make(folder):
        make_cohorts(folder)
        convert(folder / "src", folder / "oxford.gen")
        shutil.copy(folder / "src.tsv", folder / "oxford.tsv")
        (folder / "oxford.yaml").write_text(COHORTS.replace("genotypes: src,", "genotypes: oxford.gen,"))

    return share(tmp_path_factory, "sound", make)


def edit_row(path: str, row: int, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    """Return what changes the fields of one row, counted from 1, of a file of the study."""

    def edit(folder: Path) -> None:
        lines = (folder / path).read_text().splitlines()
        separator = "\t" if "\t" in lines[row - 1] else " "
        lines[row - 1] = separator.join(change(lines[row - 1].split(separator)))
        (folder / path).write_text("\n".join(lines) + "\n")

    return edit


def edit_text(path: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / path).read_text()
        assert old in text
        (folder / path).write_text(text.replace(old, new))

    return edit


def edit_table(
    path: str, change: Callable[[pd.DataFrame], pd.DataFrame], header: int | None = None
) -> Callable:
    def edit(folder: Path) -> None:
        table = pd.read_csv(folder / path, sep="\t", header=header, dtype=str)
        change(table).to_csv(folder / path, sep="\t", header=header is not None, index=False)

    return edit


def cut_bed(folder: Path) -> None:
    (folder / "tgt.bed").write_bytes((folder / "tgt.bed").read_bytes()[:-100])


STUDY = "study.yaml"
# What is done to the study; which study; what the message says, in this order: file, row, what, remedy.
FAULTS = {
    "a truncated .bed": (
        cut_bed,
        STUDY,
        [
            "prepare genotypes: ",
            "tgt.bed: ",
            "983 bytes",
            "need 1083",
            "truncated",
            "Copy the three files again",
        ],
    ),
    "a .bim of another length": (
        edit_table("src.bim", lambda table: table.iloc[:-1]),
        STUDY,
        ["prepare genotypes: ", "src.bed: ", "90 samples and 59 variants", "belongs to another .bed", "Copy"],
    ),
    "two probabilities missing": (
        edit_row("oxford.gen", 7, lambda fields: fields[:-2]),
        "oxford.yaml",
        ["oxford.gen, row 7: ", "268 probabilities where 90 samples need 270", ". "],
    ),
    "probabilities that do not sum to 1": (
        edit_row("oxford.gen", 12, lambda fields: [*fields[:-3], "0.5", "0.2", "0.1"]),
        "oxford.yaml",
        ["oxford.gen, row 12: ", "of sample src89", "do not sum to 1", "Give three that sum to 1"],
    ),
    "unknown alleles": (
        edit_table("tgt.bim", lambda table: table.assign(**{"4": "0", "5": "0"}).iloc[:, [0, 1, 2, 3, 6, 7]]),
        STUDY,
        [
            "Of 60 variants common",
            "none is left",
            "60 have other alleles",
            "Check that both name the alleles",
        ],
    ),
    "a doubled sample": (
        edit_row("tgt.tsv", 9, lambda fields: ["tgt2", "tgt2", *fields[2:]]),
        STUDY,
        ["tgt.tsv, row 9: ", "'tgt2' was already in row 4", "Keep one row for each sample"],
    ),
    "one class": (
        edit_text(STUDY, "threshold: mean", "threshold: 0"),
        STUDY,
        ["src.tsv: ", "'height' has one class only: all 90 samples are cases", "or another threshold"],
    ),
    "no common variants": (
        edit_table(
            "tgt.bim",
            lambda table: table.assign(**{"1": "x" + table[1], "0": "22"}).iloc[:, [7, 6, 2, 3, 4, 5]],
        ),
        STUDY,
        [
            "There are no common variants by id or by position",
            "rs0",
            "xrs0",
            "21:1000, 22:1000",
            "genome build",
        ],
    ),
    "splits larger than the data": (
        edit_text(STUDY, "{TD: 30, VD: 6, ED: 10}", "{TD: 30, VD: 30, ED: 10}"),
        STUDY,
        ["splits.target asks for 70 samples", "FD for at least 1", "TGT has 70", "Make the splits smaller"],
    ),
    "panels that select nothing": (
        edit_text(STUDY, "target: [0.05]", "target: [1.0e-300]"),
        STUDY,
        [
            "select panels of height: ",
            "TGT_height, panels.target",
            "empty",
            "1e-300",
            "Loosen the thresholds",
        ],
    ),
}


# A run takes seconds to reach the file; for these its first stage is called as the run calls it.
BY_STAGE = ("a .bim of another length", "probabilities that do not sum to 1")


@pytest.mark.parametrize("fault", BY_STAGE)
def test_a_fault_stops_the_stage(sound, tmp_path, monkeypatch, fault):
    change, study, says = FAULTS[fault]
    folder = shutil.copytree(sound, tmp_path / "study")
    change(folder)
    monkeypatch.chdir(folder)
    places = {role: str(tmp_path / "out" / role) for role in ("source", "target", "final")}
    with pytest.raises(InputError) as caught:
        prepare_genotypes(load_study(study), places, tmp_path / "out" / "alignment")
    check_message(f"Error prepare genotypes: {caught.value}", says)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in BY_STAGE])
def test_a_fault_stops_the_run(sound, tmp_path, fault):
    change, study, says = FAULTS[fault]
    folder = shutil.copytree(sound, tmp_path / "study")
    change(folder)
    done = run_cli("run", study, cwd=folder)
    assert done.returncode == 2, done.stdout + done.stderr
    check_message(done.stderr, says)
    assert "Traceback" not in done.stdout + done.stderr
    [run] = (folder / "runs").iterdir()  # and no `latest`
    made = {"log.txt", "events.jsonl", "study.yaml", "artifacts", "lock", "done"}
    assert {path.name for path in run.iterdir()} <= made
    assert done.stderr.rstrip().endswith(tell_where(run))
    assert not list(run.rglob(".writing-*"))
    if "prepare genotypes: " in done.stderr:
        assert not list(run.glob("artifacts/**/genotypes.*"))


def check_message(message: str, says: list[str]) -> None:
    assert message.startswith("Error ")
    at = 0
    for part in says:
        assert part in message[at:], message
        at = message.index(part, at)


SETTINGS = {
    "an unknown key": (
        edit_text(STUDY, "outputs:", "quailty: {maf: 0.05}\noutputs:"),
        ["study.yaml, row 19: ", "unknown key 'quailty'", "Did you mean 'quality'"],
    ),
    "a wrong type": (
        edit_text(STUDY, "TD: 60", "TD: sixty"),
        ["study.yaml, row 13: ", "splits.source.TD: input should be a valid integer", "'sixty'"],
    ),
    "no YAML": (
        edit_text(STUDY, "splits:", "splits: ["),
        ["study.yaml, row 1", "this is no YAML", "Mend the line"],
    ),
}


@pytest.mark.parametrize("fault", SETTINGS)
def test_a_wrong_setting_is_told_before_anything_is_made(sound, tmp_path, fault):
    change, says = SETTINGS[fault]
    folder = shutil.copytree(sound, tmp_path / "study")
    change(folder)
    done = run_cli("run", STUDY, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    check_message(done.stderr, says)
    assert not (folder / "runs").exists()


def test_brackets_of_a_path_are_printed(sound, tmp_path):
    folder = shutil.copytree(sound, tmp_path / "[bold]study[/]")
    done = run_cli("run", folder / "nosuch.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error {folder}/nosuch.yaml: there is no such study. ")


def test_an_error_of_the_machine_is_status_1_and_told_as_it_is(tmp_path):
    """A task that fails for no fault of the user: here files may not grow above 256 KiB."""
    arguments = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "run",
        "demo",
        "--set",
        "genotypes.max_variants=20000",
    ]
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 256; exec "$@"', "bash", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    [run] = (tmp_path / "runs").iterdir()
    assert done.returncode == 1
    assert done.stderr.startswith("Error prepare genotypes: OSError: [Errno 27] File too large")
    assert done.stderr.rstrip().endswith(tell_where(run))
    assert "Traceback" not in done.stderr + done.stdout
    assert "Traceback" in (run / "log.txt").read_text()
    assert not list(run.glob("artifacts/**/genotypes.*"))
