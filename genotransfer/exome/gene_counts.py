"""Alternative alleles counted by gene, and weights of genes carried to their variants."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float32, Float64, Int16, Int64

from genotransfer.errors import InputError, StudyError
from genotransfer.exome.gene_intervals import REGIONS
from genotransfer.formats.files import check_unpacked
from genotransfer.genotypes import Genotypes

NEIGHBOURS = ("upstream", "downstream", "intergenic")
IN_GENES = tuple(region.name for region in REGIONS if region.name not in NEIGHBOURS)


def link_genes(
    annotation: pd.DataFrame, regions: Collection[str] = IN_GENES
) -> tuple[Int64[np.ndarray, " n_links"], Int64[np.ndarray, " n_links"], list[str]]:
    """Return (variant, gene) of every variant in a gene, as numbers, and the genes' names, sorted.

    Parameters
    ----------
    annotation : from `annotate_variants`; a variant in several genes is linked to each.
    regions : those that count as in the gene; by default all inside a transcript.
    """
    variants, names = [], []
    for at, (region, gene) in enumerate(zip(annotation["region"], annotation["gene"], strict=True)):
        # Regions and their genes stand in one order, parted by ;.
        parts = zip(region.split(";"), gene.split(";"), strict=False)
        linked = {name for one, genes in parts if one in regions for name in genes.split(",")}
        variants.extend([at] * len(linked))
        names.extend(sorted(linked))
    codes, genes = pd.factorize(np.array(names, dtype=object), sort=True)
    return np.array(variants, dtype=np.int64), codes.astype(np.int64), list(map(str, genes))


def count_gene_alleles(
    genotypes: Genotypes, annotation: pd.DataFrame, regions: Collection[str] = IN_GENES
) -> tuple[Int16[np.ndarray, "n_samples n_genes"], list[str]]:
    """Count each sample's copies of the counted alleles in each gene; a missing genotype counts none.

    Parameters
    ----------
    genotypes : as `control_exome` makes them, where the counted allele is the alternative.
    annotation : of the same variants, in their order.
    regions : see `link_genes`.

    Raises
    ------
    StudyError
        The annotation is of other variants, or none is in a gene.
    """
    from scipy.sparse import csr_matrix

    if annotation["id"].tolist() != genotypes.variants["id"].tolist():
        raise StudyError("The annotation is not that of these genotypes' variants. Annotate them anew.")
    variants, codes, genes = link_genes(annotation, regions)
    if not genes:
        raise StudyError(f"None of the {len(annotation)} variants is in a gene. Check the genome build.")
    shape = (len(genes), genotypes.n_variants)
    links: Any = csr_matrix((np.ones(len(codes), dtype=np.int16), (codes, variants)), shape=shape).tocsc()
    counts = np.zeros((len(genes), genotypes.n_samples), dtype=np.int16)
    for where, dosages in genotypes.blocks(1024):
        part = links[:, where].tocsr()
        touched = np.flatnonzero(np.diff(part.indptr))
        counts[touched] += part[touched] @ np.maximum(dosages.T, 0).astype(np.int16)
    return np.ascontiguousarray(counts.T), genes


def read_gene_weights(path: str | Path) -> dict[str, float]:
    """Read a table with the columns gene and weight, tab-separated or with commas.

    Raises
    ------
    InputError
        The file is missing or no table, lacks a column, names a gene twice, or a weight is no number.
    """
    try:
        table = pd.read_csv(check_unpacked(path), sep=None, engine="python", dtype=str, keep_default_na=False)
    except (ValueError, csv.Error) as error:  # ParserError and UnicodeDecodeError are ValueErrors
        raise InputError(
            f"this is no table: {error}",
            file=path,
            remedy="Give a text file with the columns gene and weight",
        ) from error
    absent = {"gene", "weight"} - set(table.columns)
    if absent:
        raise InputError(
            f"the column {min(absent)} is missing", file=path, remedy="Name the columns gene and weight"
        )
    weights = pd.to_numeric(table["weight"], errors="coerce").to_numpy(dtype=float)
    doubled = table["gene"].duplicated().to_numpy()
    for bad, problem in (
        (~np.isfinite(weights), "is no number"),
        (doubled, "is of a gene that stood before"),
    ):
        if bad.any():
            at = int(np.argmax(bad))
            text = table["weight"].iloc[at]
            raise InputError(f"the weight {text!r} {problem}", file=path, row=at + 2, remedy="Mend the row")
    return dict(zip(table["gene"], weights.tolist(), strict=True))


def find_variant_weights(
    annotation: pd.DataFrame,
    weights: Mapping[str, float],
    *,
    default: float = 1.0,
    regions: Collection[str] = IN_GENES,
) -> Float64[np.ndarray, " n_variants"]:
    """Return each variant's weight: that of its gene, of several the one farthest from 0.

    Parameters
    ----------
    default : of variants in no gene, or in genes without a weight.
    """
    variants, codes, genes = link_genes(annotation, regions)
    values = np.array([weights.get(gene, np.nan) for gene in genes])
    found = np.full(len(annotation), np.nan)
    for at, code in zip(variants.tolist(), codes.tolist(), strict=True):
        value = values[code]
        if not np.isnan(value) and not abs(found[at]) >= abs(value):
            found[at] = value
    return np.where(np.isnan(found), default, found)


def weigh_inputs(
    inputs: Float32[np.ndarray, "n k"], weights: Float64[np.ndarray, " k"]
) -> Float32[np.ndarray, "n k"]:
    """Multiply a network's inputs with the weights of their variants.

    Give standardised inputs. The published code multiplies dosages and standardises afterwards, which
    divides each positive weight out again.
    """
    return np.asarray(inputs * weights.astype(np.float32), dtype=np.float32)
