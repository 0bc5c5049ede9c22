"""What is in a data set, as a page: an example of every class, and how much there is of each class and group."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from edgecnn_bench.report.charts import HALF_PX, Bar, Figure, bar_rows, responsive
from edgecnn_bench.report.html import render_page
from edgecnn_bench.report.svg import text_width
from edgecnn_bench.report.text import clean, count, head, number, plural, real
from edgecnn_bench.report.traces import Example, Range, common_ranges, traces

MAX_EXAMPLES: Final = 24
MAX_BARS: Final = 40
MAX_COLUMNS: Final = 24
_BESIDE_PX: Final = 420
"""As wide as two charts side by side can be, and just wide enough for short names beside the bars."""
_BESIDE_NAME_PX: Final = 110.0
_MINUTES_FROM_S: Final = 180.0
_HOURS_FROM_S: Final = 10_800.0


@dataclass(frozen=True)
class ClassPart:
    """One class: `amount` is its duration, or the number of its events."""

    label: str
    recordings: int
    groups: int
    amount: float
    is_event: bool
    example: Example | None


@dataclass(frozen=True)
class GroupPart:
    """One group; `amounts` follow the order of the classes."""

    group: str
    recordings: int
    duration: float
    amounts: tuple[float, ...]


@dataclass(frozen=True)
class ChannelPart:
    """One channel over all recordings, in its unit."""

    name: str
    unit: str
    minimum: float
    maximum: float
    mean: float
    std: float


@dataclass(frozen=True)
class SurveyPicture:
    """All that the page shows; durations are in `time_unit`, `s` or `samples`."""

    name: str
    format: str
    recordings: int
    duration: float
    sample_rate_hz: float | None
    """None where the data have no time axis."""
    window_samples: int
    classes: tuple[ClassPart, ...]
    groups: tuple[GroupPart, ...]
    channels: tuple[ChannelPart, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def time_unit(self) -> str:
        """The unit of every time on the page."""
        return "samples" if self.sample_rate_hz is None else "s"

    @property
    def grouped(self) -> bool:
        """Whether groups are more than the recordings by another name."""
        return len(self.groups) < self.recordings

    @property
    def groups_shown(self) -> bool:
        """Whether to draw groups: thousands of recordings that are a group each say nothing."""
        return self.grouped or self.recordings <= MAX_BARS


@dataclass(frozen=True)
class Bars:
    """One bar chart with its title."""

    title: str
    figure: Figure
    left_off: int


def render_survey(picture: SurveyPicture) -> str:
    """Draw the survey of a data set as one self-contained HTML page."""
    return render_page("survey.html.j2", _context(picture))


def span(value: float, unit: str, largest: float | None = None) -> str:
    """Show a duration in seconds (also minutes or hours) or in samples.

    Args:
        value: in `unit`.
        unit: `s` or `samples`.
        largest: the largest duration shown beside it, which decides on minutes or hours for all of them.
    """
    value = real(value)
    if unit != "s":
        return plural(round(value), "sample")
    deciding = value if largest is None else real(largest)
    if deciding < _MINUTES_FROM_S:
        return f"{number(value)} s"
    return f"{number(value / 60)} min" if deciding < _HOURS_FROM_S else f"{number(value / 3600)} h"


def _context(picture: SurveyPicture) -> dict[str, Any]:
    shown, _ = head(picture.classes, MAX_EXAMPLES)
    drawn = [(item, item.example) for item in shown if item.example is not None]
    ranges = common_ranges([example for _, example in drawn])
    columns, columns_left_off = head(picture.classes, MAX_COLUMNS)
    return {
        "picture": picture,
        "summary": _summary(picture),
        "examples": [(item, example, _figure(item, example, ranges, picture.time_unit)) for item, example in drawn],
        "examples_left_off": len(picture.classes) - len(drawn),
        "class_bars": _class_bars(picture),
        "group_bars": _group_bars(picture),
        "columns": columns,
        "columns_left_off": columns_left_off,
        "rows": _rows(picture, columns),
        "max_rows": MAX_BARS,
        "span": lambda value: span(value, picture.time_unit),
    }


def _summary(picture: SurveyPicture) -> str:
    rate = "no known sample rate" if picture.sample_rate_hz is None else f"{number(picture.sample_rate_hz, 6)} Hz"
    groups = f" of {plural(len(picture.groups), 'group')}" if picture.grouped else ""
    return (
        f"{plural(picture.recordings, 'recording')}{groups}, {span(picture.duration, picture.time_unit)} in all; "
        f"{plural(len(picture.channels), 'channel')}, {rate}; {plural(len(picture.classes), 'class', 'classes')}."
    )


def _figure(item: ClassPart, example: Example, ranges: Sequence[Range], time_unit: str) -> Figure:
    return responsive(lambda width: traces(example, ranges, item.label, time_unit, width), HALF_PX)


def _rows(picture: SurveyPicture, columns: Sequence[ClassPart]) -> list[tuple[str, list[str]]]:
    """The table of classes by group, with all durations in one unit."""
    shown = picture.groups[:MAX_BARS] if picture.groups_shown else ()
    pairs = [list(zip(columns, group.amounts, strict=False)) for group in shown]
    largest = max((amount for row in pairs for item, amount in row if not item.is_event), default=0.0)

    def cell(item: ClassPart, amount: float) -> str:
        if amount == 0:
            return "–"
        return count(round(amount)) if item.is_event else span(amount, picture.time_unit, largest)

    return [(group.group, [cell(*pair) for pair in row]) for group, row in zip(shown, pairs, strict=True)]


def _class_bars(picture: SurveyPicture) -> list[Bars]:
    """How much of each class there is: events and durations apart, for they have no common axis."""
    durations = [(item.label, item.amount) for item in picture.classes if not item.is_event]
    events = [(item.label, item.amount) for item in picture.classes if item.is_event]
    recordings = [(item.label, item.recordings) for item in picture.classes]
    charts = [
        _duration_bars("each class", durations, picture.time_unit),
        _count_bars("Events of each class", events),
        _count_bars("Recordings that hold each class", recordings),
    ]
    return [chart for chart in charts if chart is not None]


def _group_bars(picture: SurveyPicture) -> list[Bars]:
    """How much of each group there is; recordings by another name are drawn only where they are few."""
    if not picture.groups_shown:
        return []
    is_event = [item.is_event for item in picture.classes]
    durations = [(group.group, group.duration) for group in picture.groups]
    events = [(group.group, _events(group, is_event)) for group in picture.groups] if any(is_event) else []
    recordings = [(group.group, group.recordings) for group in picture.groups] if picture.grouped else []
    charts = [
        _duration_bars("each group", durations, picture.time_unit),
        _count_bars("Events of each group", events),
        _count_bars("Recordings of each group", recordings),
    ]
    return [chart for chart in charts if chart is not None]


def _events(group: GroupPart, is_event: Sequence[bool]) -> float:
    return sum(amount for amount, counts in zip(group.amounts, is_event, strict=True) if counts)


def _duration_bars(of_what: str, rows: Sequence[tuple[str, float]], unit: str) -> Bars | None:
    if unit != "s":
        return _count_bars(f"Samples of {of_what}", rows)
    largest = max((value for _, value in rows), default=0.0)
    return _bars(f"Duration of {of_what}", [(name, value, span(value, unit, largest)) for name, value in rows])


def _count_bars(title: str, rows: Sequence[tuple[str, float]]) -> Bars | None:
    return _bars(title, [(name, value, count(round(value))) for name, value in rows])


def _bars(title: str, rows: Sequence[tuple[str, float, str]]) -> Bars | None:
    """Draw a bar a row; None where there is no row."""
    if not rows:
        return None
    shown, left_off = head(rows, MAX_BARS)
    bars = [Bar(clean(name), value, text) for name, value, text in shown]
    beside = all(text_width(bar.name, 13) <= _BESIDE_NAME_PX for bar in bars)
    wide_px = _BESIDE_PX if beside else HALF_PX
    return Bars(title, responsive(lambda width: bar_rows(bars, width, title), wide_px), left_off)
