"""PLINK 1 binary filesets: .bed, .bim and .fam.

Source: Purcell et al. 2007, Am J Hum Genet 81:559; the bed decoding is bed-reader's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from bed_reader import to_bed
from jaxtyping import Int8

from genotransfer.errors import InputError
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import (
    BED_READER_MISSING,
    BED_MAGIC,
    MISSING,
    SAMPLE_COLUMNS,
    VARIANT_COLUMNS,
    Genotypes,
)


def strip_suffix(prefix: str | Path) -> Path:
    """Return the fileset's prefix, without a trailing .bed, .bim or .fam."""
    path = Path(prefix)
    return path.with_suffix("") if path.suffix in {".bed", ".bim", ".fam"} else path


def open_fileset(prefix: str | Path) -> Genotypes:
    """Open a fileset; see `Genotypes.open`."""
    prefix = strip_suffix(prefix)
    for suffix in (".bed", ".bim", ".fam"):
        if not Path(f"{prefix}{suffix}").is_file():
            raise InputError(
                "there is no such file",
                file=f"{prefix}{suffix}",
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
        The matrix is not of the size the tables ask for.
    """
    if dosages.shape != (len(samples), len(variants)):
        raise InputError(
            f"dosages of shape {dosages.shape} for {len(samples)} samples and {len(variants)} variants",
            remedy="Give one row a sample and one column a variant",
            file=f"{prefix}.bed",
        )
    stored = np.asfortranarray(dosages)
    if (missing := stored == MISSING).any():
        stored = np.where(missing, np.int8(BED_READER_MISSING), stored)
    with replace_together(f"{prefix}.bed", f"{prefix}.bim", f"{prefix}.fam") as (bed, bim, fam):
        scratch = bed.with_suffix(".scratch")  # to_bed adds .bim and .fam of its own beside its .bed
        to_bed(
            scratch,
            stored,
            fam_filepath=scratch.with_suffix(".unused_fam"),
            bim_filepath=scratch.with_suffix(".unused_bim"),
            num_threads=1,
        )
        scratch.rename(bed)
        variants[["chromosome", "id", "cm", "position", "counted", "other"]].to_csv(
            bim, sep="\t", header=False, index=False
        )
        samples[SAMPLE_COLUMNS].to_csv(fam, sep="\t", header=False, index=False)


def read_bim(path: Path) -> pd.DataFrame:
    """Read a .bim: chromosome, id, cm, position (bp), counted (A1) and other (A2) allele.

    Raises
    ------
    InputError
        A row has not six columns, a position is no number, or an id stands twice.
    """
    table = _read_table(path, ["chromosome", "id", "cm", "position", "counted", "other"])
    for column, dtype in (("cm", float), ("position", np.int64)):
        table[column] = _to_numbers(table[column], dtype, path)
    _refuse_doubles(table["id"], path, "variant id")
    return table[VARIANT_COLUMNS]


def read_fam(path: Path) -> pd.DataFrame:
    """Read a .fam: fid, iid, father, mother, sex and phenotype.

    Raises
    ------
    InputError
        A row has not six columns, or an individual id stands twice.
    """
    table = _read_table(path, SAMPLE_COLUMNS)
    table["sex"] = _to_numbers(table["sex"], np.int64, path)
    _refuse_doubles(table["iid"], path, "individual id")
    return table


def _read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    lines = path.read_text().splitlines()
    rows = [line.split() for line in lines]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(columns):
            raise InputError(
                f"{len(row)} columns where {len(columns)} are due ({', '.join(columns)})",
                file=path,
                row=number,
                remedy="Write the row again, columns parted by white space",
            )
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _to_numbers(values: pd.Series, dtype: type, path: Path) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    bad = np.flatnonzero(numbers.isna().to_numpy())
    if len(bad):
        raise InputError(
            f"{values.iloc[bad[0]]!r} is no number, in column {values.name}",
            file=path,
            row=int(bad[0]) + 1,
            remedy="Give a number; 0 stands for unknown",
        )
    return numbers.astype(dtype)


def _refuse_doubles(ids: pd.Series, path: Path, what: str) -> None:
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
