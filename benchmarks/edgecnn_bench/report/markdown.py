"""The report as Markdown, short enough for a pull request comment."""

from collections.abc import Iterable, Sequence
from typing import Final

from edgecnn_bench.report.board_facts import (
    board_name,
    compiled_state,
    fits_sentence,
    instructions,
    instructions_sentence,
    per_mac,
    ratio,
)
from edgecnn_bench.report.facts import (
    GateLine,
    accuracy_sentence,
    arena_text,
    facts,
    gate_line,
    gates_sentence,
    interval_text,
    size_sentence,
    verdict_rule,
    verdict_sentence,
    what_it_is,
)
from edgecnn_bench.report.stage_views import StageRow, ways
from edgecnn_bench.report.text import (
    byte_count,
    byte_size,
    clean,
    count,
    duration,
    head,
    p_value,
    percent,
    plural,
    points,
)
from edgecnn_bench.report.views import total_macs
from edgecnn_bench.results import BoardRun, EngineResult, Parity, Report

_MAX_ROWS: Final = 30
_MAX_CELL: Final = 80
_MAX_NOT_MEASURED: Final = 12
_SPECIAL: Final = "\\`*_{}[]()<>#+!|~$&@"


def render_markdown(report: Report) -> str:
    """Draw the report as Markdown: verdict, engines, parity, boards, fits, gates, environment."""
    return (
        "\n".join(
            [
                *_summary(report),
                *_engines(report),
                *_parity(report),
                *_stages(report),
                *_boards(report),
                *_ending(report),
            ]
        )
        + "\n"
    )


def escape(text: object, limit: int = _MAX_CELL) -> str:
    """Make a name or sentence plain text in Markdown and in a table's cell."""
    return "".join(f"\\{c}" if c in _SPECIAL else c for c in clean(text, limit))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Make the lines of a table; cells are Markdown already."""
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _summary(report: Report) -> list[str]:
    found, card = facts(report), report.card
    cost = instructions_sentence(report) or size_sentence(report)
    lines = [
        f"## {escape(card.name)} {escape(card.version)}",
        "",
        escape(what_it_is(card), 600),
        "",
        f"**{escape(accuracy_sentence(found), 600)}** {escape(cost, 600)} {escape(gates_sentence(report.gates), 600)}",
        "",
    ]
    if found.parity and found.parity.verdict:
        rule = escape(verdict_rule(found.parity.verdict), 700)
        lines += [f"**{escape(verdict_sentence(found), 300)}** {rule}", ""]
    return lines


def _engines(report: Report) -> list[str]:
    shown, more = head(report.engines, _MAX_ROWS)
    columns = ["engine", "accuracy", "95 % interval", "balanced", "one call, median (5–95 %)", "file"]
    return [
        *table(columns, [_engine_row(engine) for engine in shown]),
        *_left_off(more, "engine"),
        "",
        f"Windows: {escape(report.windows_source, 300)}. Times are at batch 1, of this machine where no place is named.",
        "",
    ]


def _engine_row(engine: EngineResult) -> list[str]:
    name = escape(engine.title) + (f" at {escape(engine.place, 40)}" if engine.place else "")
    if engine.status != "run":
        return [name, f"not run: {escape(engine.reason, 120)}", "", "", "", ""]
    accuracy, score = ["–"] * 3, engine.score
    if score is not None:
        accuracy = [percent(score.accuracy.value), interval_text(score.accuracy), percent(score.balanced_accuracy)]
    call = next((timed for timed in engine.latency if timed.what == "invoke"), None)
    time = "–"
    if call is not None:
        time = f"{duration(call.median_us)} ({duration(call.p5_us)}–{duration(call.p95_us)}, n = {count(call.n)})"
    return [
        name,
        *(escape(cell) if cell[0] in "<>" else cell for cell in accuracy),
        time,
        byte_count(engine.file_bytes),
    ]


def _parity(report: Report) -> list[str]:
    shown, more = head(report.parity, _MAX_ROWS)
    if not shown:
        return []
    columns = ["reference → candidate", "verdict", "same label", "accuracy drop", "McNemar", "probability apart", "LSB"]
    return [*table(columns, [_parity_row(pair) for pair in shown]), *_left_off(more, "pair"), ""]


def _parity_row(pair: Parity) -> list[str]:
    test = pair.mcnemar
    return [
        f"{escape(pair.reference)} → {escape(pair.candidate)}",
        pair.verdict.verdict if pair.verdict else "–",
        escape(f"{percent(pair.agreement.value, 2)} ({interval_text(pair.agreement)})"),
        "–" if pair.accuracy_drop is None else f"{points(pair.accuracy_drop)} points",
        "–" if test is None else f"{test.reference_only} : {test.candidate_only}, {escape(p_value(test.p_value))}",
        f"{pair.max_probability_difference:.3g}",
        "–" if pair.max_lsb_difference is None else str(pair.max_lsb_difference),
    ]


def _stages(report: Report) -> list[str]:
    lines = []
    columns = [
        "stage",
        "other inputs",
        "other outputs",
        "other labels",
        "accuracy",
        "95 % interval",
        "change",
        "McNemar",
    ]
    for way in ways(report):
        rows = [_stage_row(row) for row in way.rows] + ([_stage_row(way.whole)] if way.whole else [])
        lines += [
            f"**Loss by stage.** {escape(way.title, 120)}. {escape(way.sentence, 400)}",
            "",
            *table(columns, rows),
        ]
        lines += [*_left_off(way.left_off, "stage"), ""]
    return lines


def _stage_row(row: StageRow) -> list[str]:
    name = f"{escape(row.title)}: {escape(row.part, 140)}"
    if row.reason:
        return [name, f"not run: {escape(row.reason, 120)}", *[""] * 6]
    inputs, outputs = (
        escape(", ".join(filter(None, pair))) for pair in ((row.inputs, row.input_step), (row.outputs, row.output_step))
    )
    test = ", ".join(filter(None, (row.lost_gained, row.test)))
    accuracy = f"{row.before} → {row.accuracy}"
    change = f"{row.change} ({row.change_windows})" if row.change_windows else row.change
    return [name, inputs, outputs, *(escape(text) for text in (row.labels, accuracy, row.interval, change, test))]


def _boards(report: Report) -> list[str]:
    shown, more = head(report.boards, _MAX_ROWS)
    lines = []
    if shown:
        columns = ["virtual core", "instructions a window", "per MAC", "flash", "RAM", "outputs"]
        macs = total_macs(report)
        lines = [*table(columns, [_board_row(board, macs) for board in shown]), *_left_off(more, "board"), ""]
    fits = escape(fits_sentence(report.footprint), 400)
    return [*lines, " ".join(filter(None, [fits, _short_boards(report), escape(arena_text(report.card), 500)])), ""]


def _board_row(board: BoardRun, macs: int) -> list[str]:
    name = escape(board_name(board))
    if board.status != "run":
        return [name, f"not run: {escape(board.reason, 120)}", "", "", "", ""]
    each = per_mac(board, macs)
    same = {True: "byte-equal", False: "**differ**", None: "not compared"}[board.byte_equal]
    return [
        name,
        "–" if board.instructions_mean is None else instructions(board.instructions_mean),
        "–" if each is None else ratio(each),
        "–" if board.flash_bytes is None else byte_size(board.flash_bytes),
        "–" if board.ram_bytes is None else byte_size(board.ram_bytes),
        same,
    ]


def _short_boards(report: Report) -> str:
    short = [board for board in report.footprint.boards if compiled_state(board) == "short"]
    if not short:
        return ""
    reasons = [board.compiled.reason if board.compiled else board.reason for board in short]
    pairs = zip(short, reasons, strict=True)
    shown, more = head([f"{escape(board.board)} ({escape(reason, 120)})" for board, reason in pairs], 8)
    return f"Cannot hold it: {'; '.join(shown)}{f'; and {more} more' if more else ''}."


def _ending(report: Report) -> list[str]:
    gates = [[line.what, line.limit, line.value, "passed" if line.passed else "**missed**"] for line in _gates(report)]
    missing, more = head(sorted(report.not_measured.items()), _MAX_NOT_MEASURED)
    lines = [*table(["gate", "limit", "found", ""], gates), ""] if gates else []
    if missing:
        reasons = [f"- {escape(field.replace('_', ' '), 40)}: {escape(reason, 200)}" for field, reason in missing]
        lines += ["Not measured:", "", *reasons, *_left_off(more, "part"), ""]
    return [*lines, *_environment(report)]


def _gates(report: Report) -> list[GateLine]:
    lines = [gate_line(gate) for gate in head(report.gates, _MAX_ROWS)[0]]
    return [GateLine(escape(line.what), escape(line.limit), escape(line.value), line.passed) for line in lines]


def _left_off(more: int, what: str) -> list[str]:
    return ["", f"{plural(more, what)} more in report.json."] if more else []


def _environment(report: Report) -> list[str]:
    environment = report.environment
    shown, more = head(sorted(environment.libraries.items()), _MAX_ROWS)
    libraries = ", ".join(f"{escape(name)} {escape(version)}" for name, version in shown)
    rest = f" and {more} more" if more else ""
    return [
        "<details><summary>Environment</summary>",
        "",
        f"{escape(environment.cpu)}, {plural(environment.cores, 'core')}, {escape(environment.system)} "
        f"({escape(environment.machine)}), Python {escape(environment.python)}; {libraries}{rest}; "
        f"edgecnn {escape(report.edgecnn_version)}; seed {report.seed}.",
        "",
        "</details>",
    ]
