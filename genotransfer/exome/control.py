"""Quality control of an exome: a VCF or BCF file goes in, a PLINK fileset and a table come out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int8, Int64

from genotransfer.errors import InputError, StudyError
from genotransfer.exome.filters import SiteFilter, Variant
from genotransfer.exome.reading import VariantFile, open_variants
from genotransfer.exome.settings import ExomeSettings
from genotransfer.exome.vcf_output import VcfWriter
from genotransfer.formats import plink
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import SAMPLE_COLUMNS, VARIANT_COLUMNS, Genotypes

BLOCK_GENOTYPES = 1 << 24


@dataclass(frozen=True)
class ExomeResult:
    """What quality control left.

    Attributes
    ----------
    genotypes : the variants that passed; dosages count the alternative allele (``counted``).
    steps : a row a step, see `SiteFilter.tabulate`.
    """

    genotypes: Genotypes
    steps: pd.DataFrame


def control_exome(
    path: str | Path,
    prefix_out: str | Path,
    settings: ExomeSettings | None = None,
    *,
    vcf_out: str | Path | None = None,
) -> ExomeResult:
    """Filter a multi-sample VCF or BCF file, and write what is left as a PLINK fileset.

    Of records that are removed nothing is held, of those kept the names; the
    genotypes are held for a block of 2^24 at a time.

    Parameters
    ----------
    path : VCF, plain, gzip or bgzip, or BCF.
    prefix_out : path of the fileset to write, without ``.bed``.
    settings : the filters; those of Henriques et al. 2025 when None.
    vcf_out : also write the variants as VCF there, with GT alone; bgzip when it ends with ``.gz``.

    Returns
    -------
    ExomeResult. A variant has its id, or chromosome:position:reference:alternative where there is
    none, where it came out of a split, or where the id stood before. A genotype is missing where
    an allele is not called or, after a split, is another alternative. A haploid call counts twice.

    Raises
    ------
    InputError
        The file cannot be read, or an excluded sample is not in it. Nothing is written then.
    StudyError
        All samples are excluded, or no variant passes.
    """
    settings = settings or ExomeSettings()
    file = open_variants(path, with_depths=bool(settings.depth) and settings.depth_of != "info")
    try:
        kept = choose_samples(file, settings, path)
        chain = SiteFilter(settings, None if len(kept) == len(file.samples) else kept, len(kept))
        names = [file.samples[at] for at in kept]
        samples = pd.DataFrame([(name, name, "0", "0", 0, "-9") for name in names], columns=SAMPLE_COLUMNS)
        with ExitStack() as stack:
            writer = None
            if vcf_out is not None:
                (target,) = stack.enter_context(replace_together(vcf_out))
                writer = stack.enter_context(VcfWriter(target, names))
            plink.write_blocks(prefix_out, samples, _make_blocks(file, chain, writer))
    finally:
        file.close()
    return ExomeResult(Genotypes.open(prefix_out), chain.tabulate(len(file.samples)))


def choose_samples(file: VariantFile, settings: ExomeSettings, path: str | Path) -> Int64[np.ndarray, " k"]:
    """Return the positions of the samples that are not excluded.

    Raises
    ------
    InputError
        An excluded sample is not in the file.
    StudyError
        No sample is left.
    """
    excluded = set(settings.excluded_samples)
    absent = sorted(excluded - set(file.samples))
    if absent:
        raise InputError(
            f"{len(absent)} of {len(excluded)} excluded samples are not in the file, the first: {absent[0]}",
            file=path,
            remedy="Name samples as the file does (bcftools query -l)",
        )
    kept = np.array([at for at, name in enumerate(file.samples) if name not in excluded], dtype=np.int64)
    if not len(kept):
        raise StudyError(f"All {len(file.samples)} samples of {path} are excluded. Exclude fewer.")
    return kept


def write_steps(path: str | Path, steps: pd.DataFrame) -> None:
    """Write the table of steps, tab-separated."""
    with replace_together(path) as (target,):
        steps.to_csv(target, sep="\t", index=False, float_format="%.6g", lineterminator="\n")


def _make_blocks(
    file: VariantFile, chain: SiteFilter, writer: VcfWriter | None
) -> Iterator[tuple[pd.DataFrame, Int8[np.ndarray, "n_samples k"]]]:
    size = max(1, min(4096, BLOCK_GENOTYPES // chain.n_samples))
    block = np.empty((size, chain.n_samples), dtype=np.int8)
    variants: list[Variant] = []
    any_left = False
    for site in file.sites():
        for variant, copies in chain.examine(site):
            any_left = True
            block[len(variants)] = copies
            variants.append(variant)
            if writer is not None:
                writer.write(variant, copies)
            if len(variants) == size:
                yield pd.DataFrame(variants, columns=VARIANT_COLUMNS), block.T
                variants = []
    if variants:
        yield pd.DataFrame(variants, columns=VARIANT_COLUMNS), block[: len(variants)].T
    if not any_left:
        raise StudyError(_describe_emptiness(file.path, chain))


def _describe_emptiness(path: Path, chain: SiteFilter) -> str:
    if not chain.n_records:
        return f"{path} holds no records. Give a VCF or BCF file with variants."
    told = ", ".join(f"{step} {count}" for step, count in chain.removed.items() if count)
    return (
        f"No variant of {path} passes: of {chain.n_records} records the steps removed {told}. "
        "Loosen the step that removed most; set quality to null or depth to 0 where the file has no QUAL or DP."
    )
