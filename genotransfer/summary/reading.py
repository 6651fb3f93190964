"""Reads summary statistics of any known format, one file or several."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from genotransfer.errors import InputError
from genotransfer.formats.files import GZIP_MAGIC, name_file, require_file
from genotransfer.summary.general import read_general
from genotransfer.summary.gwas_vcf import read_gwas_vcf
from genotransfer.summary.pgs_catalog import BY_DOSAGE, read_pgs_catalog
from genotransfer.summary.plink2 import read_plink2
from genotransfer.summary.statistics import SummaryStatistics, join_statistics
from genotransfer.summary.text import read_head

FORMATS = ("plink2", "gwas-vcf", "pgs-catalog", "table")


def detect_format(path: str | Path) -> str:
    """Return which of `FORMATS` a file is in, by what it holds and not by its name.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    path = require_file(path)
    start = _read_start(path)
    if start.startswith((b"BCF", b"##fileformat=VCF")):
        return "gwas-vcf"
    _, header = read_head(path)
    if header.startswith("#") and {"ID", "#ID"} & set(header.split()) and "A1" in header.split():
        return "plink2"
    if header.startswith("#"):
        _, header = read_head(path, comment="#")
    return "pgs-catalog" if {"effect_weight", *BY_DOSAGE} & set(header.split()) else "table"


def read_statistics(
    path: str | Path | Iterable[str | Path],
    *,
    form: str = "auto",
    columns: Mapping[str, str] | None = None,
    n: int | float | None = None,
    scale: str | None = None,
    study: str | None = None,
) -> SummaryStatistics:
    """Read the summary statistics of a study, or a ready score.

    Parameters
    ----------
    path : a file, or several that together make one study, for instance one a chromosome.
    form : one of `FORMATS`, or ``auto``: a table where `columns` are named, what the file looks like
        where they are not.
    columns, scale : see `read_general`; for tables only.
    n : number of people, where the file does not say it.
    study : see `read_gwas_vcf`.

    Raises
    ------
    InputError
        A file cannot be read, is in no known format, or nothing of it can be used.
    """
    if form not in ("auto", *FORMATS):
        raise InputError(f"there is no format {form!r}", remedy=f"Give auto or one of {', '.join(FORMATS)}")
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    if not paths:
        raise InputError("no file of statistics is named", remedy="Name at least one")
    parts = []
    for one in paths:
        with name_file(one):
            parts.append(_read_one(one, form, columns, n, scale, study))
    with name_file(paths[0]):
        return parts[0] if len(parts) == 1 else join_statistics(parts)


def _read_one(
    path: Path,
    form: str,
    columns: Mapping[str, str] | None,
    n: int | float | None,
    scale: str | None,
    study: str | None,
) -> SummaryStatistics:
    if form == "auto":
        form = "table" if columns else detect_format(path)
    if form == "plink2":
        return read_plink2(path, n=n)
    if form == "gwas-vcf":
        return read_gwas_vcf(path, study=study, n=n)
    if form == "pgs-catalog":
        return read_pgs_catalog(path)
    return read_general(path, columns=columns, n=n, scale=scale)


def _read_start(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(64)
    if not start.startswith(GZIP_MAGIC):
        return start
    try:
        with gzip.open(path, "rb") as file:
            return file.read(64)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"the gzip file is damaged: {error}",
            file=path,
            remedy="Copy the file again, and test it with gzip -t",
        ) from error
