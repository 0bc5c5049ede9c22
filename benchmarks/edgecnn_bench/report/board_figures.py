"""The figures of microcontrollers: instructions, memory by kind, where instructions go, and which parts are large enough."""

from collections.abc import Sequence

from edgecnn_bench.report.board_facts import (
    board_name,
    boards_run,
    instructions,
    is_compiled,
    per_mac,
    ratio,
    reference_board,
)
from edgecnn_bench.report.board_views import MAX_BARS, PartFit, fit_rows, flash_stacks, layer_pairs, ram_stacks
from edgecnn_bench.report.charts import HALF_PX, Bar, Figure, bar_rows, responsive
from edgecnn_bench.report.fits import MAX_ROWS, fit_chart
from edgecnn_bench.report.stacks import Stack, paired_rows, stacked_rows
from edgecnn_bench.report.text import real
from edgecnn_bench.report.views import total_macs
from edgecnn_bench.results import Report


def instructions_figure(report: Report) -> Figure | None:
    """Mean instructions of one window on each virtual board."""
    chosen, macs = reference_board(report), total_macs(report)
    bars = []
    for board in boards_run(report)[:MAX_BARS]:
        if board.instructions_mean is None:
            continue
        each = per_mac(board, macs)
        value = instructions(board.instructions_mean) + (f" · {ratio(each)} per MAC" if each is not None else "")
        bars.append(
            Bar(board_name(board), real(board.instructions_mean), value, "s-int8" if board is chosen else "s-quiet")
        )
    label = "Instructions of one window on each virtual board"
    return responsive(lambda width: bar_rows(bars, width, label)) if bars else None


def flash_figure(report: Report) -> Figure | None:
    """Flash by kind."""
    found = flash_stacks(report)
    return _stacked(found.rows, found.kinds, "Flash by kind on each virtual board")


def ram_figure(report: Report) -> Figure | None:
    """RAM by kind."""
    found = ram_stacks(report)
    return _stacked(found.rows, found.kinds, "RAM by kind on each virtual board")


def _stacked(rows: Sequence[Stack], kinds: Sequence[str], label: str) -> Figure | None:
    return responsive(lambda width: stacked_rows(rows, kinds, width, label), HALF_PX) if rows else None


def layers_figure(report: Report) -> Figure | None:
    """Share of instructions of each op on the reference board."""
    rows = layer_pairs(report)
    label = "Share of instructions and of multiply-accumulates of each op"
    return responsive(lambda width: paired_rows(rows, width, label)) if rows else None


def fits_figure(report: Report, parts: Sequence[PartFit]) -> Figure | None:
    """Flash and RAM used of each part."""
    rows = fit_rows(report, parts[:MAX_ROWS])
    names = ("compiled C", "TFLite Micro") if is_compiled(report.footprint) else ("TFLite Micro", "")
    return responsive(lambda width: fit_chart(rows, width, *names)) if rows else None
