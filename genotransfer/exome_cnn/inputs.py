"""What a fold's networks read: dosages as whole numbers, and the scale that their programs apply to them.

Dosages stay int8 from the fileset to the program, which standardises a batch at a time: those of 11,214
people at 18,970 variants are 213 MB, and would be 851 MB as float32.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int8

from genotransfer.errors import StudyError
from genotransfer.exome import find_variant_weights, read_annotation, read_gene_weights
from genotransfer.exome_cnn.folds import Fold
from genotransfer.genotypes import Genotypes
from genotransfer.models.standardise import Standardiser, fit_standardiser
from genotransfer.splits import LabelledSamples
from genotransfer.storage import localise

COLUMNS_AT_ONCE = 512
# Inputs are standardised, about 1 each, before they are multiplied.
LEAST_WEIGHT, MOST_WEIGHT = 1e-4, 1e3


def read_people(genotypes: Genotypes, fold: Fold, *roles: str) -> LabelledSamples:
    """Return dosages and labels of a fold's people of some roles, at its variants.

    A label that the fold does not tell is -1.
    """
    people = fold.take_people(*roles)
    view = genotypes.select(
        samples=genotypes.locate_samples(people["iid"]),
        variants=genotypes.locate_variants(fold.variants["id"]),
    )
    return LabelledSamples(view.read(), people["phenotype"].to_numpy(dtype=np.int8))


def fit_scale(
    network: str, dosages: Int8[np.ndarray, "n k"], weights: Float64[np.ndarray, " k"] | None = None
) -> Standardiser:
    """Return the scale on which a network reads dosages, fitted a block of columns at a time.

    Parameters
    ----------
    network : its key.
    dosages : of the people who train.
    weights : by which standardised inputs are multiplied, above 0; None for none. They are carried by the
        deviation, (x - mean) / (sd / weight).
    """
    parts = [
        fit_standardiser(network, dosages[:, start : start + COLUMNS_AT_ONCE])
        for start in range(0, dosages.shape[1], COLUMNS_AT_ONCE)
    ]
    mean, sd = (np.concatenate([getattr(part, name) for part in parts]) for name in ("mean", "sd"))
    return Standardiser(mean, sd if weights is None else sd / weights)


def read_positive_weights(weights_file: str | Path) -> dict[str, float]:
    """Return the weight of each gene.

    Parameters
    ----------
    weights_file : columns gene and weight; a path, here or in a bucket.

    Raises
    ------
    InputError
        The file cannot be read.
    StudyError
        A weight is not above 0, or so far from 1 that a network's inputs would be nothing or all.
    """
    with localise(weights_file) as path:
        weights = read_gene_weights(path)
    low = [gene for gene, weight in weights.items() if weight <= 0]
    if low:
        raise StudyError(
            f"The weight of gene {low[0]} in {weights_file} is {weights[low[0]]:g}. Give weights above 0; leave a "
            "gene's variants out of the exome where they are to count for nothing."
        )
    far = [gene for gene, weight in weights.items() if not LEAST_WEIGHT <= weight <= MOST_WEIGHT]
    if far:
        raise StudyError(
            f"The weight of gene {far[0]} in {weights_file} is {weights[far[0]]:g}. Give weights from "
            f"{LEAST_WEIGHT:g} to {MOST_WEIGHT:g}, of P values for example -log10 P."
        )
    return weights


def find_weights(
    weights_file: str | Path | None, annotation_file: str | Path, variants: pd.DataFrame
) -> Float64[np.ndarray, " k"] | None:
    """Return each variant's weight, that of its gene; 1 where it is in none, None where there is no file.

    Parameters
    ----------
    weights_file : columns gene and weight; a path, here or in a bucket.
    annotation_file : of all variants of the exome, as `annotate_variants` has them.
    variants : those of a fold.

    Raises
    ------
    InputError, StudyError
        As `read_positive_weights`; or no gene of the file has a variant.
    """
    if weights_file is None:
        return None
    weights = read_positive_weights(weights_file)
    annotation = read_annotation(annotation_file).set_index("id").loc[variants["id"]].reset_index()
    found = find_variant_weights(annotation, weights, default=np.nan)
    if np.isnan(found).all():
        raise StudyError(
            f"None of the {len(weights)} genes of {weights_file} has a variant among the {len(variants)} that a "
            "network reads. Check that they are named as in the gene models."
        )
    return np.where(np.isnan(found), 1.0, found)
