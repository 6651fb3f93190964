"""Association summary statistics in one table, whatever file they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64
from scipy.special import ndtr

from genotransfer.errors import InputError
from genotransfer.formats.chromosomes import name_chromosomes

COLUMNS = ["id", "chromosome", "position", "counted", "other", "beta", "se", "p", "n", "frequency"]
NUMBERS = ["beta", "se", "p", "n", "frequency"]
SCALES = ("log odds", "linear", "unknown")
UNKNOWN_ALLELE = "0"
MOST_PEOPLE = 1e10  # who can have been studied


@dataclass(frozen=True, eq=False)
class SummaryStatistics:
    """What an association study says of each variant, or the weights of a ready score.

    Attributes
    ----------
    variants : one row a variant, the columns `COLUMNS`: id, chromosome (str; ``0`` unknown), position
        (int, bp, 1-based; 0 unknown), counted and other allele (str, upper case; other ``0`` where the
        file does not name it), beta (float, effect of one copy of ``counted``), se, p, n (people),
        frequency (of ``counted``); NaN where unknown.
    scale : of beta: ``log odds``, ``linear`` or ``unknown``.
    ready : whether beta holds the weights of a score, which have no se, n or p.
    counts : rows of the file and how many were left out, by reason.
    """

    variants: pd.DataFrame
    scale: str = "unknown"
    ready: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def z(self) -> Float64[np.ndarray, " n_variants"]:
        """Effects in standard errors."""
        return (self.variants["beta"] / self.variants["se"]).to_numpy(dtype=np.float64)

    @property
    def correlations(self) -> Float64[np.ndarray, " n_variants"]:
        """Correlation of each variant with the outcome.

        For a linear regression with an intercept it is the sample's correlation, exactly:
        z / sqrt(n - 2 + z^2). For others it is an approximation.

        Raises
        ------
        InputError
            The number of people is unknown.
        """
        n, z = self.variants["n"].to_numpy(dtype=np.float64), self.z
        if not (n > 2).all():
            raise InputError(
                f"{int((~(n > 2)).sum())} of {len(n)} variants do not say how many people were studied",
                remedy="Give the number of people, or the column that holds it",
            )
        return np.asarray(z / np.sqrt(n - 2 + z**2))

    def select(self, at: np.ndarray) -> SummaryStatistics:
        """Return the statistics of some variants, by position or mask, in the order given."""
        return replace(self, variants=self.variants.iloc[_positions(at)].reset_index(drop=True))


def clean_statistics(
    table: pd.DataFrame, *, scale: str, ready: bool = False, counts: Mapping[str, int] | None = None
) -> SummaryStatistics:
    """Leave out what cannot be used, count it, and fill p from beta and se where it is unknown.

    Left out, in this order: no beta; an se that is not above zero (a ready score has none); two equal
    alleles; an id that stands more than once, in all its rows, since nothing says which is meant.
    A variant without an id is called chromosome:position:other:counted.

    Parameters
    ----------
    table : the columns `COLUMNS`, numbers as floats and position as int64.
    scale, ready : see `SummaryStatistics`.
    counts : what the reader left out before.

    Raises
    ------
    InputError
        Nothing is left.
    """
    table = table[COLUMNS].copy()
    table["chromosome"] = name_chromosomes(table["chromosome"])
    for column in ("counted", "other"):
        table[column] = table[column].str.upper()
    nameless = table["id"].isin(["", "."]).to_numpy()
    located = ["chromosome", "position", "other", "counted"]
    if nameless.any():
        table.loc[nameless, "id"] = table.loc[nameless, located].astype(str).agg(":".join, axis=1)
    before = dict(counts or {})
    report = {"rows": len(table) + sum(before.values()), **before}
    table = _drop(table, ~np.isfinite(table["beta"].to_numpy()), "no effect", report)
    if not ready:
        se = table["se"].to_numpy()
        table = _drop(table, ~(np.isfinite(se) & (se > 0)), "standard error not above zero", report)
    table = _drop(table, (table["counted"] == table["other"]).to_numpy(), "alleles equal each other", report)
    table = _drop(table, table["id"].duplicated(keep=False).to_numpy(), "id more than once", report)
    report["kept"] = len(table)
    if table.empty:
        reasons = ", ".join(f"{number} {reason}" for reason, number in report.items() if number)
        raise InputError(
            f"no variant is left: {reasons}", remedy="Check that the columns are the ones that are meant"
        )
    if not ready:
        absent = table["p"].isna().to_numpy()
        with np.errstate(over="ignore"):
            table.loc[absent, "p"] = 2 * ndtr(-np.abs(table["beta"] / table["se"])[absent])
    return SummaryStatistics(table.reset_index(drop=True), scale, ready, report)


def join_statistics(parts: Iterable[SummaryStatistics]) -> SummaryStatistics:
    """Return the statistics of several files, for instance one a chromosome, as one.

    Raises
    ------
    InputError
        Some hold a score and others statistics, or effects are on different scales.
    """
    parts = list(parts)
    if len({(one.scale, one.ready) for one in parts}) > 1:
        raise InputError(
            f"the files differ in kind: {', '.join(sorted({one.scale for one in parts}))}",
            remedy="Give the files of one study, or of one score",
        )
    kept = {"rows", "kept"}
    before: dict[str, int] = {}
    for one in parts:
        for reason, number in one.counts.items():
            if reason not in kept:
                before[reason] = before.get(reason, 0) + number
    joined = pd.concat([one.variants for one in parts], ignore_index=True)
    cleaned = clean_statistics(joined, scale=parts[0].scale, ready=parts[0].ready)
    counts = {reason: before.get(reason, 0) + number for reason, number in cleaned.counts.items()}
    counts["rows"] += sum(before.values())
    return replace(cleaned, counts={**before, **counts})


def _drop(
    table: pd.DataFrame, bad: Bool[np.ndarray, " n"], reason: str, report: dict[str, int]
) -> pd.DataFrame:
    report[reason] = report.get(reason, 0) + int(bad.sum())
    return table[~bad]


def _positions(at: np.ndarray) -> np.ndarray:
    return np.flatnonzero(at) if at.dtype == bool else at
