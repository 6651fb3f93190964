"""The logistic test's table: what can be fitted, by which likelihood, and why not."""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int8, Int64
from scipy.special import ndtr, ndtri

from genotransfer.association.newton import fit_logistic
from genotransfer.errors import StudyError
from genotransfer.genotypes import MISSING

Z_95 = -float(ndtri(0.025))


def check_covariates(covariates: Float64[np.ndarray, "n c"]) -> None:
    """Refuse covariates that the intercept and the others already say.

    Raises
    ------
    StudyError
        A covariate is constant or a linear combination of others.
    """
    design = np.column_stack([np.ones(len(covariates)), _standardise(covariates)])
    if (rank := np.linalg.matrix_rank(design)) < design.shape[1]:
        raise StudyError(
            f"The {covariates.shape[1]} covariates and the intercept have rank {rank}: a covariate is "
            "constant or a sum of others. Take it out."
        )


def _standardise(covariates: Float64[np.ndarray, "n c"]) -> Float64[np.ndarray, "n c"]:
    spread = covariates.std(axis=0)
    return np.asarray((covariates - covariates.mean(axis=0)) / np.where(spread > 0, spread, 1))


def add_logistic(
    table: pd.DataFrame,
    counts: Int64[np.ndarray, "k 2 3"],
    dosages: Int8[np.ndarray, "n_samples k"],
    labels: Int8[np.ndarray, " n_samples"],
    covariates: Float64[np.ndarray, "n_samples c"] | None,
    firth: bool,
) -> pd.DataFrame:
    """Return the table of a block with the columns of `associate`'s logistic test.

    Parameters
    ----------
    table : CHR, SNP, BP, A1, A2 of the block's variants.
    counts : genotypes of A1, see `contingency`.
    dosages : copies of A1, -1 missing; read only where there are covariates.
    labels : 1 case, 0 control.
    covariates : without NaN.
    firth : estimate by Firth's method where the likelihood has no maximum.
    """
    called = counts.sum(axis=(1, 2))
    n_predictors = 2 + (0 if covariates is None else covariates.shape[1])
    too_few = called <= n_predictors
    constant = (counts.sum(axis=1) > 0).sum(axis=1) < 2
    one_class = (counts.sum(axis=2) == 0).any(axis=1)
    error = np.select(
        [too_few, constant, one_class, _find_separated(counts)],
        ["SAMPLE_CT<=PREDICTOR_CT", "CONST_OMITTED_ALLELE", "CONST_PHENOTYPE", "SEPARATION"],
        ".",
    ).astype(object)

    if covariates is None:  # all people of one genotype are one row
        common, dosage = np.ones((3, 1)), np.repeat(np.arange(3.0)[:, None], len(table), axis=1)
        cases, totals = counts[:, 0].T.astype(float), counts.sum(axis=1).T.astype(float)
    else:
        common = np.column_stack([np.ones(len(labels)), _standardise(covariates)])
        totals = (dosages != MISSING).astype(float)
        dosage, cases = dosages * totals, totals * labels[:, None]

    beta, se = np.full(len(table), np.nan), np.full(len(table), np.nan)

    def fit(chosen: Bool[np.ndarray, " k"], penalised: bool) -> None:
        found = fit_logistic(common, dosage[:, chosen], cases[:, chosen], totals[:, chosen], firth=penalised)
        beta[chosen], se[chosen] = found.beta, found.se

    fit(error == ".", False)
    error[(error == ".") & np.isnan(beta)] = "LOGISTIC_CONVERGE_FAIL"
    used_firth = firth & np.isin(error, ["SEPARATION", "LOGISTIC_CONVERGE_FAIL"])
    if used_firth.any():
        fit(used_firth, True)
        error[used_firth] = np.where(np.isnan(beta[used_firth]), "FIRTH_CONVERGE_FAIL", ".")
    with np.errstate(over="ignore"):
        return table.assign(
            TEST="ADD",
            NMISS=called,
            BETA=beta,
            OR=np.exp(beta),
            SE=se,
            L95=np.exp(beta - Z_95 * se),
            U95=np.exp(beta + Z_95 * se),
            STAT=beta / se,
            P=2 * ndtr(-np.abs(beta / se)),
            FIRTH=np.where(used_firth, "Y", "N"),
            ERRCODE=error,
        )


def _find_separated(counts: Int64[np.ndarray, "k 2 3"]) -> Bool[np.ndarray, " k"]:
    """Say where a number of copies parts cases from controls, people on the border left aside.

    There the likelihood grows without end as the slope does.
    """
    present = counts > 0
    lowest = np.argmax(present, axis=2)
    highest = 2 - np.argmax(present[..., ::-1], axis=2)
    return np.asarray((highest[:, 0] <= lowest[:, 1]) | (highest[:, 1] <= lowest[:, 0]))
