"""Variants named by genes and regions, as ANNOVAR's gene-based annotation does.

A variant's region is the one of highest precedence over all transcripts: exonic and splicing; ncRNA;
UTR5 and UTR3; intronic; upstream and downstream; intergenic. Regions of equal precedence are joined
with ``;``, and so are their genes; genes of one region with ``,``. Of a gene with coding transcripts
those without a coding part are left aside.

Source: Wang et al. 2010, Nucleic Acids Res 38:e164; ANNOVAR's documentation of gene-based annotation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int64

from genotransfer.exome.gene_intervals import (
    INTERGENIC,
    REGIONS,
    drop_noncoding_isoforms,
    find_nearest,
    list_intervals,
    pair_intervals,
    place_variants,
)
from genotransfer.exome.gene_models import GeneModels
from genotransfer.formats.files import replace_together

ANNOTATION_COLUMNS = [
    "chromosome",
    "position",
    "id",
    "reference",
    "alternative",
    "region",
    "gene",
    "distance",
]
NO_GENE = "NONE"
NO_DISTANCE = "."
CHUNK = 200_000


def annotate_variants(
    variants: pd.DataFrame, models: GeneModels, *, splicing: int = 2, near: int = 1000
) -> pd.DataFrame:
    """Return each variant's region and genes.

    Parameters
    ----------
    variants : columns as `Genotypes.variants`; ``other`` is taken for the reference allele. Position
        is 1-based; chromosomes are named with ``chr`` or without.
    models : from `read_gene_models`, of the same genome build.
    splicing : bp of an intron, next to an exon, that are splicing.
    near : bp before and after a transcript that are upstream and downstream.

    Returns
    -------
    A row a variant, in the order given: chromosome, position, id, reference, alternative, region,
    gene, distance. Between genes, ``gene`` is the nearest on either side (``A;B``, NONE at a
    chromosome's end) and ``distance`` bp to their transcripts (``12;3000``); elsewhere it is ``.``.
    """
    models = drop_noncoding_isoforms(models)
    intervals = list_intervals(models, splicing=splicing, near=near)
    genes, gene_of = _number_genes(models)
    chromosomes, starts, ends = place_variants(variants, models)
    regions = np.full(len(variants), REGIONS[INTERGENIC].name, dtype=object)
    named = np.full(len(variants), NO_GENE, dtype=object)
    distances = np.full(len(variants), NO_DISTANCE, dtype=object)
    ranks = np.array([region.rank for region in REGIONS])
    order = np.lexsort((starts, chromosomes))
    for chunk in np.split(order, range(CHUNK, len(order), CHUNK)):
        of, transcripts, region = pair_intervals(intervals, chromosomes[chunk], starts[chunk], ends[chunk])
        best = np.full(len(chunk), ranks[INTERGENIC])
        np.minimum.at(best, of, ranks[region])
        first = ranks[region] == best[of]
        found = np.unique(
            np.stack([of[first], region[first], gene_of[transcripts[first]]], axis=1), axis=0
        ).astype(np.int64)
        _join(found, genes, chunk, regions, named)
        between = chunk[best == ranks[INTERGENIC]]
        _name_nearest(
            between, find_nearest(models, chromosomes[between], starts[between], ends[between]),
            genes, gene_of, named, distances,
        )  # fmt: skip
    return pd.DataFrame(
        {
            "chromosome": variants["chromosome"].to_numpy(),
            "position": variants["position"].to_numpy(),
            "id": variants["id"].to_numpy(),
            "reference": variants["other"].to_numpy(),
            "alternative": variants["counted"].to_numpy(),
            "region": regions,
            "gene": named,
            "distance": distances,
        }
    )[ANNOTATION_COLUMNS]


def write_annotation(path: str | Path, annotation: pd.DataFrame) -> None:
    """Write an annotation, tab-separated."""
    with replace_together(path) as (target,):
        annotation.to_csv(target, sep="\t", index=False, lineterminator="\n")


def read_annotation(path: str | Path) -> pd.DataFrame:
    """Read what `write_annotation` wrote."""
    text = dict.fromkeys(ANNOTATION_COLUMNS, str) | {"position": np.int64}
    return pd.read_csv(path, sep="\t", dtype=text, keep_default_na=False, na_values=[])


def _number_genes(models: GeneModels) -> tuple[list[str], Int64[np.ndarray, " n_transcripts"]]:
    codes, genes = pd.factorize(models.transcripts["gene"], sort=True)
    return list(map(str, genes)), codes.astype(np.int64)


def _join(
    found: Int64[np.ndarray, "n 3"],
    genes: list[str],
    chunk: Int64[np.ndarray, " k"],
    regions: np.ndarray,
    named: np.ndarray,
) -> None:
    """Write region and genes of variants: rows (variant of the chunk, region, gene), sorted."""
    last_variant = last_region = -1
    for variant, region, gene in found.tolist():
        at = chunk[variant]
        if variant != last_variant:
            regions[at], named[at] = REGIONS[region].name, genes[gene]
        elif region != last_region:
            regions[at] += f";{REGIONS[region].name}"
            named[at] += f";{genes[gene]}"
        else:
            named[at] += f",{genes[gene]}"
        last_variant, last_region = variant, region


def _name_nearest(
    between: Int64[np.ndarray, " k"],
    nearest: tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    genes: list[str],
    gene_of: Int64[np.ndarray, " n_transcripts"],
    named: np.ndarray,
    distances: np.ndarray,
) -> None:
    sides = []
    for transcripts, away in nearest:
        sides.append(
            [
                (genes[gene_of[transcript]], str(distance)) if transcript >= 0 else (NO_GENE, NO_GENE)
                for transcript, distance in zip(transcripts.tolist(), away.tolist(), strict=True)
            ]
        )
    for at, before, after in zip(between.tolist(), *sides, strict=True):
        named[at] = f"{before[0]};{after[0]}"
        distances[at] = f"{before[1]};{after[1]}"
