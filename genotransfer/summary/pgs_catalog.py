"""Scoring files of the PGS Catalog: the weights of a score that somebody published.

Source: Lambert et al. 2021, Nat Genet 53:420; the Catalog's scoring file format 2.0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.errors import InputError
from genotransfer.summary.statistics import UNKNOWN_ALLELE, SummaryStatistics, clean_statistics
from genotransfer.summary.text import TextTable, read_text_table

NOT_ADDITIVE = ("is_interaction", "is_haplotype", "is_diplotype", "is_dominant", "is_recessive")
BY_DOSAGE = ("dosage_0_weight", "dosage_1_weight", "dosage_2_weight")
IDS, CHROMOSOMES, POSITIONS = (
    ("hm_rsID", "rsID", "variant_id"),
    ("hm_chr", "chr_name"),
    ("hm_pos", "chr_position"),
)
OTHERS = ("other_allele", "hm_inferOtherAllele", "reference_allele")
FREQUENCY = "allelefrequency_effect"
KEPT = {
    *(*IDS, *CHROMOSOMES, *POSITIONS, *OTHERS, *NOT_ADDITIVE, *BY_DOSAGE, FREQUENCY),
    *("effect_allele", "effect_weight"),
}


def read_pgs_catalog(path: str | Path) -> SummaryStatistics:
    """Read a scoring file, harmonised or not.

    Harmonised columns (hm_rsID, hm_chr, hm_pos) go before the author's, value by value. An other
    allele that is not given is ``0``, and is found when the score is aligned to genotypes.

    Returns
    -------
    A ready score: weights without se, p and n. Its counts name ``not additive`` (interactions,
    haplotypes, dominant and recessive effects, none of which is a weight times a number of copies)
    and those of `clean_statistics`.

    Raises
    ------
    InputError
        A column is missing, weights are of each genotype, or rows name neither an rsID nor a position.
    """
    table = read_text_table(path, KEPT, comment="#")
    table.require("effect_allele")
    if "effect_weight" not in table.columns and table.find(*BY_DOSAGE):
        raise InputError(
            "the score has a weight for each genotype, not for each copy of an allele",
            file=path,
            remedy="Choose an additive score",
        )
    table.require("effect_weight")
    strange = np.zeros(len(table.rows), dtype=bool)
    for name in NOT_ADDITIVE:
        strange |= table.read_text(table.find(name)).str.lower().isin(["true", "1", "yes"]).to_numpy()
    table = table.select(~strange)
    ids, chromosomes = _merge(table, IDS, "."), _merge(table, CHROMOSOMES, "0")
    positions = _merge_positions(table)
    lost = (ids == ".").to_numpy() & ((chromosomes == "0").to_numpy() | (positions == 0))
    if lost.any():
        raise InputError(
            "the variant has neither an rsID nor a position",
            file=path,
            row=int(table.rows[np.argmax(lost)]),
            remedy="Take the harmonised file of the score, or take the row out",
        )
    result = pd.DataFrame(
        {
            "id": ids,
            "chromosome": chromosomes,
            "position": positions,
            "counted": table.read_alleles("effect_allele"),
            "other": _read_other(table),
            "beta": table.read_numbers("effect_weight"),
            "se": np.nan,
            "p": np.nan,
            "n": np.nan,
            "frequency": table.read_numbers(table.find(FREQUENCY), 0.0, 1.0),
        }
    )
    return clean_statistics(result, scale="unknown", ready=True, counts={"not additive": int(strange.sum())})


def _merge(table: TextTable, names: tuple[str, ...], blank: str) -> pd.Series:
    """Return, value by value, the first of some columns that has one."""
    merged = pd.Series(blank, index=table.columns.index, dtype=object)
    for name in reversed(names):
        if name in table.columns:
            text = table.read_text(name)
            merged = text.where(~text.isin(["", ".", "NA"]), merged)
    return merged


def _merge_positions(table: TextTable) -> np.ndarray:
    merged = np.zeros(len(table.rows), dtype=np.int64)
    for name in reversed(POSITIONS):
        if name in table.columns:
            found = table.read_positions(name)
            merged = np.where(found > 0, found, merged)
    return merged


def _read_other(table: TextTable) -> pd.Series:
    name = table.find(*OTHERS)
    if name is None:
        return pd.Series(UNKNOWN_ALLELE, index=table.columns.index, dtype=object)
    alleles = table.read_alleles(name, known=False)
    # Several possible alleles, parted by a slash, are as good as none.
    return alleles.where(~alleles.str.contains("/"), UNKNOWN_ALLELE)
