"""VCF and BCF: called genotypes of biallelic SNPs, turned into a PLINK fileset.

Needs cyvcf2, the optional extra ``vcf``. Filters on quality and depth are not applied here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int8

from genotransfer.errors import InputError
from genotransfer.formats import plink
from genotransfer.formats.chromosomes import name_chromosome
from genotransfer.formats.vcf_check import open_vcf
from genotransfer.genotypes import MISSING, SAMPLE_COLUMNS, VARIANT_COLUMNS, Genotypes, VariantFilter

BASES = {"A", "C", "G", "T"}
UNKNOWN_ALT = "0"
CYVCF2_MISSING = 3
BLOCK_GENOTYPES = 1 << 23


def read_vcf(
    path: str | Path,
    *,
    prefix_out: str | Path,
    keep: VariantFilter | None = None,
    monomorphic: bool = False,
) -> Genotypes:
    """Turn the SNPs of a VCF or BCF file into a PLINK fileset and open it.

    Dosages count copies of ALT. A genotype with a missing allele is missing; a haploid one counts
    as two copies. A SNP without an id is called chromosome:position:REF:ALT. Records are read
    in blocks, so memory does not grow with their number.

    Parameters
    ----------
    path : a .vcf, .vcf.gz or .bcf file.
    prefix_out : path of the fileset to write, without ``.bed``.
    keep : which SNPs to keep, by chromosome, id and position; all when None.
    monomorphic : keep records without an alternative allele too, at which everybody has the reference;
        the counted allele is then ``0``, unknown.

    Returns
    -------
    Genotypes of all biallelic SNPs, in the file's order. `Genotypes.counts` has ``records with
    several alternative alleles``, ``records that are no SNPs`` and ``records with an id that
    stood before`` (all left out), and ``SNPs named by position``.

    Raises
    ------
    InputError
        cyvcf2 is not installed, or the file is missing, empty, truncated, no VCF, or has no
        samples or no biallelic SNPs. Nothing is written then.
    """
    path = Path(path)
    if find_spec("cyvcf2") is None:
        raise InputError(
            "reading VCF and BCF needs the package cyvcf2, which is not installed",
            file=path,
            remedy="Install the extra: pip install 'genotransfer[vcf]'",
        )
    file = open_vcf(path, gts012=True, strict_gt=True, lazy=False)
    try:
        reader = _VcfReader(path, file, keep, monomorphic)
        names = reader.read_sample_names()
        samples = pd.DataFrame([(name, name, "0", "0", 0, "-9") for name in names], columns=SAMPLE_COLUMNS)
        plink.write_blocks(prefix_out, samples, reader.blocks())
    finally:
        file.close()
    return replace(Genotypes.open(prefix_out), counts=reader.counts)


@dataclass
class _VcfReader:
    """The records of one file, in blocks, with counts of those left out."""

    path: Path
    file: Any  # of cyvcf2, which has no types
    keep: VariantFilter | None = None
    monomorphic: bool = False
    counts: dict[str, int] = field(
        default_factory=lambda: {
            "records with several alternative alleles": 0,
            "records that are no SNPs": 0,
            "records with an id that stood before": 0,
            "SNPs named by position": 0,
        }
    )
    n_records: int = 0

    def read_sample_names(self) -> list[str]:
        """Return the samples' names."""
        try:
            names = list(self.file.samples)
        except UnicodeDecodeError as error:
            raise self._make_error("the names of the samples are not text in UTF-8") from error
        if not names:
            raise InputError(
                "the file has no samples",
                file=self.path,
                remedy="Give a VCF with genotypes, not one of sites",
            )
        return names

    def blocks(self) -> Iterator[tuple[pd.DataFrame, Int8[np.ndarray, "n_samples k"]]]:
        """Yield (variants, dosages of ALT)."""
        size = min(4096, max(1, BLOCK_GENOTYPES // len(self.file.samples)))
        variants: list[tuple[str, str, float, int, str, str]] = []
        dosages: list[Int8[np.ndarray, " n_samples"]] = []
        seen: set[str] = set()
        try:
            for record in self.file:
                self.n_records += 1
                variant = self._take_snp(record, seen)
                if variant is None:
                    continue
                variants.append(variant)
                calls = record.gt_types.astype(np.int8)
                calls[calls == CYVCF2_MISSING] = MISSING
                dosages.append(calls)
                if len(variants) == size:
                    yield pd.DataFrame(variants, columns=VARIANT_COLUMNS), np.stack(dosages, axis=1)
                    variants, dosages = [], []
        except (OSError, ValueError, TypeError) as error:
            raise self._make_error(f"the record cannot be read: {error}", self.n_records + 1) from error
        except Exception as error:
            if type(error) is not Exception:  # cyvcf2 raises bare Exceptions for what htslib cannot parse
                raise
            raise self._make_error(f"the record cannot be read: {error}", self.n_records + 1) from error
        if variants:
            yield pd.DataFrame(variants, columns=VARIANT_COLUMNS), np.stack(dosages, axis=1)

    def _take_snp(self, record: Any, seen: set[str]) -> tuple[str, str, float, int, str, str] | None:
        ref, alts = record.REF.upper(), [alt.upper() for alt in record.ALT]
        if self.monomorphic and not alts:
            alts = [UNKNOWN_ALT]
        if len(alts) > 1:
            self.counts["records with several alternative alleles"] += 1
            return None
        if ref not in BASES or not alts or alts[0] not in BASES | {UNKNOWN_ALT}:
            self.counts["records that are no SNPs"] += 1
            return None
        chromosome = name_chromosome(record.CHROM)
        name = record.ID
        if name in (None, "."):
            name = f"{chromosome}:{record.POS}:{ref}:{alts[0]}"
            self.counts["SNPs named by position"] += 1
        if self.keep is not None and not self.keep(chromosome, name, record.POS):
            return None
        if name in seen:
            self.counts["records with an id that stood before"] += 1
            return None
        seen.add(name)
        return chromosome, name, 0.0, record.POS, alts[0], ref

    def _make_error(self, problem: str, record: int | None = None) -> InputError:
        where = "" if record is None else f" (record {record})"
        return InputError(f"{problem}{where}", file=self.path, remedy="Check the file with bcftools view")
