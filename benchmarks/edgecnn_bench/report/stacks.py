"""Bars made of parts, and pairs of bars: what memory is made of, and where instructions go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from edgecnn_bench.report.layout import Rows, byte_tick, lay_out
from edgecnn_bench.report.svg import Canvas, Scale, text_width
from edgecnn_bench.report.text import byte_count, clean, count, percent, real

MAX_KINDS: Final = 6
_BOLD_PX: Final = 14


@dataclass(frozen=True)
class Stack:
    """One bar and the kinds it is made of, in the order of the chart's `kinds`."""

    name: str
    bytes: tuple[int, ...]

    @property
    def total(self) -> int:
        """All kinds together."""
        return sum(max(value, 0) for value in self.bytes)


def stacked_rows(rows: Sequence[Stack], kinds: Sequence[str], width: float, label: str) -> Markup:
    """Draw a bar of stacked kinds for each row, with its total; at most `MAX_KINDS` kinds."""
    totals = [byte_tick(row.total) for row in rows]
    room = max((text_width(text, _BOLD_PX) for text in totals), default=0.0) + 14
    layout = lay_out([row.name for row in rows], width, 28.0, right=room)
    top = _kinds_legend(Canvas(width, 0, ""), kinds, width)
    start, stop = layout.plot()
    scale = Scale(0.0, max((real(row.total) for row in rows), default=0.0) or 1.0, start, stop)
    canvas = Canvas(width, top + len(rows) * layout.row_height + 4, label)
    _kinds_legend(canvas, kinds, width)
    for index, row in enumerate(rows):
        y = top + layout.middle(index)
        _name_at(canvas, layout, y, row.name, totals[index])
        _stack(canvas, row, kinds, scale, y)
        if not layout.stacked:
            canvas.text((scale(row.total) + 8, y + 4), totals[index], "t-value")
    return canvas.markup()


def _stack(canvas: Canvas, row: Stack, kinds: Sequence[str], scale: Scale, y: float) -> None:
    below = 0
    for place, (kind, value) in enumerate(zip(kinds, row.bytes, strict=True)):
        if value <= 0:
            continue
        x, end = scale(below), scale(below + value)
        title = f"{clean(kind, 24)}: {byte_count(value)}"
        canvas.rect(x, y - 8, max(end - x - 1, 0.5), 16, f"fill s-k{place + 1}", title=title)
        below += value


def _name_at(canvas: Canvas, layout: Rows, y: float, name: str, value_text: str) -> None:
    if not layout.stacked:
        canvas.label_text((layout.gutter - 12, y + 4), name, layout.gutter - 12, "t-name", "end")
        return
    canvas.label_text((0, y - 15), name, layout.width - text_width(value_text) - 10, "t-name")
    canvas.text((layout.width, y - 15), value_text, "t-value", "end")


def _kinds_legend(canvas: Canvas, kinds: Sequence[str], width: float) -> float:
    """Name the kinds' colors, in as many lines as it takes; returns the height."""
    x, y = 0.0, 12.0
    for place, kind in enumerate(kinds):
        name = clean(kind, 24)
        needed = 18 + text_width(name, 12)
        if x > 0 and x + needed > width:
            x, y = 0.0, y + 19
        canvas.rect(x, y - 9, 11, 11, f"fill s-k{place + 1}", radius=2)
        canvas.text((x + 17, y), name, "t-tick")
        x += needed + 14
    return y + 10


@dataclass(frozen=True)
class Pair:
    """Two shares of one row: of all instructions, and of all multiply-accumulates."""

    name: str
    instructions: int
    macs: int
    instruction_share: float
    mac_share: float


def paired_rows(rows: Sequence[Pair], width: float, label: str) -> Markup:
    """Draw two bars a row on one axis of shares."""
    layout = lay_out([row.name for row in rows], width, 32.0, right=96.0)
    start, stop = layout.plot()
    highest = max((max(row.instruction_share, row.mac_share) for row in rows), default=0.0)
    scale = Scale(0.0, highest or 1.0, start, stop)
    top = 22.0
    canvas = Canvas(width, top + len(rows) * layout.row_height + 4, label)
    x = 0.0
    for style, name in (("s-int8", "share of instructions"), ("s-quiet", "share of MACs")):
        canvas.rect(x, 3, 11, 11, f"fill {style}", radius=2)
        canvas.text((x + 17, 13), name, "t-tick")
        x += 17 + text_width(name, 11) + 16
    for index, row in enumerate(rows):
        y, text = top + layout.middle(index), percent(row.instruction_share)
        _name_at(canvas, layout, y, row.name, text)
        title = f"{row.name}: {count(row.instructions)} instructions, {count(row.macs)} MACs"
        canvas.rect(start, y - 9, max(scale(row.instruction_share) - start, 1.0), 10, "fill s-int8", title=title)
        if row.macs > 0:
            canvas.rect(start, y + 2, max(scale(row.mac_share) - start, 1.0), 6, "fill s-quiet", title=title)
        if not layout.stacked:
            longest = max(row.instruction_share, row.mac_share)
            canvas.text((scale(longest) + 8, y + 4), text, "t-value")
    return canvas.markup()
