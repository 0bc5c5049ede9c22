"""The report as Markdown, short enough for a pull request comment."""

from collections.abc import Iterable, Sequence
from typing import Final

from edgecnn_bench.report.facts import (
    GateLine,
    accuracy_sentence,
    arena_text,
    board_state,
    boards_sentence,
    facts,
    gate_line,
    gates_sentence,
    interval_text,
    size_sentence,
    what_it_is,
)
from edgecnn_bench.report.text import byte_count, clean, count, duration, head, p_value, percent, plural, points
from edgecnn_bench.results import EngineResult, Parity, Report

_MAX_ROWS: Final = 30
_MAX_CELL: Final = 80
_SPECIAL: Final = "\\`*_{}[]()<>#+!|~$&@"


def render_markdown(report: Report) -> str:
    """Draw the report as Markdown: verdict, engines, parity, footprint, gates, environment."""
    found = facts(report)
    card = report.card
    gates = [[line.what, line.limit, line.value, "passed" if line.passed else "**missed**"] for line in _gates(report)]
    lines = [
        f"## {escape(card.name)} {escape(card.version)}",
        "",
        escape(what_it_is(card), 600),
        "",
        f"**{escape(accuracy_sentence(found), 600)}** {escape(size_sentence(report), 600)} "
        f"{escape(gates_sentence(report.gates), 600)}",
        "",
        *table(
            ["engine", "accuracy", "95 % interval", "balanced", "one call, median (5–95 %)", "file"],
            [_engine_row(engine) for engine in head(report.engines, _MAX_ROWS)[0]],
        ),
        "",
        f"Windows: {escape(report.windows_source, 300)}. Times are of this machine at batch 1, not of a microcontroller.",
        "",
        *table(
            [
                "reference → candidate",
                "same label",
                "accuracy drop",
                "McNemar",
                "largest probability difference",
                "LSB",
            ],
            [_parity_row(pair) for pair in head(report.parity, _MAX_ROWS)[0]],
        ),
        "",
        f"{escape(boards_sentence(report.footprint), 300)} {_short_boards(report)} {escape(arena_text(card), 500)}",
        "",
        *([*table(["gate", "limit", "found", ""], gates), ""] if gates else []),
        *_environment(report),
    ]
    return "\n".join(lines) + "\n"


def escape(text: object, limit: int = _MAX_CELL) -> str:
    """Make a name or sentence plain text in Markdown and in a table's cell."""
    return "".join(f"\\{c}" if c in _SPECIAL else c for c in clean(text, limit))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Make the lines of a table; cells are Markdown already."""
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _engine_row(engine: EngineResult) -> list[str]:
    name = escape(engine.title)
    if engine.status != "run":
        return [name, f"not run: {escape(engine.reason, 120)}", "", "", "", ""]
    accuracy, score = ["–"] * 3, engine.score
    if score is not None:
        accuracy = [percent(score.accuracy.value), interval_text(score.accuracy), percent(score.balanced_accuracy)]
    call = next((timed for timed in engine.latency if timed.what == "invoke"), None)
    time = "–"
    if call is not None:
        time = f"{duration(call.median_us)} ({duration(call.p5_us)}–{duration(call.p95_us)}, n = {count(call.n)})"
    return [name, *accuracy, time, byte_count(engine.file_bytes)]


def _parity_row(pair: Parity) -> list[str]:
    test = pair.mcnemar
    return [
        f"{escape(pair.reference)} → {escape(pair.candidate)}",
        f"{percent(pair.agreement.value, 2)} ({interval_text(pair.agreement)})",
        "–" if pair.accuracy_drop is None else f"{points(pair.accuracy_drop)} points",
        "–" if test is None else f"{test.reference_only} : {test.candidate_only}, {p_value(test.p_value)}",
        f"{pair.max_probability_difference:.3g}",
        "–" if pair.max_lsb_difference is None else str(pair.max_lsb_difference),
    ]


def _gates(report: Report) -> list[GateLine]:
    lines = [gate_line(gate) for gate in head(report.gates, _MAX_ROWS)[0]]
    return [GateLine(escape(line.what), escape(line.limit), escape(line.value), line.passed) for line in lines]


def _short_boards(report: Report) -> str:
    short = [board for board in report.footprint.boards if board_state(board) == "short"]
    if not short:
        return ""
    shown, more = head([f"{escape(board.board)} ({escape(board.reason, 120)})" for board in short], 8)
    return f"Cannot hold it: {'; '.join(shown)}{f'; and {more} more' if more else ''}."


def _environment(report: Report) -> list[str]:
    environment = report.environment
    libraries = ", ".join(f"{escape(name)} {escape(version)}" for name, version in environment.libraries.items())
    return [
        "<details><summary>Environment</summary>",
        "",
        f"{escape(environment.cpu)}, {plural(environment.cores, 'core')}, {escape(environment.system)} "
        f"({escape(environment.machine)}), Python {escape(environment.python)}; {libraries}; "
        f"edgecnn {escape(report.edgecnn_version)}; seed {report.seed}.",
        "",
        "</details>",
    ]
