"""Records of a VCF in text: genotypes and depths of all samples found at once with numpy.

What is not of the usual shape (allele numbers of two digits, depths of five) is read field by field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Int64, Shaped, UInt8, UInt16

from genotransfer.errors import InputError
from genotransfer.exome.calls import ABSENT, UNCALLED, Calls, PackedCalls, WideCalls
from genotransfer.exome.sites import Site
from genotransfer.exome.streams import ByteStream

TAB, COLON, SLASH, BAR = b"\t:/|"
# After the last sample: a tab, as after the others, and bytes that are nothing.
PADDING = b"\t" + bytes(8)
FIXED_FIELDS = 9
# Tables of all pairs of bytes, the second one the higher. Which pairs are two allele numbers, or dots,
# of one character; the second may be absent.
_CHARACTER = np.isin(np.arange(256), [*b"0123456789."])
ALLELES = (np.append(True, _CHARACTER[1:])[:, None] & _CHARACTER[None, :]).ravel()
# The number that begins a pair: -1 where none does, LONGER added where both are digits.
ZERO = np.uint8(ord("0"))
LONGER = np.int16(1024)
_VALUE = (np.arange(256) - int(ZERO)).astype(np.int16)
_IS_DIGIT = (_VALUE >= 0) & (_VALUE <= 9)
TWO_DIGITS = np.where(
    _IS_DIGIT[None, :],
    np.where(_IS_DIGIT[:, None], LONGER + 10 * _VALUE[None, :] + _VALUE[:, None], _VALUE[None, :]),
    -1,
).astype(np.int16).ravel()  # fmt: skip
REMEDY = "Check the file with bcftools view"


@dataclass
class TextSite(Site):
    """A line of a VCF."""

    path: Path
    n_samples: int
    info: bytes
    form: list[bytes]
    samples: bytes
    _located: tuple[np.ndarray, np.ndarray] | None = field(default=None, init=False, repr=False)
    # Whether every sample begins with a digit, a bar, a digit and a colon, as far as was looked.
    _even: bool = field(default=False, init=False, repr=False)

    def read_calls(self) -> Calls:
        """Return the genotypes of all samples of the file."""
        if b"GT" not in self.form:
            unknown = np.full(self.n_samples, UNCALLED, dtype=np.int16)
            return WideCalls(unknown, unknown)
        if self.form[0] != b"GT":
            raise self._make_error("GT is not the first field of FORMAT")
        text, starts = self._locate_samples()
        # Taking from a shifted view is cheaper than shifting the places.
        first, second, third, after = (text[at:].take(starts) for at in range(4))
        # One digit, a bar, one digit; or one digit alone.
        with_more = after == COLON
        self._even = bool((second == SLASH).all() and with_more.all())
        usual = None if self._even else ((second == SLASH) | (second == BAR)) & (with_more | (after == TAB))
        if usual is not None and not usual.all():
            alone = (second == COLON) | (second == TAB)
            if not (usual | alone).all():
                return self._parse_calls()
            third = np.where(alone, np.uint8(0), third)
        packed = pair_bytes(first, third)
        return PackedCalls(packed, "text") if ALLELES.take(packed).all() else self._parse_calls()

    def read_depths(self) -> Shaped[np.ndarray, " n_samples"] | None:
        """Return DP of all samples of the file, integers, -1 where not given; None without DP."""
        if b"DP" not in self.form:
            return None
        text, starts = self._locate_samples()
        at = self._locate_field(text, starts, self.form.index(b"DP"))
        digits = [text[more:].take(at, mode="clip") for more in range(4)]
        depths = TWO_DIGITS.take(pair_bytes(digits[0], digits[1]))
        third = digits[2] - ZERO
        longer = (depths >= LONGER) & (third <= 9)
        depths = depths & (LONGER - 1)  # -1, not given, is LONGER - 1 now
        if longer.any():
            if (longer & (digits[3] - ZERO <= 9)).any():
                return self._parse_depths()
            depths = np.where(longer, depths * np.int16(10) + third, depths)
        return np.asarray(np.where(depths == LONGER - 1, np.int16(-1), depths))

    def read_info_depth(self) -> float:
        """Return INFO/DP; NaN where there is none."""
        found = re.search(rb"(?:^|;)DP=([0-9]+)", self.info)
        return float(found[1]) if found else float("nan")

    def _locate_samples(self) -> tuple[UInt8[np.ndarray, " n_bytes"], Int64[np.ndarray, " n_samples"]]:
        """Return the bytes of the samples' fields, and where each sample begins."""
        if self._located is None:
            text = np.frombuffer(self.samples + PADDING, dtype=np.uint8)
            ends = np.flatnonzero(text == TAB)
            if len(ends) != self.n_samples or not self.samples:
                found = len(ends) if self.samples else 0
                raise self._make_error(f"{found} samples where the header has {self.n_samples}")
            starts = np.zeros(self.n_samples, dtype=np.int64)
            starts[1:] = ends[:-1] + 1
            self._located = text, starts
        return self._located

    def _locate_field(
        self, text: UInt8[np.ndarray, " n_bytes"], starts: Int64[np.ndarray, " n_samples"], field: int
    ) -> Int64[np.ndarray, " n_samples"]:
        """Return where a field of each sample begins; at the end of the padding where it is left out."""
        if field == 0:
            return starts
        if field == 1 and self._even:
            return starts + 4
        colons = np.flatnonzero(text == COLON)
        n_fields = len(self.form)
        if len(colons) == self.n_samples * (n_fields - 1):
            even = colons.reshape(self.n_samples, n_fields - 1)
            ends = np.append(starts[1:], len(text))
            if (even[:, 0] > starts).all() and (even[:, -1] < ends).all():
                return np.asarray(even[:, field - 1] + 1)
        # Fields at the end may be left out.
        at = np.searchsorted(colons, starts) + field - 1
        nothing = len(text) - 1
        found = np.append(colons, nothing)[np.minimum(at, len(colons))]
        ends = np.append(starts[1:] - 1, len(self.samples))
        return np.asarray(np.where(found < ends, found + 1, nothing))

    def _parse_calls(self) -> WideCalls:
        alleles = np.full((2, self.n_samples), ABSENT, dtype=np.int16)
        for sample, fields in enumerate(self.samples.split(b"\t")):
            numbers = re.split(rb"[/|]", fields.split(b":", 1)[0].lstrip(b"/|"))
            if len(numbers) > 2:
                raise self._make_error(f"a genotype of {len(numbers)} alleles, of sample {sample + 1}")
            for at, number in enumerate(numbers):
                if number != b"." and not number.isdigit():
                    raise self._make_error(f"{number.decode(errors='replace')!r} is no number of an allele")
                alleles[at, sample] = UNCALLED if number == b"." else int(number)
        return WideCalls(alleles[0], alleles[1])

    def _parse_depths(self) -> Int32[np.ndarray, " n_samples"]:
        field = self.form.index(b"DP")
        depths = np.full(self.n_samples, -1, dtype=np.int32)
        for sample, text in enumerate(self.samples.split(b"\t")):
            fields = text.split(b":")
            if len(fields) > field and fields[field].isdigit():
                depths[sample] = int(fields[field])
        return depths

    def _make_error(self, problem: str) -> InputError:
        return InputError(problem, file=self.path, row=self.row, remedy=REMEDY)


class TextFile:
    """A VCF in text, plain, gzip or bgzip.

    Attributes
    ----------
    samples : the names of the samples.

    Raises
    ------
    InputError
        The file cannot be read, has no line of column names, or no samples.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._stream = ByteStream(path)
        self._lines = enumerate(self._stream.lines(), start=1)
        self.samples: list[str] = []
        for row, line in self._lines:
            if line.startswith(b"#CHROM"):
                self.samples = line.decode(errors="replace").split("\t")[FIXED_FIELDS:]
                return
            if not line.startswith(b"##"):
                raise self._miss_header(row)
        raise self._miss_header(1)

    def _miss_header(self, row: int) -> InputError:
        return InputError(
            "this is no VCF: the line of column names (#CHROM) is not there",
            file=self.path,
            row=row,
            remedy="Give a VCF or BCF file with its header",
        )

    def close(self) -> None:
        """Stop reading."""
        self._stream.close()

    def sites(self) -> Iterator[Site]:
        """Yield the records.

        Raises
        ------
        InputError
            A record has too few columns, or a position or quality that is no number.
        """
        for row, line in self._lines:
            if not line:
                continue
            fields = line.split(b"\t", FIXED_FIELDS)
            if len(fields) <= FIXED_FIELDS:
                problem = f"{len(fields)} columns where {FIXED_FIELDS + len(self.samples)} are due"
                raise InputError(problem, file=self.path, row=row, remedy=REMEDY)
            try:
                yield self._make_site(row, fields)
            except ValueError as error:
                raise InputError(
                    f"the record cannot be read: {error}", file=self.path, row=row, remedy=REMEDY
                ) from error

    def _make_site(self, row: int, fields: list[bytes]) -> TextSite:
        chromosome, position, name, reference, alternatives, quality, passed = (
            field.decode() for field in fields[:7]
        )
        return TextSite(
            row=row,
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
            form=fields[8].split(b":"),
            samples=fields[9],
        )


def pair_bytes(
    lower: UInt8[np.ndarray, " n_samples"], higher: UInt8[np.ndarray, " n_samples"]
) -> UInt16[np.ndarray, " n_samples"]:
    """Return pairs of bytes as numbers of two bytes."""
    pairs = np.empty((len(lower), 2), dtype=np.uint8)
    pairs[:, 0], pairs[:, 1] = lower, higher
    return np.asarray(pairs.view("<u2")[:, 0])
