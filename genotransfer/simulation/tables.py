"""White-space tables with a header, gzipped or not, read with errors that name file and row."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from genotransfer.errors import InputError
from genotransfer.formats.files import check_unpacked, read_lines

MOST = 10**15  # of a position: whole numbers are exact in a float up to here


def read_columns(path: Path, wanted: dict[str, set[str]]) -> pd.DataFrame:
    """Return some columns of a table as text.

    Parameters
    ----------
    path : the table, its first row the header.
    wanted : for each column of the result, the names it may have in the header, in lower case.

    Raises
    ------
    InputError
        The file cannot be read, a column is absent, a row is of another length than the header,
        or there is no row.
    """
    lines = (line for _, line in read_lines(check_unpacked(path)))
    header = next(lines).decode(errors="replace").lower().split()
    found = {
        name: next((at for at, column in enumerate(header) if column in accepted), None)
        for name, accepted in wanted.items()
    }
    if absent := [name for name, at in found.items() if at is None]:
        raise InputError(
            f"the header ({' '.join(header)}) has no column for {', '.join(absent)}",
            remedy="; ".join(f"Name it one of {', '.join(sorted(wanted[name]))}" for name in absent),
            file=path,
            row=1,
        )
    rows = [line.decode(errors="replace").split() for line in lines]
    if not rows:
        raise InputError("there is no row below the header", remedy="Give one row or more", file=path)
    for number, row in enumerate(rows):
        if len(row) != len(header):
            refuse_row(
                path, number, f"{len(row)} columns where the header has {len(header)}", "Write the row again"
            )
    return pd.DataFrame({name: [row[at] for row in rows] for name, at in found.items() if at is not None})


def to_numbers(values: pd.Series, path: Path) -> Float64[np.ndarray, " n_rows"]:
    """Return a column as finite numbers, or refuse the first row that is none."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    if len(bad := np.flatnonzero(~np.isfinite(numbers))):
        refuse_row(path, bad[0], f"{values.iloc[bad[0]]!r} is no number ({values.name})", "Give a number")
    return np.asarray(numbers)


def to_positions(values: pd.Series, path: Path) -> Int64[np.ndarray, " n_rows"]:
    """Return a column as positions (bp), or refuse the first row that is no whole number >= 0."""
    numbers = to_numbers(values, path)
    if len(bad := np.flatnonzero((numbers < 0) | (numbers > MOST) | (numbers != np.floor(numbers)))):
        refuse_row(path, bad[0], f"{values.iloc[bad[0]]!r} is no position", "Give base pairs")
    return np.asarray(numbers, dtype=np.int64)


def refuse_row(path: Path, index: int | np.int64, problem: str, remedy: str) -> NoReturn:
    """Raise for the data row `index` (from 0), which stands below a header row."""
    raise InputError(problem, remedy=remedy, file=path, row=int(index) + 2)
