"""The table of parts and what fits them."""

from pathlib import Path

import pytest

from edgecnn_bench.compiled_fit import (
    ARM_CODE_BYTES,
    ESTIMATED_STACK_BYTES,
    OTHER_CODE_BYTES,
    START_FLASH_BYTES,
    START_RAM_BYTES,
    compiled_fit,
)
from edgecnn_bench.footprint import (
    FLASH_ALLOWANCE_BYTES,
    RAM_ALLOWANCE_BYTES,
    Board,
    boards,
    fits,
    fits_of_bundle,
    parts_named,
)
from edgecnn_bench.results import BoardFit, BoardRun, CompiledFit
from edgecnn_firmware.boards.targets import TARGETS
from edgecnn_firmware.bundle import read_bundle
from edgecnn_firmware.card import CompiledCard
from edgecnn_firmware.errors import SettingsError

# Core -> which of FPU, DSP and vector instructions a part with it has always, and which sometimes, by its manual.
CORES: dict[str, tuple[set[str], set[str]]] = {
    "Cortex-M0": (set(), set()),
    "Cortex-M0+": (set(), set()),
    "Cortex-M3": (set(), set()),
    "Cortex-M4": ({"dsp"}, {"fpu"}),
    "Cortex-M7": ({"dsp"}, {"fpu"}),
    "Cortex-M33": (set(), {"dsp", "fpu"}),
    "Cortex-M55": (set(), {"dsp", "fpu", "mve"}),
    "Cortex-M85": (set(), {"dsp", "fpu", "mve"}),
    "RV32IMC": (set(), set()),
    "RV32IMAC": (set(), set()),
    "Hazard3 RV32IMAC": (set(), set()),
    "Bumblebee RV32IMAC": (set(), set()),
    "Xtensa LX6": (set(), {"fpu"}),
    "Xtensa LX7": (set(), {"fpu", "vector"}),
}
# Core -> virtual board whose image it can run.
IMAGES = {
    "Cortex-M0": "cortex-m0plus",
    "Cortex-M0+": "cortex-m0plus",
    "Cortex-M3": "cortex-m3",
    "Cortex-M4": "cortex-m4",
    "Cortex-M7": "cortex-m7",
    "Cortex-M33": "cortex-m33",
    "Cortex-M55": "cortex-m55",
    "Cortex-M85": "cortex-m55",
}
CARD = CompiledCard(
    target="portable", constant_bytes=24_160, arena_bytes=1_888, state_bytes=0, macs=768_768, checked_windows=32
)


def part(name: str) -> Board:
    (found,) = parts_named([name])
    return found


def fit(board: str, model_bytes: int, arena_bytes: int | None) -> BoardFit:
    return next(row for row in fits(model_bytes, arena_bytes).boards if row.board == board)


def run(board: str = "cortex-m4", **changes: object) -> BoardRun:
    plain = BoardRun(
        board=board,
        title=board,
        status="run",
        byte_equal=True,
        instructions_mean=734_456.3,
        flash_bytes=29_264,
        arena_bytes=2_184,
        state_bytes=0,
        input_bytes=768,
        stack_bytes=180,
    )
    return plain.model_copy(update=changes)


def compiled(board: str, *runs: BoardRun, card: CompiledCard | None = CARD, input_bytes: int = 768) -> CompiledFit:
    found = compiled_fit(part(board), card, runs, input_bytes=input_bytes)
    assert found is not None
    return found


def test_parts_that_people_know() -> None:
    known = {row.board: (row.part, row.flash_kb, row.ram_kb) for row in boards()}
    assert known["Arduino Nano 33 BLE Sense"] == ("nRF52840", 1024, 256)
    assert known["Blue Pill"] == ("STM32F103C8", 64, 20)
    assert known["Raspberry Pi Pico"] == ("RP2040", 2048, 264)
    assert known["BBC micro:bit v2"] == ("nRF52833", 512, 128)
    assert known["Nucleo-H563ZI"] == ("STM32H563ZI", 2048, 640)
    assert known["Longan Nano"] == ("GD32VF103CB", 128, 32)
    assert known["MAX78000FTHR"] == ("MAX78000, Arm core", 512, 128)


def test_table_is_sound() -> None:
    assert len(boards()) >= 45
    assert len({row.board.casefold() for row in boards()}) == len(boards())
    assert not {row.board.casefold() for row in boards()} & {row.part.casefold() for row in boards()}


@pytest.mark.parametrize("row", boards(), ids=lambda row: row.board)
def test_every_part_is_plausible(row: Board) -> None:
    assert row.block_kb is None or row.block_kb < row.ram_kb
    assert len(row.source) > 10
    assert 20 <= row.clock_mhz <= 1000
    assert 16 <= row.ram_kb <= 16 << 10
    assert 32 <= row.flash_kb <= 64 << 10
    assert row.ram_kb % 4 == 0
    assert row.flash_kb % 2 == 0
    always, sometimes = CORES[row.core]
    assert always <= set(row.features) <= always | sometimes
    assert len(set(row.features)) == len(row.features)


@pytest.mark.parametrize("row", [row for row in boards() if row.virtual], ids=lambda row: row.board)
def test_a_part_runs_the_image_of_its_virtual_board(row: Board) -> None:
    assert row.virtual in TARGETS
    if row.is_arm:
        assert row.virtual == IMAGES[row.core]
        # Compiled for hard floats, so that the compiler may use its registers.
        assert ("fpu" in row.features) is (row.virtual not in {"cortex-m0plus", "cortex-m3"})
        assert ("mve" in row.features) is (row.virtual == "cortex-m55")
    else:
        assert row.virtual == "rv32imc"
        assert "RV32IM" in row.core


def test_parts_without_a_virtual_board_have_none_that_suits() -> None:
    for row in boards():
        if not row.virtual:
            assert row.core.startswith("Xtensa") or (row.core == "Cortex-M4" and "fpu" not in row.features)


def test_needs_are_the_model_and_the_runtime() -> None:
    found = fits(30_016, 9_280, header_bytes=12, weight_bytes=34)
    assert (found.model_bytes, found.arena_bytes, found.header_bytes, found.weight_bytes) == (30_016, 9_280, 12, 34)
    row = found.boards[0]
    # What that build took on a Cortex-M4: 73,872 bytes of flash; 9,856 bytes of static RAM and 924 of stack.
    assert row.flash_needed_bytes == 73_872
    assert row.ram_needed_bytes == 9_856 + 924
    assert row.fits
    assert row.compiled is None


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


def test_a_measured_core_is_its_own_basis() -> None:
    found = compiled("Arduino Nano 33 BLE Sense", run("cortex-m3", flash_bytes=1), run())
    assert found.flash_needed_bytes == 29_264 + START_FLASH_BYTES
    assert found.ram_needed_bytes == 2_184 + 768 + 180 + START_RAM_BYTES
    assert found.instructions == 734_456
    assert found.basis == "measured on virtual board cortex-m4"
    assert found.fits
    assert found.reason == f"left: {1_048_576 - 33_360:,} bytes of flash, {262_144 - 4_156:,} bytes of RAM"


@pytest.mark.parametrize(
    ("board", "measured", "chosen"),
    [
        ("nRF5340 DK", ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m55"), "cortex-m4"),
        ("Blue Pill", ("cortex-m55", "cortex-m4", "cortex-m0plus"), "cortex-m0plus"),
        ("Nucleo-WL55JC", ("cortex-m0plus", "cortex-m4"), "cortex-m4"),
        ("EK-RA8M1", ("cortex-m0plus", "cortex-m7"), "cortex-m7"),
        ("Teensy 4.1", ("rv32imc", "aarch64", "cortex-m3"), "cortex-m3"),
    ],
)
def test_another_arm_core_stands_in_and_is_named(board: str, measured: tuple[str, ...], chosen: str) -> None:
    found = compiled(board, *(run(name, flash_bytes=10_000 + n) for n, name in enumerate(measured)))
    assert found.flash_needed_bytes == 10_000 + measured.index(chosen) + START_FLASH_BYTES
    assert f"measured on virtual board {chosen}, another Arm core" in found.basis
    assert found.instructions is None


@pytest.mark.parametrize(("board", "code_bytes"), [("Longan Nano", OTHER_CODE_BYTES), ("Blue Pill", ARM_CODE_BYTES)])
def test_without_a_measurement_it_is_an_estimate(board: str, code_bytes: int) -> None:
    found = compiled(board, run("aarch64"))
    assert found.flash_needed_bytes == 24_160 + code_bytes + START_FLASH_BYTES
    assert found.ram_needed_bytes == 1_888 + 768 + ESTIMATED_STACK_BYTES + START_RAM_BYTES
    assert "estimate" in found.basis
    assert found.instructions is None


def test_no_arm_core_stands_in_for_risc_v_or_xtensa() -> None:
    for board in ("ESP32-DevKitC", "ESP32-C6-DevKitC-1", "Raspberry Pi Pico 2, RISC-V"):
        assert "estimate" in compiled(board, run()).basis
        assert compiled_fit(part(board), None, [run()]) is None


@pytest.mark.parametrize(
    "useless",
    [
        {"status": "not run", "reason": "unicorn is not installed"},
        {"byte_equal": False},
        {"flash_bytes": None},
        {"stack_bytes": None},
    ],
)
def test_a_run_that_failed_is_no_basis(useless: dict[str, object]) -> None:
    assert "estimate" in compiled("Nucleo-F401RE", run(**useless)).basis
    assert compiled_fit(part("Nucleo-F401RE"), None, [run(**useless)]) is None


def test_the_leaner_of_two_runs_on_a_core_counts() -> None:
    found = compiled("Nucleo-F401RE", run(instructions_mean=9e6, flash_bytes=1), run(), run(instructions_mean=None))
    assert found.instructions == 734_456


@pytest.mark.parametrize(("spare", "fits_in"), [(0, True), (1, False)])
def test_limits_of_the_compiled_network_are_exact(spare: int, fits_in: bool) -> None:
    flash = compiled("Blue Pill", run("cortex-m3", flash_bytes=64 * 1024 - START_FLASH_BYTES + spare))
    assert flash.fits is fits_in
    assert flash.reason.startswith("left: 0 bytes of flash" if fits_in else "flash: 1 bytes too little")
    ram = compiled("Blue Pill", run("cortex-m3", arena_bytes=20 * 1024 - START_RAM_BYTES - 948 + spare))
    assert ram.fits is fits_in
    block = compiled("Nucleo-L476RG", run(arena_bytes=96 * 1024 + spare))
    assert block.fits is fits_in
    assert ("largest block" in block.reason) is not fits_in


def test_every_part_has_an_answer_where_the_network_is_compiled() -> None:
    found = fits(51_760, None, compiled=CARD, runs=[run(), run("rv32imc")], input_bytes=768)
    assert all(row.compiled is not None for row in found.boards)
    assert any(row.compiled and row.compiled.fits for row in found.boards)
    assert not any(row.fits for row in found.boards)


def test_parts_are_found_by_board_and_by_part_in_any_case() -> None:
    assert [row.board for row in parts_named(["blue pill"])] == ["Blue Pill"]
    assert [row.board for row in parts_named(["NRF52840", "Blue Pill"])] == [
        "Arduino Nano 33 BLE Sense",
        "Seeed Studio XIAO nRF52840",
        "Blue Pill",
    ]
    with pytest.raises(SettingsError, match="unknown board 'Blue Pil'; known: Arduino Nano 33"):
        parts_named(["Blue Pil"])


def test_fits_of_a_bundle_needs_no_engine(har_bundle: Path) -> None:
    bundle = read_bundle(har_bundle)
    found = fits_of_bundle(bundle, ["Blue Pill"], [run("cortex-m3")])
    assert [row.board for row in found.boards] == ["Blue Pill"]
    assert found.model_bytes == len(bundle.model_bytes)
    assert 0 < found.weight_bytes < found.model_bytes
    assert found.boards[0].compiled is not None
    assert found.boards[0].compiled.basis == "measured on virtual board cortex-m3"
    assert len(fits_of_bundle(bundle).boards) == len(boards())
