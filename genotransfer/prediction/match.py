"""A model's variants found in somebody else's file: by id, by position, on either strand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int64

from genotransfer.alignment import find_pairs
from genotransfer.alleles import compare_alleles, label_unknown_alleles
from genotransfer.errors import InputError
from genotransfer.formats.chromosomes import name_chromosomes

# A file is on one strand when so many of its variants, those that can tell, are.
ONE_STRAND = 0.99
# Positions that differ from the model's, of variants matched by id: another build. A few are mapped anew.
MOVED = 0.1
AMBIGUOUS = ("strand", "keep", "drop")


@dataclass(frozen=True, eq=False)
class VariantMatch:
    """Where a model's variants are in a file.

    Attributes
    ----------
    rows : int64 (n_model,); the file's variant behind each of the model's, -1 where there is none.
    swapped, flipped : bool (n_model,); whether the file counts the other allele, and names alleles of
        the other strand.
    by_id, differ, left_out, ambiguous : bool (n_model,); found by id; in the file with other alleles;
        left out as ambiguous; A/T or C/G, and found.
    moved : share of the variants found by id that stand at another position; NaN where no position
        is known.
    """

    rows: Int64[np.ndarray, " n_model"]
    swapped: Bool[np.ndarray, " n_model"]
    flipped: Bool[np.ndarray, " n_model"]
    by_id: Bool[np.ndarray, " n_model"]
    differ: Bool[np.ndarray, " n_model"]
    left_out: Bool[np.ndarray, " n_model"]
    ambiguous: Bool[np.ndarray, " n_model"]
    moved: float

    @property
    def found(self) -> Bool[np.ndarray, " n_model"]:
        """Which of the model's variants are in the file."""
        return np.asarray(self.rows >= 0)

    @property
    def other_build(self) -> bool:
        """Whether the file's positions seem to be of another genome build."""
        return bool(self.moved > MOVED)

    def count(self, n: int | None = None) -> dict[str, int]:
        """Count the first `n` variants by what became of them.

        ``wanted`` = ``found by id`` + ``found by position`` + ``not in the file`` + ``alleles differ`` +
        ``ambiguous, left out``; of those found: ``alleles swapped``, ``strand flipped`` and ``ambiguous,
        kept``.
        """
        found = self.found
        masks = {
            "wanted": np.ones_like(found),
            "found by id": found & self.by_id,
            "found by position": found & ~self.by_id,
            "not in the file": ~found & ~self.differ & ~self.left_out,
            "alleles differ": self.differ,
            "ambiguous, left out": self.left_out,
            "alleles swapped": found & self.swapped,
            "strand flipped": found & self.flipped,
            "ambiguous, kept": found & self.ambiguous,
        }
        return {name: int(mask[:n].sum()) for name, mask in masks.items()}


def match_model(wanted: pd.DataFrame, given: pd.DataFrame, *, ambiguous: str = "strand") -> VariantMatch:
    """Find a model's variants in a file.

    A variant is looked for by its id; where the id is absent, or has other alleles, by chromosome and
    position, unless the positions of those found by id show another build. Alleles may be swapped, or
    named on the other strand. An id or position the file has twice is left out.

    Parameters
    ----------
    wanted, given : the model's and the file's variants: chromosome, position, id, counted, other.
    ambiguous : what to do with A/T and C/G variants, which look the same on both strands. ``strand``:
        they are taken to be on the strand of the file's other variants, where 99 % of these are on one,
        and left out otherwise; ``keep``: taken as they are named; ``drop``: left out.

    Raises
    ------
    InputError
        `ambiguous` is none of the above.
    """
    if ambiguous not in AMBIGUOUS:
        raise InputError(f"ambiguous variants: {ambiguous!r}", remedy=f"Give one of {', '.join(AMBIGUOUS)}")
    rows = np.full(len(wanted), -1, dtype=np.int64)
    swap, flipped, palindromic, seen = (np.zeros(len(wanted), dtype=bool) for _ in range(4))
    # A file may have millions of variants; what shares an id or a position with the model is a few.
    near = np.flatnonzero(given["id"].isin(wanted["id"]) | given["position"].isin(wanted["position"]))
    given = given.iloc[near]

    def take(at: np.ndarray, where: np.ndarray) -> None:
        ours = wanted.iloc[at].reset_index(drop=True)
        theirs = label_unknown_alleles(ours, given.iloc[where].reset_index(drop=True))
        compared = compare_alleles(ours, theirs)
        fits = compared.same
        rows[at[fits]] = where[fits]
        swap[at[fits]] = compared.swap[fits]
        flipped[at[fits]] = (compared.flipped | compared.flipped_swapped)[fits]
        palindromic[at[fits]] = compared.ambiguous[fits]
        seen[at] = True

    at, where, _ = find_pairs(wanted, given, "id")
    take(at, where)
    moved = _measure_moved(wanted.iloc[at], given.iloc[where])
    by_id = rows >= 0
    if not moved > MOVED:  # NaN: nothing speaks against positions
        left = np.flatnonzero(~by_id)
        free = np.setdiff1d(np.arange(len(given)), rows[by_id])
        if len(left) and len(free):
            at, where, _ = find_pairs(wanted.iloc[left], given.iloc[free], "position")
            take(left[at], free[where])
    differ = seen & (rows < 0)
    out = palindromic & _judge_ambiguous(rows >= 0, flipped, palindromic, swap, ambiguous)
    rows[out] = -1
    found = rows >= 0
    rows[found] = near[rows[found]]
    return VariantMatch(rows, swap & found, flipped & found, by_id, differ, out, palindromic & found, moved)


def _judge_ambiguous(
    found: np.ndarray, flipped: np.ndarray, palindromic: np.ndarray, swap: np.ndarray, rule: str
) -> np.ndarray:
    """Return which ambiguous variants to leave out; turn those around that are on the other strand."""
    telling = found & ~palindromic
    share = float(flipped[telling].mean()) if telling.any() else 0.0
    if rule == "keep" or (rule == "strand" and share <= 1 - ONE_STRAND):
        return np.zeros_like(palindromic)
    if rule == "strand" and share >= ONE_STRAND:
        swap[palindromic] = ~swap[palindromic]
        flipped[palindromic] = True
        return np.zeros_like(palindromic)
    return np.asarray(palindromic)


def _measure_moved(ours: pd.DataFrame, theirs: pd.DataFrame) -> float:
    chromosomes = [name_chromosomes(one["chromosome"].astype(str)).to_numpy() for one in (ours, theirs)]
    positions = [one["position"].to_numpy() for one in (ours, theirs)]
    known = (positions[0] > 0) & (positions[1] > 0) & (chromosomes[0] != "0") & (chromosomes[1] != "0")
    if not known.any():
        return float("nan")
    differs = (chromosomes[0] != chromosomes[1]) | (positions[0] != positions[1])
    return float(differs[known].mean())
