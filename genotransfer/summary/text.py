"""Text tables of any tool, read whole: columns as text, numbers on demand, errors with their row."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from genotransfer.errors import InputError
from genotransfer.formats.files import check_unpacked, decode_text, is_packed, read_lines

EXCESS = "more columns than the header has"
ROWS_AT_ONCE = 1 << 18
MISSING_TEXT = {"", ".", "NA", "N/A", "#NA", "NAN", "-NAN", "NONE", "NULL"}


@dataclass(frozen=True, eq=False)
class TextTable:
    """A table as it stands in a file.

    Attributes
    ----------
    path : the file.
    columns : text of each column, by name.
    rows : int64; 1-based row of the file each row of the table comes from.
    comments : lines before the header, without their end.
    """

    path: Path
    columns: pd.DataFrame
    rows: Int64[np.ndarray, " n"]
    comments: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [str(name) for name in self.columns]

    def require(self, *names: str) -> None:
        """Raise InputError unless the table has all these columns."""
        absent = [name for name in names if name not in self.columns]
        if absent:
            raise InputError(
                f"there is no column {' or '.join(absent)}; there are {', '.join(self.names)}",
                file=self.path,
                remedy="Name the columns to read, or check that this is the right file",
            )

    def find(self, *names: str) -> str | None:
        """Return the first of some names that is a column, if any is."""
        return next((name for name in names if name in self.columns), None)

    def read_text(self, name: str | None, default: str = ".") -> pd.Series:
        """Return a column's text; `default` in every row where there is no such column."""
        if name is None:
            return pd.Series(default, index=self.columns.index, dtype=object)
        return self.columns[name].str.strip()

    def read_numbers(
        self,
        name: str | None,
        lowest: float = -np.inf,
        highest: float = np.inf,
        remedy: str = "Give a number, or NA where there is none",
    ) -> Float64[np.ndarray, " n"]:
        """Return a column's numbers; NaN where a value is missing, or the column is absent.

        Raises
        ------
        InputError
            A value is no number, or lies outside the limits.
        """
        if name is None:
            return np.full(len(self.columns), np.nan)
        text = self.columns[name].str.strip()
        blank = text.str.upper().isin(MISSING_TEXT).to_numpy()
        numbers = pd.to_numeric(text.where(~blank, "nan"), errors="coerce").to_numpy(dtype=np.float64)
        self._refuse(name, np.isnan(numbers) & ~blank, "is no number", remedy)
        outside = (numbers < lowest) | (numbers > highest)
        self._refuse(name, outside, f"is not within {lowest:g} and {highest:g}", remedy)
        return np.asarray(numbers)

    def read_positions(self, name: str | None) -> Int64[np.ndarray, " n"]:
        """Return a column of positions in bp; 0 where unknown."""
        numbers = self.read_numbers(name, 0.0, 2.0**40, "Give a position in base pairs, or 0 where unknown")
        numbers = np.nan_to_num(numbers)
        self._refuse(str(name), numbers % 1 != 0, "is no whole number", "Give a position in base pairs")
        return np.asarray(numbers.astype(np.int64))

    def read_alleles(self, name: str, known: bool = True) -> pd.Series:
        """Return a column of alleles, ``0`` where one is unknown.

        Raises
        ------
        InputError
            An allele is unknown though `known` is asked for.
        """
        text = self.columns[name].str.strip()
        blank = text.str.upper().isin(MISSING_TEXT | {"0"}).to_numpy()
        if known:
            self._refuse(name, blank, "is no allele", "Give the allele of every variant")
        return text.where(~blank, "0")

    def select(self, keep: np.ndarray) -> TextTable:
        """Return some rows, by mask."""
        return TextTable(self.path, self.columns[keep], self.rows[keep], self.comments)

    def _refuse(self, name: str, bad: np.ndarray, problem: str, remedy: str) -> None:
        if bad.any():
            at = int(np.argmax(bad))
            value = self.columns[name].iloc[at]
            raise InputError(
                f"{value!r} {problem}, in column {name}",
                file=self.path,
                row=int(self.rows[at]),
                remedy=remedy,
            )


def read_head(path: str | Path, comment: str = "##") -> tuple[list[str], str]:
    """Return the lines before the header that start with `comment`, and the header, as text.

    Raises
    ------
    InputError
        The file cannot be read, is not text, or ends before its header.
    """
    comments: list[str] = []
    for row, line in read_lines(path):
        text = decode_text(line, path, row)
        if text.strip() and not text.startswith(comment):
            return comments, text
        comments.append(text)
    raise InputError("the file ends before its header", file=path, remedy="Check that this is the right file")


def read_text_table(path: str | Path, keep: Collection[str] | None = None, comment: str = "##") -> TextTable:
    """Read a table parted by tabs, or by white space or commas where its header has no tab.

    Parameters
    ----------
    path : a text file, gzipped or not, with a header.
    keep : names of the columns to hold, where the file has them; all when None.
    comment : how lines before the header start.

    Raises
    ------
    InputError
        The file cannot be read, has no rows, names a column twice, or a row is of another length.
    """
    path = check_unpacked(path)
    comments, header = read_head(path, comment)
    separator = "\t" if "\t" in header else "," if "," in header else None
    names = [name.strip() for name in header.split(separator)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the column {twice!r} stands twice", file=path, remedy="Rename one of them")
    wanted = [name for name in names if keep is None or name in keep]
    first = len(comments) + 1
    parts, looked = [], False
    try:
        # One column more than are due catches rows that are too long; the last one, rows too short.
        with pd.read_csv(
            path,
            sep=separator or r"\s+",
            header=None,
            names=[*names, EXCESS],
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_values=[],
            quoting=csv.QUOTE_NONE,
            skiprows=first,
            skip_blank_lines=False,
            compression="gzip" if is_packed(path) else None,
            encoding="utf-8",
            chunksize=ROWS_AT_ONCE,
        ) as chunks:
            for chunk in chunks:
                blank = (chunk.fillna("") == "").all(axis=1)
                # What a short row lacks comes as "" or NaN, by pandas' version; a last value may be empty too.
                short = (chunk[names[-1]].fillna("") == "") & ~blank
                if (chunk[EXCESS].fillna("") != "").any() or (short.any() and not looked):
                    _check_rows(path, names, separator, first)
                    looked = True
                parts.append(chunk.loc[~blank, wanted])
    except (ValueError, pd.errors.ParserError, EOFError, OSError, zlib.error) as error:
        _check_rows(path, names, separator, first)
        raise InputError(
            f"this is no table: {error}", file=path, remedy="Check that this is the right file"
        ) from error
    if not sum(map(len, parts)):
        raise InputError("the file has a header and no rows", file=path, remedy="Make the file again")
    table = pd.concat(parts)
    rows = first + 1 + table.index.to_numpy(dtype=np.int64)
    return TextTable(path, table.reset_index(drop=True).astype(object), rows, tuple(comments))


def _check_rows(path: Path, names: list[str], separator: str | None, first: int) -> None:
    """Raise InputError for the first row below the header of another length."""
    for row, line in read_lines(path):
        found = len(decode_text(line, path, row).split(separator))
        if row > first and line.strip() and found != len(names):
            raise InputError(
                f"{found} columns where the header has {len(names)}",
                file=path,
                row=row,
                remedy="Write the row again, or check that the file is whole",
            )
