"""Bytes the model takes, with TFLite Micro and as compiled C, and the parts where that fits."""

from collections.abc import Sequence
from typing import Final

from edgecnn_bench.compiled_fit import compiled_fit
from edgecnn_bench.parts import Board, boards
from edgecnn_bench.results import BoardFit, BoardRun, CompiledFit, Footprint
from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.card import CompiledCard
from edgecnn_firmware.errors import SettingsError
from edgecnn_firmware.tflite.inspect import summarize
from edgecnn_firmware.tflite.reader import read_model

__all__ = [
    "ALLOWANCE_SOURCE",
    "FLASH_ALLOWANCE_BYTES",
    "RAM_ALLOWANCE_BYTES",
    "Board",
    "boards",
    "fits",
    "fits_of_bundle",
]

FLASH_ALLOWANCE_BYTES: Final = 43_856
"""TFLite Micro, CMSIS-NN, C library and start-up code: the image without the model."""
RAM_ALLOWANCE_BYTES: Final = 1_500
"""Static data beside the arena (576 bytes) and the deepest stack (924 bytes)."""
ALLOWANCE_SOURCE: Final = (
    "TFLite Micro 90b983c with CMSIS-NN, Cortex-M4, gcc 12.2 -Os, int8-only kernels, newlib-nano, har network: "
    "measured by the edgecnn authors. Other ops and cores take some kilobytes more or less; the application, its "
    "buffers and a vendor's SDK or radio stack come on top. An arena measured on a 64-bit host is an upper bound for "
    "32-bit parts."
)


def fits(
    model_bytes: int,
    arena_bytes: int | None,
    *,
    header_bytes: int = 0,
    weight_bytes: int = 0,
    compiled: CompiledCard | None = None,
    runs: Sequence[BoardRun] = (),
    input_bytes: int = 0,
    parts: Sequence[Board] | None = None,
) -> Footprint:
    """Compare the needs of the model with every part.

    Args:
        model_bytes: Of the int8 `.tflite` file.
        arena_bytes: Of TFLite Micro's arena; without it no part is said to fit with TFLite Micro.
        header_bytes: Of the C header, for the table.
        weight_bytes: Of the weights in the file, for the table.
        compiled: The card's account of the C files; None where the network was not compiled.
        runs: The compiled network on virtual boards.
        input_bytes: The caller's buffer of one window, where the compiled network's RAM is estimated.
        parts: By default the whole table.
    """
    chosen = boards() if parts is None else parts
    return Footprint(
        model_bytes=model_bytes,
        header_bytes=header_bytes,
        weight_bytes=weight_bytes,
        arena_bytes=arena_bytes,
        runtime_flash_allowance_bytes=FLASH_ALLOWANCE_BYTES,
        runtime_ram_allowance_bytes=RAM_ALLOWANCE_BYTES,
        allowance_source=ALLOWANCE_SOURCE,
        boards=tuple(
            _fit(board, model_bytes, arena_bytes, compiled_fit(board, compiled, runs, input_bytes=input_bytes))
            for board in chosen
        ),
    )


def fits_of_bundle(bundle: Bundle, parts: Sequence[str] | None = None, runs: Sequence[BoardRun] = ()) -> Footprint:
    """Say which parts hold a bundle's model, without running any engine.

    Args:
        bundle: An open bundle.
        parts: Names of boards or parts as the table writes them, in any case; None for all.
        runs: Measurements of this bundle's network on virtual boards.

    Raises:
        BundleError: The model is missing or changed.
        ModelError: The model is malformed.
        SettingsError: The table has no such board or part.
    """
    card, model = bundle.card, bundle.model_bytes
    header = bundle.path / "firmware" / f"{card.name}_model.h"
    return fits(
        len(model),
        card.arena.measured_bytes if card.arena else None,
        header_bytes=header.stat().st_size if header.is_file() else 0,
        weight_bytes=summarize(read_model(model, str(bundle.path / "model.tflite"))).weight_bytes,
        compiled=card.compiled,
        runs=runs,
        input_bytes=card.input.window_samples * len(card.input.channels),
        parts=None if parts is None else parts_named(parts),
    )


def parts_named(names: Sequence[str]) -> tuple[Board, ...]:
    """Look boards or parts up by name, in any case; a part may be on several boards.

    Raises:
        SettingsError: The table has no such board or part.
    """
    wanted = {name.casefold() for name in names}
    known = {text for board in boards() for text in (board.board.casefold(), board.part.casefold())}
    missing = [name for name in names if name.casefold() not in known]
    if missing:
        accepted = ", ".join(board.board for board in boards())
        raise SettingsError(f"unknown board {missing[0]!r}; known: {accepted}")
    return tuple(board for board in boards() if {board.board.casefold(), board.part.casefold()} & wanted)


def _fit(board: Board, model_bytes: int, arena_bytes: int | None, compiled: CompiledFit | None) -> BoardFit:
    flash_needed = model_bytes + FLASH_ALLOWANCE_BYTES
    ram_needed = None if arena_bytes is None else arena_bytes + RAM_ALLOWANCE_BYTES
    lacks = board.lacks(flash_needed, ram_needed or 0, arena_bytes or 0)
    if ram_needed is None:
        lacks = "; ".join(filter(None, [lacks, "RAM: the arena was not measured"]))
    return BoardFit(
        board=board.board,
        part=board.part,
        core=board.core_text,
        clock_mhz=board.clock_mhz,
        flash_bytes=board.flash_bytes,
        ram_bytes=board.ram_bytes,
        source=board.source,
        flash_needed_bytes=flash_needed,
        ram_needed_bytes=ram_needed,
        fits=not lacks,
        reason=lacks or board.left(flash_needed, ram_needed or 0),
        compiled=compiled,
    )
