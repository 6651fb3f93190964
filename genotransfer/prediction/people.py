"""The people of a study that learnt: their genotypes, labels and allele frequencies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int8, Int64

from genotransfer.counts import find_frequencies
from genotransfer.genotypes import Genotypes
from genotransfer.phenotypes import read_phenotype_table
from genotransfer.stages.genotypes import open_population
from genotransfer.stages.statistics import TABLE, open_source


@dataclass(frozen=True, eq=False)
class People:
    """Those of a population that learnt.

    Attributes
    ----------
    genotypes : theirs; without people where statistics stand for the source.
    labels : int8 (n_samples,); 1 case, 0 control.
    """

    genotypes: Genotypes
    labels: Int8[np.ndarray, " n_samples"]

    def take_variants(self, at: Int64[np.ndarray, " k"]) -> People:
        """Return the same people at some variants, by position, in the order given."""
        return People(self.genotypes.select(variants=at), self.labels)


def read_people(phenotypes: Path, genotypes: dict[str, str], role: str) -> People:
    """Read the people of a population that passed quality control and are in TD, VD or ED.

    Parameters
    ----------
    phenotypes : folder of ``source.tsv`` and ``target.tsv``.
    genotypes : folders of the filesets by role.
    role : source or target.
    """
    opened = open_population(genotypes[role])
    path = phenotypes / f"{role}.tsv"
    if role == "source" and (Path(genotypes[role]) / TABLE).is_file():
        return People(opened.select(samples=np.arange(0)), np.empty(0, dtype=np.int8))
    table = read_phenotype_table(path)
    if "split" in table:
        table = table[table["split"] != ""]
    return People(
        opened.select(samples=opened.locate_samples(table["IID"])),
        table["phenotype"].to_numpy(dtype=np.int8),
    )


def measure_frequencies(people: People, folder: str) -> Float64[np.ndarray, " n_variants"]:
    """Return frequencies of the counted allele; those of the statistics where they stand for people."""
    if not people.genotypes.n_samples:
        statistics = open_source(folder, people.genotypes.variants["id"])
        return np.asarray(statistics.variants["frequency"], dtype=np.float64)
    return find_frequencies(people.genotypes)
