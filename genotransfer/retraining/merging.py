"""Cohorts of one population brought together: common variants, the same alleles, everyone once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int8

from genotransfer.alignment import align_populations
from genotransfer.errors import InputError
from genotransfer.formats.plink import write_blocks
from genotransfer.genotypes import Genotypes

BLOCK = 4096


@dataclass(frozen=True)
class Cohort:
    """People of one origin.

    Attributes
    ----------
    name : of the cohort.
    genotypes : of the people.
    phenotypes : one row a person, columns as in its file, ids in `iid_column`.
    """

    name: str
    genotypes: Genotypes
    phenotypes: pd.DataFrame


@dataclass(frozen=True)
class Merged:
    """Cohorts brought together.

    Attributes
    ----------
    genotypes : of everyone, each once.
    phenotypes : one row a person, in the order of the genotypes; column ``cohort`` names the origin.
    n_doubled : people that an earlier cohort had already, by id.
    n_variants : variants of each cohort before those not common to all were left out, by name.
    """

    genotypes: Genotypes
    phenotypes: pd.DataFrame
    n_doubled: int
    n_variants: dict[str, int]


def merge_cohorts(
    cohorts: list[Cohort],
    prefix: str | Path,
    *,
    columns: list[str],
    iid_column: str = "IID",
    match_by: str = "auto",
    ambiguous: str = "drop",
) -> Merged:
    """Write the people of several cohorts of one population as one fileset.

    Only variants that all cohorts have are kept, with the alleles of the first. A person that two
    cohorts have, by id, is the earlier cohort's. People without a row in their cohort's phenotypes are
    left out.

    Parameters
    ----------
    cohorts : the oldest first.
    prefix : of the fileset to write.
    columns : phenotypes to keep.
    iid_column : column of the individual ids.
    match_by, ambiguous : see `genotransfer.alignment.align_populations`.

    Raises
    ------
    InputError
        A cohort's phenotypes lack a column, or no person is left.
    AlignmentError
        Two cohorts have no variant in common.
    """
    views: list[Genotypes] = [cohorts[0].genotypes]
    for one in cohorts[1:]:
        aligned = align_populations(views[0], one.genotypes, match_by=match_by, ambiguous=ambiguous)
        # What the first keeps, the others that were aligned with it keep too, in its order.
        kept = pd.Index(views[0].variant_rows).get_indexer(pd.Index(aligned.source.variant_rows))
        views = [view.select(variants=kept) for view in views] + [aligned.target]
    seen: set[str] = set()
    people: list[Genotypes] = []
    tables: list[pd.DataFrame] = []
    n_doubled = 0
    for one, view in zip(cohorts, views, strict=True):
        table = _take_phenotypes(one, columns, iid_column)
        iids = view.samples["iid"]
        known = iids.isin(table.index).to_numpy()
        doubled = iids.isin(seen).to_numpy()
        n_doubled += int((known & doubled).sum())
        at = np.flatnonzero(known & ~doubled)
        chosen = view.select(samples=at)
        seen |= set(chosen.samples["iid"])
        people.append(chosen)
        tables.append(table.loc[chosen.samples["iid"]].assign(cohort=one.name))
    if not any(one.n_samples for one in people):
        raise InputError(
            "no person of the cohorts has both genotypes and a row of phenotypes",
            remedy=f"Check that column {iid_column!r} holds the genotypes' individual ids",
            file=cohorts[0].genotypes.prefix,
        )
    samples = pd.concat([one.samples for one in people], ignore_index=True)
    write_blocks(prefix, samples, _read_together(people, views[0].variants))
    phenotypes = pd.concat(tables).rename_axis(iid_column).reset_index()
    sizes = {one.name: one.genotypes.n_variants for one in cohorts}
    return Merged(Genotypes.open(prefix), phenotypes, n_doubled, sizes)


def _take_phenotypes(cohort: Cohort, columns: list[str], iid_column: str) -> pd.DataFrame:
    missing = [name for name in (iid_column, *columns) if name not in cohort.phenotypes]
    if missing:
        raise InputError(
            f"the phenotypes of the cohort {cohort.name!r} have no column {', '.join(missing)} (they have "
            f"{', '.join(cohort.phenotypes.columns)})",
            remedy="Name the columns as the study's own cohort does",
            file=cohort.name,
        )
    table = cohort.phenotypes[[iid_column, *columns]].astype({iid_column: str})
    return table.drop_duplicates(iid_column).set_index(iid_column)


def _read_together(
    people: list[Genotypes], variants: pd.DataFrame
) -> Iterator[tuple[pd.DataFrame, Int8[np.ndarray, "n k"]]]:
    for start in range(0, len(variants), BLOCK):
        where = slice(start, min(start + BLOCK, len(variants)))
        yield variants.iloc[where], np.concatenate([one.read(where) for one in people])
