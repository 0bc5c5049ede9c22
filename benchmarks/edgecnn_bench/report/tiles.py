"""The large figures on top of the page: the answer before the evidence."""

from dataclasses import dataclass
from typing import Final

from edgecnn_bench.report.board_facts import (
    board_name,
    fit_count,
    instructions,
    is_compiled,
    per_mac,
    ratio,
    reference_board,
    tflm_count,
)
from edgecnn_bench.report.facts import Facts, Tone, drop_text, interval_text
from edgecnn_bench.report.text import byte_count, byte_size, clean, count, duration, operations, percent, plural
from edgecnn_bench.report.views import total_macs
from edgecnn_bench.results import EngineResult, Report, Verdict
from edgecnn_firmware.card import Interval

_WORDS: Final = {"equal": "Equal", "equivalent": "Equivalent", "different": "Different", "undecided": "Undecided"}

_ENGINES: Final = {
    "compiled": "compiled C, this processor's kernels",
    "compiled-portable": "compiled C, portable kernels",
}
"""Engines whose titles are too long for a tile."""


@dataclass(frozen=True)
class Tile:
    """One of the large figures on top."""

    title: str
    value: str
    note: str
    tone: Tone = "neutral"


def tiles(report: Report, found: Facts) -> list[Tile]:
    """Choose the figures on top of the page."""
    return [
        _accuracy_tile("int8", found.accuracy),
        _accuracy_tile("float", found.float_accuracy, absent="no float model was scored"),
        _verdict_tile(found),
        _work_tile(report),
        _flash_tile(report),
        _ram_tile(report),
        _fits_tile(report),
        _latency_tile(found),
    ]


def _accuracy_tile(of: str, accuracy: Interval | None, absent: str = "no labels in this benchmark") -> Tile:
    if accuracy is None:
        return Tile(f"Accuracy, {of}", "not measured", absent)
    return Tile(f"Accuracy, {of}", percent(accuracy.value), f"{interval_text(accuracy)}, n = {count(accuracy.n)}")


def verdict_tone(verdict: Verdict | None, drop: float | None) -> Tone:
    """Classify a verdict: a difference for the better is not bad."""
    if verdict is None or verdict.verdict == "undecided":
        return "neutral"
    if verdict.verdict == "different":
        return "bad" if drop is None or drop > 0 else "good"
    return "good"


def verdict_word(verdict: Verdict | None) -> str:
    """The verdict in one word."""
    return _WORDS[verdict.verdict] if verdict else "–"


def _verdict_tile(found: Facts) -> Tile:
    same = f"same label on {percent(found.parity.agreement.value)}" if found.parity else ""
    verdict = found.parity.verdict if found.parity else None
    change = "" if found.drop is None else change_text(found.drop)
    if verdict is None:
        return Tile("Float to int8", change or "–", same or "no float model was run")
    note = ", ".join(filter(None, [change, same]))
    return Tile("Float to int8", verdict_word(verdict), note, verdict_tone(verdict, found.drop))


def change_text(drop: float) -> str:
    """Show what quantization did to accuracy: '−0.1 points'."""
    value, _, rest = drop_text(drop).partition(" ")
    if value == "as":
        return "0 points"
    return f"{'−' if drop > 0 else '+'}{value} {rest.split()[0]}"


def _work_tile(report: Report) -> Tile:
    board, macs = reference_board(report), total_macs(report)
    if board is None or board.instructions_mean is None:
        if not report.layers:
            return Tile("Work per window", "not measured", "the report lists no layers")
        parameters = sum(layer.parameters for layer in report.layers)
        return Tile("Work per window", f"{operations(macs)} MACs", plural(parameters, "parameter"))
    each = per_mac(board, macs)
    note = f"{board_name(board)}, counted" + (f"; {ratio(each)} per MAC" if each is not None else "")
    return Tile("Instructions per window", instructions(board.instructions_mean), note)


def _flash_tile(report: Report) -> Tile:
    board = reference_board(report)
    if board is None or board.flash_bytes is None:
        size = report.footprint.model_bytes
        return Tile("Flash for the model", byte_size(size), byte_count(size))
    return Tile("Flash", byte_size(board.flash_bytes), f"compiled C with weights, {board_name(board)}")


def _ram_tile(report: Report) -> Tile:
    board = reference_board(report)
    if board is not None and board.ram_bytes is not None:
        return Tile("RAM", byte_size(board.ram_bytes), f"arena, input and stack, {board_name(board)}")
    arena = report.footprint.arena_bytes
    if arena is None:
        return Tile("RAM for the arena", "not measured", "see memory")
    return Tile("RAM for the arena", byte_size(arena), f"{byte_count(arena)}, TFLite Micro")


def _fits_tile(report: Report) -> Tile:
    found = fit_count(report.footprint)
    if not found.parts:
        return Tile("Boards that hold it", "–", "none were checked")
    value = f"{count(found.fits)} of {count(found.parts)}"
    if is_compiled(report.footprint):
        other = tflm_count(report.footprint)
        unknown = f", {count(other.unknown)} not known" if other.unknown else ""
        return Tile("Boards that hold it", value, f"compiled C; with TFLite Micro {count(other.fits)}{unknown}")
    return Tile("Boards that hold it", value, f"with TFLite Micro; {count(found.unknown)} not known")


def _latency_tile(found: Facts) -> Tile:
    if found.latency is None or found.timed is None:
        return Tile("Median time, this machine", "not measured", "no int8 engine was timed")
    return Tile("Median time, this machine", duration(found.latency.median_us), _engine_text(found.timed))


def _engine_text(engine: EngineResult) -> str:
    """What was timed, in few words."""
    return _ENGINES.get(engine.key, clean(engine.title, 40))
