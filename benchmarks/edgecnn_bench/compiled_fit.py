"""Whether the compiled network fits a part: from a virtual board that was measured, or estimated from the card."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edgecnn_bench.parts import Board
from edgecnn_bench.results import BoardRun, CompiledFit
from edgecnn_firmware.card import CompiledCard

START_FLASH_BYTES: Final = 4_096
"""Vector table, start-up code, clock set-up, and the smallest application around the call: an allowance, not measured."""
START_RAM_BYTES: Final = 1_024
"""Frames of interrupts, and the smallest application's variables: an allowance, not measured."""

ARM_CODE_BYTES: Final = 12 << 10
"""For code in an estimate: 1.7 to 10.1 kB were measured over six networks on Cortex-M0+, -M3, -M4 and -M55, with -O2."""
OTHER_CODE_BYTES: Final = 24 << 10
"""The same for cores that are not Arm's: 3.8 to 18.3 kB were measured on RV32IMC."""
ESTIMATED_STACK_BYTES: Final = 1_024
"""In an estimate: at most 400 bytes of stack, and 512 more of arena with a core's own kernels, were measured."""

_FEATURES: Final = {
    "cortex-m4": frozenset({"fpu", "dsp"}),
    "cortex-m33": frozenset({"fpu", "dsp"}),
    "cortex-m7": frozenset({"fpu", "dsp"}),
    "cortex-m3": frozenset[str](),
    "cortex-m0plus": frozenset[str](),
    "cortex-m55": frozenset({"fpu", "dsp", "mve"}),
}
"""Arm's virtual boards, in the order in which one stands in for another core with as many features in common."""


@dataclass(frozen=True)
class _Needs:
    """What the network takes, without the application."""

    flash_bytes: int
    ram_bytes: int
    arena_bytes: int
    basis: str
    instructions: int | None = None


def compiled_fit(
    board: Board, card: CompiledCard | None, runs: Sequence[BoardRun] = (), *, input_bytes: int = 0
) -> CompiledFit | None:
    """Say whether the compiled network fits a part.

    The needs are those of the virtual board with this core, else of the most similar one of Arm's that was measured (for
    Arm's cores), else an estimate from the card. The allowances for start-up code and the application come on top.

    Args:
        board: The part.
        card: What the bundle says of its C files.
        runs: Measurements on virtual boards; those that did not run or gave other bytes than the reference are left out.
        input_bytes: The caller's buffer of one window, for an estimate.

    Returns:
        None where the network was neither compiled nor measured.
    """
    usable = [run for run in runs if _is_usable(run)]
    needs = _measured(board, usable) or _of_similar(board, usable) or _estimated(board, card, input_bytes)
    if needs is None:
        return None
    flash_bytes, ram_bytes = needs.flash_bytes + START_FLASH_BYTES, needs.ram_bytes + START_RAM_BYTES
    lacks = board.lacks(flash_bytes, ram_bytes, needs.arena_bytes)
    return CompiledFit(
        flash_needed_bytes=flash_bytes,
        ram_needed_bytes=ram_bytes,
        fits=not lacks,
        reason=lacks or board.left(flash_bytes, ram_bytes),
        basis=needs.basis,
        instructions=needs.instructions,
    )


def _is_usable(run: BoardRun) -> bool:
    has_figures = run.flash_bytes is not None and run.ram_bytes is not None
    return run.status == "run" and run.byte_equal is not False and has_figures


def _measured(board: Board, runs: Sequence[BoardRun]) -> _Needs | None:
    same = [run for run in runs if run.board == board.virtual]
    if not board.virtual or not same:
        return None
    run = min(same, key=lambda found: (found.instructions_mean is None, found.instructions_mean or 0.0, found.kernels))
    mean = run.instructions_mean
    return _needs(run, f"measured on virtual board {run.board}", None if mean is None else round(mean))


def _of_similar(board: Board, runs: Sequence[BoardRun]) -> _Needs | None:
    order = {name: place for place, name in enumerate(_FEATURES)}
    arm = [run for run in runs if run.board in order]
    if not board.is_arm or not arm:
        return None
    features = frozenset[str](board.features)
    run = min(arm, key=lambda found: (len(_FEATURES[found.board] ^ features), order[found.board], found.kernels))
    why = f"{board.virtual} was not measured" if board.virtual else "there is no virtual board with this core"
    return _needs(run, f"measured on virtual board {run.board}, another Arm core: {why}", None)


def _needs(run: BoardRun, basis: str, instructions: int | None) -> _Needs | None:
    if run.flash_bytes is None or run.ram_bytes is None:
        return None
    return _Needs(run.flash_bytes, run.ram_bytes, run.arena_bytes or 0, basis, instructions)


def _estimated(board: Board, card: CompiledCard | None, input_bytes: int) -> _Needs | None:
    if card is None:
        return None
    code_bytes = ARM_CODE_BYTES if board.is_arm else OTHER_CODE_BYTES
    return _Needs(
        card.constant_bytes + code_bytes,
        card.arena_bytes + card.state_bytes + input_bytes + ESTIMATED_STACK_BYTES,
        card.arena_bytes,
        f"estimate from the card: {card.constant_bytes:,} bytes of constants and {code_bytes:,} for code",
    )
