"""Phenotype files: those of a real cohort read in, and the table that a study passes on.

A study's table is a TSV in PLINK's style: ``FID IID phenotype``, and where known ``split`` and
``value``. In the file a case is 2 and a control 1, as PLINK has it; in memory 1 and 0.
"""

from __future__ import annotations

import csv
import gzip
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.errors import InputError, StudyError
from genotransfer.formats.files import check_unpacked, is_packed, replace_together

MISSING_WORDS = frozenset({"", ".", "na", "nan", "n/a", "none"})
MISSING_NUMBER = -9.0
ZERO_ONE_CUT, PLINK_CUT = 0.5, 1.5  # between control and case: codes 0 and 1, codes 1 and 2
TABLE_COLUMNS = ["FID", "IID", "phenotype"]
OPTIONAL_COLUMNS = ["split", "value"]

Threshold = str | float | int | None


@dataclass(frozen=True)
class CohortPhenotypes:
    """The phenotypes of a cohort, and what was left out of its file.

    Attributes
    ----------
    table : one row a sample: FID, IID (str), value (float64, as in the file), phenotype (int8;
        1 case, 0 control). In the order of `samples` where they were given, else of the file.
    threshold : the value above which a sample is a case; None when the file is binary.
    n_missing : samples of the file without a value.
    n_not_genotyped : samples of the file, with a value, that are not among the genotypes.
    n_without_phenotype : samples of the genotypes that have no value in the file.
    """

    table: pd.DataFrame
    threshold: float | None
    n_missing: int
    n_not_genotyped: int
    n_without_phenotype: int


def read_phenotypes(
    path: str | Path,
    column: str,
    *,
    iid_column: str = "IID",
    threshold: Threshold = None,
    samples: Iterable[str] | None = None,
) -> CohortPhenotypes:
    """Read one phenotype of a cohort.

    Parameters
    ----------
    path : text with a header, separated by tabs, commas or blanks; gzipped if it ends in ``.gz``.
    column : name of the phenotype's column.
    iid_column : name of the column with the individual ids. ``FID`` is read where it is there and is
        0 otherwise.
    threshold : a quantitative phenotype is cut here, and a case is above it: ``mean`` of the samples
        kept, ``zero``, or a number. None for a binary phenotype: 0 control and 1 case, or PLINK's
        1 control, 2 case, 0 missing.
    samples : the individual ids of the genotypes; others are left out. All are kept when None.

    Raises
    ------
    InputError
        The file cannot be read, a column is absent, a row has too few or too many fields, a value is
        not a number, an id is doubled, no sample is among the genotypes, the values are neither
        binary nor cut by a threshold, or there are only cases or only controls.
    StudyError
        The threshold is another word.
    """
    read, n_missing = _read_values(path, column, iid_column)
    cut = None
    if threshold is None:
        cut = _find_binary_cut(read["value"], column, path)
        if cut == PLINK_CUT:  # 0 is then PLINK's third way to say missing
            n_missing += int((read["value"] == 0).sum())
            read = read[read["value"] != 0]
    table, n_not_genotyped, n_without = _match_samples(read, samples, path)
    if table.empty:
        raise InputError(
            f"no sample has a value in column {column!r}",
            remedy="Name another column, or check which values stand for missing (NA, -9, empty)",
            file=path,
        )
    if cut is None:
        cut = _find_cut(table["value"], threshold)
    labels = table["value"] > cut
    if labels.all() or not labels.any():
        raise InputError(
            f"column {column!r} has one class only: all {len(table)} samples are "
            f"{'cases, above' if labels.iloc[0] else 'controls, not above'} {cut:g}",
            remedy="Give a phenotype with cases and controls, or another threshold",
            file=path,
        )
    return CohortPhenotypes(
        table=table.assign(phenotype=labels.astype(np.int8)),
        threshold=None if threshold is None else cut,
        n_missing=n_missing,
        n_not_genotyped=n_not_genotyped,
        n_without_phenotype=n_without,
    )


def read_columns(path: str | Path, iid_column: str, columns: list[str]) -> pd.DataFrame:
    """Read some columns of a cohort's phenotypes as they stand.

    Parameters
    ----------
    path : see `read_phenotypes`.
    iid_column : name of the column with the individual ids.
    columns : names of the others.

    Returns
    -------
    Text, one row a sample; ids in `iid_column`.

    Raises
    ------
    InputError
        The file cannot be read, a column is absent, or an id is empty or doubled.
    """
    rows = _read_rows(path)
    header = rows[0][1]
    names = [iid_column, *columns]
    at = [_find_column(header, name, path, rows[0][0]) for name in names]
    seen: dict[str, int] = {}
    for row, fields in rows[1:]:
        _note_sample(fields[at[0]], row, seen, iid_column, path)
    return pd.DataFrame([[fields[one] for one in at] for _, fields in rows[1:]], columns=names, dtype=str)


def split_header(path: str | Path) -> list[str]:
    """Return the names in a table's header.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    return _read_rows(path)[0][1]


def write_phenotypes(path: str | Path, table: pd.DataFrame, *, allow_none: bool = False) -> None:
    """Write a study's phenotypes as a TSV that PLINK reads, whole or not at all.

    Parameters
    ----------
    table : FID, IID, phenotype (1 case, 0 control), and where known split (TD, VD, ED, FD or empty)
        and value (float). The file has cases as 2 and controls as 1; an empty split is ``NA``.
    allow_none : let the table have no samples: of a source known by its statistics alone.

    Raises
    ------
    InputError
        A column is absent, there is no sample, a phenotype is not 0 or 1, or an id is doubled, empty, or
        has a blank or a quote in it.
    """
    if table.empty and not allow_none:
        raise InputError(
            "a table of phenotypes has no samples", remedy="Give a row for each sample", file=path
        )
    absent = [name for name in TABLE_COLUMNS if name not in table]
    if absent:
        raise InputError(
            f"a table of phenotypes lacks {', '.join(absent)}",
            remedy="Give FID, IID and phenotype",
            file=path,
        )
    written = table[TABLE_COLUMNS + [name for name in OPTIONAL_COLUMNS if name in table]].copy()
    if not written["phenotype"].isin((0, 1)).all():
        raise InputError(
            "a phenotype to be written is not 0 (control) or 1 (case)",
            remedy="Leave samples without a phenotype out of the table",
            file=path,
        )
    ids = written[["FID", "IID"]].astype(str)
    unusable = ids["IID"].duplicated()
    for name in ids:
        unusable |= ids[name].str.contains(r'[\s"]') | (ids[name] == "")
    if unusable.any():
        raise InputError(
            f"sample {' '.join(ids[unusable].iloc[0])!r} has an id that is doubled, empty, or has a "
            "blank or a quote in it",
            remedy="Give every sample an id of its own, without blanks and quotes",
            file=path,
        )
    written["phenotype"] = written["phenotype"].astype(np.int64) + 1
    if "split" in written:
        written["split"] = written["split"].replace("", "NA")
    with replace_together(path) as (temporary,):
        written.to_csv(temporary, sep="\t", index=False, lineterminator="\n")


def read_phenotype_table(path: str | Path) -> pd.DataFrame:
    """Read what `write_phenotypes` wrote.

    Returns
    -------
    FID, IID (str), phenotype (int8; 1 case, 0 control), and where they are in the file split (str,
    empty when a sample is in none) and value (float64).

    Raises
    ------
    InputError
        The file is not such a table; the message names the row.
    """
    rows = _read_rows(path)
    header = rows[0][1]
    for name in [*TABLE_COLUMNS, *(name for name in OPTIONAL_COLUMNS if name in header)]:
        _find_column(header, name, path, rows[0][0])
    table = pd.DataFrame([fields for _, fields in rows[1:]], columns=header, dtype=str)
    table = table[TABLE_COLUMNS + [name for name in OPTIONAL_COLUMNS if name in header]].copy()
    for position, code in enumerate(table["phenotype"]):
        if code not in ("1", "2"):
            raise InputError(
                f"phenotype {code!r} is neither 1 (control) nor 2 (case)",
                remedy="Write the file with write_phenotypes, or read a cohort's file with read_phenotypes",
                file=path,
                row=rows[position + 1][0],
            )
    table["phenotype"] = (table["phenotype"] == "2").astype(np.int8)
    if "split" in table:
        table["split"] = table["split"].replace("NA", "")
    if "value" in table:
        table["value"] = [
            _parse_number(text, "value", path, row) if text else math.nan
            for text, (row, _) in zip(table["value"], rows[1:], strict=True)
        ]
    return table


def _read_rows(path: str | Path) -> list[tuple[int, list[str]]]:
    """Return (row of the file, fields) for the header and each row that is not blank."""
    check_unpacked(path)
    try:
        with gzip.open(path) if is_packed(path) else Path(path).open("rb") as file:
            text = file.read().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the file cannot be read as text: {error}", remedy="Give a text file in UTF-8", file=path
        ) from error
    lines = [(row, line) for row, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1) if line.strip()]
    if len(lines) < 2:
        raise InputError(
            "the file has no samples", remedy="Give a header and a row for each sample", file=path
        )
    first = lines[0][1]
    delimiter = "\t" if "\t" in first else "," if "," in first else None
    rows: list[tuple[int, list[str]]] = []
    for row, line in lines:
        fields = line.split() if delimiter is None else _split_quoted(line, delimiter, path, row)
        fields = [field.strip() for field in fields]
        if rows and len(fields) != len(rows[0][1]):
            raise InputError(
                f"the row has {len(fields)} fields, but the header has {len(rows[0][1])}",
                remedy="Give each row a field for each column; write NA for a missing value",
                file=path,
                row=row,
            )
        rows.append((row, fields))
    rows[0][1][0] = rows[0][1][0].removeprefix("#")
    return rows


def _split_quoted(line: str, delimiter: str, path: str | Path, row: int) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        raise InputError(
            f"the row cannot be parted: {error}", remedy="Write the row again", file=path, row=row
        ) from error


def _read_values(path: str | Path, column: str, iid_column: str) -> tuple[pd.DataFrame, int]:
    """Return FID, IID and value of the samples that have one, and how many have none."""
    rows = _read_rows(path)
    header = rows[0][1]
    at_value, at_iid = (_find_column(header, name, path, rows[0][0]) for name in (column, iid_column))
    at_fid = header.index("FID") if "FID" in header and iid_column != "FID" else None
    seen: dict[str, int] = {}
    kept: list[tuple[str, str, float]] = []
    for row, fields in rows[1:]:
        iid = fields[at_iid]
        _note_sample(iid, row, seen, iid_column, path)
        value = _parse_value(fields[at_value], column, path, row)
        if value is not None:
            kept.append(("0" if at_fid is None else fields[at_fid], iid, value))
    read = pd.DataFrame(kept, columns=["FID", "IID", "value"]).astype({"value": np.float64})
    return read, len(seen) - len(read)


def _note_sample(iid: str, row: int, seen: dict[str, int], iid_column: str, path: str | Path) -> None:
    if not iid or iid in seen:
        raise InputError(
            f"sample {iid!r} was already in row {seen[iid]}" if iid else f"there is no {iid_column}",
            remedy="Keep one row for each sample, or name the column with unique ids as iid_column",
            file=path,
            row=row,
        )
    seen[iid] = row


def _find_column(header: list[str], name: str, path: str | Path, row: int) -> int:
    count = header.count(name)
    if count != 1:
        raise InputError(
            f"there is no column {name!r}" if not count else f"{count} columns are named {name!r}",
            remedy=f"Name one of: {', '.join(header)}" if not count else "Give each column its own name",
            file=path,
            row=row,
        )
    return header.index(name)


def _parse_value(text: str, column: str, path: str | Path, row: int) -> float | None:
    """Return the number, None when it is missing."""
    if text.lower() in MISSING_WORDS:
        return None
    value = _parse_number(text, column, path, row)
    return None if value == MISSING_NUMBER else value


def _parse_number(text: str, column: str, path: str | Path, row: int) -> float:
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"{text!r} in column {column!r} is not a number",
            remedy="Write numbers with a decimal point, and NA, -9 or nothing for a missing value",
            file=path,
            row=row,
        )
    return value


def _find_cut(values: pd.Series, threshold: Threshold) -> float:
    if threshold == "mean":
        return float(values.mean())
    if threshold == "zero":
        return 0.0
    if not isinstance(threshold, float | int):
        raise StudyError(f"A threshold is 'mean', 'zero' or a number, not {threshold!r}.")
    return float(threshold)


def _find_binary_cut(values: pd.Series, column: str, path: str | Path) -> float:
    """Return the number between the codes of control and case."""
    codes = set(values)
    if codes <= {0.0, 1.0}:
        return ZERO_ONE_CUT
    if codes <= {0.0, 1.0, 2.0}:
        return PLINK_CUT
    raise InputError(
        f"column {column!r} is not binary: it has {len(codes)} values from {values.min():g} to "
        f"{values.max():g}",
        remedy="Set a threshold (mean, zero or a number) to cut it into cases and controls",
        file=path,
    )


def _match_samples(
    read: pd.DataFrame, samples: Iterable[str] | None, path: str | Path
) -> tuple[pd.DataFrame, int, int]:
    """Return the rows of the samples, in their order, and how many have no genotype or no phenotype."""
    if samples is None:
        return read.reset_index(drop=True), 0, 0
    wanted = [str(one) for one in samples]
    at = pd.Index(read["IID"]).get_indexer(pd.Index(wanted, dtype=object))
    found = at[at >= 0]
    if len(read) and not len(found):
        raise InputError(
            f"none of the {len(read)} samples with a value is among the {len(wanted)} genotyped ones; the "
            f"file has {read['IID'].iloc[0]!r}, the genotypes {(wanted or ['none'])[0]!r}",
            remedy="Name the column that holds the ids of the genotypes as iid_column",
            file=path,
        )
    table = read.iloc[found].reset_index(drop=True)
    return table, len(read) - len(found), len(wanted) - len(found)
