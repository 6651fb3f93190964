"""Where PRS-CSx runs: the folder of its code, a Python of its own, one core."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from genotransfer.errors import StudyError

CACHE = Path("~/.cache/genotransfer-peers")
# Its draws convert arrays of one number, which numpy 2.4 refuses; it catches the error and repeats
# the draw for ever.
PACKAGES = ("numpy<2", "scipy<1.14", "h5py")
ADVICE = (
    "Get it with `git clone https://github.com/getian107/PRScsx.git` and give the folder as "
    "`--checkout` or in the environment variable PRSCSX"
)


def find_checkout(checkout: Path | None) -> Path:
    """Return the folder of PRS-CSx's code.

    Raises
    ------
    StudyError
        It is not there; the message says how to get it.
    """
    given = checkout or os.environ.get("PRSCSX")
    if not given:
        raise StudyError(f"The code of PRS-CSx is not part of this project. {ADVICE}.")
    folder = Path(given).expanduser().resolve()
    if not (folder / "PRScsx.py").is_file():
        raise StudyError(f"{folder} holds no PRScsx.py. {ADVICE}.")
    return folder


def make_environment(cache: Path = CACHE) -> Path:
    """Return the Python of an environment with what PRS-CSx needs, made the first time.

    Raises
    ------
    StudyError
        uv is not installed, or could not make it.
    """
    folder = cache.expanduser().resolve() / "prscsx"
    python, ready = folder / "bin" / "python", folder / "ready"
    if ready.exists():
        return python
    uv = shutil.which("uv")
    if uv is None:
        raise StudyError("uv is not on the PATH. Install it: https://docs.astral.sh/uv/.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for command in (
        [uv, "venv", "--python", "3.11", str(folder)],
        [uv, "pip", "install", "--python", str(python), *PACKAGES],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StudyError(f"uv could not make {folder}: {done.stderr[-500:]} Is there a network?")
    ready.touch()
    return python


def run_quietly(command: list[str], folder: Path, timeout: float) -> None:
    """Run a command on one core and keep what it prints for the error."""
    one_core = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | one_core,
            timeout=timeout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StudyError(
            f"{Path(command[1]).name} took more than {timeout:.0f} s. Keep fewer variants, or allow more time."
        ) from error
    if done.returncode:
        raise StudyError(
            f"{Path(command[1]).name} failed with status {done.returncode}: {done.stdout[-800:]}"
        )
