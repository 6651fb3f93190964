"""Any supported genotypes in, any supported format out; the format is told by the name."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.errors import InputError
from genotransfer.events import Progress
from genotransfer.formats import plink
from genotransfer.formats.files import require_file
from genotransfer.formats.oxford import read_oxford, write_oxford
from genotransfer.formats.twentythreeandme import read_23andme, write_23andme
from genotransfer.formats.vcf import read_vcf
from genotransfer.genotypes import MISSING, Genotypes, VariantFilter
from genotransfer.storage import fetch_fileset, localise, stage_output

READABLE = ("plink", "oxford", "vcf", "23andme")
WRITABLE = ("plink", "oxford", "23andme")
SUFFIXES = {
    ".bed": "plink",
    ".bim": "plink",
    ".fam": "plink",
    ".gen": "oxford",
    ".gen.gz": "oxford",
    ".vcf": "vcf",
    ".vcf.gz": "vcf",
    ".vcf.bgz": "vcf",
    ".bcf": "vcf",
    ".txt": "23andme",
    ".txt.gz": "23andme",
}


@dataclass(frozen=True)
class ConversionSummary:
    """What a conversion read and wrote.

    Attributes
    ----------
    input, output : paths as given.
    from_format, to_format : one of ``plink``, ``oxford``, ``vcf``, ``23andme``.
    n_samples, n_variants : size of what was written.
    n_missing : genotypes that are missing in it.
    counts : what was left out or set to missing on the way, by reason.
    """

    input: str
    output: str
    from_format: str
    to_format: str
    n_samples: int
    n_variants: int
    n_missing: int
    counts: dict[str, int] = field(default_factory=dict)


def detect_format(path: str | Path) -> str:
    """Return the format of existing genotypes or of a path to write: by suffix, else ``plink``.

    An existing folder is ``23andme``, unless a .bed of the same name stands beside it.
    """
    path = Path(path)
    name = path.name.lower()
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix):
            return SUFFIXES[suffix]
    is_folder = path.is_dir() and not path.with_name(path.name + ".bed").is_file()
    return "23andme" if is_folder else "plink"


def open_genotypes(
    path: str | Path,
    scratch_prefix: str | Path,
    *,
    from_format: str | None = None,
    sample: str | Path | None = None,
    chromosome: str | None = None,
    hard_call_threshold: float = 0.9,
    reference: str | Path | pd.DataFrame | None = None,
    progress: Progress | None = None,
    keep: VariantFilter | None = None,
    monomorphic: bool = False,
) -> Genotypes:
    """Open genotypes of any supported format.

    Parameters
    ----------
    path : a PLINK prefix or .bed; a .gen or .gen.gz; a .vcf, .vcf.gz or .bcf; a 23andMe .txt or a
        folder of them. Here or in a bucket, as `sample` and `reference`.
    scratch_prefix : path of the PLINK fileset to write when `path` is not one already.
    from_format : ``plink``, ``oxford``, ``vcf`` or ``23andme``; told by the name when None.
    sample : the .sample file of a .gen; the .gen's name with ``.sample`` when None.
    chromosome, hard_call_threshold : see `read_oxford`.
    reference : variants for `read_23andme`, as a table, a .bim or a PLINK prefix.
    progress : told how much of a file in a bucket has arrived.
    keep : which variants of a .gen, .vcf or .bcf to keep, by chromosome, id and position; all when None.
    monomorphic : see `read_vcf`.

    Returns
    -------
    Genotypes; `Genotypes.counts` tells what was left out or set to missing.

    Raises
    ------
    InputError
        The format is unknown, or a file is missing or malformed.
    """
    with localise(path, fetch_fileset, progress=progress) as here:
        kind = _check_format(from_format or detect_format(here), READABLE, path)
        if kind == "oxford":
            with localise(_find_sample_file(here) if sample is None else sample) as beside:
                return read_oxford(
                    here,
                    beside,
                    prefix_out=scratch_prefix,
                    chromosome=chromosome,
                    hard_call_threshold=hard_call_threshold,
                    keep=keep,
                )
        if kind == "vcf":
            return read_vcf(here, prefix_out=scratch_prefix, keep=keep, monomorphic=monomorphic)
        if kind == "23andme":
            return read_23andme(here, _read_reference(reference, path), scratch_prefix)
        return Genotypes.open(here)


def convert(
    input: str | Path,
    output: str | Path,
    *,
    from_format: str | None = None,
    to_format: str | None = None,
    sample: str | Path | None = None,
    chromosome: str | None = None,
    hard_call_threshold: float = 0.9,
    reference: str | Path | pd.DataFrame | None = None,
) -> ConversionSummary:
    """Convert genotypes from one format to another.

    Parameters
    ----------
    input, sample, chromosome, hard_call_threshold, reference, from_format : see `open_genotypes`.
    output : a PLINK prefix or .bed; a .gen or .gen.gz (the .sample is written beside it); or a
        folder for 23andMe files, with `to_format` ``23andme``. Here or in a bucket.
    to_format : ``plink``, ``oxford`` or ``23andme``; told by the output's name when None.

    Raises
    ------
    InputError
        A format is unknown or cannot be written, or a file is missing or malformed. The output is
        then as it was before.
    """
    wanted = _check_format(to_format or detect_format(output), WRITABLE, output)
    with (
        tempfile.TemporaryDirectory(prefix="genotransfer-") as scratch,
        localise(input, fetch_fileset) as here,
        stage_output(output) as written,
    ):
        kind = _check_format(from_format or detect_format(here), READABLE, input)
        genotypes = open_genotypes(
            here,
            Path(scratch) / "genotypes",
            from_format=kind,
            sample=sample,
            chromosome=chromosome,
            hard_call_threshold=hard_call_threshold,
            reference=reference,
        )
        counts = dict(genotypes.counts)
        if wanted == "oxford":
            write_oxford(genotypes, written, _strip_gen(written).with_suffix(".sample"))
        elif wanted == "23andme":
            counts |= write_23andme(genotypes, written)
        else:
            genotypes.write(plink.strip_suffix(written))
        n_missing = sum(int(np.count_nonzero(dosages == MISSING)) for _, dosages in genotypes.blocks())
    return ConversionSummary(
        input=str(input),
        output=str(output),
        from_format=kind,
        to_format=wanted,
        n_samples=genotypes.n_samples,
        n_variants=genotypes.n_variants,
        n_missing=n_missing,
        counts=counts,
    )


def _check_format(name: str, known: tuple[str, ...], path: str | Path) -> str:
    if name not in known:
        what = "read" if known is READABLE else "written"
        raise InputError(
            f"the format {name!r} cannot be {what}", file=path, remedy=f"Choose one of {', '.join(known)}"
        )
    return name


def _strip_gen(path: str | Path) -> Path:
    """Return a .gen's path without ``.gen`` and ``.gz``, with a suffix for `with_suffix` to replace."""
    path = Path(path)
    name = path.name
    for suffix in (".gz", ".gen"):
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return path.with_name(name + ".gen")


def _find_sample_file(gen: str | Path) -> Path:
    return require_file(
        _strip_gen(gen).with_suffix(".sample"),
        remedy="A .gen file needs its .sample file: put it beside the .gen, or name it",
    )


def _read_reference(reference: str | Path | pd.DataFrame | None, path: str | Path) -> pd.DataFrame:
    if reference is None:
        raise InputError(
            "a 23andMe file does not say which alleles its variants have",
            file=path,
            remedy="Name reference variants: a PLINK fileset or .bim of the population to compare with",
        )
    if isinstance(reference, pd.DataFrame):
        return reference
    prefix = str(reference)
    for suffix in plink.SUFFIXES:
        prefix = prefix.removesuffix(suffix)
    with localise(f"{prefix}.bim") as bim:
        return plink.read_bim(bim)
