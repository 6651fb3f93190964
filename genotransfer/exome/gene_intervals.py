"""The regions of transcripts as intervals, and the variants in them, by sorted arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int64

from genotransfer.exome.gene_models import GeneModels
from genotransfer.exome.sites import find_snp
from genotransfer.formats.chromosomes import name_chromosomes

# Chromosomes are laid end to end: none is longer than this.
CHROMOSOME_BP = 1 << 36
UNPLACED = -1


class Region(NamedTuple):
    """A region and its precedence, 1 the highest."""

    name: str
    rank: int


# ncRNA is one class in ANNOVAR's table of precedence; within it, exons and splice sites come before introns.
REGIONS = (
    Region("exonic", 1),
    Region("splicing", 1),
    Region("ncRNA_exonic", 2),
    Region("ncRNA_splicing", 2),
    Region("ncRNA_intronic", 3),
    Region("UTR5", 4),
    Region("UTR3", 4),
    Region("intronic", 5),
    Region("upstream", 6),
    Region("downstream", 6),
    Region("intergenic", 7),
)
NUMBERS = {region.name: number for number, region in enumerate(REGIONS)}
INTERGENIC = NUMBERS["intergenic"]


class Intervals(NamedTuple):
    """Intervals of the line on which chromosomes lie end to end, 0-based and half-open."""

    starts: Int64[np.ndarray, " n"]
    ends: Int64[np.ndarray, " n"]
    transcripts: Int64[np.ndarray, " n"]
    regions: Int64[np.ndarray, " n"]


def drop_noncoding_isoforms(models: GeneModels) -> GeneModels:
    """Return the models without non-coding transcripts of genes that have coding ones, as ANNOVAR reads them."""
    table = models.transcripts
    coding = table["cds_start"] < table["cds_end"]
    keep = (coding | ~table["gene"].isin(table["gene"][coding])).to_numpy(dtype=bool)
    exons = keep[models.exon_of]
    return replace(
        models,
        transcripts=table[keep].reset_index(drop=True),
        exon_starts=models.exon_starts[exons],
        exon_ends=models.exon_ends[exons],
        exon_of=(np.cumsum(keep) - 1)[models.exon_of[exons]],
    )


def list_intervals(models: GeneModels, *, splicing: int, near: int) -> Intervals:
    """Return every region of every transcript; an intron's interval is the whole transcript's.

    Exons have precedence over introns, so that an intron need not be cut out.
    """
    table = models.transcripts
    origin = _number_chromosomes(models)[0].astype(np.int64) * CHROMOSOME_BP
    forward = (table["strand"] == "+").to_numpy()
    start, end, cds_start, cds_end = (
        table[name].to_numpy(dtype=np.int64) for name in ("start", "end", "cds_start", "cds_end")
    )
    coding = cds_start < cds_end
    order = np.lexsort((models.exon_starts, models.exon_of))
    of, low, high = (one[order] for one in (models.exon_of, models.exon_starts, models.exon_ends))
    next_exon = of[:-1] == of[1:]
    intron_of, intron_low, intron_high = of[:-1][next_exon], high[:-1][next_exon], low[1:][next_exon]
    exonic = np.where(coding, NUMBERS["exonic"], NUMBERS["ncRNA_exonic"])
    spliced = np.where(coding, NUMBERS["splicing"], NUMBERS["ncRNA_splicing"])
    every = np.arange(len(table), dtype=np.int64)
    first, last = NUMBERS["UTR5"], NUMBERS["UTR3"]
    before, after = NUMBERS["upstream"], NUMBERS["downstream"]
    inside = np.where(coding, NUMBERS["intronic"], NUMBERS["ncRNA_intronic"])
    # Without a coding part all of an exon is kept, as ncRNA.
    part_low = np.where(coding[of], np.maximum(low, cds_start[of]), low)
    part_high = np.where(coding[of], np.minimum(high, cds_end[of]), high)
    left, right = np.where(coding[of], cds_start[of], low), np.where(coding[of], cds_end[of], high)
    parts = [
        (of, part_low, part_high, exonic[of]),
        (of, low, np.minimum(high, left), np.where(forward[of], first, last)),
        (of, np.maximum(low, right), high, np.where(forward[of], last, first)),
        (intron_of, intron_low, np.minimum(intron_low + splicing, intron_high), spliced[intron_of]),
        (intron_of, np.maximum(intron_high - splicing, intron_low), intron_high, spliced[intron_of]),
        (every, start, end, inside),
        (every, np.maximum(start - near, 0), start, np.where(forward, before, after)),
        (every, end, end + near, np.where(forward, after, before)),
    ]
    joined = [np.concatenate([part[at] for part in parts]).astype(np.int64) for at in range(4)]
    there = joined[1] < joined[2]
    transcripts, starts, ends, regions = (one[there] for one in joined)
    return Intervals(starts + origin[transcripts], ends + origin[transcripts], transcripts, regions)


def place_variants(
    variants: pd.DataFrame, models: GeneModels
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Return (number of the chromosome, start, end) of the bases that variants change.

    0-based and half-open, less the bases both alleles begin or end with; an insertion is at the base
    before it. The number is -1 on a chromosome without genes.
    """
    names = _number_chromosomes(models)[1]
    numbers = {name: number for number, name in enumerate(names)}
    chromosomes = name_chromosomes(variants["chromosome"]).map(numbers).fillna(UNPLACED)
    starts = variants["position"].to_numpy(dtype=np.int64) - 1
    ends = starts + 1
    reference = variants["other"].astype(str).to_numpy()
    alternative = variants["counted"].astype(str).to_numpy()
    for at in np.flatnonzero((variants["other"].str.len() > 1) | (variants["counted"].str.len() > 1)):
        shift, length = _trim(reference[at], alternative[at])
        starts[at] += shift
        ends[at] = starts[at] + length
    return chromosomes.to_numpy(dtype=np.int64), starts, ends


def _trim(reference: str, alternative: str) -> tuple[int, int]:
    """Return how far into the reference allele the change begins, and its length in bp, 1 at the least."""
    single = find_snp(reference, alternative)
    if single is not None:
        return single, 1
    if not alternative.isalpha():  # <DEL>, * and the like: all of the reference
        return 0, len(reference)
    shared = 0
    while shared < min(len(reference), len(alternative)) and reference[shared] == alternative[shared]:
        shared += 1
    length = len(reference) - shared
    return (shared, length) if length else (max(shared - 1, 0), 1)


def pair_intervals(
    intervals: Intervals,
    chromosomes: Int64[np.ndarray, " k"],
    starts: Int64[np.ndarray, " k"],
    ends: Int64[np.ndarray, " k"],
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """Return all (variant, transcript, region) that overlap; variants are sorted by chromosome and start.

    The variants that begin in an interval follow one another, so two searches find them all.
    """
    origin = chromosomes * CHROMOSOME_BP
    place = origin + starts
    # Of longer variants, those that begin before an interval may reach into it.
    reach = int((ends - starts).max(initial=1)) - 1
    low = np.searchsorted(place, intervals.starts - reach, side="left")
    high = np.searchsorted(place, intervals.ends, side="left")
    counts = np.maximum(high - low, 0)
    which = np.repeat(np.arange(len(counts)), counts)
    variants = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + low[which]
    if reach:
        overlaps = (origin + ends)[variants] > intervals.starts[which]
        which, variants = which[overlaps], variants[overlaps]
    return variants.astype(np.int64), intervals.transcripts[which], intervals.regions[which]


def find_nearest(
    models: GeneModels,
    chromosomes: Int64[np.ndarray, " k"],
    starts: Int64[np.ndarray, " k"],
    ends: Int64[np.ndarray, " k"],
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return, for variants in no transcript, (transcript, distance in bp) to the left and to the right.

    The transcript is -1 where there is none on that side. A neighbouring base has distance 1.
    """
    numbers = _number_chromosomes(models)[0].astype(np.int64)
    origin = chromosomes * CHROMOSOME_BP
    sides = []
    for column, ahead in (("end", False), ("start", True)):
        edges = numbers * CHROMOSOME_BP + models.transcripts[column].to_numpy(dtype=np.int64)
        order = np.argsort(edges, kind="stable")
        if ahead:
            at = np.searchsorted(edges[order], origin + ends, side="left")
        else:
            at = np.searchsorted(edges[order], origin + starts, side="right") - 1
        found = order[np.clip(at, 0, len(order) - 1)]
        there = (at >= 0) & (at < len(order)) & (numbers[found] == chromosomes)
        away = edges[found] - origin - ends + 1 if ahead else origin + starts - edges[found] + 1
        sides.append((np.where(there, found, -1), np.where(there, away, 0)))
    return sides[0], sides[1]


def _number_chromosomes(models: GeneModels) -> tuple[np.ndarray, list[str]]:
    codes, names = pd.factorize(models.transcripts["chromosome"])
    return codes, list(map(str, names))
