"""Whole lines of a VCF in text, about a mebibyte at a time, with the places of their samples.

All tabs of a chunk are found at once with numpy, in a thread of its own, which gives up the
interpreter's lock.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

TAB = np.uint8(9)
FIXED_FIELDS = 9
CHUNK = 1 << 20
# Bytes of 0 behind the last line, so that what follows a field can be read there too.
PADDING = 8


@dataclass(frozen=True)
class Line:
    """Where a line stands in its chunk.

    Attributes
    ----------
    row : 1-based line of the file.
    begin, end : its first byte, and the one after its last (the line's end is a tab in `Chunk.text`).
    samples : the first byte of the first sample; None where the line has nine columns or fewer.
    form : FORMAT; empty where there are no samples.
    starts : the first byte of each sample; as many as the line has tabs from the ninth column on.
    """

    row: int
    begin: int
    end: int
    samples: int | None
    form: bytes
    starts: Int64[np.ndarray, " n_starts"]


@dataclass(frozen=True)
class Chunk:
    """Lines, and the bytes they are in.

    Attributes
    ----------
    data : the lines, each with its end.
    text : the same bytes, a tab in place of each line's end, and `PADDING`.
    lines : those that are not empty, in order.
    starts : the first bytes of all their samples.
    """

    data: bytes
    text: UInt8[np.ndarray, " n_bytes"]
    lines: list[Line]
    starts: Int64[np.ndarray, " n_starts"]


def cut_lines(pieces: Iterator[bytes]) -> Generator[bytes, None, None]:
    """Yield whole lines, each ended by a line feed alone, about `CHUNK` bytes at a time."""
    parts: list[bytes] = []
    for piece in pieces:
        for at in range(0, len(piece), CHUNK):
            part = piece[at : at + CHUNK]
            end = part.rfind(b"\n") + 1
            if not end:
                parts.append(part)
                continue
            parts.append(part[:end])
            yield _drop_returns(b"".join(parts))
            parts = [part[end:]]
    if last := b"".join(parts):
        yield _drop_returns(last + b"\n")


def _drop_returns(lines: bytes) -> bytes:
    return lines.replace(b"\r\n", b"\n") if b"\r" in lines else lines


def locate(lines: bytes, row: int) -> tuple[Chunk, int]:
    """Return where the samples of each line begin, and the row after the last line.

    Parameters
    ----------
    lines : whole lines, each ended by a line feed.
    row : 1-based line of the file of the first one.
    """
    text = np.zeros(len(lines) + PADDING, dtype=np.uint8)
    text[: len(lines)] = np.frombuffer(lines, dtype=np.uint8)
    is_tab = text == TAB
    found: list[tuple[int, int, int, int | None, bytes]] = []
    begin = 0
    while begin < len(lines):
        end = lines.index(b"\n", begin)
        if end > begin:
            form, samples = _skip_columns(lines, begin, end)
            # The tab before the first sample counts, those before it do not.
            is_tab[begin : end if samples is None else samples - 1] = False
            found.append((row, begin, end, samples, form))
        text[end] = TAB
        row, begin = row + 1, end + 1
    starts = np.flatnonzero(is_tab)
    starts += 1
    lasts = np.searchsorted(starts, [end + 1 for _, _, end, _, _ in found]).tolist()
    first, located = 0, []
    for where, last in zip(found, lasts, strict=True):
        located.append(Line(*where, starts[first:last]))
        first = last
    return Chunk(lines, text, located, starts), row


def _skip_columns(lines: bytes, begin: int, end: int) -> tuple[bytes, int | None]:
    """Return the ninth column, and where the tenth one begins; nothing and None where there is none."""
    at = before = begin - 1
    for _ in range(FIXED_FIELDS):
        before, at = at, lines.find(b"\t", at + 1, end)
        if at < 0:
            return b"", None
    return lines[before + 1 : at], at + 1
