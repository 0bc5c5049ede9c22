"""Accuracy on its way from the float model to the C: what each stage loses and gains, one row under the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from edgecnn_bench.report.layout import Rows, lay_out, value_axis
from edgecnn_bench.report.svg import Canvas, Scale, text_width
from edgecnn_bench.report.text import clean, number, percent

_TOP_PX: Final = 30.0
_BAR_PX: Final = 7.0
_ROW_PX: Final = 38.0
_RIGHT_PX: Final = 112.0


@dataclass(frozen=True)
class End:
    """Where the way begins or ends: an accuracy with its interval."""

    name: str
    under: str
    value: float
    low: float
    high: float
    style: str


@dataclass(frozen=True)
class Fall:
    """One stage: shares of windows that only the side before gets right, and only the side after."""

    name: str
    under: str
    before: float
    lost: float
    gained: float
    value_text: str
    title: str

    @property
    def after(self) -> float:
        """Accuracy behind the stage."""
        return self.before - self.lost + self.gained


@dataclass(frozen=True)
class Gap:
    """A stage of which nothing is known."""

    name: str
    under: str


def waterfall(rows: Sequence[End | Fall | Gap], width: float, label: str) -> Markup:
    """Draw the rows on one axis, which is cut to where they lie; dotted lines lead from one to the next."""
    layout = lay_out([text for row in rows for text in (row.name, row.under)], width, _ROW_PX, right=_RIGHT_PX)
    start, stop = layout.plot()
    scale = _scale(rows, start + 4, stop - 4)
    bottom = _TOP_PX + len(rows) * layout.row_height
    canvas = Canvas(width, bottom + 26, label)
    _legend(canvas, width)
    value_axis(canvas, scale, _TOP_PX, bottom, lambda tick: f"{number(100 * tick, 4)} %")
    reached: tuple[float, float] | None = None
    for index, row in enumerate(rows):
        y = _TOP_PX + layout.middle(index)
        if reached is not None and not isinstance(row, Gap):
            x = scale(reached[0])
            canvas.line((x, reached[1]), (x, y - _BAR_PX), "mark")
        _row(canvas, layout, row, y, scale)
        if not isinstance(row, Gap):
            reached = (row.value if isinstance(row, End) else row.after, y + _BAR_PX)
    return canvas.markup()


def _scale(rows: Sequence[End | Fall | Gap], start: float, stop: float) -> Scale:
    values = [value for row in rows for value in _values(row)] or [0.0, 1.0]
    low, high = min(values), max(values)
    margin = max((high - low) * 0.08, 0.001)
    return Scale(max(low - margin, 0.0), min(high + margin, 1.0), start, stop)


def _values(row: End | Fall | Gap) -> tuple[float, ...]:
    if isinstance(row, End):
        return row.low, row.high
    return () if isinstance(row, Gap) else (row.before, row.before - row.lost, row.after)


def _row(canvas: Canvas, layout: Rows, row: End | Fall | Gap, y: float, scale: Scale) -> None:
    shown = "not run" if isinstance(row, Gap) else percent(row.value, 2) if isinstance(row, End) else row.value_text
    _name(canvas, layout, row, y, shown)
    if not layout.stacked:
        canvas.text((layout.width, y + 4), shown, "t-tick" if isinstance(row, Gap) else "t-value", "end")
    if isinstance(row, End):
        _end(canvas, row, scale, y)
    elif isinstance(row, Fall):
        _fall(canvas, row, scale, y)


def _name(canvas: Canvas, layout: Rows, row: End | Fall | Gap, y: float, shown: str) -> None:
    room = layout.gutter - 12
    if not layout.stacked:
        canvas.label_text((room, y + (-1 if row.under else 4)), row.name, room, "t-name", "end")
        if row.under:
            canvas.label_text((room, y + 13), row.under, room, "t-tick", "end")
        return
    canvas.label_text((0, y - 15), row.name, layout.width - text_width(shown) - 12, "t-name")
    canvas.text((layout.width, y - 15), shown, "t-value", "end")


def _end(canvas: Canvas, row: End, scale: Scale, y: float) -> None:
    canvas.line((scale(row.low), y), (scale(row.high), y), f"whisker {row.style}")
    for side in (row.low, row.high):
        canvas.line((scale(side), y - 4), (scale(side), y + 4), f"whisker {row.style}")
    title = f"{clean(row.name, 40)}: {percent(row.value, 2)} ({percent(row.low)} to {percent(row.high)})"
    canvas.circle((scale(row.value), y), 4.5, f"dot {row.style}", title)


def _fall(canvas: Canvas, row: Fall, scale: Scale, y: float) -> None:
    """What is lost to the left on top, and from there what is gained to the right."""
    low = scale(row.before - row.lost)
    if row.lost > 0:
        canvas.rect(low, y - _BAR_PX, scale(row.before) - low, _BAR_PX, "fill s-miss", title=row.title)
    if row.gained > 0:
        canvas.rect(low, y, scale(row.after) - low, _BAR_PX, "fill s-int8", title=row.title)
    x = scale(row.after)
    canvas.line((x, y - _BAR_PX), (x, y + _BAR_PX), "median")


def _legend(canvas: Canvas, width: float) -> None:
    x = 0.0
    for style, name in (("s-miss", "right before, wrong after"), ("s-int8", "wrong before, right after")):
        shown = (
            name
            if width >= 420
            else name.replace("right before, wrong after", "lost").replace("wrong before, right after", "gained")
        )
        canvas.rect(x, 4, 16, _BAR_PX + 3, f"fill {style}")
        canvas.text((x + 22, 14), shown, "t-tick")
        x += 22 + text_width(shown, 11) + 18
