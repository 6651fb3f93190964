"""What the command line does with files, outside any study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.association import associate, write_association
from genotransfer.errors import InputError
from genotransfer.genotypes import Genotypes
from genotransfer.phenotypes import CohortPhenotypes, Threshold, read_columns, read_phenotypes, split_header
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
                covariates = read_covariates(path, read.table["IID"])
        labels = read.table["phenotype"].to_numpy(dtype=np.int8)
        table = associate(genotypes.select(samples=at), labels, test, covariates=covariates)
        write_association(written, table)
    return table, read


def _find_first_column(path: Path) -> str:
    columns = [name for name in split_header(path) if name.lstrip("#").upper() not in {"FID", "IID"}]
    if not columns:
        raise InputError("the header names no phenotype", file=path, row=1, remedy="Add a column for it")
    return columns[0]


def read_covariates(path: Path, iids: pd.Series) -> np.ndarray:
    """Return the covariates of some samples, float64 (n_samples, n_covariates), in the order of `iids`.

    Parameters
    ----------
    path : table with a header, an IID column and numbers; FID is passed over.
    iids : individual ids.

    Raises
    ------
    InputError
        The file cannot be read, or lacks a sample or a number.
    """
    header = [name.lstrip("#") for name in split_header(path)]
    covariates = [name for name in header if name not in {"FID", "IID"}]
    table = read_columns(path, "IID", covariates)
    numbers = table[covariates].apply(pd.to_numeric, errors="coerce")
    usable = np.isfinite(numbers.to_numpy(dtype=np.float64)).all(axis=1)
    bad = np.flatnonzero(~usable & table["IID"].isin(iids).to_numpy())
    if len(bad):
        raise InputError(
            f"a covariate of the sample {table['IID'].iloc[bad[0]]!r} is missing or no number",
            file=path,
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
