"""Called genotypes of one site: two allele numbers a sample, turned into copies of one alternative.

Packed calls are two bytes a sample as the file has them; a table of all pairs of bytes then gives
the copies in a single look-up, which is what makes reading fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Int8, Int16, Int64, UInt16

from genotransfer.genotypes import MISSING

Coding = Literal["text", "bcf"]
# In place of a number of an alternative: any of them.
ANY = 0
# Allele numbers that are none.
UNCALLED, ABSENT = -1, -2
N_BYTES = 256


@dataclass(frozen=True)
class PackedCalls:
    """Calls as pairs of bytes: the first allele's byte is the lower one.

    Attributes
    ----------
    pairs : a pair of bytes a sample.
    coding : ``text``: the characters of the allele numbers, ``.`` uncalled, a byte of 0 absent (haploid);
        ``bcf``: BCF's 8-bit genotypes, 0x81 absent.
    """

    pairs: UInt16[np.ndarray, " n_samples"]
    coding: Coding

    def count(self, alternative: int) -> Int8[np.ndarray, " n_samples"]:
        """Return the copies (0, 1, 2) of an alternative (1, 2, ...; or `ANY`) each sample has.

        -1 where an allele is uncalled or is another alternative; a haploid call counts twice.
        """
        return _tabulate(self.coding, alternative).take(self.pairs)

    def keep(self, samples: Int64[np.ndarray, " k"]) -> PackedCalls:
        """Return the calls of some samples."""
        return PackedCalls(self.pairs.take(samples), self.coding)


@dataclass(frozen=True)
class WideCalls:
    """Calls as two allele numbers a sample, -1 uncalled, -2 absent: for what no byte holds."""

    first: Int16[np.ndarray, " n_samples"]
    second: Int16[np.ndarray, " n_samples"]

    def count(self, alternative: int) -> Int8[np.ndarray, " n_samples"]:
        """Return the copies of an alternative; see `PackedCalls.count`."""
        return _count_copies(self.first, self.second, alternative)

    def keep(self, samples: Int64[np.ndarray, " k"]) -> WideCalls:
        """Return the calls of some samples."""
        return WideCalls(self.first.take(samples), self.second.take(samples))


Calls = PackedCalls | WideCalls


def _count_copies(first: np.ndarray, second: np.ndarray, alternative: int) -> Int8[np.ndarray, " n"]:
    copies = np.zeros(len(first), dtype=np.int8)
    missing = (first < 0) | (second == UNCALLED)
    for allele in (first, np.where(second == ABSENT, first, second)):
        copies += allele > 0 if alternative == ANY else allele == alternative
        if alternative != ANY:
            missing |= (allele > 0) & (allele != alternative)
    copies[missing] = MISSING
    return copies


@lru_cache(maxsize=160)
def _tabulate(coding: Coding, alternative: int) -> Int8[np.ndarray, " n_pairs"]:
    """Return the copies for every pair of bytes."""
    decoded = np.array([_decode(coding, byte) for byte in range(N_BYTES)], dtype=np.int16)
    pairs = np.arange(N_BYTES**2)
    return _count_copies(decoded[pairs % N_BYTES], decoded[pairs // N_BYTES], alternative)


def _decode(coding: Coding, byte: int) -> int:
    if coding == "text":
        if byte == 0:
            return ABSENT
        return byte - ord("0") if chr(byte) in "0123456789" else UNCALLED
    if byte in (0x80, 0x81):
        return ABSENT if byte == 0x81 else UNCALLED
    return (byte >> 1) - 1 if byte < 0x80 else UNCALLED
