"""Accuracy under disturbances with interval bands, and whether probabilities mean what they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from edgecnn_bench.report.layout import value_axis
from edgecnn_bench.report.svg import Canvas, Scale, text_width
from edgecnn_bench.report.text import number, percent, real
from edgecnn_bench.results import CalibrationBin
from edgecnn_firmware.card import Interval

_LEFT_PX: Final = 44.0
_RATIO_KEYS: Final = frozenset({"gain"})


@dataclass(frozen=True)
class Curve:
    """Accuracy of one engine by level."""

    style: str
    points: tuple[tuple[float, Interval], ...]


def undisturbed(key: str) -> float:
    """The level of a disturbance that changes nothing."""
    return 1.0 if key in _RATIO_KEYS else 0.0


def robustness_chart(
    curves: Sequence[Curve], neutral: float, low: float, unit: str, width: float, label: str
) -> Markup:
    """Draw accuracy by level with bands of its intervals, from `low` to 100 %; `neutral` has an upright mark."""
    top, bottom = 12.0, 168.0
    canvas = Canvas(width, bottom + 40, label)
    levels = [real(level) for curve in curves for level, _ in curve.points]
    across = Scale(min(levels, default=0.0), max(levels, default=1.0), _LEFT_PX, width - 10)
    up = Scale(low, 1.0, bottom, top)
    for tick in up.ticks(4):
        canvas.line((_LEFT_PX, up(tick)), (width - 10, up(tick)), "grid")
        canvas.text((_LEFT_PX - 7, up(tick) + 4), percent(tick, 0), "t-tick", "end")
    for tick in across.ticks(5):
        half = text_width(number(tick), 11) / 2
        canvas.text((min(across(tick), width - half), bottom + 17), number(tick), "t-tick", "middle")
    canvas.label_text(((_LEFT_PX + width) / 2, bottom + 34), unit, width - _LEFT_PX, "t-tick", "middle")
    if across.low <= neutral <= across.high:
        canvas.line((across(neutral), top - 8), (across(neutral), bottom), "mark")
    for curve in curves:
        upper = [(across(level), up(found.high)) for level, found in curve.points]
        lower = [(across(level), up(found.low)) for level, found in curve.points]
        canvas.path([*upper, *reversed(lower)], f"haze {curve.style}", closed=True)
    for curve in curves:
        canvas.path([(across(level), up(found.value)) for level, found in curve.points], f"curve {curve.style}")
        for level, found in curve.points:
            title = f"{number(level)}: {percent(found.value)} ({percent(found.low)} to {percent(found.high)})"
            canvas.circle((across(level), up(found.value)), 2.6, f"dot small {curve.style}", title)
    return canvas.markup()


def reliability_chart(bins: Sequence[CalibrationBin], style: str, width: float, label: str) -> Markup:
    """Draw accuracy against mean top probability with intervals, the diagonal, and how many windows each bin has."""
    left, right, top, bottom = _LEFT_PX, width - 12, 10.0, 250.0
    floor = bottom + 66
    canvas = Canvas(width, floor + 38, label)
    filled = [found for found in bins if found.n > 0]
    least = min([0.5, *(real(found.low) for found in filled), *(real(found.accuracy.low) for found in filled)])
    start = 0.0 if least < 0.25 else 0.25 if least < 0.5 else 0.5
    across, up = Scale(start, 1.0, left, right), Scale(start, 1.0, bottom, top)
    for tick in up.ticks(4):
        canvas.line((left, up(tick)), (right, up(tick)), "grid")
        canvas.text((left - 7, up(tick) + 4), percent(tick, 0), "t-tick", "end")
    canvas.line((left, bottom), (right, top), "mark")
    _counts(canvas, filled, across, bottom + 12, floor, style)
    value_axis(canvas, across, floor, floor, lambda tick: percent(tick, 0))
    for found in filled:
        x = across(found.confidence)
        canvas.line((x, up(found.accuracy.low)), (x, up(found.accuracy.high)), f"whisker {style}")
        title = f"confidence {percent(found.confidence)}, right {percent(found.accuracy.value)}, n = {found.n}"
        canvas.circle((x, up(found.accuracy.value)), 4.2, f"dot {style}", title)
    canvas.path([(across(found.confidence), up(found.accuracy.value)) for found in filled], f"curve thin {style}")
    canvas.text((left + 6, top + 8), "too cautious", "t-tick")
    canvas.text((right - 4, bottom - 8), "too sure", "t-tick", "end")
    canvas.text(((left + right) / 2, floor + 34), "probability of the label it gave", "t-tick", "middle")
    return canvas.markup()


def _counts(
    canvas: Canvas, bins: Sequence[CalibrationBin], across: Scale, top: float, bottom: float, style: str
) -> None:
    """A small histogram under the diagram."""
    most = max((found.n for found in bins), default=1)
    canvas.line((across.start, bottom), (across.stop, bottom), "grid")
    for found in bins:
        height = (bottom - top - 12) * real(found.n) / real(most)
        x, end = across(found.low), across(found.high)
        canvas.rect(x + 0.5, bottom - height, max(end - x - 1, 1.0), max(height, 0.8), f"fill pale {style}")
        text = number(found.n, 4)
        if text_width(text, 11) < end - x + 2 and found.n == most:
            canvas.text(((x + end) / 2, bottom - height - 3), text, "t-small", "middle")


def band_points(points: Sequence[tuple[float, Interval | None]]) -> tuple[tuple[float, Interval], ...]:
    """Leave out levels without a value."""
    return tuple((level, found) for level, found in points if found is not None)
