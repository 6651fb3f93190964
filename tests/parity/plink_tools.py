"""Runs PLINK 1.9 and PLINK 2, the oracles of the parity tests; reads what they print."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(__file__).parents[1] / "data" / "association"
POPULATIONS = ("eur", "afr")


def run_plink(program: str, *arguments: str | Path) -> str:
    """Run plink1.9 or plink2 and return what it says; a missing program fails the test."""
    path = shutil.which(program)
    assert path, f"{program} is not on the PATH: apt-get install plink1.9 plink2"
    done = subprocess.run(
        [path, "--threads", "1", "--nonfounders", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read_report(path: Path) -> pd.DataFrame:
    """Read one of PLINK's reports, all columns as the text it printed."""
    return pd.read_csv(path, sep=r"\s+", dtype=str, keep_default_na=False)


def assert_printed(
    ours: pd.Series, printed: pd.Series, digits: int, slack: float = 0.51, atol: float = 0
) -> None:
    """Our numbers are PLINK's to the last digit it prints; NA where it prints NA."""
    theirs = pd.to_numeric(printed.replace("NA", np.nan)).to_numpy()
    values = ours.to_numpy(dtype=float)
    np.testing.assert_array_equal(np.isnan(values), np.isnan(theirs), err_msg=f"NA in {ours.name}")
    scale = 10.0 ** np.floor(np.log10(np.where((theirs == 0) | np.isnan(theirs), 1, np.abs(theirs))))
    wrong = np.abs(values - theirs) > atol + slack * scale * 10.0 ** (1 - digits)
    examples = [(at, values[at], theirs[at]) for at in np.flatnonzero(wrong)[:5]]
    assert not wrong.any(), f"{wrong.sum()} differ in {ours.name}, first (row, ours, PLINK's): {examples}"
