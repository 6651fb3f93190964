"""Which code this is, and that a task of other code than its pipeline's stops."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from genotransfer import __version__, release
from genotransfer.events import EVENTS_VARIABLE, read_events, report_task
from genotransfer.release import RELEASE_VARIABLE, ReleaseError

ROOT = Path(__file__).parents[2]
ASK = "from genotransfer.release import name_release; print(name_release())"


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def ask(folder):
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    """A repository with one commit that holds the library."""
    folder = tmp_path / "checkout"
    for name in release.PACKAGES:
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.npz", "*.gz")
        )
    (folder / ".gitignore").write_text("__pycache__/\n")
    git(tmp_path, "init", "-q", str(folder))
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "all")
    return folder


def test_a_checkout_has_its_commit_and_says_when_it_was_changed(checkout):
    revision = git(checkout, "log", "-1", "--abbrev=12", "--format=%h")
    assert ask(checkout) == f"{__version__}-{revision}"
    with (checkout / "genotransfer/panels.py").open("a") as file:
        file.write("# changed\n")
    changed = ask(checkout)
    assert changed.startswith(f"{__version__}-{revision}-changed-")
    with (checkout / "genotransfer/panels.py").open("a") as file:
        file.write("# changed again\n")
    assert changed != ask(checkout) != f"{__version__}-{revision}"
    assert len(changed) <= 128  # as a tag may be
    (checkout / "README.md").write_text("of no matter to a task\n")
    git(checkout, "checkout", "-q", "genotransfer")
    assert ask(checkout) == f"{__version__}-{revision}"


def test_without_a_repository_the_version_is_all(checkout):
    shutil.rmtree(checkout / ".git")
    assert ask(checkout) == __version__
    (checkout / "genotransfer/REVISION").write_text("abc123\n")
    assert ask(checkout) == f"{__version__}-abc123"


def test_a_wheel_holds_its_revision(tmp_path):
    built = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from hatchling.build import build_wheel; print(build_wheel({str(tmp_path)!r}))",
        ],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "GENOTRANSFER_REVISION": "0123456789ab"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(tmp_path / built.stdout.split()[-1]) as wheel:
        assert wheel.read("genotransfer/REVISION") == b"0123456789ab\n"
        assert "components/plan_study/component.py" in wheel.namelist()
    assert not (ROOT / "genotransfer/REVISION").exists()


def test_a_task_of_another_release_stops_before_it_does_anything(monkeypatch, tmp_path):
    monkeypatch.setenv(EVENTS_VARIABLE, str(tmp_path / "events.jsonl"))
    monkeypatch.setenv(RELEASE_VARIABLE, "0.0.9-feedfeedfeed")
    with (
        pytest.raises(ReleaseError, match=r"compiled with genotransfer 0\.0\.9-feedfeedfeed"),
        report_task("plan_study"),
    ):
        pytest.fail("the task went on")
    events, _ = read_events(tmp_path / "events.jsonl")
    assert [one["event"] for one in events] == ["began", "failed"]
    assert release.name_release() in events[-1]["message"]
    assert events[-1]["users"] is True


def test_a_task_of_its_pipelines_release_goes_on(monkeypatch, tmp_path):
    monkeypatch.setenv(EVENTS_VARIABLE, str(tmp_path / "events.jsonl"))
    monkeypatch.setenv(RELEASE_VARIABLE, release.name_release())
    with report_task("plan_study"):
        pass
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["began", "ended"]
