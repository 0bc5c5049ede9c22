"""What `edgecnn benchmark BUNDLE --fits` prints: the parts that hold a bundle's model, and what is left there."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.cli.console import print_json, print_table

if TYPE_CHECKING:
    from edgecnn_bench.results import BoardFit, Footprint

_COLUMNS = ["board", "core", "C fits", "flash left", "RAM left", "instructions", "TFLM fits", "flash left", "RAM left"]
_UNKNOWN = "?"


def show_fits(bundle_path: Path, parts: tuple[str, ...] = (), *, as_json: bool = False) -> None:
    """Print which parts hold a bundle's model; no engine runs and no file is written.

    Measurements on virtual boards are taken from the bundle's own report where it is of the same files.

    Args:
        bundle_path: The bundle's folder.
        parts: Names of boards or parts; all where there are none.
        as_json: Print the `Footprint` as JSON.

    Raises:
        EdgeCnnError: As `read_bundle` and `fits_of_bundle`.
    """
    from edgecnn_bench.footprint import fits_of_bundle
    from edgecnn_bench.report.files import board_runs
    from edgecnn_firmware.bundle import read_bundle

    bundle = read_bundle(bundle_path)
    footprint = fits_of_bundle(bundle, parts or None, board_runs(bundle))
    if as_json:
        print_json(footprint.model_dump(mode="json"))
        return
    card = bundle.card
    print_table(f"{card.name} {card.version}", _COLUMNS, [_row(board) for board in footprint.boards], set(range(2, 9)))
    click.echo("")
    for line in _notes(footprint, card.compiled_note, card.arena_note):
        click.echo(line)


def _row(board: "BoardFit") -> list[str]:
    compiled = board.compiled
    cells = [board.board, f"{board.core.partition(',')[0]}, {board.clock_mhz:g} MHz"]
    if compiled is None:
        cells += [_UNKNOWN] * 4
    else:
        cells += _left(board, compiled.flash_needed_bytes, compiled.ram_needed_bytes, fits=compiled.fits)
        cells.append("" if compiled.instructions is None else f"{compiled.instructions:,}")
    return cells + _left(board, board.flash_needed_bytes, board.ram_needed_bytes, fits=board.fits)


def _left(board: "BoardFit", flash_bytes: int, ram_bytes: int | None, *, fits: bool) -> list[str]:
    flash = _kib(board.flash_bytes - flash_bytes)
    if ram_bytes is None:
        return ["no" if flash_bytes > board.flash_bytes else _UNKNOWN, flash, _UNKNOWN]
    return ["yes" if fits else "no", flash, _kib(board.ram_bytes - ram_bytes)]


def _kib(value: int) -> str:
    return f"{value / 1024:,.1f} KiB"


def _notes(footprint: "Footprint", compiled_note: str, arena_note: str) -> list[str]:
    from edgecnn_bench.compiled_fit import START_FLASH_BYTES, START_RAM_BYTES

    boards = footprint.boards
    compiled = [board.compiled for board in boards if board.compiled is not None]
    lines = []
    if compiled:
        lines.append(
            f"Compiled C fits {sum(fit.fits for fit in compiled)} of {len(boards)}; of the needs, {START_FLASH_BYTES:,} bytes "
            f"of flash and {START_RAM_BYTES:,} of RAM are an allowance for start-up code and the smallest application."
        )
        lines += [f"  {basis}: {times}" for basis, times in Counter(fit.basis for fit in compiled).items()]
    else:
        lines.append(f"Compiled C: not known: {compiled_note or 'the bundle has none'}.")
    if footprint.arena_bytes is None:
        lines.append(f"TFLite Micro: RAM is not known: {arena_note or 'the arena was not measured'}.")
    else:
        lines.append(
            f"TFLite Micro fits {sum(board.fits for board in boards)} of {len(boards)}; of the needs, "
            f"{footprint.runtime_flash_allowance_bytes:,} bytes of flash and {footprint.runtime_ram_allowance_bytes:,} of "
            "RAM are its own, start-up code included."
        )
    lines.append(
        "Your own code, buffers and radio stack come on top. Instructions are of one inference; no time is claimed."
    )
    return lines
