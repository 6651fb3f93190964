"""Alignment: two populations brought to the same variants, in one order, counting the same alleles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int64

from genotransfer.alleles import AlleleComparison, compare_alleles, fill_unknown_alleles
from genotransfer.errors import AlignmentError, InputError
from genotransfer.formats.chromosomes import name_chromosomes
from genotransfer.genotypes import MISSING, Genotypes

# Allele frequencies of an A/T or C/G variant that differ by more may mean opposite strands.
SUSPICIOUS_DIFFERENCE = 0.3


@dataclass(frozen=True)
class Alignment:
    """Two populations with the same variants.

    Attributes
    ----------
    source, target : views with equal `variants` tables (the source's): same variants, order,
        counted and other alleles.
    report : counts by reason. ``variants of the source`` = ``only in the source`` + ``doubled`` +
        ``alleles differ`` + ``ambiguous, dropped`` + ``kept``; ``kept`` = ``alleles equal`` +
        ``alleles swapped`` + ``strand flipped`` + ``strand flipped and alleles swapped``, of which
        ``ambiguous, kept``.
    dropped : variants both populations have that were left out: id, chromosome, position, the
        alleles in each (source_alleles, target_alleles as counted/other), reason.
    """

    source: Genotypes
    target: Genotypes
    report: dict[str, int]
    dropped: pd.DataFrame


def align_populations(
    source: Genotypes, target: Genotypes, *, match_by: str = "auto", ambiguous: str = "drop"
) -> Alignment:
    """Return views of both populations with the same variants, counting the same alleles.

    The source's order and alleles stand. A target variant that counts the source's other allele
    is swapped; one labelled on the other strand is relabelled. A variant with alleles A and T, or
    C and G, looks the same on both strands: it is dropped, or kept as it is labelled. A target
    allele that is unknown (``0``) is taken to be the source's, if the known one fits. Variants whose
    alleles differ otherwise are dropped. Nothing is read or written, but for the frequencies of
    ambiguous variants that are kept.

    Parameters
    ----------
    match_by : ``id``; ``position`` (chromosome and bp; needs one genome build; positions that a
        population has twice are left out); or ``auto``, the one of both that finds more
        variants, ``id`` when equal.
    ambiguous : ``drop`` or ``keep`` A/T and C/G variants. When kept, those whose allele frequencies
        differ by more than .3 are counted in the report as ``ambiguous, frequencies differ``.

    Raises
    ------
    AlignmentError
        The populations have no variant in common, or none is left.
    InputError
        `match_by` or `ambiguous` is none of the above.
    """
    if ambiguous not in ("drop", "keep"):
        raise InputError(f"ambiguous variants: {ambiguous!r}", remedy="Give drop or keep")
    by, first, second, doubled = pair_variants(source.variants, target.variants, match_by)
    left, right = source.select(variants=first), target.select(variants=second)
    right = fill_unknown_alleles(left.variants, right)
    compared = compare_alleles(left.variants, right.variants)
    dropped_as_ambiguous = compared.same & compared.ambiguous & (ambiguous == "drop")
    keep = compared.same & ~dropped_as_ambiguous
    aligned = _orient(right, left.variants, compared.swap)
    report = {
        "variants of the source": source.n_variants,
        "variants of the target": target.n_variants,
        "matched by id": int(by == "id"),
        "only in the source": source.n_variants - len(first) - doubled[0],
        "only in the target": target.n_variants - len(second) - doubled[1],
        "doubled": doubled[0],
        "doubled in the target": doubled[1],
        "another position": _count_moved(left.variants, right.variants),
        "alleles differ": int((~compared.same).sum()),
        "ambiguous, dropped": int(dropped_as_ambiguous.sum()),
        "kept": int(keep.sum()),
        "alleles equal": int((compared.equal & keep).sum()),
        "alleles swapped": int((compared.swapped & keep).sum()),
        "strand flipped": int((compared.flipped & keep).sum()),
        "strand flipped and alleles swapped": int((compared.flipped_swapped & keep).sum()),
        "ambiguous, kept": int((compared.ambiguous & keep).sum()),
    }
    if not keep.any():
        raise AlignmentError(
            f"Of {len(first)} variants common to both populations none is left: "
            f"{report['alleles differ']} have other alleles, {report['ambiguous, dropped']} are A/T or C/G. "
            "Check that both name the alleles of the same variants, or keep the ambiguous ones."
        )
    if ambiguous == "keep":
        at = np.flatnonzero(compared.ambiguous & keep)
        gap = _read_frequencies(left.select(variants=at)) - _read_frequencies(aligned.select(variants=at))
        # NaN, a variant nobody has been typed for, compares false.
        report["ambiguous, frequencies differ"] = int((abs(gap) > SUSPICIOUS_DIFFERENCE).sum())
    return Alignment(
        source=left.select(variants=keep),
        target=aligned.select(variants=keep),
        report=report,
        dropped=_tabulate_dropped(left.variants, right.variants, compared, keep),
    )


def match_variants(genotypes: Genotypes, variants: pd.DataFrame, *, match_by: str = "id") -> Genotypes:
    """Return a view with exactly the variants of a table, in its order, counting its alleles.

    Used to apply a panel or a model to genotypes it was not made from. Alleles are swapped and
    strands flipped as in `align_populations`; ambiguous variants are taken as they are labelled.

    Parameters
    ----------
    variants : columns id, counted, other, and to match by position also chromosome and position;
        where they are absent the genotypes' own stand.

    Raises
    ------
    AlignmentError
        Variants are absent from the genotypes, or have other alleles there.
    """
    by, at, found, _ = pair_variants(variants, genotypes.variants, match_by)
    if len(at) < len(variants):
        absent = np.setdiff1d(np.arange(len(variants)), at)
        named = ", ".join(variants["id"].iloc[absent[:5]].astype(str))
        raise AlignmentError(
            f"{len(absent)} of {len(variants)} variants are not in {genotypes.prefix}.bed (by {by}), "
            f"the first: {named}. Give genotypes that hold all variants of the panel; "
            "genotypes that are missing are allowed."
        )
    view = fill_unknown_alleles(variants, genotypes.select(variants=found))
    compared = compare_alleles(variants, view.variants)
    if not compared.same.all():
        worst = int(np.argmin(compared.same))
        wanted, given = (_join_alleles(table.iloc[[worst]]).iloc[0] for table in (variants, view.variants))
        raise AlignmentError(
            f"{int((~compared.same).sum())} of {len(variants)} variants have other alleles in "
            f"{genotypes.prefix}.bed, the first: {variants['id'].iloc[worst]}, {wanted} wanted, "
            f"{given} found. Check that both are the same variants and the same genome build."
        )
    alleles = {name: variants[name].to_numpy() for name in ("counted", "other")}
    located = {"chromosome", "position"} <= set(variants.columns)
    return _orient(view, variants if located else view.variants.assign(**alleles), compared.swap)


def pair_variants(
    first: pd.DataFrame, second: pd.DataFrame, match_by: str
) -> tuple[str, Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], tuple[int, int]]:
    """Return what was matched by, the rows of each table that match, and how many rows were doubled."""
    if match_by not in ("id", "position", "auto"):
        raise InputError(f"variants matched by {match_by!r}", remedy="Give id, position or auto")
    ways = ("id", "position") if match_by == "auto" else (match_by,)
    found = {by: find_pairs(first, second, by) for by in ways}
    by = max(ways, key=lambda way: len(found[way][0]))
    if not len(found[by][0]):
        positions = ", ".join(
            f"{table['chromosome'].iloc[0]}:{table['position'].iloc[0]}"
            for table in (first, second)
            if len(table)
        )
        raise AlignmentError(
            f"There are no common variants by {' or by '.join(ways)} between {len(first)} variants "
            f"({', '.join(first['id'].head(3).astype(str))}, ...) and {len(second)} "
            f"({', '.join(second['id'].head(3).astype(str))}, ...); their first positions are {positions}. "
            "If the ids are of different kinds, match by position; then both must be of one genome build."
        )
    return by, *found[by]


def find_pairs(
    first: pd.DataFrame, second: pd.DataFrame, by: str
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], tuple[int, int]]:
    """Return the rows of two tables that match by ``id`` or ``position``, and how many rows were doubled."""
    return _pair_by_key(_make_key(first, by), _make_key(second, by))


def _make_key(variants: pd.DataFrame, by: str) -> pd.Series:
    """Return what identifies each variant; missing where it is unknown."""
    if by == "id":
        return variants["id"].astype(object).where(variants["id"] != ".", None)
    chromosome, position = name_chromosomes(variants["chromosome"]), variants["position"]
    known = (chromosome != "0") & (position > 0)
    return (chromosome + ":" + position.astype(str)).astype(object).where(known, None)


def _pair_by_key(
    first: pd.Series, second: pd.Series
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], tuple[int, int]]:
    kept = [keys.notna().to_numpy() for keys in (first, second)]
    doubled = [(keys.duplicated(keep=False) & keys.notna()).to_numpy() for keys in (first, second)]
    left, right = (np.flatnonzero(ok & ~twice) for ok, twice in zip(kept, doubled, strict=True))
    at = pd.Index(second.iloc[right]).get_indexer(pd.Index(first.iloc[left]))
    return left[at >= 0], right[at[at >= 0]], (int(doubled[0].sum()), int(doubled[1].sum()))


def _orient(genotypes: Genotypes, wanted: pd.DataFrame, swap: Bool[np.ndarray, " n"]) -> Genotypes:
    """Swap alleles, then label all variants as in the table `wanted`."""
    variants = wanted.reset_index(drop=True)
    if "cm" not in variants:
        variants = variants.assign(cm=genotypes.variants["cm"].to_numpy())
    return replace(genotypes.swap_alleles(swap), variants=variants[list(genotypes.variants.columns)])


def _count_moved(first: pd.DataFrame, second: pd.DataFrame) -> int:
    chromosomes = (name_chromosomes(table["chromosome"]).to_numpy() for table in (first, second))
    differs = np.not_equal(*chromosomes) | (first["position"].to_numpy() != second["position"].to_numpy())
    return int(differs.sum())


def _read_frequencies(genotypes: Genotypes) -> Float[np.ndarray, " n"]:
    """Return the frequency of the counted allele of each variant, NaN where all are missing."""
    frequencies = np.full(genotypes.n_variants, np.nan)
    for where, dosages in genotypes.blocks():
        called = (dosages != MISSING).sum(axis=0)
        copies = np.where(dosages == MISSING, 0, dosages).sum(axis=0)
        np.divide(copies, 2 * called, out=frequencies[where], where=called > 0)
    return frequencies


def _join_alleles(variants: pd.DataFrame) -> pd.Series:
    return variants["counted"] + "/" + variants["other"]


def _tabulate_dropped(
    first: pd.DataFrame, second: pd.DataFrame, compared: AlleleComparison, keep: Bool[np.ndarray, " n"]
) -> pd.DataFrame:
    at = np.flatnonzero(~keep)
    return pd.DataFrame(
        {
            "id": first["id"].to_numpy()[at],
            "chromosome": first["chromosome"].to_numpy()[at],
            "position": first["position"].to_numpy()[at],
            "source_alleles": _join_alleles(first).to_numpy()[at],
            "target_alleles": _join_alleles(second).to_numpy()[at],
            "reason": np.where(compared.same[at], "ambiguous", "alleles differ"),
        }
    )
