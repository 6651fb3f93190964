"""Which code this is: the version, and the revision of its repository that it was made from.

Container images carry it as their tag and compiled pipelines name it, so that a task can tell that
its image is of other code than its pipeline.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from functools import lru_cache
from pathlib import Path

from genotransfer import __version__
from genotransfer.errors import StudyError

RELEASE_VARIABLE = "GENOTRANSFER_RELEASE"
PACKAGES = ("genotransfer", "components", "pipelines")
# Of these are images made; a wheel, of the first five.
SOURCES = (*PACKAGES, "pyproject.toml", "hatch_build.py", "docker", ".dockerignore")
ROOT = Path(__file__).parents[1]
# Written into wheels; a checkout asks git.
REVISION_FILE = Path(__file__).parent / "REVISION"
DIGITS = 12


class ReleaseError(StudyError):
    """A task's image holds another release of the library than its pipeline was compiled with."""


@lru_cache(maxsize=1)
def name_release() -> str:
    """Return the version and revision, e.g. ``0.1.0-3f2a9c0d41be``: the tag of the images.

    A checkout that was changed since its last commit has ``-changed-`` and eight digits of its
    files' sha256 behind it; code without a known revision, the version alone.
    """
    revision = read_revision()
    return f"{__version__}-{revision}" if revision else __version__


def read_revision() -> str:
    """Return the revision this code was made from; empty where nothing tells.

    It is the last commit that changed what images are made of; others leave the name as it is.
    """
    if REVISION_FILE.is_file():
        return REVISION_FILE.read_text().strip()
    head = _ask_git("log", "-1", f"--abbrev={DIGITS}", "--format=%h", "--", *SOURCES)
    if not head:
        return ""
    changed = _ask_git("status", "--porcelain", "--untracked-files=no", "--", *SOURCES)
    return head if changed == "" else f"{head}-changed-{_hash_sources()[:8]}"


def check_release() -> None:
    """Check that this code is the one the running task's pipeline was compiled with, where it says so.

    Raises
    ------
    ReleaseError
        It is other code.
    """
    compiled = os.environ.get(RELEASE_VARIABLE, "")
    if not compiled:
        return
    here = name_release()
    if compiled != here:
        raise ReleaseError(
            f"This task's image holds genotransfer {here}, and its pipeline was compiled with genotransfer "
            f"{compiled}: results would be of neither. Compile the pipeline again with the release that the "
            "image holds, or name images of the pipeline's release (cluster.images)."
        )


@lru_cache(maxsize=1)
def hash_code() -> str:
    """Return 16 digits of the sha256 of the library's, the components' and the pipelines' code."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _hash_sources() -> str:
    """Return the sha256 of every file that git knows of what images are made of."""
    digest = hashlib.sha256()
    for name in (_ask_git("ls-files", "--", *SOURCES) or "").splitlines():
        path = ROOT / name
        digest.update(name.encode() + b"\0" + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


def _ask_git(*arguments: str) -> str | None:
    """Return what git says of this checkout; None where it is none, git is absent, or it fails."""
    if not (ROOT / ".git").exists():
        return None
    try:
        asked = subprocess.run(  # noqa: S603 - the program and its arguments are ours
            ["git", "--no-optional-locks", "-C", str(ROOT), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()
