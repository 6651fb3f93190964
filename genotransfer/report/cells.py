"""Cells of the report's tables: numbers as a reader wants them; an unknown one is a dash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from genotransfer.report.findings import describe_points

NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Cell:
    """One cell: its text, the paper's for the same place, and whether it is a number."""

    text: str
    paper: str | None = None
    number: bool = False


@dataclass(frozen=True)
class Section:
    """One table of the report, with a title above it and notes below it."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = field(default_factory=tuple)


def show_gain(value: float, paper: int | None) -> Cell:
    """Return a percentage as a number cell with the paper's below it."""
    return Cell(write_percent(value), None if paper is None else write_percent(paper), number=True)


def show_percent(value: object) -> Cell:
    """Return a share, 0 to 1, as a number cell in percent with one decimal."""
    return Cell(_format(value, lambda number: f"{100 * number:.1f}"), number=True)


def show_fraction(value: object) -> Cell:
    """Return a number cell with two decimals."""
    return Cell(_format(value, lambda number: f"{number:.2f}"), number=True)


def show_count(value: object) -> Cell:
    """Return a whole number with separators of thousands."""
    return Cell(_format(value, lambda number: f"{int(number):,}"), number=True)


def write_percent(value: object) -> str:
    """Write a percentage with one decimal, or none where it is whole."""
    return _format(value, lambda number: f"{round(number, 1) + 0.0:.1f}".removesuffix(".0"))


def write_points(value: object) -> str:
    """Write percent points with their sign."""
    return _format(value, lambda number: describe_points(number / 100))


def write_decimal(value: object, decimals: int) -> str:
    """Write a number with fixed decimals."""
    return _format(value, lambda number: f"{number:.{decimals}f}")


def _format(value: object, write: Callable[[float], str]) -> str:
    if value is None or value is pd.NA or pd.isna(float(str(value))):
        return NOTHING
    return write(float(str(value))).replace("-", "\N{MINUS SIGN}")


def write_interval(low: float, high: float) -> str:
    """Write an interval of shares in percent."""
    if pd.isna(low) or pd.isna(high):
        return NOTHING
    return f"{100 * low:.1f} to {100 * high:.1f}"


def write_range(low: float, high: float) -> str:
    """Write an interval of differences of shares in percent points."""
    if pd.isna(low) or pd.isna(high):
        return NOTHING
    return f"{describe_points(low)} to {describe_points(high)}"


def is_whole(value: object) -> bool:
    """Say whether a value is a whole number."""
    return pd.api.types.is_number(value) and not isinstance(value, bool) and float(str(value)).is_integer()
