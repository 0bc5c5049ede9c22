"""Judging one figure against the first bundle's, and showing it."""

from typing import Literal

from edgecnn_bench.report.comparison import ComparedCell, Judgment
from edgecnn_bench.report.text import NO_VALUE, byte_count, count, percent, points, real

Direction = Literal["up", "down"]
"""Which values are better."""


def show_bytes(value: float) -> str:
    """Show bytes to the byte."""
    return byte_count(round(value))


def show_count(value: float) -> str:
    """Show a whole number with thousands grouped."""
    return count(round(value))


def show_points(value: float) -> str:
    """Show a difference of two fractions in percentage points."""
    return f"{points(value)} points"


def order(first: float | None, value: float, better: Direction, margin: float = 0.0) -> Judgment:
    """Judge a value by which side of the first one it is on; closer than `margin`, a share of the first, is the same."""
    if first is None:
        return "not comparable"
    if abs(value - first) <= margin * abs(first):
        return "same"
    return "better" if (value > first) == (better == "up") else "worse"


def relative(first: float | None, value: float) -> str:
    """Show a change in percent of the first value; empty where there is none or it cannot be said."""
    if first is None or first == 0 or value == first:
        return ""
    return f"{'+' if value > first else '−'}{percent(abs(value - first) / abs(first))}"


def real_or_none(value: float | None) -> float | None:
    """A number that can be reckoned with: a stranger's report may hold integers beyond any float."""
    return None if value is None else real(value)


def missing(note: str = "") -> ComparedCell:
    """Make the cell of a figure that a bundle lacks."""
    return ComparedCell(value=None, text=NO_VALUE, judgment="not measured", note=note)


def of_first(value: float | None) -> Judgment:
    """Say what the first bundle's own cell is."""
    return "not measured" if value is None else "baseline"
