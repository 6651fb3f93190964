"""The variants that passed, as VCF: GT of every sample, and AC and AN."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Int8

from genotransfer.formats.vcf_check import BGZF_END
from genotransfer.genotypes import MISSING

# The most bytes of a block before it is packed, as bgzip itself has it.
BLOCK_BYTES = 0xFF00
HEADER = struct.Struct("<4BI2BH2B2H")
GENOTYPES = np.array([b"\t./.", b"\t0/0", b"\t0/1", b"\t1/1"], dtype="S4")
CONTIGS = (*map(str, range(1, 23)), "X", "Y", "XY", "MT", "0")


class BgzipWriter:
    """Bytes packed in blocks that bgzip, tabix and htslib read.

    Parameters
    ----------
    path : the file to write.
    level : of zlib, 1 (fast) to 9 (small).
    """

    def __init__(self, path: str | Path, level: int = 4) -> None:
        self._file = Path(path).open("wb")  # noqa: SIM115 - closed by close
        self._level = level
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        """Write bytes."""
        self._held += data
        while len(self._held) >= BLOCK_BYTES:
            self._file.write(pack_block(bytes(self._held[:BLOCK_BYTES]), self._level))
            del self._held[:BLOCK_BYTES]

    def close(self) -> None:
        """Write what is held, and the block that ends a file."""
        if self._held:
            self._file.write(pack_block(bytes(self._held), self._level))
        self._file.write(BGZF_END)
        self._file.close()


def pack_block(data: bytes, level: int) -> bytes:
    """Return one block of BGZF; `data` has at most `BLOCK_BYTES`."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    if len(packed) > 0xFFFF - 26:  # it does not pack: store it
        packer = zlib.compressobj(0, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
    header = HEADER.pack(31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(packed) + 25)
    return header + packed + struct.pack("<II", zlib.crc32(data), len(data))


class VcfWriter:
    """A VCF file with GT alone; packed with bgzip where its name ends with ``.gz``."""

    def __init__(self, path: str | Path, samples: list[str]) -> None:
        path = Path(path)
        self._file = BgzipWriter(path) if path.suffix == ".gz" else path.open("wb")
        lines = [
            "##fileformat=VCFv4.2",
            '##FILTER=<ID=PASS,Description="All filters passed">',
            *(f"##contig=<ID={name}>" for name in CONTIGS),
            '##INFO=<ID=AC,Number=A,Type=Integer,Description="Copies of the alternative allele">',
            '##INFO=<ID=AN,Number=1,Type=Integer,Description="Alleles called">',
            '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
            "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]),
        ]
        self._file.write("".join(f"{line}\n" for line in lines).encode())

    def write(
        self, variant: tuple[str, str, float, int, str, str], copies: Int8[np.ndarray, " n_samples"]
    ) -> None:
        """Write one variant (chromosome, id, cm, position, counted, other) and its genotypes."""
        chromosome, name, _, position, counted, other = variant
        called = copies != MISSING
        info = f"AC={int(copies[called].sum(dtype=np.int64))};AN={2 * int(called.sum())}"
        start = f"{chromosome}\t{position}\t{name}\t{other}\t{counted}\t.\tPASS\t{info}\tGT"
        self._file.write(start.encode() + GENOTYPES[copies + 1].tobytes() + b"\n")

    def __enter__(self) -> VcfWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
