"""PLINK 2's association reports: .glm.linear, .glm.logistic, .glm.logistic.hybrid and .glm.firth.

Source: PLINK 2's file format reference (cog-genomics.org/plink/2.0/formats#glm_linear).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.summary.statistics import MOST_PEOPLE, SummaryStatistics, clean_statistics
from genotransfer.summary.text import TextTable, read_text_table

KEPT = {
    *("#CHROM", "POS", "#POS", "ID", "#ID", "REF", "ALT", "A1", "OMITTED", "A1_FREQ", "TEST", "OBS_CT"),
    *("OR", "BETA", "LOG(OR)_SE", "SE", "P", "LOG10_P", "ERRCODE"),
}


def read_plink2(path: str | Path, *, n: int | float | None = None) -> SummaryStatistics:
    """Read a report of ``plink2 --glm``.

    Rows of other tests than ADD, such as covariates, are passed over. The other allele is OMITTED
    where there is such a column, and REF or ALT, whichever is not A1, where there is not.

    Parameters
    ----------
    n : number of people, where the file has no OBS_CT.

    Returns
    -------
    Statistics of log odds where the file has an odds ratio, or its standard error is one of log
    odds; linear otherwise. Its counts name what was left out: ``no additive test``, ``several
    alternative alleles`` (and no OMITTED), ``error in PLINK`` and those of `clean_statistics`.

    Raises
    ------
    InputError
        A column is missing, or a value is of the wrong kind.
    """
    table = read_text_table(path, KEPT)
    table.require("#ID" if "#ID" in table.columns else "ID", "A1")
    counts: dict[str, int] = {}

    def drop(bad: np.ndarray, reason: str) -> None:
        nonlocal table
        counts[reason] = int(bad.sum())
        if bad.any():
            table = table.select(~bad)

    drop((table.read_text(table.find("TEST"), "ADD") != "ADD").to_numpy(), "no additive test")
    if "OMITTED" not in table.columns:
        table.require("REF", "ALT")
        drop(table.columns["ALT"].str.contains(",").to_numpy(), "several alternative alleles")
    drop((table.read_text(table.find("ERRCODE")) != ".").to_numpy(), "error in PLINK")
    effect = table.find("OR", "BETA") or "BETA"
    error = table.find("LOG(OR)_SE", "SE") or "SE"
    table.require(effect, error)
    beta = table.read_numbers(effect, 0.0 if effect == "OR" else -np.inf)
    if effect == "OR":
        with np.errstate(divide="ignore"):
            beta = np.log(beta)  # an odds ratio of 0 or infinity is no finite effect, and is left out
    result = pd.DataFrame(
        {
            "id": table.read_text(table.find("ID", "#ID")),
            "chromosome": table.read_text(table.find("#CHROM"), "0"),
            "position": table.read_positions(table.find("POS", "#POS")),
            "counted": table.read_alleles("A1"),
            "other": _find_other(table),
            "beta": beta,
            "se": table.read_numbers(error, 0.0),
            "p": _read_p(table),
            "n": table.read_numbers("OBS_CT", 0.0, MOST_PEOPLE)
            if "OBS_CT" in table.columns
            else np.nan
            if n is None
            else n,
            "frequency": table.read_numbers(table.find("A1_FREQ"), 0.0, 1.0),
        }
    )
    log_odds = effect == "OR" or error != "SE" or ".glm.logistic" in table.path.name
    return clean_statistics(result, scale="log odds" if log_odds else "linear", counts=counts)


def _find_other(table: TextTable) -> pd.Series:
    if "OMITTED" in table.columns:
        return table.read_alleles("OMITTED")
    counted, ref, alt = (table.read_alleles(name) for name in ("A1", "REF", "ALT"))
    return ref.where(counted == alt, alt)


def _read_p(table: TextTable) -> np.ndarray:
    if "P" in table.columns:
        return table.read_numbers("P", 0.0, 1.0)
    return np.asarray(10.0 ** -table.read_numbers(table.find("LOG10_P"), 0.0))
