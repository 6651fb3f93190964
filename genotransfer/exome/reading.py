"""A multi-sample VCF or BCF file, opened by what it holds and not by its name."""

from __future__ import annotations

from pathlib import Path

from genotransfer.errors import InputError
from genotransfer.exome.binary_records import MAGIC, BinaryFile
from genotransfer.exome.streams import ByteStream
from genotransfer.exome.text_records import TextFile

VariantFile = TextFile | BinaryFile


def open_variants(path: str | Path, *, with_depths: bool = True) -> VariantFile:
    """Open a VCF (plain, gzip, bgzip) or BCF file; its ``sites()`` are read once, in order.

    Parameters
    ----------
    path : the file.
    with_depths : the samples' depths will be asked for.

    Raises
    ------
    InputError
        The file is missing, empty, damaged, neither VCF nor BCF, or has no samples.
    """
    stream = ByteStream(path)
    start = stream.peek(len(MAGIC))
    stream.close()
    file: VariantFile = BinaryFile(path) if start == MAGIC else TextFile(path, with_depths=with_depths)
    if not file.samples:
        file.close()
        raise InputError(
            "the file has no samples", file=path, remedy="Give a VCF with genotypes, not one of sites"
        )
    doubled = len(file.samples) - len(set(file.samples))
    if doubled:
        file.close()
        raise InputError(
            f"{doubled} names of samples stand twice", file=path, remedy="Give every sample a name of its own"
        )
    return file
