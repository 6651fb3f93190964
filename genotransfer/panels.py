"""SNP panels, the paper's sub-datasets: the variants of an association that pass each threshold."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool

from genotransfer.errors import AlignmentError, InputError, StudyError
from genotransfer.formats.files import replace_together

STATISTICS = {"p": "P", "difference": "DIFF"}
POPULATIONS = ("source", "target")
PANEL_COLUMNS = ["panel", "population", "id", "counted", "other"]
SIZE_COLUMNS = ["population", "panel", "threshold", "n_snps", "note"]

# Found on labels drawn at random: 12 draws of 700 (source) and 70 (target) samples copied from the
# shipped chr21 panel, allelic test, some 57,000 variants. The median sizes are near the paper's Tables
# 1 and 2. At n = 70 the allelic test is coarse: its smallest p-values come too often, so the target's
# thresholds are above size / variants.
SOURCE_THRESHOLDS = (5e-5, 1e-4, 4e-4, 0.0018, 0.0026, 0.0175, 0.0185, 0.062, 0.087, 0.118)
# fmt: off
TARGET_THRESHOLDS = (
    2e-4, 3e-4, 5e-4, 0.0013, 0.0022, 0.0034, 0.004, 0.0062, 0.0075, 0.011, 0.016, 0.022, 0.038,
)
# fmt: on
# The same for the difference of mean allele counts. With 35 cases and 35 controls it is a multiple of
# 1/35: the target's thresholds take one multiple each.
SOURCE_DIFFERENCES = (0.2, 0.185, 0.17, 0.147, 0.14, 0.107, 0.105, 0.08, 0.0715, 0.063)
TARGET_DIFFERENCES = (0.65, 0.62, 0.59, 0.57, 0.54, 0.51, 0.48, 0.45, 0.42, 0.39, 0.365, 0.34, 0.31)
DEFAULT_THRESHOLDS = {
    ("p", "source"): SOURCE_THRESHOLDS,
    ("p", "target"): TARGET_THRESHOLDS,
    ("difference", "source"): SOURCE_DIFFERENCES,
    ("difference", "target"): TARGET_DIFFERENCES,
}


def select_panels(
    association: pd.DataFrame,
    statistic: str,
    thresholds: Sequence[float],
    population: str,
    variants: pd.DataFrame,
) -> pd.DataFrame:
    """Select the variants of each panel.

    Panels are named by population and place of the threshold, the strictest first:
    ``source_01`` is the same threshold in all phenotypes. A panel without variants is left out; so
    is one with the same variants as a stricter one, which would only be trained twice.

    Parameters
    ----------
    association : from `genotransfer.association.associate`, on training data only. NaN is never
        selected.
    statistic : ``p``: P at most the threshold; ``difference``: DIFF, without its sign, at least
        the threshold.
    thresholds : in any order.
    population : ``source`` or ``target``.
    variants : `Genotypes.variants` of the genotypes the models will see: only these can be
        selected, and `counted` and `other` are theirs, whichever allele is the minor one.

    Returns
    -------
    panel, population, id, counted and other: a row for each variant of each panel, in the order
    of `variants`.

    Raises
    ------
    StudyError
        All panels are empty, a threshold is no positive number or given twice, or the association
        lacks the statistic.
    AlignmentError
        A variant has other alleles in the association than in `variants`.

    Source: Muneeb 2022, SNPs pre-selection.
    """
    values = _align(association, statistic, variants)
    parts, sizes = [], _measure(values, statistic, thresholds, population)
    kept = sizes[sizes["note"] == ""]
    for panel, threshold in zip(kept["panel"], kept["threshold"], strict=True):
        chosen = variants[_pass(values, statistic, threshold)]
        parts.append(chosen.assign(panel=panel, population=population)[PANEL_COLUMNS])
    if not parts:
        raise StudyError(_explain_empty(values, statistic, sizes["threshold"].iloc[-1], population))
    return pd.concat(parts, ignore_index=True)


def panel_sizes(
    association: pd.DataFrame,
    statistic: str,
    thresholds: Sequence[float],
    population: str,
    variants: pd.DataFrame,
) -> pd.DataFrame:
    """Tell the size of every panel `select_panels` considers, the empty ones too.

    Returns
    -------
    population, panel, threshold, n_snps and note: "" for a panel that is kept, ``empty``, or
    ``same as`` a stricter one.

    Source: the form of Muneeb 2022, Tables 1 and 2, in which 0 is an ignored panel.
    """
    return _measure(_align(association, statistic, variants), statistic, thresholds, population)


def write_panels(path: str | Path, panels: pd.DataFrame) -> None:
    """Write panels as Parquet."""
    with replace_together(path) as (target,):
        panels[PANEL_COLUMNS].to_parquet(target, index=False)


def read_panels(path: str | Path) -> pd.DataFrame:
    """Read what `write_panels` wrote.

    Raises
    ------
    InputError
        The file holds no panels.
    """
    try:
        panels = pd.read_parquet(path)
        return panels[PANEL_COLUMNS]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"this is no table of panels ({error})",
            remedy=f"Give a Parquet file with the columns {', '.join(PANEL_COLUMNS)}, as write_panels makes",
            file=path,
        ) from error


def _align(association: pd.DataFrame, statistic: str, variants: pd.DataFrame) -> pd.Series:
    """Return the statistic's value of each of `variants`; NaN for one the association lacks."""
    if statistic not in STATISTICS:
        raise StudyError(
            f"Panels cannot be selected by {statistic!r}. Choose one of {', '.join(STATISTICS)}."
        )
    column = STATISTICS[statistic]
    if column not in association:
        other = "the difference test" if statistic == "difference" else "a test with p-values"
        raise StudyError(
            f"Panels are to be selected by {statistic}, but the association has no column {column}. "
            f"Associate by {other}, or select by another statistic."
        )
    found = association.set_index("SNP").reindex(variants["id"])
    told = found["A1"].notna().to_numpy()
    theirs, ours = (
        tuple(table[name].to_numpy(dtype=object) for name in names)
        for table, names in ((found, ("A1", "A2")), (variants, ("counted", "other")))
    )
    same = (theirs[0] == ours[0]) & (theirs[1] == ours[1]) | (theirs[0] == ours[1]) & (theirs[1] == ours[0])
    wrong = np.flatnonzero(told & ~same)
    if len(wrong):
        first = wrong[0]
        pair, due = ("/".join(sorted(one[first] for one in both)) for both in (theirs, ours))
        raise AlignmentError(
            f"{len(wrong)} variants have other alleles in the association than in the genotypes, the first: "
            f"{variants['id'].iloc[first]}, {pair} against {due}. Associate the genotypes the panels are for."
        )
    return pd.Series(found[column].to_numpy(dtype=float), index=variants.index)


def _pass(values: pd.Series, statistic: str, threshold: float) -> Bool[np.ndarray, " n_variants"]:
    column = values.to_numpy()
    return np.asarray(column <= threshold if statistic == "p" else np.abs(column) >= threshold)


def _measure(values: pd.Series, statistic: str, thresholds: Sequence[float], population: str) -> pd.DataFrame:
    if population not in POPULATIONS:
        raise StudyError(f"There is no population {population!r}: panels are of {' or '.join(POPULATIONS)}.")
    ordered = sorted(thresholds, reverse=statistic == "difference")
    if not ordered or not np.isfinite(ordered).all() or min(ordered) <= 0 or len({*ordered}) < len(ordered):
        raise StudyError(
            f"The {population}'s panel thresholds are {list(thresholds)}. "
            "Give one or more positive numbers, each once."
        )
    rows, kept = [], ("", 0)
    for number, threshold in enumerate(ordered, start=1):
        name, size = f"{population}_{number:02d}", int(_pass(values, statistic, threshold).sum())
        # Each panel holds the stricter ones, so two of one size are one.
        note = "empty" if not size else f"same as {kept[0]}" if size == kept[1] else ""
        if not note:
            kept = (name, size)
        rows.append((population, name, float(threshold), size, note))
    return pd.DataFrame(rows, columns=SIZE_COLUMNS)


def _explain_empty(values: pd.Series, statistic: str, loosest: float, population: str) -> str:
    told = values.dropna().abs()
    if told.empty:
        best = f"none of its {len(values)} variants has a value"
    elif statistic == "p":
        best = (
            f"the smallest p of {len(told)} variants is {told.min():.3g}, the loosest threshold {loosest:g}"
        )
    else:
        best = f"the largest difference of {len(told)} variants is {told.max():.3g}"
    return (
        f"All of the {population}'s panels are empty: {best}, the loosest threshold {loosest:g}. "
        "Loosen the thresholds, give more samples, or choose another phenotype."
    )
