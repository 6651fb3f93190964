"""Records of a BCF file: genotypes and depths as arrays over the file's own bytes, without a copy.

Source: VCF/BCF specification, version 4.3, section 6.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32, Shaped

from genotransfer.errors import InputError
from genotransfer.exome.calls import ABSENT, UNCALLED, Calls, PackedCalls, WideCalls
from genotransfer.exome.sites import Site
from genotransfer.exome.streams import ByteStream

MAGIC = b"BCF\x02"
TYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<i1"),
    2: np.dtype("<i2"),
    3: np.dtype("<i4"),
    5: np.dtype("<f4"),
    7: np.dtype("S1"),
}
FIXED = struct.Struct("<iiifII")
MISSING_FLOAT = 0x7F800001
COLUMNS = 9
REMEDY = "Check the file with bcftools view"
# The end of a vector that is shorter than the others, as an integer of each size.
END = {1: -127, 2: -32767, 4: -2147483647}


@dataclass
class BinarySite(Site):
    """A record of a BCF file; `fields` has dtype, values a sample and offset of each FORMAT field."""

    path: Path
    n_samples: int
    shared: bytes
    info_at: int
    n_info: int
    samples: bytes
    keys: dict[int, str]

    def read_calls(self) -> Calls:
        """Return the genotypes of all samples of the file."""
        found = self._find("GT")
        if found is None:
            unknown = np.full(self.n_samples, UNCALLED, dtype=np.int16)
            return WideCalls(unknown, unknown)
        values = found.reshape(self.n_samples, -1)
        if values.dtype.itemsize == 1 and values.shape[1] == 2:
            return PackedCalls(found.view("<u2"))
        alleles = np.full((2, self.n_samples), ABSENT, dtype=np.int16)
        for at in range(values.shape[1]):
            numbers = (values[:, at].astype(np.int32) >> 1) - 1
            numbers[numbers < 0] = UNCALLED
            absent = values[:, at] == END[values.dtype.itemsize]
            numbers[absent] = ABSENT
            if at < 2:
                alleles[at] = numbers
            elif not absent.all():
                raise self._make_error(f"a genotype of {values.shape[1]} alleles")
        return WideCalls(alleles[0], alleles[1])

    def read_depths(self) -> Shaped[np.ndarray, " n_samples"] | None:
        """Return DP of all samples of the file, integers, below 0 where not given; None without DP."""
        found = self._find("DP")
        if found is None or found.dtype.kind != "i":
            return None
        return found.reshape(self.n_samples, -1)[:, 0]

    def read_info_depth(self) -> float:
        """Return INFO/DP; NaN where there is none."""
        at = self.info_at
        for _ in range(self.n_info):
            key, at = read_values(self.shared, at)
            values, at = read_values(self.shared, at)
            if self.keys.get(int(key[0])) == "DP":
                return float(values[0]) if len(values) and values[0] >= 0 else float("nan")
        return float("nan")

    def _find(self, name: str) -> Int32[np.ndarray, " n"] | Shaped[np.ndarray, " n"] | None:
        """Return the values of a FORMAT field, of all samples after one another."""
        at = 0
        while at < len(self.samples):
            key, at = read_values(self.samples, at)
            kind, count, at = read_type(self.samples, at)
            dtype = TYPES[kind] if kind else np.dtype("<i1")
            total = self.n_samples * count
            if self.keys.get(int(key[0])) == name:
                if not count:
                    return None
                return np.frombuffer(self.samples, dtype=dtype, count=total, offset=at)
            at += total * dtype.itemsize
        return None

    def _make_error(self, problem: str) -> InputError:
        return InputError(f"{problem} (record {self.row})", file=self.path, remedy=REMEDY)


def read_type(data: bytes, at: int) -> tuple[int, int, int]:
    """Return the kind of typed values, their number, and where they begin."""
    kind, count = data[at] & 15, data[at] >> 4
    at += 1
    if count == 15:
        numbers, at = read_values(data, at)
        count = int(numbers[0])
    return kind, count, at


def read_values(data: bytes, at: int) -> tuple[Shaped[np.ndarray, " n"] | bytes, int]:
    """Return typed values (text as bytes, numbers as an array), and where the next ones begin."""
    kind, count, at = read_type(data, at)
    if kind == 0 or not count:
        return np.zeros(0, dtype=np.int32), at
    if kind == 7:
        return data[at : at + count], at + count
    dtype = TYPES[kind]
    return np.frombuffer(data, dtype=dtype, count=count, offset=at), at + count * dtype.itemsize


class BinaryFile:
    """A BCF file, packed with bgzip or not.

    Attributes
    ----------
    samples : the names of the samples.

    Raises
    ------
    InputError
        The file cannot be read, or is of another version of the format.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._stream = ByteStream(path)
        magic = self._stream.take(5)
        if magic[:4] != MAGIC:
            raise InputError("this is no BCF of version 2", file=self.path, remedy=REMEDY)
        (length,) = struct.unpack("<I", self._stream.take(4))
        header = self._stream.take(length).rstrip(b"\0").decode(errors="replace").splitlines()
        names = [line for line in header if line.startswith("#CHROM")]
        self.samples = names[0].split("\t")[COLUMNS:] if names else []
        self._contigs = number_ids([line for line in header if line.startswith("##contig=")])
        described = [line for line in header if re.match("##(FILTER|INFO|FORMAT)=", line)]
        self._keys = number_ids(described, ["PASS"])

    def close(self) -> None:
        """Stop reading."""
        self._stream.close()

    def sites(self) -> Iterator[Site]:
        """Yield the records.

        Raises
        ------
        InputError
            The file ends in a record, or a record is not as the format has it.
        """
        row = 0
        while self._stream.peek(1):
            row += 1
            lengths = struct.unpack("<II", self._stream.take(8))
            shared, samples = self._stream.take(lengths[0]), self._stream.take(lengths[1])
            try:
                site = self._make_site(row, shared, samples)
            except (KeyError, IndexError, ValueError, struct.error) as error:
                raise InputError(
                    f"the record cannot be read: {error} (record {row})", file=self.path, remedy=REMEDY
                ) from error
            yield site

    def _make_site(self, row: int, shared: bytes, samples: bytes) -> BinarySite:
        contig, position, _, quality, counts, n_samples = FIXED.unpack_from(shared)
        name, at = read_values(shared, FIXED.size)
        alleles = []
        for _ in range(counts >> 16):
            allele, at = read_values(shared, at)
            alleles.append(bytes(allele).decode())
        filters, at = read_values(shared, at)
        if (n_samples & 0xFFFFFF) != len(self.samples) and samples:
            raise ValueError(f"{n_samples & 0xFFFFFF} samples where the header has {len(self.samples)}")
        missing = struct.unpack_from("<I", shared, 12)[0] == MISSING_FLOAT
        text = bytes(name).decode() if isinstance(name, bytes) else "."
        return BinarySite(
            row=row,
            chromosome=self._contigs[contig],
            position=position + 1,
            name=None if text in (".", "") else text,
            reference=alleles[0],
            alternatives=[allele for allele in alleles[1:] if allele != "."],
            quality=float("nan") if missing else quality,
            passed=all(self._keys[int(key)] == "PASS" for key in filters),
            path=self.path,
            n_samples=len(self.samples),
            shared=shared,
            info_at=at,
            n_info=counts & 0xFFFF,
            samples=samples,
            keys=self._keys,
        )


def number_ids(lines: list[str], first: list[str] | None = None) -> dict[int, str]:
    """Return the ids of header lines by their number: IDX where given, else the order they stand in."""
    numbered = dict(enumerate(first or []))
    known = set(numbered.values())
    for line in lines:
        found = re.search(r"[<,]ID=([^,>]+)", line)
        if found is None:
            continue
        index = re.search(r"[<,]IDX=([0-9]+)", line)
        if index is None and found[1] in known:
            continue
        numbered[int(index[1]) if index else len(known)] = found[1]
        known.add(found[1])
    return numbered
