"""Rows for the tables and charts of microcontrollers, reckoned from the report alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edgecnn_bench.report.board_facts import (
    BoardState,
    board_name,
    board_state,
    boards_run,
    compiled_state,
    is_compiled,
    per_mac,
    reference_board,
)
from edgecnn_bench.report.fits import FitRow
from edgecnn_bench.report.stacks import MAX_KINDS, Pair, Stack
from edgecnn_bench.report.text import byte_size, clean, real
from edgecnn_bench.report.views import MAX_ROWS, total_macs
from edgecnn_bench.results import BoardFit, BoardLayer, BoardRun, Report

MAX_BOARDS: Final = 60
MAX_BARS: Final = 24
MAX_LAYERS_DRAWN: Final = 40
_RAM_KINDS: Final = ("arena", "state", "input", "stack")
MAX_LAYER_COLUMNS: Final = 6
_MARKS: Final[dict[BoardState, str]] = {"fits": "✓", "short": "✗", "unknown": "?"}


@dataclass(frozen=True)
class VirtualBoard:
    """A virtual board with its cost for one multiply-accumulate."""

    board: BoardRun
    name: str
    per_mac: float | None


def virtual_boards(report: Report) -> list[VirtualBoard]:
    """List the virtual boards, those that ran first."""
    macs = total_macs(report)
    boards = sorted(report.boards, key=lambda board: board.status != "run")
    return [VirtualBoard(board, board_name(board), per_mac(board, macs)) for board in boards[:MAX_BOARDS]]


@dataclass(frozen=True)
class Stacks:
    """Bars of memory by kind; `kinds` go with the bytes of each bar."""

    kinds: tuple[str, ...]
    rows: tuple[Stack, ...]


def flash_stacks(report: Report) -> Stacks:
    """Flash by kind of each board that ran."""
    boards = [board for board in boards_run(report)[:MAX_BARS] if board.flash_bytes is not None]
    kinds = list(dict.fromkeys(kind for board in boards for kind in board.sections))
    if not kinds:
        plain = tuple(Stack(board_name(board), (board.flash_bytes or 0,)) for board in boards)
        return Stacks(("code and constants",), plain)
    shown = kinds if len(kinds) <= MAX_KINDS else kinds[: MAX_KINDS - 1]
    rows = []
    for board in boards:
        sizes = [board.sections.get(kind, 0) for kind in shown]
        if len(shown) < len(kinds):
            sizes.append(sum(board.sections.get(kind, 0) for kind in kinds[len(shown) :]))
        rows.append(Stack(board_name(board), tuple(sizes)))
    return Stacks(tuple(shown) if len(shown) == len(kinds) else (*shown, "other"), tuple(rows))


def ram_stacks(report: Report) -> Stacks:
    """RAM by kind of each board that ran and says it all."""
    boards = [board for board in boards_run(report)[:MAX_BARS] if board.ram_bytes is not None]
    rows = tuple(
        Stack(
            board_name(board),
            (board.arena_bytes or 0, board.state_bytes or 0, board.input_bytes or 0, board.stack_bytes or 0),
        )
        for board in boards
    )
    # Most networks keep no state; a kind that nobody has only lengthens the legend.
    used = [place for place in range(len(_RAM_KINDS)) if any(row.bytes[place] for row in rows)]
    shown = tuple(Stack(row.name, tuple(row.bytes[place] for place in used)) for row in rows)
    return Stacks(tuple(_RAM_KINDS[place] for place in used), shown)


def layer_pairs(report: Report) -> list[Pair]:
    """The ops of the reference board with their shares; the costliest where there are too many to draw, in order."""
    board = reference_board(report)
    if board is None:
        return []
    instructions = sum(layer.instructions for layer in board.layers)
    macs = sum(layer.macs for layer in board.layers)
    numbered = list(enumerate(board.layers))
    if len(numbered) > MAX_LAYERS_DRAWN:
        costliest = sorted(numbered, key=lambda row: (-row[1].instructions, row[0]))[:MAX_LAYERS_DRAWN]
        numbered = sorted(costliest, key=lambda row: row[0])
    return [
        Pair(
            f"{index} {layer_name(layer)}",
            layer.instructions,
            layer.macs,
            _part(layer.instructions, instructions),
            _part(layer.macs, macs),
        )
        for index, layer in numbered
    ]


def layer_name(layer: BoardLayer) -> str:
    """The ops' names, shorter: 'CONV_2D + MAX_POOL_2D'."""
    return clean(layer.op, 60)


@dataclass(frozen=True)
class LayerCosts:
    """One op on several boards."""

    index: int
    op: str
    macs: int
    instructions: tuple[int | None, ...]
    """Per board; None where the board has other ops."""


@dataclass(frozen=True)
class LayerTable:
    """Instructions of each op on the boards that ran, the reference board first."""

    boards: tuple[str, ...]
    rows: tuple[LayerCosts, ...]
    total: int


def layer_table(report: Report) -> LayerTable:
    """List the ops of the reference board with the instructions that each board takes."""
    chosen = reference_board(report)
    if chosen is None:
        return LayerTable((), (), 0)
    boards = [chosen, *(board for board in boards_run(report) if board is not chosen)][:MAX_LAYER_COLUMNS]
    rows = []
    for index, layer in enumerate(chosen.layers[:MAX_ROWS]):
        rows.append(LayerCosts(index, layer_name(layer), layer.macs, tuple(_cost(b, index, layer.op) for b in boards)))
    return LayerTable(tuple(board_name(board) for board in boards), tuple(rows), len(chosen.layers))


def _cost(board: BoardRun, index: int, op: str) -> int | None:
    layer = board.layers[index] if index < len(board.layers) else None
    return layer.instructions if layer is not None and layer.op == op else None


@dataclass(frozen=True)
class PartFit:
    """One part, with how much of it the network takes as compiled C and with TFLite Micro."""

    board: BoardFit
    state: BoardState
    """Of the compiled C where that is known."""
    tflm_state: BoardState
    flash: float | None
    ram: float | None
    tflm_flash: float
    tflm_ram: float | None

    @property
    def mark(self) -> str:
        """✓, ✗ or ?."""
        return _MARKS[self.state]

    @property
    def reason(self) -> str:
        """What is too small, or what is left."""
        return self.board.compiled.reason if self.board.compiled else self.board.reason

    @property
    def compiled_left(self) -> str:
        """What the compiled network leaves, or why it does not fit."""
        own = self.board.compiled
        if own is None or not own.fits:
            return self.reason
        return _left(self.board, own.flash_needed_bytes, own.ram_needed_bytes)

    @property
    def tflm_left(self) -> str:
        """What TFLite Micro leaves, or why it does not fit."""
        if self.tflm_state != "fits" or self.board.ram_needed_bytes is None:
            return self.board.reason
        return _left(self.board, self.board.flash_needed_bytes, self.board.ram_needed_bytes)


def _left(board: BoardFit, flash: int, ram: int) -> str:
    return f"leaves {byte_size(board.flash_bytes - flash)}, {byte_size(board.ram_bytes - ram)} RAM"


def bases(parts: Sequence[PartFit]) -> list[str]:
    """The sources of the compiled network's needs, in the order in which they come."""
    return list(dict.fromkeys(part.board.compiled.basis for part in parts if part.board.compiled))


def part_fits(report: Report) -> list[PartFit]:
    """List the parts from the smallest RAM up, so that the border of what fits is one line."""
    boards = sorted(report.footprint.boards, key=lambda board: (board.ram_bytes, board.flash_bytes, board.board))
    return [_part_fit(board) for board in boards[:MAX_ROWS]]


def _part_fit(board: BoardFit) -> PartFit:
    own = board.compiled
    return PartFit(
        board,
        compiled_state(board),
        board_state(board),
        None if own is None else _part(own.flash_needed_bytes, board.flash_bytes, 2.0),
        None if own is None else _part(own.ram_needed_bytes, board.ram_bytes, 2.0),
        _part(board.flash_needed_bytes, board.flash_bytes, 2.0),
        None if board.ram_needed_bytes is None else _part(board.ram_needed_bytes, board.ram_bytes, 2.0),
    )


def fit_rows(report: Report, parts: Sequence[PartFit]) -> list[FitRow]:
    """Rows of the chart: bars for the compiled C and marks for TFLite Micro, or bars for TFLite Micro alone."""
    both = is_compiled(report.footprint)
    return [
        FitRow(
            f"{clean(part.board.board, 60)} · {clean(part.board.core.partition(',')[0], 24)}",
            part.mark,
            part.flash if both else part.tflm_flash,
            part.ram if both else part.tflm_ram,
            part.tflm_flash if both else None,
            part.tflm_ram if both else None,
        )
        for part in parts
    ]


def _part(value: int, whole: int, beyond: float = 0.0) -> float:
    return real(value) / real(whole) if whole > 0 else beyond
