"""Check what genotransfer installs: python tools/audit_dependencies.py; status 0 only where all was checked.

Without a network: every requirement is pinned with hashes, no host stands in the lock, and nothing that
runs is under the GPL or AGPL. With one: known vulnerabilities, by pip-audit. Where the service that
knows them cannot be asked, this says so and ends with status 2: nothing is known then.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from locked import LOCK, LOCKS, find_installed, find_licence, is_copyleft, list_run_time, read_lock

# A release whose vulnerabilities are known since 2024: a service that does not know them knows nothing.
KNOWN_BAD = "jinja2==3.1.2"
UNREACHED = (
    "The service that knows vulnerabilities could not be asked ({}). Nothing is known about the locked "
    "versions: run this where https://pypi.org/pypi/NAME/VERSION/json or https://api.osv.dev answers."
)


def check_offline() -> list[str]:
    """Return what is wrong with the locks and with the licences of what runs, each in words."""
    locked, problems = read_lock(LOCK)
    for lock in LOCKS[1:]:
        held, wrong = read_lock(lock)
        problems += [f"{lock.name}: {one}" for one in wrong]
        for name in sorted(held):
            package = find_installed(name)
            licence = "" if package is None else find_licence(package)[0]
            if is_copyleft(licence):
                problems.append(f"{lock.name}: {name} is under {licence}")
    for name, package in sorted(list_run_time().items()):
        if name not in locked:
            problems.append(f"{name} is needed at run time and is not in the lock")
        if package is None:
            problems.append(f"{name} is needed at run time and is not installed: its licence is not known")
            continue
        licence, _ = find_licence(package)
        if not licence:
            problems.append(f"{name} does not say its licence")
        elif is_copyleft(licence):
            problems.append(f"{name} is under {licence}")
    return problems


def ask_service(requirements: Path, service: str) -> dict[str, Any] | str:
    """Return pip-audit's report, or why there is none."""
    options = ["--requirement", str(requirements), "--no-deps", "--disable-pip", "--format", "json"]
    done = subprocess.run(  # noqa: S603 - this interpreter and fixed words
        [
            sys.executable,
            "-m",
            "pip_audit",
            *options,
            "--vulnerability-service",
            service,
            "--progress-spinner",
            "off",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        return (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1][:300]


def find_vulnerabilities(lock: Path = LOCK) -> tuple[list[str], str]:
    """Return the known vulnerabilities of the lock, each in words; and why they are not known, if so."""
    why = []
    for service in ("pypi", "osv"):
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder) / "probe.txt"
            probe.write_text(KNOWN_BAD + "\n")
            answer = ask_service(probe, service)
        if isinstance(answer, str) or not any(one.get("vulns") for one in answer["dependencies"]):
            known = answer if isinstance(answer, str) else f"it knows nothing of {KNOWN_BAD}"
            why.append(f"{service}: {known}")
            continue
        answer = ask_service(lock, service)
        if isinstance(answer, str):
            why.append(f"{service}: {answer}")
            continue
        return judge_report(answer)
    return [], "; ".join(why)


def judge_report(report: dict[str, Any]) -> tuple[list[str], str]:
    """Return a report's vulnerabilities, and which packages it does not know: pip-audit passes those over."""
    found, passed_over = [], []
    for one in report["dependencies"]:
        if "skip_reason" in one:
            passed_over.append(one["name"])
        for bad in one.get("vulns", []):
            mended = ", ".join(bad["fix_versions"]) or "no version yet"
            found.append(f"{one['name']} {one['version']}: {bad['id']}, mended in {mended}")
    return found, f"not known to it: {', '.join(passed_over)}" if passed_over else ""


def main() -> int:
    """Print what was found; return the status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offline", action="store_true", help="do not ask for vulnerabilities")
    problems = check_offline()
    for one in problems:
        print(f"- {one}")
    print(f"Locks and licences: {len(problems) or 'no'} problems")
    if parser.parse_args().offline:
        return int(bool(problems))
    vulnerabilities: list[str] = []
    for lock in LOCKS:
        found, unknown = find_vulnerabilities(lock)
        vulnerabilities += [f"{lock.name}: {one}" for one in found]
        if unknown:
            print("\n".join(f"- {one}" for one in vulnerabilities))
            print(UNREACHED.format(unknown), file=sys.stderr)
            return 2
    for one in vulnerabilities:
        print(f"- {one}")
    print(f"Vulnerabilities: {len(vulnerabilities) or 'none'} known")
    return int(bool(problems or vulnerabilities))


if __name__ == "__main__":
    sys.exit(main())
