"""Rows for the report's tables: what the templates show, reckoned from the report alone.

Everything is capped: a report of a thousand layers or a hundred thousand epochs still makes a page that opens at once,
and the page says how much it leaves to `report.json`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edgecnn_bench.report.facts import Facts
from edgecnn_bench.report.text import clean, count, real
from edgecnn_bench.results import EngineResult, Environment, Latency, Report
from edgecnn_bench.statistics import wilson
from edgecnn_firmware.card import Card, EpochCard, Interval, PartCard, ScoreCard

MAX_CLASSES: Final = 200
MAX_EPOCHS: Final = 200
MAX_ROWS: Final = 300
FEW_WINDOWS: Final = 30
MAX_PLACES: Final = 8
MAX_TIMINGS: Final = 24
_CONFUSED: Final = 6


def total_macs(report: Report) -> int:
    """Add up the multiply-accumulates of one inference."""
    return sum(layer.macs for layer in report.layers)


def confusion_of(engine: EngineResult | None, labels: Sequence[str]) -> ScoreCard | None:
    """Return an engine's score if its confusion matrix goes with `labels`."""
    score = engine.score if engine else None
    n = len(labels)
    is_square = score is not None and len(score.confusion) == n and all(len(row) == n for row in score.confusion)
    return score if is_square else None


@dataclass(frozen=True)
class ClassRow:
    """One class on the test windows."""

    label: str
    support: int
    precision: float
    recall: float
    recall_interval: Interval | None
    f1: float
    float_recall: float | None
    few: bool


def class_rows(found: Facts) -> list[ClassRow]:
    """List the classes of the int8 model with the recall of the float model beside."""
    if found.int8 is None:
        return []
    by_label = {row.label: row for row in found.float32.classes} if found.float32 else {}
    rows = []
    for row in found.int8.classes[:MAX_CLASSES]:
        other = by_label.get(row.label)
        hits = round(row.recall * min(max(row.support, 0), 2**53))
        interval = wilson(hits, row.support) if 0 < row.support <= 2**53 else None
        few = row.support < FEW_WINDOWS
        other_recall = other.recall if other else None
        rows.append(ClassRow(row.label, row.support, row.precision, row.recall, interval, row.f1, other_recall, few))
    return rows


@dataclass(frozen=True)
class Confused:
    """Windows of one class that were taken for another."""

    truth: str
    predicted: str
    windows: int
    share: float


def most_confused(score: ScoreCard, labels: Sequence[str]) -> list[Confused]:
    """List the most frequent mistakes."""
    found = []
    for r, row in enumerate(score.confusion):
        total = sum(row)
        found += [
            Confused(labels[r], labels[c], n, real(n) / real(total)) for c, n in enumerate(row) if c != r and n > 0
        ]
    return sorted(found, key=lambda pair: (-pair.windows, -pair.share))[:_CONFUSED]


@dataclass(frozen=True)
class Timed:
    """One measurement of one engine."""

    engine: EngineResult
    latency: Latency

    @property
    def what(self) -> str:
        """What was timed."""
        return "the call alone" if self.latency.what == "invoke" else "end to end"


@dataclass(frozen=True)
class PlaceRow:
    """One place with what was timed there and what was not run; `key` is empty for this machine."""

    key: str
    title: str
    environment: Environment | None
    timings: tuple[Timed, ...]
    not_run: tuple[EngineResult, ...]
    left_off: int
    """Measurements beyond what is shown."""


def places(report: Report) -> list[PlaceRow]:
    """Group engines by where they ran, this machine first."""
    known = {place.key: place for place in report.places}
    keys = list(dict.fromkeys(["", *known, *(engine.place for engine in report.engines)]))[:MAX_PLACES]
    rows = []
    for key in keys:
        engines = [engine for engine in report.engines if engine.place == key]
        timed = [Timed(engine, latency) for engine in engines for latency in engine.latency]
        shown = sorted(timed, key=lambda row: (row.latency.what != "invoke", row.latency.median_us))[:MAX_TIMINGS]
        missing = tuple(engine for engine in engines if engine.status == "not run")[:MAX_TIMINGS]
        place = known.get(key)
        environment = report.environment if key == "" else place.environment if place else None
        title = "This machine" if key == "" else clean(place.title if place else key, 80)
        if key == "" or shown or missing or place is not None:
            rows.append(PlaceRow(key, title, environment, tuple(shown), missing, len(timed) - len(shown)))
    return rows


def thinned_epochs(epochs: Sequence[EpochCard], best: int) -> list[EpochCard]:
    """Choose at most about `MAX_EPOCHS` epochs, evenly, with the best and the last one."""
    step = -(-len(epochs) // MAX_EPOCHS) or 1
    last = len(epochs) - 1
    return [epoch for index, epoch in enumerate(epochs) if index % step == 0 or index == last or epoch.epoch == best]


@dataclass(frozen=True)
class PartRow:
    """One part of the split."""

    name: str
    part: PartCard
    groups_text: str


def part_rows(card: Card) -> list[PartRow]:
    """List the parts of the split in the order in which they are used."""
    if card.data is None:
        return []
    order = ("train", "validation", "test")
    return [
        PartRow(name, card.data.parts[name], _groups(card.data.parts[name]))
        for name in order
        if name in card.data.parts
    ]


def _groups(part: PartCard) -> str:
    shown = ", ".join(clean(group, 40) for group in part.groups[:60])
    return f"{shown} and {count(len(part.groups) - 60)} more" if len(part.groups) > 60 else shown


@dataclass(frozen=True)
class ClassCount:
    """Windows of one class in every part; None where the card does not say."""

    label: str
    counts: tuple[int | None, ...]
    shares: tuple[float, ...]
    """Of the largest class of the part."""


def class_counts(card: Card) -> list[ClassCount]:
    """List the windows of each class in each part."""
    parts = [row.part for row in part_rows(card)]
    largest = [max((real(n) for n in part.class_windows), default=0.0) or 1.0 for part in parts]
    rows = []
    for index, label in enumerate(card.labels[:MAX_CLASSES]):
        counts = tuple(part.class_windows[index] if index < len(part.class_windows) else None for part in parts)
        shares = tuple(real(n or 0) / top for n, top in zip(counts, largest, strict=True))
        rows.append(ClassCount(label, counts, shares))
    return rows


@dataclass(frozen=True)
class Version:
    """A package's version where the model was made and where it was measured."""

    package: str
    made: str
    measured: str

    @property
    def differs(self) -> bool:
        """Whether both are known and not the same."""
        return bool(self.made and self.measured) and self.made != self.measured


def versions(report: Report) -> list[Version]:
    """List the versions of packages by name."""
    made, measured = report.card.libraries, report.environment.libraries
    packages = sorted({*made, *measured})[:MAX_ROWS]
    return [Version(package, made.get(package, ""), measured.get(package, "")) for package in packages]


def settings_rows(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Flatten the settings that a model was fitted with: ('training.epochs', '60')."""
    rows: list[tuple[str, str]] = []
    for table, values in settings.items():
        inner = values if isinstance(values, dict) else {"": values}
        for key, value in inner.items():
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            rows.append((clean(f"{table}.{key}".rstrip("."), 80), clean(shown, 200)))
    return rows[:MAX_ROWS]
