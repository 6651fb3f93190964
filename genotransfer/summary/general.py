"""Statistics in any table with a header, its columns named by the user or after GWAS-SSF.

Source: Hayhurst et al. 2022, the GWAS Catalog's summary statistics standard (GWAS-SSF).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri

from genotransfer.errors import InputError
from genotransfer.summary.statistics import MOST_PEOPLE, SCALES, SummaryStatistics, clean_statistics
from genotransfer.summary.text import TextTable, read_text_table

# What each column is called where the user does not name it: ours, then GWAS-SSF's.
KNOWN = {
    "id": ("id", "rsid", "rs_id", "variant_id"),
    "chromosome": ("chromosome",),
    "position": ("position", "base_pair_location"),
    "counted": ("counted", "effect_allele"),
    "other": ("other", "other_allele"),
    "beta": ("beta",),
    "odds_ratio": ("odds_ratio",),
    "se": ("se", "standard_error"),
    "p": ("p", "p_value"),
    "n": ("n",),
    "frequency": ("frequency", "effect_allele_frequency"),
}
# What replaces an absent effect or standard error is told apart by which of these are there.
OPTIONAL = {"id", "chromosome", "position", "beta", "odds_ratio", "se", "p", "n", "frequency"}


def read_general(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    n: int | float | None = None,
    scale: str | None = None,
) -> SummaryStatistics:
    """Read a table parted by tabs, commas or white space.

    Parameters
    ----------
    columns : the file's name for id, chromosome, position, counted, other, beta or odds_ratio, se (of
        beta or of the log odds), p, n, frequency (of counted); what is not named is looked for under
        our own names and GWAS-SSF's. Needed: counted, other, beta or odds_ratio, se or p, and id or
        chromosome and position. Where se is absent it is the one that gives the file's p.
    n : number of people, where no column says it.
    scale : of beta, ``log odds`` or ``linear``; an odds ratio is always turned into log odds.

    Raises
    ------
    InputError
        A column is missing, or a value is of the wrong kind.
    """
    columns = dict(columns or {})
    strange = sorted(set(columns) - set(KNOWN))
    if strange or (scale is not None and scale not in SCALES):
        what = f"columns for {', '.join(strange)}" if strange else f"scale {scale!r}"
        raise InputError(
            f"there is no use for {what}", remedy=f"Name columns for {', '.join(KNOWN)}; scale: {SCALES}"
        )
    table = read_text_table(path, {*columns.values(), *(name for names in KNOWN.values() for name in names)})
    table.require(*columns.values())
    names = {what: columns.get(what) or table.find(*known) for what, known in KNOWN.items()}
    _check(table, names)
    if names["beta"] is not None:
        beta = table.read_numbers(names["beta"])
    else:
        odds = table.read_numbers(
            names["odds_ratio"], 0.0, remedy="Give odds ratios, which are above 0, or name the column beta"
        )
        with np.errstate(divide="ignore"):
            beta = np.log(odds)
        scale = "log odds"
    p = table.read_numbers(names["p"], 0.0, 1.0)
    people = table.read_numbers(names["n"], 0.0, MOST_PEOPLE)
    result = pd.DataFrame(
        {
            "id": table.read_text(names["id"]),
            "chromosome": table.read_text(names["chromosome"], "0"),
            "position": table.read_positions(names["position"]),
            "counted": table.read_alleles(str(names["counted"])),
            "other": table.read_alleles(str(names["other"])),
            "beta": beta,
            "se": table.read_numbers(names["se"]) if names["se"] is not None else _find_se(beta, p),
            "p": p,
            "n": people if n is None else np.where(np.isnan(people), n, people),
            "frequency": table.read_numbers(names["frequency"], 0.0, 1.0),
        }
    )
    return clean_statistics(result, scale=scale or "unknown")


def _find_se(beta: np.ndarray, p: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(
            np.abs(beta) / -ndtri(p / 2)
        )  # p of 0 gives 0 and p of 1 infinity: both are left out


def _check(table: TextTable, names: Mapping[str, str | None]) -> None:
    absent = [what for what in KNOWN if what not in OPTIONAL and names[what] is None]
    if names["beta"] is None and names["odds_ratio"] is None:
        absent.append("beta or odds_ratio")
    if names["se"] is None and names["p"] is None:
        absent.append("se or p")
    if names["id"] is None and (names["chromosome"] is None or names["position"] is None):
        absent.append("id, or chromosome and position")
    if absent:
        raise InputError(
            f"no column is known for {', '.join(absent)}; there are {', '.join(table.names)}",
            file=table.path,
            remedy="Say which columns hold them",
        )
