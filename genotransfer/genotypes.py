"""Genotypes: a PLINK bed fileset with its variants and samples, read lazily in blocks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int8, Int64

from genotransfer.errors import InputError

MISSING = -1
BED_MAGIC = b"\x6c\x1b\x01"
VARIANT_COLUMNS = ["chromosome", "id", "cm", "position", "counted", "other"]
SAMPLE_COLUMNS = ["fid", "iid", "father", "mother", "sex", "phenotype"]
BED_READER_MISSING = -127
# Says of a variant's chromosome, id and position (bp) whether a reader is to keep it.
VariantFilter = Callable[[str, str, int], bool]


@dataclass(frozen=True)
class Genotypes:
    """Variants of diploid samples, backed by a PLINK fileset on disk.

    Selecting, reordering and swapping alleles are views: nothing is read until `read` or
    `blocks` is called, and a matrix is never copied to disk unless `write` is.

    Attributes
    ----------
    prefix : path of the fileset without ``.bed``.
    variants : one row a variant: chromosome (str), id (str), cm (float, centimorgan),
        position (int, bp, 1-based), counted and other (str): the alleles. Dosages count copies
        of ``counted``.
    samples : one row a sample: fid, iid, father, mother (str), sex (1 male, 2 female,
        0 unknown), phenotype (str, as in the .fam file).
    variant_rows, sample_rows : positions of the variants and samples in the file.
    swapped : for each variant, whether ``counted`` is the file's second allele.
    file_shape : number of samples and variants in the file.
    counts : what a reader of another format left out or set to missing on the way to this
        fileset, by reason; empty for a fileset that was opened as it stood.
    """

    prefix: Path
    variants: pd.DataFrame
    samples: pd.DataFrame
    variant_rows: Int64[np.ndarray, " n_variants"]
    sample_rows: Int64[np.ndarray, " n_samples"]
    swapped: Bool[np.ndarray, " n_variants"]
    file_shape: tuple[int, int]
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_variants(self) -> int:
        """Number of variants."""
        return len(self.variant_rows)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.sample_rows)

    @classmethod
    def open(cls, prefix: str | Path) -> Genotypes:
        """Open ``prefix.bed``, ``prefix.bim`` and ``prefix.fam``.

        Parameters
        ----------
        prefix : path of the fileset; a trailing ``.bed`` is taken off.

        Raises
        ------
        InputError
            A file is missing or malformed, ids are doubled, or the .bed is not of the size the
            .bim and .fam ask for.
        """
        from genotransfer.formats import plink

        return plink.open_fileset(prefix)

    @classmethod
    def from_dosages(
        cls,
        prefix: str | Path,
        dosages: Int8[np.ndarray, "n_samples n_variants"],
        variants: pd.DataFrame,
        samples: pd.DataFrame,
    ) -> Genotypes:
        """Write dosages (0, 1, 2 copies of ``counted``; -1 missing) as a fileset and open it.

        The files appear under their names only when all of them are complete.
        """
        from genotransfer.formats import plink

        plink.write_fileset(prefix, dosages, variants, samples)
        return cls.open(prefix)

    def read(
        self, variants: slice | Int64[np.ndarray, " k"] | None = None, *, threads: int | None = None
    ) -> Int8[np.ndarray, "n_samples k"]:
        """Return dosages of all samples: 0, 1, 2 copies of ``counted``, -1 missing.

        Parameters
        ----------
        variants : positions among this object's variants; all when None.
        """
        from bed_reader import open_bed

        where = np.arange(self.n_variants)[slice(None) if variants is None else variants]
        if not len(where) or not self.n_samples:
            return np.zeros((self.n_samples, len(where)), dtype=np.int8)
        n_samples, n_variants = self.file_shape
        with open_bed(
            f"{self.prefix}.bed", iid_count=n_samples, sid_count=n_variants, skip_format_check=True
        ) as bed:
            dosages = bed.read(
                index=(self.sample_rows, self.variant_rows[where]),
                dtype="int8",
                num_threads=threads or min(4, os.cpu_count() or 1),
            )
        missing = dosages == BED_READER_MISSING
        swapped = self.swapped[where]
        dosages[:, swapped] = 2 - dosages[:, swapped]
        dosages[missing] = MISSING
        return np.asarray(dosages)

    def blocks(self, size: int = 4096) -> Iterator[tuple[slice, Int8[np.ndarray, "n_samples k"]]]:
        """Yield (positions of the variants, dosages) for successive blocks of variants."""
        for start in range(0, self.n_variants, size):
            where = slice(start, min(start + size, self.n_variants))
            yield where, self.read(where)

    def select(
        self,
        *,
        variants: Int64[np.ndarray, " k"] | Bool[np.ndarray, " n_variants"] | None = None,
        samples: Int64[np.ndarray, " m"] | Bool[np.ndarray, " n_samples"] | None = None,
    ) -> Genotypes:
        """Return a view of some variants and samples, by position or mask, in the order given."""
        chosen = self
        if variants is not None:
            at = _to_positions(variants, self.n_variants)
            chosen = replace(
                chosen,
                variants=self.variants.iloc[at].reset_index(drop=True),
                variant_rows=self.variant_rows[at],
                swapped=self.swapped[at],
            )
        if samples is not None:
            at = _to_positions(samples, self.n_samples)
            chosen = replace(
                chosen,
                samples=self.samples.iloc[at].reset_index(drop=True),
                sample_rows=self.sample_rows[at],
            )
        return chosen

    def locate_variants(self, ids: pd.Series | list[str]) -> Int64[np.ndarray, " k"]:
        """Return the positions of variants by id.

        Raises
        ------
        InputError
            An id is not among the variants.
        """
        return self._locate(self.variants["id"], list(ids), "variant")

    def locate_samples(self, iids: pd.Series | list[str]) -> Int64[np.ndarray, " k"]:
        """Return the positions of samples by individual id (IID).

        Raises
        ------
        InputError
            An id is not among the samples.
        """
        return self._locate(self.samples["iid"], list(iids), "sample")

    def _locate(self, names: pd.Series, ids: list[str], what: str) -> Int64[np.ndarray, " k"]:
        first = names[~names.duplicated()]  # a view may hold one variant or sample more than once
        found = pd.Index(first).get_indexer(pd.Index(ids, dtype=object))
        at = np.where(found < 0, -1, first.index.to_numpy()[found]) if len(first) else found
        absent = [one for one, where in zip(ids, at, strict=True) if where < 0]
        if absent:
            named = ", ".join(map(str, absent[:5]))
            raise InputError(
                f"{len(absent)} of {len(ids)} {what}s are not in the genotypes, the first: {named}",
                remedy=f"Use the genotypes the {what}s were taken from",
                file=f"{self.prefix}.bed",
            )
        return at.astype(np.int64)

    def swap_alleles(self, swap: Bool[np.ndarray, " n_variants"]) -> Genotypes:
        """Return a view in which the counted and the other allele change places where `swap` is true."""
        variants = self.variants.copy()
        variants.loc[swap, ["counted", "other"]] = self.variants.loc[swap, ["other", "counted"]].to_numpy()
        return replace(self, variants=variants, swapped=self.swapped ^ swap)

    def write(self, prefix: str | Path) -> Genotypes:
        """Write this view as a fileset of its own, block by block, and open it."""
        from genotransfer.formats import plink

        blocks = ((self.variants.iloc[where], dosages) for where, dosages in self.blocks())
        plink.write_blocks(prefix, self.samples, blocks)
        return self.open(prefix)

    def hash_contents(self) -> str:
        """Return the sha256 of the .bed, .bim and .fam files, in this order."""
        digest = hashlib.sha256()
        for suffix in (".bed", ".bim", ".fam"):
            with Path(f"{self.prefix}{suffix}").open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        return digest.hexdigest()


def _to_positions(chosen: np.ndarray, size: int) -> Int64[np.ndarray, " k"]:
    chosen = np.asarray(chosen)
    if chosen.dtype != bool:
        return chosen.astype(np.int64)
    if len(chosen) != size:
        raise ValueError(f"a mask of {len(chosen)} for {size} rows")
    return np.flatnonzero(chosen)
