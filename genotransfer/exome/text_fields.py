"""Genotypes and depths of the samples of many lines of a VCF at once.

What is not of the usual shape is only pointed out here: genotypes of allele numbers of two digits or
of more than two alleles, depths of five digits and more. `TextSite` reads those field by field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int8, Int64, Shaped, UInt8

from genotransfer.exome.calls import CharacterCalls
from genotransfer.exome.text_chunks import PADDING, TAB, Chunk, Line

COLON, SLASH, BAR, DOT, ZERO = (np.uint8(ord(character)) for character in ":/|.0")
NINE = np.uint8(9)
# After the two alleles and the bar of a genotype, and the colon.
BEHIND_GENOTYPE = 4
# So many, which fit two bytes, are read at once.
MOST_DIGITS = 4


@dataclass(frozen=True)
class Block:
    """The genotypes, and the depths where they were asked for, of all lines of a chunk.

    Attributes
    ----------
    calls, copies : characters of the two alleles, and the copies of the first alternative.
    usual_calls : lines of which that holds; the others are to be read field by field.
    depths : -1 where not given; None where the lines have not all one FORMAT.
    usual_depths : lines of which the depths hold.
    """

    calls: CharacterCalls
    copies: Int8[np.ndarray, "n_lines n_samples"]
    usual_calls: list[bool]
    depths: Shaped[np.ndarray, "n_lines n_samples"] | None
    usual_depths: list[bool]

    def pick(self, line: int) -> CharacterCalls:
        """Return the genotypes of one line."""
        return CharacterCalls(self.calls.first[line], self.calls.second[line], self.copies[line])


def read_block(chunk: Chunk, n_samples: int, *, with_depths: bool) -> Block | None:
    """Return the genotypes of a chunk; None where a line has not one field for each sample."""
    lines = chunk.lines
    if not lines or any(len(line.starts) != n_samples or line.samples == line.end for line in lines):
        return None
    starts = chunk.starts.reshape(len(lines), n_samples)
    calls, usual_calls, even = read_calls(chunk.text, starts)
    depths, usual_depths = None, [False] * len(lines)
    forms = {line.form for line in lines}
    if with_depths and len(forms) == 1:
        form = forms.pop().split(b":")
        if b"DP" in form:
            field = form.index(b"DP")
            is_next = even and field == 1
            at = (
                starts + BEHIND_GENOTYPE
                if is_next
                else find_field(chunk.text, lines, starts, len(form), field)
            )
            depths, usual_depths = read_depths(chunk.text, at)
    return Block(calls, calls.count(1), usual_calls, depths, usual_depths)


def read_calls(
    text: UInt8[np.ndarray, " n_bytes"], starts: Int64[np.ndarray, "n_lines n_samples"]
) -> tuple[CharacterCalls, list[bool], bool]:
    """Return genotypes of one digit or dot an allele, in which lines they are, and if all are even.

    They are even where every one has two alleles, and another field comes behind it.
    """
    # Taking from a shifted view is cheaper than shifting the places.
    first, bar, second, after = (text[at:].take(starts) for at in range(4))
    is_pair = bar == SLASH
    if not is_pair.all():
        is_pair |= bar == BAR
    ended = after == COLON
    ended &= is_pair
    even = bool(ended.all())
    if not even:
        ended |= is_pair & (after == TAB)
        if not ended.all():
            alone = is_end(bar)
            second = np.where(alone, first, second)
            ended |= alone
    ended &= is_allele(first)
    ended &= is_allele(second)
    return CharacterCalls(first, second), find_usual(ended), even


def find_field(
    text: UInt8[np.ndarray, " n_bytes"],
    lines: list[Line],
    starts: Int64[np.ndarray, "n_lines n_samples"],
    n_fields: int,
    field: int,
) -> Int64[np.ndarray, "n_lines n_samples"]:
    """Return where a field of each sample begins; in the padding where it is left out.

    Parameters
    ----------
    text : of the chunk.
    lines : successive ones, of a FORMAT of `n_fields`.
    starts : the first byte of each of their samples.
    field : number of the field, from 0.
    """
    if field == 0:
        return starts
    begin, flat = lines[0].begin, starts.ravel()
    marked = text[begin : lines[-1].end] == COLON
    for line in lines:
        marked[line.begin - begin : line.samples - begin if line.samples else None] = False
    colons = np.flatnonzero(marked)
    colons += begin
    if len(colons) == len(flat) * (n_fields - 1):
        each = colons.reshape(len(flat), n_fields - 1)
        if (each[:, 0] >= flat).all() and (each[:-1, -1] < flat[1:]).all():
            return np.asarray(each[:, field - 1] + 1).reshape(starts.shape)
    # Fields at the end may be left out. A tab is before each sample, colons between its fields.
    marked[flat - 1 - begin] = True
    ends = np.flatnonzero(marked)
    ends += begin
    tabs = np.flatnonzero(text.take(ends) != COLON)
    wanted = tabs + field
    found = ends.take(wanted, mode="clip") + 1
    found[wanted >= np.append(tabs[1:], len(ends))] = len(text) - PADDING
    return found.reshape(starts.shape)


def read_depths(
    text: UInt8[np.ndarray, " n_bytes"], at: Int64[np.ndarray, "n_lines n_samples"]
) -> tuple[Shaped[np.ndarray, "n_lines n_samples"], list[bool]]:
    """Return integers of four digits at most, -1 where none begins, and in which lines there are no others."""
    # Two digits fit a byte, so that whole arrays of bytes are counted with.
    first, second, digit = (text[more:].take(at) for more in range(3))
    ended, ended_later = is_end(second), is_end(digit)
    for one in (first, second, digit):
        one -= ZERO
    given, more = first <= NINE, second <= NINE
    second += first * NINE
    second *= more
    depths: np.ndarray = (first + second).view(np.int8)
    for length in range(3, MOST_DIGITS + 1):
        ended |= more & ended_later
        more &= digit <= NINE
        if not more.any():
            break
        wide = depths.astype(np.int16)
        depths = np.where(more, wide * np.int16(10) + digit, wide)
        digit = text[length:].take(at)
        ended_later = is_end(digit)
        digit -= ZERO
    else:
        ended |= more & ended_later
    if not given.all():
        ended |= ~given
        depths = np.where(given, depths, np.int8(-1))
    return depths, find_usual(ended)


def is_end(character: UInt8[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
    """Say which characters end a field."""
    found = character == TAB
    found |= character == COLON
    return np.asarray(found)


def is_allele(character: UInt8[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
    """Say which characters are digits or dots."""
    found = character - ZERO <= NINE
    found |= character == DOT
    return np.asarray(found)


def find_usual(usual: Bool[np.ndarray, "n_lines n_samples"]) -> list[bool]:
    """Say which lines are usual in all their samples."""
    lines: list[bool] = np.logical_and.reduce(usual, axis=1).tolist()
    return lines
