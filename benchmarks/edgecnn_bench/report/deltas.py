"""What int8 changes: recall of each class in two engines, and the noise that each op adds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from edgecnn_bench.report.layout import lay_out, value_axis
from edgecnn_bench.report.svg import Canvas, Scale, text_width
from edgecnn_bench.report.text import clean, number, percent, points, real

MAX_CLASSES: Final = 40
MAX_OPS: Final = 200
_CEILING_DB: Final = 70.0
"""Ratios above this are drawn as this: an op that copies has no noise at all."""


@dataclass(frozen=True)
class Dumbbell:
    """One share in two engines."""

    name: str
    reference: float
    candidate: float


def dumbbells(rows: Sequence[Dumbbell], names: tuple[str, str], width: float, label: str) -> Markup:
    """Draw two dots a row and the way from one to the other, on an axis cut to where they lie."""
    top = 26.0
    layout = lay_out([row.name for row in rows], width, 25.0, right=112.0)
    start, stop = layout.plot()
    values = [value for row in rows for value in (row.reference, row.candidate)]
    low, high = min(values), max(values)
    margin = max((high - low) * 0.06, 0.005)
    scale = Scale(max(low - margin, 0.0), min(high + margin, 1.0), start + 6, stop - 6)
    bottom = top + len(rows) * layout.row_height
    canvas = Canvas(width, bottom + 26, label)
    _dots_legend(canvas, names)
    value_axis(canvas, scale, top, bottom, lambda tick: f"{number(100 * tick, 4)} %")
    for index, row in enumerate(rows):
        y = top + layout.middle(index)
        change = change_text(row.candidate - row.reference)
        if layout.stacked:
            canvas.label_text((0, y - 15), row.name, width - text_width(change) - 12, "t-name")
            canvas.text((width, y - 15), change, "t-value", "end")
        else:
            canvas.label_text((layout.gutter - 12, y + 4), row.name, layout.gutter - 12, "t-name", "end")
            canvas.text((width, y + 4), change, "t-value", "end")
        _dumbbell(canvas, row, scale, y)
    return canvas.markup()


def _dumbbell(canvas: Canvas, row: Dumbbell, scale: Scale, y: float) -> None:
    title = f"{row.name}: {percent(row.reference)} → {percent(row.candidate)}"
    canvas.line((scale(row.reference), y), (scale(row.candidate), y), "way")
    canvas.circle((scale(row.reference), y), 5.5, "ring s-float", title)
    canvas.circle((scale(row.candidate), y), 3.8, "dot s-int8", title)


def _dots_legend(canvas: Canvas, names: tuple[str, str]) -> None:
    canvas.circle((6, 9), 5.5, "ring s-float")
    first = clean(names[0], 30)
    canvas.text((17, 13), first, "t-tick")
    x = 17 + text_width(first, 11) + 18
    canvas.circle((x + 6, 9), 3.8, "dot s-int8")
    canvas.text((x + 16, 13), clean(names[1], 30), "t-tick")


def change_text(change: float) -> str:
    """Show a change of a share in points: '−0.4 points'; no change as 'same'."""
    text = points(change)
    if text == "0":
        return "same"
    return f"{text} {'point' if text[1:] == '1' else 'points'}"


@dataclass(frozen=True)
class Noise:
    """Signal-to-noise ratio at one op."""

    index: int
    name: str
    sqnr_db: float


def noise_columns(rows: Sequence[Noise], width: float, label: str) -> Markup:
    """Draw a column an op in decibels; the lowest one stands out and has its value."""
    left, top, bottom = 42.0, 24.0, 170.0
    canvas = Canvas(width, bottom + 40, label)
    shown = [min(max(real(row.sqnr_db), -20.0), _CEILING_DB) for row in rows]
    up = Scale(min(0.0, *shown, 0.0), max(10.0, *shown) * 1.04, bottom, top)
    for tick in up.ticks(4):
        canvas.line((left, up(tick)), (width, up(tick)), "grid")
        canvas.text((left - 8, up(tick) + 4), number(tick), "t-tick", "end")
    canvas.text((0, 12), "dB", "t-tick")
    step = (width - left) / max(len(rows), 1)
    gap = min(step * 0.2, 8.0)
    worst = min(range(len(rows)), key=lambda place: (shown[place], place))
    every = max(1, round(24 / step))
    for place, row in enumerate(rows):
        x, y, zero = left + place * step, up(shown[place]), up(0.0)
        style = "s-miss" if place == worst else "s-quiet"
        title = f"{row.index} {row.name}: {number(row.sqnr_db)} dB"
        canvas.rect(x + gap / 2, min(y, zero), step - gap, max(abs(zero - y), 1.0), f"fill {style}", title=title)
        if place == worst or (place % every == 0 and abs(place - worst) >= every):
            center = min(x + step / 2, width - text_width(str(row.index), 13) / 2)
            canvas.text((center, bottom + 16), str(row.index), "t-value" if place == worst else "t-tick", "middle")
    text = f"{number(rows[worst].sqnr_db)} dB"
    half = text_width(text) / 2
    center = min(max(left + (worst + 0.5) * step, left + half), width - half)
    canvas.text((center, up(shown[worst]) - 6), text, "t-value", "middle")
    canvas.text(((left + width) / 2, bottom + 34), "op of the int8 file", "t-tick", "middle")
    return canvas.markup()
