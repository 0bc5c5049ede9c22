"""Bytes the model takes with TFLite Micro, and the boards where that fits."""

import sys
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

from pydantic import Field

from edgecnn_bench.results import BoardFit, Footprint, Result

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

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

_Kilobytes = Annotated[int, Field(gt=0)]


class Board(Result):
    """One `[[board]]` of `boards.toml`; sizes in KiB."""

    board: str
    part: str
    core: str
    clock_mhz: Annotated[float, Field(gt=0)]
    flash_kb: _Kilobytes
    ram_kb: _Kilobytes
    block_kb: _Kilobytes | None = None
    """Largest run of RAM at consecutive addresses; all of it if unset."""
    source: str


@cache
def boards() -> tuple[Board, ...]:
    """The table of parts."""
    text = files(__package__).joinpath("boards.toml").read_text(encoding="utf-8")
    return tuple(Board.model_validate(entry) for entry in tomllib.loads(text)["board"])


def fits(model_bytes: int, arena_bytes: int | None, *, header_bytes: int = 0, weight_bytes: int = 0) -> Footprint:
    """Compare the model's flash and RAM with every board; without a measured arena no board is said to fit."""
    return Footprint(
        model_bytes=model_bytes,
        header_bytes=header_bytes,
        weight_bytes=weight_bytes,
        arena_bytes=arena_bytes,
        runtime_flash_allowance_bytes=FLASH_ALLOWANCE_BYTES,
        runtime_ram_allowance_bytes=RAM_ALLOWANCE_BYTES,
        allowance_source=ALLOWANCE_SOURCE,
        boards=tuple(_fit(board, model_bytes, arena_bytes) for board in boards()),
    )


def _fit(board: Board, model_bytes: int, arena_bytes: int | None) -> BoardFit:
    flash_bytes, ram_bytes = board.flash_kb << 10, board.ram_kb << 10
    block_bytes = (board.block_kb or board.ram_kb) << 10
    flash_needed = model_bytes + FLASH_ALLOWANCE_BYTES
    ram_needed = None if arena_bytes is None else arena_bytes + RAM_ALLOWANCE_BYTES
    lacks = []
    if flash_needed > flash_bytes:
        lacks.append(f"flash: {flash_needed - flash_bytes:,} bytes too little")
    if arena_bytes is None or ram_needed is None:
        lacks.append("RAM: the arena was not measured")
    elif ram_needed > ram_bytes:
        lacks.append(f"RAM: {ram_needed - ram_bytes:,} bytes too little")
    elif arena_bytes > block_bytes:
        lacks.append(f"RAM: the largest block is {arena_bytes - block_bytes:,} bytes too small for the arena")
    left = f"left: {flash_bytes - flash_needed:,} bytes of flash, {ram_bytes - (ram_needed or 0):,} bytes of RAM"
    return BoardFit(
        board=board.board,
        part=board.part,
        core=board.core,
        clock_mhz=board.clock_mhz,
        flash_bytes=flash_bytes,
        ram_bytes=ram_bytes,
        source=board.source,
        flash_needed_bytes=flash_needed,
        ram_needed_bytes=ram_needed,
        fits=not lacks,
        reason="; ".join(lacks) or left,
    )
