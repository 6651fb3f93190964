"""Readers given damaged files: some dozens of each here, and as many as the minutes allow in ``make fuzz``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.model_readers import MODEL_READERS
from tests.fuzz.readers import READERS
from tests.integration.support import share

ROOT = Path(__file__).parents[2]
NAMES = [*READERS, *MODEL_READERS]
SMOKE = [name for name in NAMES if not {**READERS, **MODEL_READERS}[name].heavy]


def run_fuzzing(*arguments: str, found: Path) -> tuple[list[dict], str]:
    """Run the fuzzing as a process of its own, which a reader may end; return its reports and why it ended."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--found", str(found), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    reports = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"reader"')]
    ended = (
        "" if done.returncode in (0, 1) and reports else f"status {done.returncode}: {done.stderr[-3000:]}"
    )
    return reports, ended


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> tuple[dict[str, dict], str]:
    def make(folder):
        reports, ended = run_fuzzing("--examples", "25", *SMOKE, found=folder / "found")
        (folder / "reports.json").write_text(json.dumps([reports, ended]))

    reports, ended = json.loads((share(tmp_path_factory, "fuzz", make) / "reports.json").read_text())
    return {one["reader"]: one for one in reports}, ended


@pytest.mark.parametrize("name", SMOKE)
def test_some_damaged_files_are_read_or_refused(smoke, name):
    reports, ended = smoke
    assert name in reports, ended
    assert reports[name]["found"] == []
    assert reports[name]["refused"] > 0


@pytest.mark.fuzz
@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_are_read_or_refused(name, tmp_path):
    minutes, seed = float(os.environ.get("MINUTES", "10")), os.environ.get("SEED", "1")
    reports, ended = run_fuzzing(
        "--seconds", str(60 * minutes / len(NAMES)), "--seed", seed, name, found=tmp_path
    )
    assert not ended, ended
    [report] = reports
    print(f"{name}: {report['read']} read, {report['refused']} refused, {len(report['found'])} found")
    assert report["found"] == [], json.dumps(report["found"], indent=1)
    assert report["read"] > 0
    assert report["refused"] > 0
