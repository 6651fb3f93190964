"""PLINK 1 binary filesets: .bed, .bim and .fam.

Source: Purcell et al. 2007, Am J Hum Genet 81:559; a .bed is read by bed-reader, and written here
block by block, so that no matrix of all variants is ever needed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from jaxtyping import Int8, UInt8

from genotransfer.errors import InputError
from genotransfer.formats.files import replace_together, require_file
from genotransfer.genotypes import BED_MAGIC, SAMPLE_COLUMNS, VARIANT_COLUMNS, Genotypes

MOST = 10**15  # of a position: whole numbers are exact in a float up to here
SUFFIXES = (".bed", ".bim", ".fam")


def strip_suffix(prefix: str | Path) -> Path:
    """Return the fileset's prefix, without a trailing .bed, .bim or .fam."""
    path = Path(prefix)
    return path.with_suffix("") if path.suffix in SUFFIXES else path


def open_fileset(prefix: str | Path) -> Genotypes:
    """Open a fileset; see `Genotypes.open`."""
    prefix = strip_suffix(prefix)
    for suffix in SUFFIXES:
        require_file(
            f"{prefix}{suffix}",
            remedy="Name the fileset's prefix, the path of its .bed, .bim and .fam without the suffix",
        )
    variants = read_bim(Path(f"{prefix}.bim"))
    samples = read_fam(Path(f"{prefix}.fam"))
    _check_bed(Path(f"{prefix}.bed"), len(samples), len(variants))
    return Genotypes(
        prefix=prefix,
        variants=variants,
        samples=samples,
        variant_rows=np.arange(len(variants)),
        sample_rows=np.arange(len(samples)),
        swapped=np.zeros(len(variants), dtype=bool),
        file_shape=(len(samples), len(variants)),
    )


def write_fileset(
    prefix: str | Path,
    dosages: Int8[np.ndarray, "n_samples n_variants"],
    variants: pd.DataFrame,
    samples: pd.DataFrame,
) -> None:
    """Write dosages (0, 1, 2 copies of ``counted``; -1 missing) as .bed, .bim and .fam.

    Raises
    ------
    InputError
        See `write_blocks`.
    """
    write_blocks(prefix, samples, [(variants, dosages)])


def write_blocks(
    prefix: str | Path,
    samples: pd.DataFrame,
    blocks: Iterable[tuple[pd.DataFrame, Int8[np.ndarray, "n_samples k"]]],
) -> None:
    """Write successive blocks of variants as one fileset, holding one block at a time.

    Parameters
    ----------
    prefix : path of the fileset without ``.bed``; the files appear when all are complete.
    samples : one row a sample, columns as `Genotypes.samples`.
    blocks : pairs of (variants, columns as `Genotypes.variants`; dosages 0, 1, 2 copies of
        ``counted``, -1 missing).

    Raises
    ------
    InputError
        There are no samples or no variants, a block is not of the size its tables ask for, a
        dosage is none of -1, 0, 1, 2, an id is empty, holds white space or stands twice. Nothing
        is written then.
    """
    if not len(samples):
        raise InputError(
            "there are no samples to write", file=f"{prefix}.fam", remedy="Keep at least one sample"
        )
    _check_fields(samples, ["fid", "iid", "father", "mother"], f"{prefix}.fam")
    _refuse_doubles(samples["iid"], f"{prefix}.fam", "individual id")
    ids: list[pd.Series] = []
    with (
        replace_together(*(f"{prefix}{suffix}" for suffix in SUFFIXES)) as (bed, bim, fam),
        bed.open("wb") as bed_file,
        bim.open("w", encoding="utf-8", newline="") as bim_file,
    ):
        bed_file.write(BED_MAGIC)
        for variants, dosages in blocks:
            _check_block(dosages, len(samples), len(variants), f"{prefix}.bed")
            _check_fields(variants, ["chromosome", "id", "counted", "other"], f"{prefix}.bim")
            bed_file.write(encode_bed(dosages).tobytes())
            _write_table(variants[VARIANT_COLUMNS], bim_file)
            ids.append(variants["id"])
        if not sum(map(len, ids)):
            raise InputError(
                "there are no variants to write", file=f"{prefix}.bim", remedy="Keep at least one variant"
            )
        _refuse_doubles(pd.concat(ids, ignore_index=True), f"{prefix}.bim", "variant id")
        _write_table(samples[SAMPLE_COLUMNS], fam)


def move_fileset(prefix: str | Path, target: str | Path, samples: pd.DataFrame) -> None:
    """Move a fileset to another name in the same file system, and say other things of its samples.

    Parameters
    ----------
    prefix, target : paths without ``.bed``.
    samples : `genotransfer.genotypes.SAMPLE_COLUMNS` of the same samples, in their order.
    """
    with replace_together(f"{target}.fam") as (fam,):
        _write_table(samples[SAMPLE_COLUMNS], fam)
    for suffix in (".bed", ".bim"):
        Path(f"{prefix}{suffix}").replace(f"{target}{suffix}")


def _write_table(table: pd.DataFrame, file: Path | TextIO) -> None:
    # No quotes: PLINK knows none, and an id may hold one.
    table.to_csv(
        file,
        sep="\t",
        header=False,
        index=False,
        lineterminator="\n",
        quoting=csv.QUOTE_NONE,
        encoding="utf-8",
    )


def encode_bed(dosages: Int8[np.ndarray, "n_samples k"]) -> UInt8[np.ndarray, "k n_bytes"]:
    """Return a .bed's bytes, one row a variant, four samples a byte, the first in the lowest bits."""
    n_samples, n_variants = dosages.shape
    codes = np.zeros((n_variants, -(-n_samples // 4) * 4), dtype=np.uint8)
    # Two bits a genotype: missing (-1) 01, no copy of the counted allele 11, one 10, two 00. That is the
    # Gray code of the dosage + 2, so that arithmetic does without a slower look-up.
    steps = (dosages.T + np.int8(2)).view(np.uint8) & np.uint8(3)
    codes[:, :n_samples] = steps ^ (steps >> np.uint8(1))
    return np.asarray(codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6)


def read_bim(path: str | Path) -> pd.DataFrame:
    """Read a .bim: chromosome, id, cm, position (bp), counted (A1) and other (A2) allele.

    Raises
    ------
    InputError
        A row has not six columns, a position is no number, or an id stands twice.
    """
    table = _read_table(Path(path), VARIANT_COLUMNS)
    table["cm"] = _to_numbers(table["cm"], path).astype(float)
    table["position"] = _to_integers(table["position"], path)
    _refuse_doubles(table["id"], path, "variant id")
    return table


def read_fam(path: str | Path) -> pd.DataFrame:
    """Read a .fam: fid, iid, father, mother, sex and phenotype.

    Raises
    ------
    InputError
        A row has not six columns, or an individual id stands twice.
    """
    table = _read_table(Path(path), SAMPLE_COLUMNS)
    table["sex"] = _to_integers(table["sex"], path)
    _refuse_doubles(table["iid"], path, "individual id")
    return table


def _read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    require_file(path)
    try:
        # One column more than are due catches rows that are too long.
        table = pd.read_csv(
            path,
            sep=r"\s+",
            header=None,
            names=[*columns, "excess"],
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_values=[],
            quoting=csv.QUOTE_NONE,
            skip_blank_lines=False,
            encoding="utf-8",
        )
    except (ValueError, pd.errors.ParserError) as error:  # UnicodeDecodeError is a ValueError
        _raise_for_row(path, columns, error)
    # What a short row lacks comes as "" or NaN, by pandas' version.
    if (table["excess"].fillna("") != "").any() or (table[columns[-1]].fillna("") == "").any():
        _raise_for_row(path, columns, None)
    return table[columns].astype(object)


def _raise_for_row(path: Path, columns: list[str], cause: Exception | None) -> None:
    """Find the first row that is not as it should be, and raise an error that names it."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if len(line.split()) != len(columns):
                raise InputError(
                    f"{len(line.split())} columns where {len(columns)} are due ({', '.join(columns)})",
                    file=path,
                    row=number,
                    remedy="Write the row again, columns parted by white space",
                ) from cause
    raise InputError(
        f"this is no table in UTF-8: {cause}", file=path, remedy="Check that this is the right file"
    ) from cause


def _to_numbers(values: pd.Series, path: str | Path) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    _refuse_rows(values, ~np.isfinite(numbers.to_numpy(dtype=float)), path, "no number")
    return numbers


def _to_integers(values: pd.Series, path: str | Path) -> pd.Series:
    numbers = _to_numbers(values, path)
    whole = (numbers % 1 == 0) & (numbers.abs() <= MOST)
    _refuse_rows(values, ~whole.to_numpy(dtype=bool), path, "no whole number of at most 15 digits")
    return numbers.astype(np.int64)


def _refuse_rows(values: pd.Series, bad: np.ndarray, path: str | Path, what: str) -> None:
    if bad.any():
        at = int(np.argmax(bad))
        raise InputError(
            f"{values.iloc[at]!r} is {what}, in column {values.name}",
            file=path,
            row=at + 1,
            remedy="Give a number; 0 stands for unknown",
        )


def _check_fields(table: pd.DataFrame, columns: list[str], path: str) -> None:
    for column in columns:
        bad = ~table[column].astype(str).str.fullmatch(r"\S+").to_numpy(dtype=bool)
        if bad.any():
            at = int(np.argmax(bad))
            raise InputError(
                f"{table[column].iloc[at]!r} is empty or holds white space, in column {column}",
                file=path,
                row=at + 1,
                remedy="Rename it, for instance with _ for the white space",
            )


def _check_block(dosages: np.ndarray, n_samples: int, n_variants: int, path: str) -> None:
    if dosages.shape != (n_samples, n_variants):
        raise InputError(
            f"dosages of shape {dosages.shape} for {n_samples} samples and {n_variants} variants",
            remedy="Give one row a sample and one column a variant",
            file=path,
        )
    if dosages.size and (dosages.min() < -1 or dosages.max() > 2):
        raise InputError(
            f"dosages from {dosages.min()} to {dosages.max()}",
            remedy="Give 0, 1 or 2 copies of the counted allele, or -1 for missing",
            file=path,
        )


def _refuse_doubles(ids: pd.Series, path: str | Path, what: str) -> None:
    doubled = np.flatnonzero(ids.duplicated().to_numpy())
    if len(doubled):
        row = int(doubled[0])
        first = int(np.flatnonzero((ids == ids.iloc[row]).to_numpy())[0]) + 1
        raise InputError(
            f"the {what} {ids.iloc[row]!r} stands already in row {first} ({len(doubled)} doubled in all)",
            file=path,
            row=row + 1,
            remedy="Give every row an id of its own, for instance chromosome:position:alleles",
        )


def _check_bed(path: Path, n_samples: int, n_variants: int) -> None:
    with path.open("rb") as file:
        magic = file.read(3)
    if magic != BED_MAGIC:
        raise InputError(
            "this is no PLINK 1 .bed in variant-major order: its first three bytes are not 6c 1b 01",
            file=path,
            remedy="Make it with plink --make-bed",
        )
    due, found = 3 + n_variants * ((n_samples + 3) // 4), path.stat().st_size
    if found != due:
        short = "truncated" if found < due else "longer than it should be"
        raise InputError(
            f"{found} bytes where {n_samples} samples and {n_variants} variants need {due}: the .bed is "
            f"{short}, or the .bim or .fam belongs to another .bed",
            file=path,
            remedy="Copy the three files again from one source",
        )
