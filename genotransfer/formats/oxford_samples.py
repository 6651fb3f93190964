"""Oxford .sample files: two header rows, then one row a sample.

The second row gives each column's kind: 0 for ids and missingness, D discrete and C continuous
covariates, B binary (0, 1) and P continuous phenotypes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int8

from genotransfer.errors import InputError
from genotransfer.formats.files import decode_text, read_lines
from genotransfer.genotypes import SAMPLE_COLUMNS

KINDS = {"0", "D", "C", "P", "B"}
SEXES = {"1": 1, "2": 2, "M": 1, "F": 2, "MALE": 1, "FEMALE": 2}
MISSING_PHENOTYPE = "-9"
HEADER_REMEDY = "Begin with the rows 'ID_1 ID_2 missing' and '0 0 0', as HAPGEN2 and SNPTEST do"


def read_sample_file(path: str | Path) -> pd.DataFrame:
    """Read a .sample file as the table of a .fam.

    ID_1 is the family's id and ID_2 the individual's (ID_1 is both when there is no ID_2). The
    first column of kind B or P is the phenotype: 1 and 0 become PLINK's 2 (case) and 1
    (control), NA becomes -9. A column named sex holds 1 or M, 2 or F.

    Returns
    -------
    One row a sample; columns fid, iid, father, mother (str), sex (int), phenotype (str).

    Raises
    ------
    InputError
        A header row is wrong, a row has too few or too many columns, a binary phenotype is none of
        0, 1 and NA, an id stands twice, or there are no samples.
    """
    path = Path(path)
    rows = [(number, decode_text(line, path, number).split()) for number, line in read_lines(path)]
    rows = [(number, row) for number, row in rows if row]
    header, kinds = _check_header(path, rows)
    if len(rows) == 2:
        raise InputError(
            "there are no samples after the two header rows",
            file=path,
            remedy="Give the .sample file of a .gen file with samples (HAPGEN2 makes none for a group of 0)",
        )
    phenotype_at = next((at for at, kind in enumerate(kinds) if kind in "BP"), None)
    sex_at = next((at for at, name in enumerate(header) if name.lower() == "sex"), None)
    iid_at = 1 if len(header) > 1 and header[1].upper() == "ID_2" else 0
    seen: dict[str, int] = {}
    samples = []
    for number, row in rows[2:]:
        if len(row) != len(header):
            raise InputError(
                f"{len(row)} columns where {len(header)} are due ({' '.join(header)})",
                file=path,
                row=number,
                remedy="Write the row again, columns parted by a space, NA for what is missing",
            )
        iid = row[iid_at]
        if seen.setdefault(iid, number) != number:
            raise InputError(
                f"the individual id {iid!r} stands already in row {seen[iid]}",
                file=path,
                row=number,
                remedy="Give every sample an ID_2 of its own",
            )
        sex = 0 if sex_at is None else SEXES.get(row[sex_at].upper(), 0)
        phenotype = MISSING_PHENOTYPE
        if phenotype_at is not None:
            phenotype = _read_phenotype(row[phenotype_at], kinds[phenotype_at], path, number)
        samples.append((row[0], iid, "0", "0", sex, phenotype))
    return pd.DataFrame(samples, columns=SAMPLE_COLUMNS).astype({"sex": np.int64})


def write_sample_file(
    path: str | Path,
    samples: pd.DataFrame,
    missing: Float[np.ndarray, " n_samples"],
    phenotype: Int8[np.ndarray, " n_samples"] | None = None,
) -> None:
    """Write a .sample file with columns ID_1, ID_2, missing, sex and pheno.

    Parameters
    ----------
    path : where to write; the file is written in place, so give a temporary path.
    samples : one row a sample, columns as `Genotypes.samples`.
    missing : share of each sample's genotypes that are missing, 0 to 1.
    phenotype : 1 case, 0 control, -1 missing; when None, the one in `samples`, as kind B when it
        is coded 1, 2 and as kind P otherwise.
    """
    if phenotype is None:
        texts, kind = _translate_phenotypes(samples["phenotype"].astype(str).tolist())
    else:
        texts, kind = ["NA" if one < 0 else str(int(one)) for one in phenotype], "B"
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        file.write(f"ID_1 ID_2 missing sex pheno\n0 0 0 D {kind}\n")
        columns = (samples["fid"], samples["iid"], missing, samples["sex"], texts)
        for fid, iid, share, sex, text in zip(*columns, strict=True):
            file.write(f"{fid} {iid} {share:.6g} {sex} {text}\n")


def _check_header(path: Path, rows: list[tuple[int, list[str]]]) -> tuple[list[str], list[str]]:
    header = rows[0][1] if rows else []
    if not header or header[0].upper() != "ID_1":
        raise InputError(
            f"the first column is called {header[0] if header else ''!r}, not ID_1",
            file=path,
            row=1,
            remedy=HEADER_REMEDY,
        )
    kinds = rows[1][1] if len(rows) > 1 else []
    if len(kinds) != len(header) or not set(kinds) <= KINDS or kinds[0] != "0":
        raise InputError(
            f"the second row must give the kind of each of the {len(header)} columns (0, D, C, P or B), "
            f"but is {' '.join(kinds)[:60]!r}",
            file=path,
            row=2,
            remedy=HEADER_REMEDY,
        )
    return header, kinds


def _read_phenotype(text: str, kind: str, path: Path, number: int) -> str:
    if text in ("NA", MISSING_PHENOTYPE):
        return MISSING_PHENOTYPE
    if kind == "P":
        return text
    if text not in ("0", "1"):
        raise InputError(
            f"the binary phenotype is {text!r}",
            file=path,
            row=number,
            remedy="Give 0 for a control, 1 for a case, NA where it is missing",
        )
    return str(int(text) + 1)


def _translate_phenotypes(values: list[str]) -> tuple[list[str], str]:
    """Return a .fam's phenotypes as a .sample's, and their kind."""
    if set(values) <= {"0", "1", "2", MISSING_PHENOTYPE, "NA"}:
        codes = {"1": "0", "2": "1"}
        return [codes.get(value, "NA") for value in values], "B"
    return ["NA" if value == MISSING_PHENOTYPE else value for value in values], "P"
