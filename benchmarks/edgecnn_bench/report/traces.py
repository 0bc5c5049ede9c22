"""Drawing of signals over time: one panel a channel, one time axis under all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from edgecnn_bench.report.svg import Canvas, Point, Scale, text_width
from edgecnn_bench.report.text import clean, number, real

_LEFT_PX: Final = 48.0
_RIGHT_PX: Final = 8.0
_TITLE_PX: Final = 20.0
_GAP_PX: Final = 8.0
_AXIS_PX: Final = 36.0
_PANEL_PX: Final = ((1, 120.0), (3, 76.0), (6, 60.0))
_LOW_PANEL_PX: Final = 48.0
_MARKS_PX: Final = 15.0
_MARGIN: Final = 0.06


@dataclass(frozen=True)
class Signal:
    """One channel of a window; points are (time since the window's start, value)."""

    channel: str
    unit: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Mark:
    """An event in a window."""

    time: float
    label: str


@dataclass(frozen=True)
class Example:
    """A window of a recording; times are in the unit of the page's time axis."""

    recording: str
    start: float
    """Since the start of the recording."""
    length: float
    signals: tuple[Signal, ...]
    labeled: tuple[float, float] | None = None
    """The part of the window that has the label, where that is not all of it."""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Range:
    """Lowest and highest value of a panel."""

    low: float
    high: float


def common_ranges(examples: Sequence[Example]) -> list[Range]:
    """Find for each channel the range that holds it in every example, so that examples can be compared by eye."""
    ranges = []
    for signals in zip(*(example.signals for example in examples), strict=True):
        values = [real(value) for signal in signals for _, value in signal.points] or [0.0]
        low, high = min(values), max(values)
        margin = (high - low) * _MARGIN or abs(high) * _MARGIN or 1.0
        ranges.append(Range(low - margin, high + margin))
    return ranges


def traces(example: Example, ranges: Sequence[Range], own_label: str, time_unit: str, width: float) -> Markup:
    """Draw a window; `own_label` is the class it stands for, whose marks are written bold."""
    panel = next((height for most, height in _PANEL_PX if len(example.signals) <= most), _LOW_PANEL_PX)
    step = _TITLE_PX + panel + _GAP_PX
    above = _MARKS_PX if example.marks else 0.0
    bottom = above + step * len(example.signals) - _GAP_PX
    names = ", ".join(clean(signal.channel, 40) for signal in example.signals)
    label = f"Example of class {clean(own_label, 60)}: {names}, {number(example.length)} {time_unit}"
    canvas = Canvas(width, bottom + _AXIS_PX, label)
    across = Scale(0.0, real(example.length) or 1.0, _LEFT_PX, width - _RIGHT_PX)
    for index, (signal, values) in enumerate(zip(example.signals, ranges, strict=True)):
        top = above + index * step + _TITLE_PX
        _panel(canvas, signal, across, Scale(values.low, values.high, top + panel, top), example, own_label)
    _mark_names(canvas, example, across, own_label)
    _time_axis(canvas, across, bottom, time_unit)
    return canvas.markup()


def _panel(canvas: Canvas, signal: Signal, across: Scale, up: Scale, example: Example, own_label: str) -> None:
    left, right = across.start, across.stop
    if example.labeled is not None:
        start, stop = (across(time) for time in example.labeled)
        canvas.rect(start, up.stop, stop - start, up.start - up.stop, "fill s-track")
    for tick in _value_ticks(up):
        canvas.line((left, up(tick)), (right, up(tick)), "grid")
        canvas.text((left - 7, up(tick) + 4), number(tick), "t-tick", "end")
    for mark in example.marks:
        style = "mark" if mark.label == own_label else "grid"
        canvas.line((across(mark.time), up.stop), (across(mark.time), up.start), style)
    unit = f" ({clean(signal.unit, 20)})" if signal.unit else ""
    canvas.label_text((left, up.stop - 6), f"{signal.channel}{unit}", (right - left) / 2, "t-name")
    canvas.path([(across(time), up(value)) for time, value in signal.points], "curve thin s-int8")


def _value_ticks(up: Scale) -> list[float]:
    """Few ticks for a low panel, but two at least: one alone gives no scale."""
    fewest = 2 if up.start - up.stop < 70 else 4
    tries = (up.ticks(wanted) for wanted in range(fewest, fewest + 4))
    return next((ticks for ticks in tries if len(ticks) > 1), [up.low, up.high])


def _mark_names(canvas: Canvas, example: Example, across: Scale, own_label: str) -> None:
    """Write the labels of events above the panels; one that would run into the label before it is left out."""
    last_end = 0.0
    for mark in example.marks:
        name, center = clean(mark.label, 12), across(mark.time)
        half = text_width(name) / 2
        if center - half < last_end + 4 or center + half > canvas.width:
            continue
        style = "t-value" if mark.label == own_label else "t-tick"
        canvas.text((center, _MARKS_PX - 4), name, style, "middle")
        last_end = center + half


def _time_axis(canvas: Canvas, across: Scale, bottom: float, time_unit: str) -> None:
    for tick in across.ticks(6):
        text = number(tick)
        half = text_width(text, 11) / 2
        canvas.text((min(across(tick), canvas.width - half), bottom + 15), text, "t-tick", "middle")
    canvas.text(((across.start + across.stop) / 2, bottom + 31), time_unit, "t-tick", "middle")
