"""The table of parts and what fits them."""

import pytest

from edgecnn_bench.footprint import FLASH_ALLOWANCE_BYTES, RAM_ALLOWANCE_BYTES, boards, fits
from edgecnn_bench.results import BoardFit


def fit(board: str, model_bytes: int, arena_bytes: int | None) -> BoardFit:
    return next(row for row in fits(model_bytes, arena_bytes).boards if row.board == board)


def test_parts_that_people_know() -> None:
    known = {row.board: (row.part, row.flash_kb, row.ram_kb) for row in boards()}
    assert known["Arduino Nano 33 BLE Sense"] == ("nRF52840", 1024, 256)
    assert known["Blue Pill"] == ("STM32F103C8", 64, 20)
    assert known["Raspberry Pi Pico"] == ("RP2040", 2048, 264)
    assert known["BBC micro:bit v2"] == ("nRF52833", 512, 128)


def test_table_is_sound() -> None:
    assert len(boards()) >= 25
    assert len({row.board for row in boards()}) == len(boards())
    for row in boards():
        assert row.block_kb is None or row.block_kb < row.ram_kb
        assert row.source
        assert 20 <= row.clock_mhz <= 1000


def test_needs_are_the_model_and_the_runtime() -> None:
    found = fits(30_016, 9_280, header_bytes=12, weight_bytes=34)
    assert (found.model_bytes, found.arena_bytes, found.header_bytes, found.weight_bytes) == (30_016, 9_280, 12, 34)
    row = found.boards[0]
    # What that build took on a Cortex-M4: 73,872 bytes of flash; 9,856 bytes of static RAM and 924 of stack.
    assert row.flash_needed_bytes == 73_872
    assert row.ram_needed_bytes == 9_856 + 924
    assert row.fits


@pytest.mark.parametrize(("spare", "fits_in"), [(0, True), (1, False)])
def test_flash_limit_is_exact(spare: int, fits_in: bool) -> None:
    row = fit("Nucleo-G071RB", 128 * 1024 - FLASH_ALLOWANCE_BYTES + spare, 1000)
    assert row.fits is fits_in
    assert ("1 bytes too little" in row.reason) is not fits_in


@pytest.mark.parametrize(("spare", "fits_in"), [(0, True), (1, False)])
def test_ram_limit_is_exact(spare: int, fits_in: bool) -> None:
    row = fit("Arduino Uno R4 Minima", 1000, 32 * 1024 - RAM_ALLOWANCE_BYTES + spare)
    assert row.fits is fits_in
    assert row.reason.startswith("left: " if fits_in else "RAM: 1 bytes")


def test_arena_must_fit_one_block() -> None:
    row = fit("Nucleo-H743ZI", 1000, 600 * 1024)
    assert not row.fits
    assert row.reason == f"RAM: the largest block is {88 * 1024:,} bytes too small for the arena"
    assert fit("Nucleo-H743ZI", 1000, 500 * 1024).fits


def test_unmeasured_arena_fits_nowhere() -> None:
    for row in fits(1000, None).boards:
        assert not row.fits
        assert row.ram_needed_bytes is None
        assert "not measured" in row.reason
