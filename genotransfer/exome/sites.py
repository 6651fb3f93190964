"""One record of a VCF or BCF file, its genotypes and depths read when they are asked for."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped

from genotransfer.exome.calls import Calls


@dataclass
class Site(ABC):
    """A record before it is split.

    Attributes
    ----------
    row : 1-based line of a text file, 1-based number of a record of a BCF file.
    chromosome : as the file has it.
    position : bp, 1-based.
    name : the id; None where there is none.
    reference, alternatives : alleles, as the file has them.
    quality : QUAL; NaN where there is none.
    passed : FILTER is PASS, or not given.
    """

    row: int
    chromosome: str
    position: int
    name: str | None
    reference: str
    alternatives: list[str]
    quality: float
    passed: bool

    @abstractmethod
    def read_calls(self) -> Calls:
        """Return the genotypes of all samples of the file."""

    @abstractmethod
    def read_depths(self) -> Shaped[np.ndarray, " n_samples"] | None:
        """Return DP of all samples of the file, integers, below 0 where not given; None without DP."""

    @abstractmethod
    def read_info_depth(self) -> float:
        """Return INFO/DP; NaN where there is none."""


def find_snp(reference: str, alternative: str) -> int | None:
    """Return the place at which two alleles of one length differ; None if that is not one base.

    As in htslib, AC to AT is a SNP. Bases are A, C, G and T.
    """
    if len(reference) != len(alternative):
        return None
    reference, alternative = reference.upper(), alternative.upper()
    if set(reference + alternative) - set("ACGT"):
        return None
    different = [at for at, (a, b) in enumerate(zip(reference, alternative, strict=True)) if a != b]
    return different[0] if len(different) == 1 else None


def average_depth(depths: Shaped[np.ndarray, " n"], samples: Int64[np.ndarray, " k"] | None) -> float:
    """Return the mean depth of some samples (all when None); one not given counts as 0 reads."""
    chosen = depths if samples is None else depths.take(samples)
    if not len(chosen):
        return math.nan
    total = int(chosen.sum(dtype=np.int64))
    if chosen.min() < 0:
        total = int(np.maximum(chosen, 0).sum(dtype=np.int64))
    return total / len(chosen)
