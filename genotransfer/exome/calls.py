"""Called genotypes of one site: two allele numbers a sample, turned into copies of one alternative.

The usual calls stay as the bytes the file has, characters of a VCF or pairs of bytes of a BCF,
which is what makes reading fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Int8, Int16, UInt8, UInt16

from genotransfer.genotypes import MISSING

# In place of a number of an alternative: any of them.
ANY = 0
# Allele numbers that are none.
UNCALLED, ABSENT = -1, -2
N_BYTES = 256
ZERO = np.uint8(ord("0"))


@dataclass(frozen=True)
class CharacterCalls:
    """Calls as the characters of two allele numbers of one digit, ``.`` uncalled.

    Of a haploid call both are the same, since it counts twice.

    Attributes
    ----------
    first, second : the characters.
    counted : the copies of the first alternative, where they are known; not to be changed.
    """

    first: UInt8[np.ndarray, "*n_samples"]
    second: UInt8[np.ndarray, "*n_samples"]
    counted: Int8[np.ndarray, "*n_samples"] | None = None

    def count(self, alternative: int) -> Int8[np.ndarray, "*n_samples"]:
        """Return the copies (0, 1, 2) of an alternative (1, 2, ...; or `ANY`) each sample has.

        -1 where an allele is uncalled or is another alternative; a haploid call counts twice.
        """
        if alternative == 1 and self.counted is not None:
            return self.counted
        # Comparisons of whole arrays of bytes cost less than a look-up for each pair of them.
        carried, usable = self._compare(self.first, alternative)
        carried_too, usable_too = self._compare(self.second, alternative)
        copies: np.ndarray = carried.view(np.int8) + carried_too.view(np.int8)
        copies |= (usable & usable_too).view(np.int8) - np.int8(1)  # -1 where one is not usable
        return copies

    @staticmethod
    def _compare(
        allele: UInt8[np.ndarray, "*n_samples"], alternative: int
    ) -> tuple[Bool[np.ndarray, "*n_samples"], Bool[np.ndarray, "*n_samples"]]:
        """Say where an allele is the alternative, and where it is that or the reference."""
        if alternative == ANY:
            return allele > ZERO, allele >= ZERO
        if alternative > 9:
            return np.zeros(allele.shape, dtype=bool), allele == ZERO
        carried = allele == ZERO + alternative
        return carried, carried | (allele == ZERO)


@dataclass(frozen=True)
class PackedCalls:
    """Calls as pairs of bytes of BCF's 8-bit genotypes, 0x81 absent; the first allele's byte is the lower one."""

    pairs: UInt16[np.ndarray, " n_samples"]

    def count(self, alternative: int) -> Int8[np.ndarray, " n_samples"]:
        """Return the copies of an alternative; see `CharacterCalls.count`."""
        return _tabulate(alternative).take(self.pairs)


@dataclass(frozen=True)
class WideCalls:
    """Calls as two allele numbers a sample, -1 uncalled, -2 absent: for what no byte holds."""

    first: Int16[np.ndarray, " n_samples"]
    second: Int16[np.ndarray, " n_samples"]

    def count(self, alternative: int) -> Int8[np.ndarray, " n_samples"]:
        """Return the copies of an alternative; see `CharacterCalls.count`."""
        return _count_copies(self.first, self.second, alternative)


Calls = CharacterCalls | PackedCalls | WideCalls


def _count_copies(first: np.ndarray, second: np.ndarray, alternative: int) -> Int8[np.ndarray, " n"]:
    copies = np.zeros(len(first), dtype=np.int8)
    missing = (first < 0) | (second == UNCALLED)
    for allele in (first, np.where(second == ABSENT, first, second)):
        copies += allele > 0 if alternative == ANY else allele == alternative
        if alternative != ANY:
            missing |= (allele > 0) & (allele != alternative)
    copies[missing] = MISSING
    return copies


@lru_cache(maxsize=80)
def _tabulate(alternative: int) -> Int8[np.ndarray, " n_pairs"]:
    """Return the copies for every pair of bytes."""
    decoded = np.array([_decode(byte) for byte in range(N_BYTES)], dtype=np.int16)
    pairs = np.arange(N_BYTES**2)
    return _count_copies(decoded[pairs % N_BYTES], decoded[pairs // N_BYTES], alternative)


def _decode(byte: int) -> int:
    if byte in (0x80, 0x81):
        return ABSENT if byte == 0x81 else UNCALLED
    return (byte >> 1) - 1 if byte < 0x80 else UNCALLED
