"""What the report comes to on microcontrollers: the core that stands for them, what it needs, and which parts have it."""

from dataclasses import dataclass
from typing import Final, Literal

from edgecnn_bench.report.text import byte_size, clean, count, number, operations, plural, real
from edgecnn_bench.results import BoardFit, BoardRun, Footprint, Report

_REFERENCE_BOARDS: Final = ("cortex-m4", "cortex-m33", "cortex-m7", "cortex-m3", "cortex-m0plus")
"""In order of preference: the cores of most boards that people have."""


BoardState = Literal["fits", "short", "unknown"]


def board_state(board: BoardFit) -> BoardState:
    """Say whether a board holds the model, cannot, or might (where the arena was not measured)."""
    if board.ram_needed_bytes is None and board.flash_needed_bytes <= board.flash_bytes:
        return "unknown"
    return "fits" if board.fits else "short"


@dataclass(frozen=True)
class FitCount:
    """How many parts hold the network."""

    fits: int
    parts: int
    unknown: int


def boards_run(report: Report) -> list[BoardRun]:
    """List the virtual boards that ran."""
    return [board for board in report.boards if board.status == "run"]


def reference_board(report: Report) -> BoardRun | None:
    """Choose the virtual board whose figures stand on top: Cortex-M4 if it ran."""
    run = boards_run(report)
    order = {key: place for place, key in enumerate(_REFERENCE_BOARDS)}
    ranked = sorted(run, key=lambda board: order.get(board.board, len(order)))
    return ranked[0] if ranked else None


def per_mac(board: BoardRun, macs: int) -> float | None:
    """Instructions for one multiply-accumulate; None where there are none to divide by."""
    own = sum(layer.macs for layer in board.layers) or macs
    return real(board.instructions_mean) / real(own) if board.instructions_mean is not None and own > 0 else None


def compiled_state(board: BoardFit) -> BoardState:
    """Say whether a part holds the compiled network; with TFLite Micro where the report has no compiled one."""
    if board.compiled is None:
        return board_state(board)
    return "fits" if board.compiled.fits else "short"


def is_compiled(footprint: Footprint) -> bool:
    """Whether fits are known for the compiled network."""
    return any(board.compiled is not None for board in footprint.boards)


def fit_count(footprint: Footprint) -> FitCount:
    """Count the parts that hold the compiled network."""
    return _count([compiled_state(board) for board in footprint.boards])


def tflm_count(footprint: Footprint) -> FitCount:
    """Count the parts that hold the model with TFLite Micro."""
    return _count([board_state(board) for board in footprint.boards])


def _count(states: list[BoardState]) -> FitCount:
    return FitCount(states.count("fits"), len(states), states.count("unknown"))


def fits_sentence(footprint: Footprint) -> str:
    """Say how many parts hold the network."""
    other = tflm_count(footprint)
    if not other.parts:
        return "No boards were checked."
    if not is_compiled(footprint):
        lead = f"Fits {other.fits} of {plural(other.parts, 'board')}"
        if other.unknown:
            lead += f"; for {other.unknown} it cannot be said, because the arena was not measured"
        return f"{lead}."
    own = fit_count(footprint)
    tflm = f"with TFLite Micro it fits {count(other.fits)}"
    if other.unknown:
        tflm = f"with TFLite Micro {count(other.fits)} are known to, {count(other.unknown)} are not known"
    return f"As compiled C the network fits {count(own.fits)} of {plural(own.parts, 'board')}; {tflm}."


def board_name(board: BoardRun) -> str:
    """A board's title, or its key where it has none."""
    return clean(board.title or board.board, 60)


def instructions_sentence(report: Report) -> str:
    """Say what one window costs on the reference core; empty where no virtual board ran."""
    board = reference_board(report)
    if board is None or board.instructions_mean is None:
        return ""
    text = f"On a virtual {board_name(board)} one window takes {instructions(board.instructions_mean)} instructions"
    need = [
        f"{byte_size(size)} of {what}"
        for size, what in ((board.flash_bytes, "flash"), (board.ram_bytes, "RAM"))
        if size is not None
    ]
    return f"{text}, {' and '.join(need)} as compiled C." if need else f"{text} as compiled C."


def instructions(value: float) -> str:
    """Show a number of instructions: 930, 709 k, 3.89 M."""
    return operations(value)


def ratio(value: float) -> str:
    """Show instructions for one multiply-accumulate."""
    return number(value, 3)
