"""The report's charts: each takes plain rows and a width in pixels and returns an `<svg>` element.

A chart is drawn twice, for wide and for narrow screens (`responsive`), so that its text has the size of the text around
it on both; the style sheet shows one of the two.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from edgecnn_bench.report.layout import byte_tick, byte_ticks, lay_out, row_name, value_axis
from edgecnn_bench.report.svg import Canvas, Point, Scale, text_width
from edgecnn_bench.report.text import number, percent, real

FULL_PX: Final = 860
HALF_PX: Final = 416
NARROW_PX: Final = 330
_AXIS_PX: Final = 30
_BOLD_PX: Final = 14
"""Size whose plain letters are as wide as the bold ones of values."""
_LOGARITHMIC_FROM: Final = 15.0


@dataclass(frozen=True)
class Figure:
    """One chart in its two widths."""

    wide: Markup
    narrow: Markup


def responsive(draw: Callable[[float], Markup], wide_px: float = FULL_PX) -> Figure:
    """Draw a chart for wide and for narrow screens."""
    return Figure(draw(wide_px), draw(NARROW_PX))


@dataclass(frozen=True)
class IntervalRow:
    """A proportion and its interval."""

    name: str
    value: float
    low: float
    high: float
    style: str


@dataclass(frozen=True)
class Strip:
    """A distribution: histogram where there is one, and three percentiles."""

    name: str
    under: str
    """A second line under the name."""
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    p5: float
    median: float
    p95: float
    value_text: str
    style: str


@dataclass(frozen=True)
class Bar:
    """One bar."""

    name: str
    value: float
    value_text: str
    style: str = "s-int8"


@dataclass(frozen=True)
class Line:
    """One line of a line chart; points are (x, y)."""

    name: str
    points: tuple[Point, ...]
    style: str


def interval_rows(rows: Sequence[IntervalRow], width: float, label: str) -> Markup:
    """Draw proportions as dots with their intervals on one axis, which is cut to where they lie."""
    layout = lay_out([row.name for row in rows], width, 30.0, right=120.0)
    start, stop = layout.plot()
    low, high = min(row.low for row in rows), max(row.high for row in rows)
    margin = max((high - low) * 0.12, 0.005)
    scale = Scale(max(low - margin, 0.0), min(high + margin, 1.0), start, stop)
    bottom = len(rows) * layout.row_height
    canvas = Canvas(width, bottom + _AXIS_PX, label)
    value_axis(canvas, scale, 0, bottom, lambda tick: f"{number(100 * tick, 4)} %")
    for index, row in enumerate(rows):
        y, text = layout.middle(index), percent(row.value)
        row_name(canvas, layout, index, row.name, text)
        canvas.line((scale(row.low), y), (scale(row.high), y), f"whisker {row.style}")
        for end in (row.low, row.high):
            canvas.line((scale(end), y - 4), (scale(end), y + 4), f"whisker {row.style}")
        title = f"{row.name}: {text} ({percent(row.low)} to {percent(row.high)})"
        canvas.circle((scale(row.value), y), 4.5, f"dot {row.style}", title)
        if not layout.stacked:
            canvas.text((width, y + 4), text, "t-value", "end")
    return canvas.markup()


def time_text(value_us: float) -> str:
    """Show a tick of a time axis given in microseconds."""
    if value_us >= 1e6:
        return f"{number(value_us / 1e6)} s"
    return f"{number(value_us / 1e3)} ms" if value_us >= 1e3 else f"{number(value_us)} µs"


def strips(rows: Sequence[Strip], width: float, label: str) -> Markup:
    """Draw distributions of times in microseconds under each other on one axis, logarithmic if they differ a lot."""
    layout = lay_out([row.name for row in rows], width, 46.0, right=96.0)
    start, stop = layout.plot()
    scale = _time_scale(rows, start, stop)
    bottom = len(rows) * layout.row_height
    canvas = Canvas(width, bottom + _AXIS_PX, label)
    value_axis(canvas, scale, 0, bottom, time_text)
    for index, row in enumerate(rows):
        y = layout.middle(index)
        row_name(canvas, layout, index, row.name, row.value_text, row.under)
        base = y + 12
        _density(canvas, row, scale, base)
        canvas.line((scale(row.p5), base + 4), (scale(row.p95), base + 4), f"band {row.style}")
        canvas.line((scale(row.median), base - 26), (scale(row.median), base + 7), "median")
        if not layout.stacked:
            canvas.text((width, y + 4), row.value_text, "t-value", "end")
    return canvas.markup()


def _time_scale(rows: Sequence[Strip], start: float, stop: float) -> Scale:
    values = [real(value) for row in rows for value in (row.p5, row.median, row.p95, *_usable_edges(row))]
    low, high = min(values), max(values)
    logarithmic = low > 0 and high > _LOGARITHMIC_FROM * low
    return Scale(low * 0.9, high * 1.1, start, stop, True) if logarithmic else Scale(0.0, high * 1.05, start, stop)  # noqa: FBT003


def _usable_edges(row: Strip) -> tuple[float, ...]:
    edges = row.edges
    is_rising = all(after > before for before, after in itertools.pairwise(edges))
    return edges if len(edges) == len(row.counts) + 1 and is_rising and max(row.counts, default=0) > 0 else ()


def _density(canvas: Canvas, row: Strip, scale: Scale, base: float) -> None:
    edges = _usable_edges(row)
    if not edges:
        return
    tallest = max(row.counts)
    outline: list[Point] = [(scale(edges[0]), base)]
    for left, right, n in zip(edges, edges[1:], row.counts, strict=False):
        top = base - 26 * max(n, 0) / tallest
        outline += [(scale(left), top), (scale(right), top)]
    canvas.path([*outline, (scale(edges[-1]), base)], f"density {row.style}", closed=True)


def bar_rows(bars: Sequence[Bar], width: float, label: str) -> Markup:
    """Draw named horizontal bars from zero, each with its value."""
    room = max((text_width(bar.value_text, _BOLD_PX) for bar in bars), default=0.0) + 12
    layout = lay_out([bar.name for bar in bars], width, 24.0, right=room)
    start, stop = layout.plot()
    scale = Scale(0.0, max((real(bar.value) for bar in bars), default=0.0) or 1.0, start, stop)
    canvas = Canvas(width, len(bars) * layout.row_height + 2, label)
    for index, bar in enumerate(bars):
        y = layout.middle(index)
        row_name(canvas, layout, index, bar.name, bar.value_text)
        canvas.rect(start, y - 7, max(scale(bar.value) - start, 1.0), 14, f"fill {bar.style}", radius=2)
        if not layout.stacked:
            canvas.text((scale(bar.value) + 8, y + 4), bar.value_text, "t-value")
    return canvas.markup()


def line_chart(lines: Sequence[Line], width: float, title: str, marked_x: float | None, label: str) -> Markup:
    """Draw lines over a common axis of whole numbers (epochs); `marked_x` gets a vertical mark."""
    height, left, top, bottom = 230.0, 46.0, 34.0, 200.0
    canvas = Canvas(width, height, label)
    points = [point for line in lines for point in line.points]
    xs, ys = [real(x) for x, _ in points], [real(y) for _, y in points]
    margin = (max(ys) - min(ys)) * 0.06 or abs(max(ys)) * 0.1 or 1.0
    across = Scale(min(xs), max(xs), left, width - 10)
    up = Scale(min(ys) - (margin if min(ys) - margin >= 0 or min(ys) < 0 else 0), max(ys) + margin, bottom, top)
    for tick in up.ticks(4):
        canvas.line((left, up(tick)), (width - 10, up(tick)), "grid")
        canvas.text((left - 8, up(tick) + 4), number(tick), "t-tick", "end")
    for tick in sorted({round(tick) for tick in across.ticks(5)}):
        canvas.text((across(tick), bottom + 17), str(tick), "t-tick", "middle")
    if marked_x is not None:
        canvas.line((across(marked_x), top), (across(marked_x), bottom), "mark")
    canvas.text((0, 14), title, "t-title")
    _legend(canvas, lines, text_width(title, 13) + 24)
    for line in lines:
        canvas.path([(across(x), up(y)) for x, y in line.points], f"curve {line.style}")
        for x, y in line.points:
            if x == marked_x or len(line.points) == 1:
                canvas.circle((across(x), up(y)), 4, f"dot {line.style}")
    return canvas.markup()


def _legend(canvas: Canvas, lines: Sequence[Line], x: float) -> None:
    for line in lines:
        canvas.path([(x, 10), (x + 18, 10)], f"curve {line.style}")
        canvas.text((x + 24, 14), line.name, "t-tick")
        x += 24 + text_width(line.name, 12) + 14


def memory_steps(values: Sequence[float], names: Sequence[tuple[str, str]], width: float, label: str) -> Markup:
    """Draw one column a layer, the tallest one in the stronger color; `names` are (short, shown on hover)."""
    height, left, top, bottom = 190.0, 56.0, 22.0, 152.0
    canvas = Canvas(width, height, label)
    tallest = max((real(value) for value in values), default=0.0) or 1.0
    up = Scale(0.0, tallest, bottom, top)
    for tick in byte_ticks(tallest):
        canvas.line((left, up(tick)), (width, up(tick)), "grid")
        canvas.text((left - 8, up(tick) + 4), byte_tick(tick), "t-tick", "end")
    step = (width - left) / max(len(values), 1)
    gap = min(step * 0.14, 6.0)
    every = max(1, round(22 / step))
    for index, value in enumerate(values):
        x, y = left + index * step, up(value)
        style = "fill s-int8" if real(value) == tallest else "fill s-quiet"
        canvas.rect(x + gap / 2, y, step - gap, bottom - y, style, title=names[index][1])
        if index % every == 0:
            canvas.text((x + step / 2, bottom + 16), names[index][0], "t-tick", "middle")
    canvas.text(((left + width) / 2, height - 4), "layer", "t-tick", "middle")
    return canvas.markup()


def cell_bar(share: float, style: str = "s-int8") -> Markup:
    """Draw a bar to go with a number in a table cell; more than the whole turns it into a bar of its own kind."""
    canvas = Canvas(72, 7, "")
    over = share > 1
    canvas.rect(0, 0, 72, 7, "fill s-track", radius=2)
    canvas.rect(0, 0, 72 * min(max(real(share), 0.0), 1.0), 7, f"fill {'s-bad' if over else style}", radius=2)
    return Markup(canvas.markup("cellbar").replace('role="img" aria-label=""', 'aria-hidden="true"'))  # noqa: S704
