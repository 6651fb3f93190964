"""The people of a file, of whatever format, as what a prediction reads of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int8, Int64

from genotransfer.formats.convert import detect_format, open_genotypes
from genotransfer.formats.twentythreeandme import BASES, list_files, name_sample, read_rows
from genotransfer.genotypes import MISSING, Genotypes
from genotransfer.prediction.match import VariantMatch


@dataclass(frozen=True, eq=False)
class FilesetCohort:
    """The people of a PLINK fileset."""

    genotypes: Genotypes

    @property
    def variants(self) -> pd.DataFrame:
        """Chromosome, position, id, counted, other; an allele nobody has may be ``0``."""
        return self.genotypes.variants

    @property
    def iids(self) -> list[str]:
        """Ids of the people."""
        return list(self.genotypes.samples["iid"])

    def read(self, variants: Int64[np.ndarray, " k"], people: slice) -> Int8[np.ndarray, "n k"]:
        """Return copies of ``counted`` of some variants and people; -1 missing."""
        chosen = np.arange(self.genotypes.n_samples)[people]
        return self.genotypes.select(samples=chosen).read(variants)


@dataclass(frozen=True, eq=False)
class Person:
    """One person's 23andMe file: the variants called, whose alleles are those the person has."""

    variants: pd.DataFrame
    iids: list[str]
    dosages: Int8[np.ndarray, " n_variants"]

    @classmethod
    def open(cls, path: Path) -> Person:
        """Read a file; genotypes not called, and insertions and deletions, are left out.

        Raises
        ------
        InputError
            The file is missing or malformed.
        """
        table = read_rows(path)
        first, second = table["genotype"].str[:1], table["genotype"].str[-1:]
        called = (first.isin(BASES) & second.isin(BASES)).to_numpy()
        table = table[called].reset_index(drop=True)
        first, second = (one[called].reset_index(drop=True) for one in (first, second))
        same = first == second
        variants = table[["chromosome", "position", "id"]].assign(
            counted=first, other=second.where(~same, "0")
        )
        return cls(variants, [name_sample(path)], np.where(same, 2, 1).astype(np.int8))

    def read(self, variants: Int64[np.ndarray, " k"], people: slice) -> Int8[np.ndarray, "n k"]:
        """Return copies of ``counted`` of some variants."""
        return np.asarray(self.dosages[variants][None][people])


Cohort = FilesetCohort | Person


class Wanted:
    """Keeps what shares an id or a position with a model, and the first variant, so that a file has one."""

    def __init__(self, variants: pd.DataFrame) -> None:
        self._ids = set(variants["id"])
        self._positions = set(variants["position"].tolist())
        self._any = False

    def __call__(self, chromosome: str, name: str, position: int) -> bool:
        """Say whether to keep a variant."""
        first, self._any = not self._any, True
        return first or name in self._ids or position in self._positions


def open_cohorts(
    path: str | Path,
    scratch: str | Path,
    wanted: pd.DataFrame,
    *,
    from_format: str | None = None,
    sample: str | Path | None = None,
    chromosome: str | None = None,
) -> Iterator[Cohort]:
    """Yield the people of a file: all at once, or one by one where each has a file.

    Parameters
    ----------
    path, from_format, sample, chromosome : see `genotransfer.formats.convert.open_genotypes`.
    scratch : folder for the PLINK fileset that other formats are brought to.
    wanted : the model's variants; of a .gen or .vcf nothing else is brought to it.

    Raises
    ------
    InputError
        The format is unknown, or a file is missing or malformed.
    """
    if (from_format or detect_format(path)) == "23andme":
        for one in list_files(path):
            yield Person.open(one)
        return
    yield FilesetCohort(
        open_genotypes(
            path,
            Path(scratch) / "genotypes",
            from_format=from_format,
            sample=sample,
            chromosome=chromosome,
            keep=Wanted(wanted),
            monomorphic=True,
        )
    )


def read_matched(cohort: Cohort, match: VariantMatch, people: slice) -> Int8[np.ndarray, "n n_model"]:
    """Return copies of the model's counted alleles, in the model's order; -1 missing or not in the file."""
    found = np.flatnonzero(match.found)
    read = cohort.read(match.rows[found], people)
    swapped = match.swapped[found] & (read != MISSING)
    dosages = np.full((len(read), len(match.rows)), MISSING, dtype=np.int8)
    dosages[:, found] = np.where(swapped, 2 - read, read)
    return dosages
