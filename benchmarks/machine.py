"""What a figure depends on beside the code: machine, date, versions."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from genotransfer import __version__

PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "numpy", "kfp")


def describe_machine() -> dict[str, Any]:
    """Return machine, cores, memory, date and versions."""
    return {
        "machine": _read_processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "versions": {"python": platform.python_version(), "genotransfer": __version__, **_list_versions()},
        "commit": _read_commit(),
    }


def _read_processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {platform.machine()}, {platform.system()}"


def _list_versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _read_commit() -> str | None:
    """Return the commit the code is at, with a + where files differ from it; None outside git."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
