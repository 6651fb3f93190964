"""The lock, the licences of what runs, the bill of materials, and an audit that never says all is well unasked."""

import json
import sys
from email.message import Message
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import audit_dependencies  # noqa: E402
import locked  # noqa: E402
import write_sbom  # noqa: E402

INDEX = "https:" + "//me:pass@host/simple"
HASH = "a" * 64


def test_the_lock_and_what_runs_are_in_order():
    assert audit_dependencies.check_offline() == []


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (f"x>=1 --hash=sha256:{HASH}", "not pinned"),
        (f"x==1.* --hash=sha256:{HASH}", "not pinned"),
        ("x==1", "not pinned"),
        ("x==1 --hash=md5:00", "not pinned"),
        (f"x==1 --hash=sha256:{HASH[:-1]}", "not pinned"),
        (f"--index-url {INDEX}\nx==1 --hash=sha256:{HASH}", "a host, an index"),
        (f"x @ https://host/x.whl --hash=sha256:{HASH}", "a host, an index"),
        (f"-e ../x\nx==1 --hash=sha256:{HASH}", "a host, an index"),
    ],
)
def test_a_lock_that_is_none_is_told(tmp_path, row, says):
    (tmp_path / "x.lock").write_text(row + "\n")
    _, [problem] = locked.read_lock(tmp_path / "x.lock")
    assert says in problem


def test_what_runs_is_the_closure_without_the_tools_of_those_who_work_on_it():
    names = set(locked.list_run_time())
    assert {"numpy", "kfp", "mlflow", "jinja2", "markupsafe", "cyvcf2"} <= names
    assert not names & {"pytest", "hypothesis", "mypy", "msprime", "pip-audit", "skada"}


@pytest.mark.parametrize(
    ("licence", "copyleft"),
    [
        ("GPL-3.0-only", True),
        ("GNU Affero General Public License v3", True),
        ("GNU General Public License v2 or later (GPLv2+)", True),
        ("AGPL-3.0-or-later", True),
        ("MIT OR GPL-2.0", False),
        ("LGPL-2.1-or-later", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("BSD-3-Clause", False),
    ],
)
def test_licences_of_the_gpl_are_known(licence, copyleft):
    assert locked.is_copyleft(licence) is copyleft


class Package:
    """A distribution with one planted line of metadata."""

    name, requires, files = "planted", [], None

    def __init__(self, field, value):
        self.metadata = Message()
        self.metadata[field] = value


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("License-Expression", "GPL-3.0-or-later", "planted is under GPL"),
        (
            "Classifier",
            "License :: OSI Approved :: GNU Affero General Public License v3",
            "planted is under GNU",
        ),
        ("License", "GPLv3", "planted is under GPLv3"),
        ("Name", "planted", "planted does not say its licence"),
    ],
)
def test_a_planted_licence_is_found(monkeypatch, field, value, says):
    monkeypatch.setattr(audit_dependencies, "list_run_time", lambda: {"planted": Package(field, value)})
    absent, problem = audit_dependencies.check_offline()
    assert absent == "planted is needed at run time and is not in the lock"
    assert says in problem


def test_the_bill_names_everything_that_runs_with_hashes_and_licences():
    text = write_sbom.compose_sbom()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    pins, _ = locked.read_lock()
    names = set(locked.list_run_time())
    parts = {one["name"].lower().replace("_", "-").replace(".", "-"): one for one in bill["components"]}
    assert set(parts) == names
    for name, one in parts.items():
        assert one["purl"] == f"pkg:pypi/{name}@{pins[name].version}".replace("+", "%2B")
        assert sorted(each["content"] for each in one["hashes"]) == sorted(pins[name].hashes)
        assert one["licenses"], name
    assert {one["ref"] for one in bill["dependencies"]} >= {one["bom-ref"] for one in bill["components"]}
    assert text == write_sbom.compose_sbom()
    assert (
        JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"SHA-256"', '"SHA-0"')) is not None
    )


def test_an_images_bill_names_all_of_its_lock():
    for lock in locked.IMAGE_LOCKS:
        bill = json.loads(write_sbom.compose_image_sbom(lock))
        pins, _ = locked.read_lock(lock)
        assert {one["purl"] for one in bill["components"]} == {
            f"pkg:pypi/{name}@{one.version}".replace("+", "%2B") for name, one in pins.items()
        }
        assert bill["metadata"]["component"]["name"] == f"genotransfer-{lock.stem}"
    assert len(pins) > 50


def test_what_is_wrong_with_an_images_lock_is_told(tmp_path, monkeypatch):
    (tmp_path / "data.lock").write_text("x==1\n")
    monkeypatch.setattr(audit_dependencies, "LOCKS", (locked.LOCK, tmp_path / "data.lock"))
    [problem] = audit_dependencies.check_offline()
    assert problem.startswith("data.lock: this is not pinned")


def test_what_a_service_does_not_know_is_not_called_sound():
    report = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": []},
            {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]},
            {"name": "c", "skip_reason": "Dependency not found on PyPI"},
        ]
    }
    assert audit_dependencies.judge_report(report) == (["b 2: CVE-1, mended in 3"], "not known to it: c")


def test_an_audit_that_reaches_nobody_fails_and_says_so(tmp_path):
    """pip-audit itself, at a port where nobody is: by itself it may say that nothing was found."""
    import os
    import subprocess

    away = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "audit_dependencies.py"],
        env={**os.environ, **away, "NO_PROXY": "", "no_proxy": "", "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert "could not be asked" in done.stderr
    assert "Nothing is known" in done.stderr
    assert "none known" not in done.stdout
