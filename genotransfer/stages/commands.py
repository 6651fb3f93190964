"""What the command line does with files, outside any study."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.association import associate, write_association
from genotransfer.errors import InputError
from genotransfer.formats.files import decode_text, read_lines, require_file
from genotransfer.genotypes import Genotypes
from genotransfer.phenotypes import CohortPhenotypes, Threshold, read_phenotypes
from genotransfer.storage import fetch_fileset, localise, stage_output


def associate_files(
    bfile: str | Path,
    pheno: str | Path,
    test: str,
    out: str | Path,
    *,
    pheno_name: str | None = None,
    threshold: Threshold = None,
    covar: str | Path | None = None,
) -> tuple[pd.DataFrame, CohortPhenotypes]:
    """Test each variant of a fileset for association with a phenotype; every path may be in a bucket.

    Parameters
    ----------
    bfile : prefix of the PLINK fileset.
    pheno : table with a header, an IID column and the phenotype.
    test : allelic, genotypic, trend, fisher or logistic.
    out : where the table is written, tab-separated, PLINK's columns; A1 is the minor allele.
    pheno_name : column of the phenotype; the first that is neither FID nor IID when None.
    threshold : cuts a quantitative phenotype: ``mean``, ``zero`` or a number.
    covar : table with a header, an IID column and numbers, for the logistic test.

    Returns
    -------
    The table, and the phenotypes with the counts of samples left out.
    """
    with stage_output(out) as written:
        with localise(bfile, fetch_fileset) as prefix:
            genotypes = Genotypes.open(prefix)
        with localise(pheno) as path:
            column = pheno_name or _find_first_column(path)
            read = read_phenotypes(path, column, threshold=threshold, samples=genotypes.samples["iid"])
        at = genotypes.locate_samples(read.table["IID"])
        covariates = None
        if covar is not None:
            with localise(covar) as path:
                covariates = _read_covariates(path, read.table["IID"])
        labels = read.table["phenotype"].to_numpy(dtype=np.int8)
        table = associate(genotypes.select(samples=at), labels, test, covariates=covariates)
        write_association(written, table)
    return table, read


def _find_first_column(path: Path) -> str:
    require_file(path, remedy="Check --pheno")
    header = _split(next(decode_text(line, path, row) for row, line in read_lines(path) if line.strip()))
    columns = [name for name in header if name.lstrip("#").upper() not in {"FID", "IID"}]
    if not columns:
        raise InputError("the header names no phenotype", file=path, row=1, remedy="Add a column for it")
    return columns[0]


def _split(line: str) -> list[str]:
    if "," in line and "\t" not in line:
        return next(csv.reader([line]))
    return line.split("\t") if "\t" in line else line.split()


def _read_covariates(path: Path, iids: pd.Series) -> np.ndarray:
    if not path.is_file():
        raise InputError("there is no such file", file=path, remedy="Check --covar")
    table = pd.read_csv(
        path, sep=None, engine="python", dtype={"FID": str, "#FID": str, "IID": str, "#IID": str}
    )
    table = table.rename(columns={"#FID": "FID", "#IID": "IID"})
    if "IID" not in table:
        raise InputError("the header names no IID", file=path, row=1, remedy="Name the column of ids IID")
    numbers = table.drop(columns=["FID", "IID"], errors="ignore").apply(pd.to_numeric, errors="coerce")
    bad = np.flatnonzero(numbers.isna().any(axis=1).to_numpy() & table["IID"].isin(iids).to_numpy())
    if len(bad):
        raise InputError(
            "a covariate is missing or no number",
            file=path,
            row=int(bad[0]) + 2,
            remedy="Give a number for every sample, or leave the sample out of the phenotype file",
        )
    absent = iids[~iids.isin(table["IID"])]
    if len(absent):
        raise InputError(
            f"{len(absent)} samples have no covariates, the first: {absent.iloc[0]}",
            file=path,
            remedy="Add a row for each, or leave the sample out of the phenotype file",
        )
    found: np.ndarray = numbers.set_index(table["IID"]).loc[iids].to_numpy(dtype=np.float64)
    return found
