"""Gene models: transcripts and their exons, from UCSC's refGene table, GTF or BED.

Coordinates are kept 0-based and half-open, as in refGene and BED; GTF's are turned into them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Int64

from genotransfer.errors import InputError
from genotransfer.formats.chromosomes import name_chromosomes
from genotransfer.formats.files import decode_text, read_lines

GeneFormat = Literal["auto", "refgene", "gtf", "bed"]
TRANSCRIPT_COLUMNS = ["transcript", "gene", "chromosome", "strand", "start", "end", "cds_start", "cds_end"]
# genePred with ``bin``; the columns of genePredExt, which has the gene, without it; a whole BED.
REFGENE_COLUMNS, EXTENDED_COLUMNS, BED12_COLUMNS = 11, 15, 12
REMEDY = "Give UCSC's refGene.txt, a GTF or a BED file"
Row = tuple[str, str, str, str, int, int, int, int, list[int], list[int]]


@dataclass(frozen=True)
class GeneModels:
    """Transcripts, and their exons one after another.

    Attributes
    ----------
    transcripts : one row a transcript: transcript, gene, chromosome (without ``chr``), strand (+ or
        -), start, end, cds_start, cds_end (bp, 0-based, half-open). Without a coding part (ncRNA)
        cds_start equals cds_end.
    exon_starts, exon_ends : of all exons, sorted within a transcript.
    exon_of : the row of each exon's transcript.
    """

    transcripts: pd.DataFrame
    exon_starts: Int64[np.ndarray, " n_exons"]
    exon_ends: Int64[np.ndarray, " n_exons"]
    exon_of: Int64[np.ndarray, " n_exons"]


def read_gene_models(path: str | Path, form: GeneFormat = "auto") -> GeneModels:
    """Read gene models.

    Parameters
    ----------
    path : a table, gzipped or not.
    form : ``refgene`` (genePred, with or without the leading column ``bin``; the gene is ``name2``),
        ``gtf`` (``exon``, ``CDS`` and ``stop_codon`` rows; the gene is ``gene_name``, else ``gene_id``),
        ``bed`` (twelve columns: a transcript a row, its name the gene; fewer: a coding exon a row, the
        rows of one name on one chromosome and strand making a transcript) or ``auto``, by the first row.

    Raises
    ------
    InputError
        The file is missing, of no such form, or a row is not as it should be.
    """
    rows = _read_rows(path)
    first = next(rows, None)
    if first is None:
        raise InputError("the file has no rows", file=path, remedy=REMEDY)
    chosen = form if form != "auto" else _recognise(first[1], path)
    read = {"refgene": _read_refgene, "gtf": _read_gtf, "bed": _read_bed}[chosen]

    def again() -> Iterator[tuple[int, list[str]]]:
        yield first
        yield from rows

    number = [0]
    try:
        models = _assemble(list(read(_count(again(), number))))
    except (ValueError, IndexError, KeyError) as error:
        raise InputError(
            f"the row is none of a {chosen} file: {error}", file=path, row=number[0], remedy=REMEDY
        ) from error
    if not len(models.transcripts):
        raise InputError(f"the {chosen} file has no transcript", file=path, remedy=REMEDY)
    return models


def _count(rows: Iterator[tuple[int, list[str]]], number: list[int]) -> Iterator[list[str]]:
    for number[0], fields in rows:
        yield fields


def _read_rows(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    for row, line in read_lines(path):
        text = decode_text(line, path, row)
        if text.strip() and not text.startswith(("#", "track", "browser")):
            yield row, text.split("\t")


def _recognise(fields: list[str], path: str | Path) -> Literal["refgene", "gtf", "bed"]:
    if len(fields) >= 9 and fields[6] in "+-." and fields[3].isdigit() and fields[4].isdigit():
        return "gtf"
    if len(fields) >= 3 and fields[1].isdigit() and fields[2].isdigit():
        return "bed"
    if len(fields) >= REFGENE_COLUMNS - 1 and fields[3 if fields[0].isdigit() else 2] in "+-":
        return "refgene"
    raise InputError(
        f"gene models of {len(fields)} columns are of no known form", file=path, row=1, remedy=REMEDY
    )


def _read_refgene(rows: Iterator[list[str]]) -> Iterator[Row]:
    for fields in rows:
        at = 1 if fields[0].isdigit() else 0  # the column bin
        name, chromosome, strand = fields[at : at + 3]
        start, end, cds_start, cds_end, count = map(int, fields[at + 3 : at + 8])
        starts, ends = (list(map(int, one.rstrip(",").split(","))) for one in fields[at + 8 : at + 10])
        if strand not in ("+", "-") or not len(starts) == len(ends) == count:
            raise ValueError(f"strand {strand!r}, {len(starts)} starts and {len(ends)} ends of {count} exons")
        gene = fields[at + 11] if len(fields) >= at + EXTENDED_COLUMNS else name
        yield name, gene, chromosome, strand, start, end, cds_start, cds_end, starts, ends


def _read_gtf(rows: Iterator[list[str]]) -> Iterator[Row]:
    exons: dict[tuple[str, str], list[tuple[int, int]]] = {}
    coding: dict[tuple[str, str], list[int]] = {}
    about: dict[tuple[str, str], tuple[str, str]] = {}
    for fields in rows:
        chromosome, _, kind, start, end, _, strand, _, attributes = fields[:9]
        if kind not in ("exon", "CDS", "stop_codon"):
            continue
        named = dict(re.findall(r'(\w+) "([^"]*)"', attributes))
        key = named["transcript_id"], chromosome
        about.setdefault(key, (named.get("gene_name") or named["gene_id"], strand))
        if strand not in ("+", "-"):
            raise ValueError(f"strand {strand!r}")
        if kind == "exon":
            exons.setdefault(key, []).append((int(start) - 1, int(end)))
        else:
            coding.setdefault(key, []).extend((int(start) - 1, int(end)))
    for key, found in exons.items():
        starts, ends = (list(one) for one in zip(*sorted(found), strict=True))
        part = coding.get(key, [ends[-1]])
        gene, strand = about[key]
        yield key[0], gene, key[1], strand, starts[0], ends[-1], min(part), max(part), starts, ends


def _read_bed(rows: Iterator[list[str]]) -> Iterator[Row]:
    exons: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for fields in rows:
        chromosome, start, end = fields[0], int(fields[1]), int(fields[2])
        name = fields[3] if len(fields) > 3 else f"{chromosome}:{start}-{end}"
        strand = fields[5] if len(fields) > 5 and fields[5] in "+-" else "+"
        if len(fields) < BED12_COLUMNS:
            exons.setdefault((name, chromosome, strand), []).append((start, end))
            continue
        sizes, offsets = (list(map(int, one.rstrip(",").split(","))) for one in fields[10:12])
        starts = [start + offset for offset in offsets]
        ends = [one + size for one, size in zip(starts, sizes, strict=True)]
        yield name, name, chromosome, strand, start, end, int(fields[6]), int(fields[7]), starts, ends
    for (name, chromosome, strand), found in exons.items():
        starts, ends = (list(one) for one in zip(*sorted(found), strict=True))
        yield name, name, chromosome, strand, starts[0], max(ends), starts[0], max(ends), starts, ends


def _assemble(rows: list[Row]) -> GeneModels:
    table = pd.DataFrame([row[:8] for row in rows], columns=TRANSCRIPT_COLUMNS)
    table["chromosome"] = name_chromosomes(table["chromosome"]) if len(table) else table["chromosome"]
    for row in rows:
        if row[4] >= row[5] or any(a >= b for a, b in zip(row[8], row[9], strict=True)):
            raise ValueError(f"{row[0]} has an exon or transcript that ends before it starts")
    empty = table["cds_start"] >= table["cds_end"]
    table.loc[empty, "cds_end"] = table.loc[empty, "cds_start"]
    counts = [len(row[8]) for row in rows]
    return GeneModels(
        transcripts=table,
        exon_starts=np.array([start for row in rows for start in row[8]], dtype=np.int64),
        exon_ends=np.array([end for row in rows for end in row[9]], dtype=np.int64),
        exon_of=np.repeat(np.arange(len(rows)), counts).astype(np.int64),
    )
