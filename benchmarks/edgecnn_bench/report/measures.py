"""The rows of a comparison, and what every report has exactly: bytes, parts, operations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edgecnn_bench.report.accuracy_rows import accuracy_rows
from edgecnn_bench.report.cells import (
    Direction,
    missing,
    of_first,
    order,
    real_or_none,
    relative,
    show_bytes,
    show_count,
)
from edgecnn_bench.report.comparison import ComparedCell, ComparedRow, Group
from edgecnn_bench.report.place_rows import board_rows, time_rows
from edgecnn_bench.report.sides import Side
from edgecnn_bench.report.text import NO_VALUE
from edgecnn_bench.report.views import total_macs
from edgecnn_bench.results import Report

GROUPS: Final[tuple[Group, ...]] = ("accuracy", "memory", "work", "time")
"""From the most important down."""


def rows(found: Sequence[Side]) -> tuple[ComparedRow, ...]:
    """Every row of the comparison, the most important first; rows that no report has a value for are left out."""
    exact = [_exact(found, measure) for measure in EXACT]
    made = [*accuracy_rows(found), *exact, *board_rows(found), *time_rows(found)]
    found_somewhere = [row for row in made if any(cell.text != NO_VALUE for cell in row.cells)]
    return tuple(sorted(found_somewhere, key=lambda row: GROUPS.index(row.group)))


@dataclass(frozen=True)
class Exact:
    """A figure that is the same however often it is measured."""

    key: str
    group: Group
    name: str
    better: Direction
    value: Callable[[Report], float | None]
    show: Callable[[float], str]
    relative: bool = field(default=True)
    """Whether a change is told in percent."""


def _parts_with_tflm(report: Report) -> float | None:
    boards = report.footprint.boards
    return float(sum(board.fits for board in boards)) if boards and report.footprint.arena_bytes is not None else None


def _parts_with_c(report: Report) -> float | None:
    found = [board.compiled.fits for board in report.footprint.boards if board.compiled is not None]
    return float(sum(found)) if found else None


def _compiled_ram(report: Report) -> float | None:
    compiled = report.card.compiled
    return None if compiled is None else compiled.arena_bytes + compiled.state_bytes


EXACT: Final = (
    Exact("model_bytes", "memory", "model file", "down", lambda r: r.footprint.model_bytes, show_bytes),
    Exact("arena_bytes", "memory", "arena of TFLite Micro", "down", lambda r: r.footprint.arena_bytes, show_bytes),
    Exact(
        "compiled_constant_bytes",
        "memory",
        "compiled C: constants",
        "down",
        lambda r: r.card.compiled.constant_bytes if r.card.compiled else None,
        show_bytes,
    ),
    Exact("compiled_ram_bytes", "memory", "compiled C: arena and state", "down", _compiled_ram, show_bytes),
    Exact("parts_with_c", "memory", "parts that hold the compiled C", "up", _parts_with_c, show_count, relative=False),
    Exact(
        "parts_with_tflm",
        "memory",
        "parts that hold it with TFLite Micro",
        "up",
        _parts_with_tflm,
        show_count,
        relative=False,
    ),
    Exact("macs", "work", "multiply-accumulates", "down", lambda r: total_macs(r) or None, show_count),
    Exact(
        "parameters", "work", "parameters", "down", lambda r: sum(x.parameters for x in r.layers) or None, show_count
    ),
)


def _exact(found: Sequence[Side], measure: Exact) -> ComparedRow:
    values = [real_or_none(measure.value(side.report)) for side in found]
    cells = [_exact_cell(values[0], value, measure) for value in values]
    cells[0] = cells[0].model_copy(update={"judgment": of_first(values[0]), "change": ""})
    if measure.key.startswith("parts_"):
        cells = [_of_other_table(cell, found[0].report, side.report) for cell, side in zip(cells, found, strict=True)]
    return ComparedRow(key=measure.key, group=measure.group, name=measure.name, cells=tuple(cells))


def _of_other_table(cell: ComparedCell, first: Report, report: Report) -> ComparedCell:
    tables = [[board.board for board in each.footprint.boards] for each in (first, report)]
    if tables[0] == tables[1] or cell.value is None:
        return cell
    note = f"of {len(tables[1])} parts, another table"
    return cell.model_copy(update={"judgment": "not comparable", "change": "", "note": note})


def _exact_cell(first: float | None, value: float | None, measure: Exact) -> ComparedCell:
    if value is None:
        return missing()
    judgment = order(first, value, measure.better)
    change = relative(first, value) if measure.relative else ""
    return ComparedCell(value=value, text=measure.show(value), judgment=judgment, change=change)
