"""Rows about virtual boards and about times, one a board and one an engine."""

from collections.abc import Callable, Sequence
from typing import Final

from edgecnn_bench.report.cells import missing, order, real_or_none, relative, show_bytes, show_count
from edgecnn_bench.report.comparison import ComparedCell, ComparedRow, Group
from edgecnn_bench.report.sides import Side, same_machine
from edgecnn_bench.report.text import clean, duration
from edgecnn_bench.results import BoardRun, Latency, Report

TIME_MARGIN: Final = 0.1
"""Times closer than this share are called the same: they differ from run to run."""
MAX_BOARDS: Final = 12
MAX_ENGINES: Final = 12


def board_rows(found: Sequence[Side]) -> list[ComparedRow]:
    """Instructions, flash and RAM on every virtual board that at least two reports have."""
    boards = dict.fromkeys(run.board for side in found for run in side.report.boards)
    kinds: tuple[tuple[str, str, Group, Callable[[BoardRun], float | None], Callable[[float], str]], ...] = (
        ("instructions", "instructions", "work", lambda run: run.instructions_mean, show_count),
        ("flash_bytes", "flash", "memory", lambda run: run.flash_bytes, show_bytes),
        ("ram_bytes", "RAM", "memory", lambda run: run.ram_bytes, show_bytes),
    )
    made = []
    for key, title, group, value, show in kinds:
        for board in list(boards)[:MAX_BOARDS]:
            runs = [next((run for run in side.report.boards if run.board == board), None) for side in found]
            name = f"{title} on {clean(board, 40)}"
            made.append(_board_row(f"{key}.{clean(board, 40)}", name, group, runs, value, show))
    return made


def _board_row(
    key: str,
    name: str,
    group: Group,
    runs: Sequence[BoardRun | None],
    value: Callable[[BoardRun], float | None],
    show: Callable[[float], str],
) -> ComparedRow:
    values = [None if run is None or run.status != "run" else real_or_none(value(run)) for run in runs]
    cells = []
    for number, (run, one) in enumerate(zip(runs, values, strict=True)):
        if run is None or one is None:
            cells.append(missing("" if run is None else clean(run.reason, 200)))
            continue
        judgment = order(values[0], one, "down") if number else "baseline"
        wrong = "its outputs are not those of the reference kernels" if run.byte_equal is False else ""
        note = "; ".join(filter(None, [wrong, _other_build(runs[0], run) if number else ""]))
        change = relative(values[0], one)
        cells.append(ComparedCell(value=one, text=show(one), judgment=judgment, change=change, note=note))
    return ComparedRow(key=key, group=group, name=name, cells=tuple(cells))


def _other_build(first: BoardRun | None, run: BoardRun) -> str:
    if first is None or first.status != "run":
        return ""
    differs = [
        what
        for what, one, other in (
            ("kernels", first.kernels, run.kernels),
            ("toolchain", first.toolchain, run.toolchain),
            ("flags", first.flags, run.flags),
        )
        if one != other
    ]
    return f"other {' and '.join(differs)}" if differs else ""


def time_rows(found: Sequence[Side]) -> list[ComparedRow]:
    """Median of one call for every int8 engine that at least one report timed."""
    engines = [
        engine for side in found for engine in side.report.engines if engine.precision == "int8" and engine.latency
    ]
    titles = {(engine.key, engine.place): engine.title for engine in reversed(engines)}
    order = dict.fromkeys((engine.key, engine.place) for engine in engines)
    return [_time_row(found, key, place, titles[key, place]) for key, place in list(order)[:MAX_ENGINES]]


def _time_row(found: Sequence[Side], key: str, place: str, title: str) -> ComparedRow:
    timed = [_call(side.report, key, place) for side in found]
    first = timed[0].median_us if timed[0] else None
    cells = []
    for number, (side, latency) in enumerate(zip(found, timed, strict=True)):
        if latency is None:
            cells.append(missing())
            continue
        text = f"{duration(latency.median_us)} ({duration(latency.p5_us)}–{duration(latency.p95_us)})"
        cell = ComparedCell(value=latency.median_us, text=text, judgment="baseline")
        if number:
            cell = cell.model_copy(update=_time_judged(found[0], side, place, first, latency))
        cells.append(cell)
    where = f" on {clean(place, 40)}" if place else ""
    return ComparedRow(
        key=f"median_us.{clean(key, 40)}{where}",
        group="time",
        name=f"one call, {clean(title, 60)}{where}",
        cells=tuple(cells),
    )


def _time_judged(base: Side, side: Side, place: str, first: float | None, latency: Latency) -> dict[str, str]:
    if first is None:
        return {"judgment": "not comparable"}
    if not (_same_place(base.report, side.report, place) if place else side.same_cpu):
        return {"judgment": "not comparable", "note": "measured on another machine"}
    judgment = order(first, latency.median_us, "down", TIME_MARGIN)
    return {"judgment": judgment, "change": relative(first, latency.median_us)}


def _same_place(first: Report, report: Report, key: str) -> bool:
    places = [next((place for place in each.places if place.key == key), None) for each in (first, report)]
    environments = [place.environment if place else None for place in places]
    return bool(environments[0] and environments[1] and same_machine(environments[0], environments[1]))


def _call(report: Report, key: str, place: str) -> Latency | None:
    engine = next((each for each in report.engines if (each.key, each.place) == (key, place)), None)
    return next((timed for timed in engine.latency if timed.what == "invoke"), None) if engine else None
