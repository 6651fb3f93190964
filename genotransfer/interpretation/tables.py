"""Importance as a table of variants, with their places, genes, bins and ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int64

from genotransfer.exome.annotation import annotate_variants
from genotransfer.exome.gene_models import GeneModels
from genotransfer.interpretation.explain import Importance
from genotransfer.interpretation.kinds import EVERY_MODELS, KINDS

PLACE_COLUMNS = ["id", "chromosome", "position", "counted", "other"]
MEASURES = ["value", "share", "rank", "direction", "bin", "bin_value", "bin_share", "bin_rank", "lead"]
IMPORTANCE_COLUMNS = ["kind", *PLACE_COLUMNS, *MEASURES]


def tabulate_importance(
    importances: Mapping[str, Importance], variants: pd.DataFrame, bins: Int64[np.ndarray, " n_variants"]
) -> pd.DataFrame:
    """Return the variants by each measure, the most important first; those of no importance are left out.

    Parameters
    ----------
    importances : from `explain.explain_model`.
    variants : id, chromosome, position, counted, other of each.
    bins : as they were given to it.

    Returns
    -------
    kind; id, chromosome, position (bp), counted, other; value, share (of the sum over variants that count),
    rank (from 1); direction (1: a copy of ``counted`` speaks for a case, -1: against, 0: not known); bin,
    bin_value, bin_share and bin_rank, of the bin of variants in LD; lead, whether it is its bin's most
    important. Of a model whose output does not vary there may be no row.
    """
    parts = [_tabulate_one(one, variants, bins, importances) for one in importances.values()]
    return pd.concat(parts, ignore_index=True)[IMPORTANCE_COLUMNS]


def _tabulate_one(
    one: Importance,
    variants: pd.DataFrame,
    bins: Int64[np.ndarray, " n_variants"],
    importances: Mapping[str, Importance],
) -> pd.DataFrame:
    numbers = np.unique(bins, return_inverse=True)[1]
    # What permutes knows a bin as a whole: which of its variants leads, another measure says. Pursuit knows
    # of a few variants only, and says it where there is no other.
    leading = next((importances[kind] for kind in (*KINDS[1:], KINDS[0]) if kind in importances), one)
    table = variants[PLACE_COLUMNS].assign(
        kind=one.kind,
        value=one.values,
        direction=one.direction if one.direction.any() else leading.direction,
        bin=bins,
        bin_value=one.bins[numbers],
        leading=leading.values,
    )
    return rank_variants(table[table["value"].fillna(0) != 0])


def rank_variants(table: pd.DataFrame) -> pd.DataFrame:
    """Rank variants and bins of one measure, and mark the lead of each bin: ties by place.

    Parameters
    ----------
    table : value, bin, bin_value, and leading, by which variants of equal value are ordered.
    """
    order = np.lexsort(
        (
            table["position"],
            table["chromosome"].astype(str),
            -np.nan_to_num(table["leading"].to_numpy(dtype=float)),
            -table["value"].to_numpy(dtype=float),
        )
    )
    ranked = table.iloc[order].reset_index(drop=True)
    ranked["rank"] = np.arange(1, len(ranked) + 1)
    ranked["lead"] = ~ranked["bin"].duplicated()
    leads = ranked[ranked["lead"]].sort_values("bin_value", ascending=False, kind="stable")
    places = pd.Series(np.arange(1, len(leads) + 1), index=leads["bin"].to_numpy())
    ranked["bin_rank"] = ranked["bin"].map(places).astype("int64")
    for whole, share, rows in (("value", "share", ranked), ("bin_value", "bin_share", leads)):
        total = float(rows[whole].clip(lower=0).sum())
        ranked[share] = ranked[whole].clip(lower=0) / total if total > 0 else 0.0
    return ranked.drop(columns="leading")


def combine_tables(tables: Sequence[pd.DataFrame], weights: Sequence[float]) -> pd.DataFrame:
    """Return the importance to the mean of several models: their shares, averaged by their weights.

    Parameters
    ----------
    tables : from `tabulate_importance`, bins numbered alike. Models without a row, as those whose output does
        not vary, add nothing to the mean of the outputs' differences: the others share their weights.
    weights : of the models, adding up to 1.
    """
    told = [(one, weight) for one, weight in zip(tables, weights, strict=True) if len(one)]
    if not told:
        return tables[0].iloc[:0]
    if len(told) == 1:
        return told[0][0]
    parts = []
    for kind in KINDS:
        having = [(one[one["kind"] == kind], weight) for one, weight in told if (one["kind"] == kind).any()]
        if having and (kind in EVERY_MODELS or len(having) == len(told)):
            parts.append(_combine_kind(*zip(*having, strict=True)))
    return pd.concat(parts, ignore_index=True)[IMPORTANCE_COLUMNS] if parts else tables[0].iloc[:0]


def _combine_kind(tables: Sequence[pd.DataFrame], weights: Sequence[float]) -> pd.DataFrame:
    scaled = []
    for one, weight in zip(tables, np.array(weights) / sum(weights), strict=True):
        value = one["share"] * weight
        # Of what permutes, variants of a bin have one value: each model has its own order of them.
        place = one.sort_values("rank", kind="stable").groupby("bin").cumcount() + 1
        scaled.append(
            one.assign(
                value=value,
                turned=value * one["direction"],
                of_bin=one["bin_share"] * weight,
                leading=value / place,
            )
        )
    rows = pd.concat(scaled)
    firsts = {name: (name, "first") for name in ("kind", *PLACE_COLUMNS[1:], "bin")}
    added = {name: (name, "sum") for name in ("value", "turned", "leading")}
    sums = rows.groupby("id", sort=False).agg(**firsts, **added)
    by_bin = rows[rows["lead"]].groupby("bin")["of_bin"].sum()
    sums = sums.reset_index().assign(bin_value=lambda table: table["bin"].map(by_bin))
    sums["direction"] = np.sign(sums["turned"]).astype(np.int8)
    return rank_variants(sums)


def list_leads(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a bin of one measure's table, its lead, the most important bin first."""
    return table[table["lead"]].sort_values("bin_rank", kind="stable").reset_index(drop=True)


def name_genes(variants: pd.DataFrame, models: GeneModels) -> pd.DataFrame:
    """Return region and gene of each variant by id: see `exome.annotation.annotate_variants`.

    Parameters
    ----------
    variants : id, chromosome, position, counted, other; a variant may come more than once.
    models : gene models of the same genome build.
    """
    if variants.empty:
        return pd.DataFrame(columns=["id", "region", "gene"])
    once = variants[PLACE_COLUMNS].drop_duplicates("id").reset_index(drop=True)
    return annotate_variants(once, models)[["id", "region", "gene"]]


def sum_genes(table: pd.DataFrame, genes: pd.DataFrame) -> pd.DataFrame:
    """Return the share of importance of each gene, by measure; variants between genes are left out.

    Parameters
    ----------
    table : from `tabulate_importance`, of one model.
    genes : from `name_genes`.

    Returns
    -------
    kind, gene, share (of the sum over all variants), n_variants, lead (id of the most important), the
    most important gene first. A variant in several genes counts to each.
    """
    joined = table.merge(genes, on="id")
    joined = joined[~joined["region"].isin(["intergenic"]) & (joined["share"] > 0)]
    joined["gene"] = joined["gene"].str.split("[,;]")
    rows = joined.explode("gene").sort_values("rank", kind="stable")
    sums = rows.groupby(["kind", "gene"], sort=False).agg(
        share=("share", "sum"), n_variants=("id", "size"), lead=("id", "first")
    )
    ordered = sums.reset_index().sort_values(["kind", "share"], ascending=[True, False], kind="stable")
    return ordered.reset_index(drop=True)
