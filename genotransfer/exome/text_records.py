"""Records of a VCF in text: a thread reads genotypes and depths of many lines at once, ahead of the reader.

What is not of the usual shape (allele numbers of two digits, depths of five) is read field by field.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Int64, Shaped

from genotransfer.errors import InputError
from genotransfer.exome.calls import ABSENT, UNCALLED, Calls, CharacterCalls, WideCalls
from genotransfer.exome.sites import Site
from genotransfer.exome.streams import read_pieces, run_ahead
from genotransfer.exome.text_chunks import FIXED_FIELDS, Chunk, Line, cut_lines, locate
from genotransfer.exome.text_fields import Block, find_field, read_block, read_calls, read_depths

CHUNKS_AHEAD = 6
REMEDY = "Check the file with bcftools view"


@dataclass
class TextSite(Site):
    """A line of a VCF."""

    path: Path
    n_samples: int
    info: bytes
    chunk: Chunk
    line: Line
    block: Block | None
    at: int

    def read_calls(self) -> Calls:
        """Return the genotypes of all samples of the file."""
        form = self.line.form
        if not form.startswith(b"GT:") and form != b"GT":
            if b"GT" in form.split(b":"):
                raise self._make_error("GT is not the first field of FORMAT")
            unknown = np.full(self.n_samples, UNCALLED, dtype=np.int16)
            return WideCalls(unknown, unknown)
        if self.block is not None:
            return self.block.pick(self.at) if self.block.usual_calls[self.at] else self._parse_calls()
        calls, usual, _ = read_calls(self.chunk.text, self._find_starts()[None])
        return CharacterCalls(calls.first[0], calls.second[0]) if usual[0] else self._parse_calls()

    def read_depths(self) -> Shaped[np.ndarray, " n_samples"] | None:
        """Return DP of all samples of the file, integers, -1 where not given; None without DP."""
        form = self.line.form.split(b":")
        if b"DP" not in form:
            return None
        block = self.block
        if block is not None and block.depths is not None:
            return block.depths[self.at] if block.usual_depths[self.at] else self._parse_depths()
        starts, field = self._find_starts()[None], form.index(b"DP")
        places = find_field(self.chunk.text, [self.line], starts, len(form), field)
        depths, usual = read_depths(self.chunk.text, places)
        return depths[0] if usual[0] else self._parse_depths()

    def read_info_depth(self) -> float:
        """Return INFO/DP; NaN where there is none."""
        found = re.search(rb"(?:^|;)DP=([0-9]+)", self.info)
        return float(found[1]) if found else float("nan")

    def _find_starts(self) -> Int64[np.ndarray, " n_samples"]:
        """Return where each sample begins in the chunk."""
        starts = self.line.starts
        if len(starts) != self.n_samples or self.line.samples == self.line.end:
            found = 0 if self.line.samples == self.line.end else len(starts)
            raise self._make_error(f"{found} samples where the header has {self.n_samples}")
        return starts

    def _parse_calls(self) -> WideCalls:
        alleles = np.full((2, self.n_samples), ABSENT, dtype=np.int16)
        for sample, fields in enumerate(self._split_samples()):
            numbers = re.split(rb"[/|]", fields.split(b":", 1)[0].lstrip(b"/|"))
            if len(numbers) > 2:
                raise self._make_error(f"a genotype of {len(numbers)} alleles, of sample {sample + 1}")
            for at, number in enumerate(numbers):
                if number != b"." and not number.isdigit():
                    raise self._make_error(f"{number.decode(errors='replace')!r} is no number of an allele")
                alleles[at, sample] = UNCALLED if number == b"." else int(number)
        return WideCalls(alleles[0], alleles[1])

    def _parse_depths(self) -> Int32[np.ndarray, " n_samples"]:
        field = self.line.form.split(b":").index(b"DP")
        depths = np.full(self.n_samples, -1, dtype=np.int32)
        for sample, text in enumerate(self._split_samples()):
            fields = text.split(b":")
            if len(fields) > field and fields[field].isdigit():
                depths[sample] = int(fields[field])
        return depths

    def _split_samples(self) -> list[bytes]:
        return self.chunk.data[self.line.samples : self.line.end].split(b"\t")

    def _make_error(self, problem: str) -> InputError:
        return InputError(problem, file=self.path, row=self.row, remedy=REMEDY)


class TextFile:
    """A VCF in text, plain, gzip or bgzip.

    Parameters
    ----------
    path : the file.
    with_depths : read the depths with the genotypes; without it they are read when they are asked for.

    Attributes
    ----------
    samples : the names of the samples.

    Raises
    ------
    InputError
        The file cannot be read, has no line of column names, or no samples.
    """

    def __init__(self, path: str | Path, *, with_depths: bool = True) -> None:
        self.path = Path(path)
        self._with_depths = with_depths
        self.samples: list[str] = []
        self._pieces = read_pieces(path)
        self._lines = cut_lines(self._pieces)
        self._chunks = run_ahead(self._locate_chunks(*self._read_header()), CHUNKS_AHEAD)

    def _read_header(self) -> tuple[int, bytes]:
        """Set the names of the samples; return the row after the header, and what was read beyond it."""
        row = 0
        for lines in self._lines:
            begin = 0
            while begin < len(lines):
                row, end = row + 1, lines.index(b"\n", begin)
                if lines.startswith(b"#CHROM", begin):
                    names = lines[begin:end].decode(errors="replace").split("\t")
                    self.samples = names[FIXED_FIELDS:]
                    return row + 1, lines[end + 1 :]
                if not lines.startswith(b"##", begin):
                    raise self._miss_header(row)
                begin = end + 1
        raise self._miss_header(1)

    def _locate_chunks(self, row: int, first: bytes) -> Generator[tuple[Chunk, Block | None], None, None]:
        for lines in chain([first], self._lines):
            chunk, row = locate(lines, row)
            yield chunk, read_block(chunk, len(self.samples), with_depths=self._with_depths)

    def _miss_header(self, row: int) -> InputError:
        return InputError(
            "this is no VCF: the line of column names (#CHROM) is not there",
            file=self.path,
            row=row,
            remedy="Give a VCF or BCF file with its header",
        )

    def close(self) -> None:
        """Stop reading."""
        self._chunks.close()
        self._lines.close()
        self._pieces.close()

    def sites(self) -> Iterator[Site]:
        """Yield the records.

        Raises
        ------
        InputError
            A record has too few columns, or a position or quality that is no number.
        """
        for chunk, block in self._chunks:
            for at, line in enumerate(chunk.lines):
                end = line.end if line.samples is None else line.samples - 1
                fields = chunk.data[line.begin : end].split(b"\t")
                if line.samples is None:
                    problem = f"{len(fields)} columns where {FIXED_FIELDS + len(self.samples)} are due"
                    raise InputError(problem, file=self.path, row=line.row, remedy=REMEDY)
                try:
                    yield self._make_site(fields, chunk, line, block, at)
                except ValueError as error:
                    raise InputError(
                        f"the record cannot be read: {error}", file=self.path, row=line.row, remedy=REMEDY
                    ) from error

    def _make_site(
        self, fields: list[bytes], chunk: Chunk, line: Line, block: Block | None, at: int
    ) -> TextSite:
        chromosome, position, name, reference, alternatives, quality, passed = (
            field.decode() for field in fields[:7]
        )
        return TextSite(
            row=line.row,
            chromosome=chromosome,
            position=int(position),
            name=None if name == "." else name,
            reference=reference,
            alternatives=[] if alternatives == "." else alternatives.split(","),
            quality=float("nan") if quality == "." else float(quality),
            passed=passed in ("PASS", "."),
            path=self.path,
            n_samples=len(self.samples),
            info=fields[7],
            chunk=chunk,
            line=line,
            block=block,
            at=at,
        )
