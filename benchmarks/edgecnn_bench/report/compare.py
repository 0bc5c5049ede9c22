"""Several reports side by side: what became better and what worse, against the first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from edgecnn_bench.report.facts import Facts, facts, interval_text
from edgecnn_bench.report.html import render_page
from edgecnn_bench.report.markdown import escape, table
from edgecnn_bench.report.text import byte_count, clean, count, duration, listing, percent, points
from edgecnn_bench.report.views import total_macs
from edgecnn_bench.results import Report
from edgecnn_firmware.errors import SettingsError

MAX_REPORTS: Final = 12


@dataclass(frozen=True)
class Measure:
    """One row of the comparison; `value` is None where a report lacks it. `margin` is what counts as no change."""

    name: str
    higher_is_better: bool
    value: Callable[[Report, Facts], float | None]
    show: Callable[[float], str]
    margin: float = 0.0
    """Relative change below which two values are called the same: timings differ from run to run."""


@dataclass(frozen=True)
class Row:
    """A measure in words: one cell a report."""

    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """All that the pages show."""

    names: tuple[str, ...]
    rows: tuple[Row, ...]
    better: tuple[str, ...]
    worse: tuple[str, ...]
    warnings: tuple[str, ...]


UP, DOWN = True, False

MEASURES: Final = (
    Measure("int8 accuracy", UP, lambda _, f: f.accuracy.value if f.accuracy else None, percent),
    Measure("float accuracy", UP, lambda _, f: f.float_accuracy.value if f.float_accuracy else None, percent),
    Measure("accuracy lost to int8", DOWN, lambda _, f: f.drop, lambda value: f"{points(value)} points"),
    Measure("int8 balanced accuracy", UP, lambda _, f: _balanced(f), percent),
    Measure("float and int8 agree", UP, lambda _, f: f.parity.agreement.value if f.parity else None, percent),
    Measure("model", DOWN, lambda r, _: r.footprint.model_bytes, lambda value: byte_count(int(value))),
    Measure("tensor arena", DOWN, lambda r, _: r.footprint.arena_bytes, lambda value: byte_count(int(value))),
    Measure("multiply-accumulates", DOWN, lambda r, _: total_macs(r), lambda value: count(int(value))),
    Measure("boards that hold it", UP, lambda r, _: sum(b.fits for b in r.footprint.boards), lambda v: count(int(v))),
    Measure(
        "one call on the host, median", DOWN, lambda _, f: f.latency.median_us if f.latency else None, duration, 0.1
    ),
)


def compare(reports: Sequence[Report]) -> Comparison:
    """Compare reports with the first of them.

    Raises:
        SettingsError: fewer than two reports or too many.
    """
    if not 2 <= len(reports) <= MAX_REPORTS:
        raise SettingsError(f"{len(reports)} reports to compare; expected 2 to {MAX_REPORTS}")
    found = [facts(report) for report in reports]
    names = tuple(_names(reports))
    rows: list[Row] = []
    better: list[str] = []
    worse: list[str] = []
    for measure in MEASURES:
        values = [measure.value(report, fact) for report, fact in zip(reports, found, strict=True)]
        cells = ["–" if value is None else measure.show(value) for value in values]
        if measure.name == "int8 accuracy":
            cells = [_with_interval(cell, fact) for cell, fact in zip(cells, found, strict=True)]
        rows.append(Row(measure.name, tuple(cells)))
        for name, value in zip(names[1:], values[1:], strict=True):
            change = _change(measure, values[0], value)
            if change and values[0] is not None and value is not None:
                sentence = f"{name}: {measure.name} {measure.show(values[0])} → {measure.show(value)}"
                (better if change > 0 else worse).append(sentence)
    return Comparison(names, tuple(rows), tuple(better), tuple(worse), tuple(_warnings(reports, names)))


def compare_markdown(reports: Sequence[Report]) -> str:
    """Draw a comparison as Markdown."""
    result = compare(reports)
    lines = ["## Comparison", ""]
    lines += [f"> {escape(warning, 400)}" for warning in result.warnings] + ([""] if result.warnings else [])
    lines += table(
        ["", *(escape(name) for name in result.names)],
        [[escape(row.name), *(escape(cell) for cell in row.cells)] for row in result.rows],
    )
    for title, sentences in (("Better", result.better), ("Worse", result.worse)):
        lines += ["", f"**{title}**" if sentences else f"**{title}**: nothing"]
        lines += [f"- {escape(sentence, 300)}" for sentence in sentences]
    return "\n".join(lines) + "\n"


def compare_html(reports: Sequence[Report]) -> str:
    """Draw a comparison as one self-contained HTML page."""
    return render_page("compare.html.j2", {"result": compare(reports)})


def _balanced(found: Facts) -> float | None:
    return found.int8.score.balanced_accuracy if found.int8 and found.int8.score else None


def _change(measure: Measure, first: float | None, value: float | None) -> int:
    """1 better, -1 worse, 0 the same or not comparable."""
    if first is None or value is None or abs(value - first) <= measure.margin * abs(first):
        return 0
    return 1 if (value > first) == measure.higher_is_better else -1


def _names(reports: Sequence[Report]) -> list[str]:
    plain = [clean(f"{report.card.name} {report.card.version}", 60) for report in reports]
    return [name if plain.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(plain, start=1)]


def _with_interval(cell: str, fact: Facts) -> str:
    return f"{cell} ({interval_text(fact.accuracy)})" if fact.accuracy else cell


def _warnings(reports: Sequence[Report], names: Sequence[str]) -> list[str]:
    warnings = []
    first = reports[0]
    machines = [name for name, r in zip(names, reports, strict=True) if r.environment.cpu != first.environment.cpu]
    if machines:
        warnings.append(
            f"Measured on another processor than {names[0]}: {listing(machines)}; do not compare their times."
        )
    software = [
        name for name, r in zip(names, reports, strict=True) if r.environment.libraries != first.environment.libraries
    ]
    if software:
        warnings.append(f"Measured with other library versions than {names[0]}: {listing(software)}.")
    data = [name for name, r in zip(names, reports, strict=True) if _test_data(r) != _test_data(first)]
    if data:
        warnings.append(f"Other test windows than {names[0]}: {listing(data)}; accuracies are not of the same task.")
    return warnings


def _test_data(report: Report) -> tuple[object, ...]:
    data = report.card.data
    fingerprint = data.fingerprint if data else None
    return fingerprint, report.windows, report.card.labels, report.card.input.window_samples
