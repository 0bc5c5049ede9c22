"""The bundle's network on virtual boards."""

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn_bench import virtual_boards as module
from edgecnn_bench.results import BoardRun
from edgecnn_bench.virtual_boards import DEFAULT_BOARDS, named_boards, run_boards
from edgecnn_firmware.boards import toolchain
from edgecnn_firmware.boards.program import KERNELS_OF_BOARD, measure_program
from edgecnn_firmware.boards.targets import TARGETS
from edgecnn_firmware.bundle import Bundle, Vectors, read_bundle
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.errors import BundleError, SettingsError

from ..firmware.compiler.networks import NetworkWriter


@pytest.fixture
def can_run() -> None:
    for needed in ("unicorn", "elftools"):
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    if shutil.which("arm-none-eabi-gcc") is None and importlib.util.find_spec("ziglang") is None:
        pytest.skip("no compiler for boards")


class With(Bundle):
    """A bundle with other vectors or another model."""

    def __init__(self, bundle: Bundle, vectors: Vectors | None = None, model: bytes | None = None) -> None:
        super().__init__(bundle.path, bundle.card)
        object.__setattr__(self, "_vectors", vectors or bundle.vectors())
        object.__setattr__(self, "_model", model or bundle.model_bytes)

    def vectors(self) -> Vectors:
        return self._vectors

    @property
    def model_bytes(self) -> bytes:
        return self._model


@pytest.fixture(scope="module")
def rows(har_bundle: Path) -> tuple[BoardRun, ...]:
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    return run_boards(read_bundle(har_bundle), windows=3)


@pytest.mark.usefixtures("can_run")
def test_the_default_boards_repeat_the_recorded_outputs(rows: tuple[BoardRun, ...], har_bundle: Path) -> None:
    assert [row.board for row in rows] == list(DEFAULT_BOARDS)
    model = read_bundle(har_bundle).model_bytes
    for row in rows:
        assert (row.status, row.reason, row.byte_equal, row.windows) == ("run", "", True, 3)
        assert row.kernels == KERNELS_OF_BOARD.get(row.board, "portable")
        assert row.flags == ("-O2",)
        assert row.toolchain
        assert row.emulator.startswith("unicorn ")
        assert row.title.startswith("Cortex-M")
        program = compile_model(model, "model", "net", target=row.kernels)
        assert [(layer.op, layer.macs) for layer in row.layers] == [(op.label, op.macs) for op in program.graph.ops]
        assert row.instructions_min is not None
        assert row.instructions_mean is not None
        assert row.instructions_max is not None
        assert program.graph.macs / 2 < row.instructions_min <= row.instructions_mean <= row.instructions_max
        counted = sum(layer.instructions for layer in row.layers)
        assert counted == pytest.approx(row.instructions_mean, rel=0.02)
        assert (row.estimated_cycles is not None) == (row.board == "cortex-m4")
        assert set(row.sections) == {"code", "weights", "tables"}
        assert sum(row.sections.values()) == row.flash_bytes
        assert row.sections["weights"] + row.sections["tables"] == pytest.approx(program.constant_bytes, abs=100)
        assert min(row.sections.values()) > 100
        assert (row.arena_bytes, row.state_bytes, row.input_bytes) == (program.arena.bytes, 0, 128 * 9)
        assert row.ram_bytes == program.arena.bytes + 128 * 9 + (row.stack_bytes or 0)


@pytest.mark.usefixtures("can_run")
def test_counts_are_those_of_the_boards_module(rows: tuple[BoardRun, ...], har_bundle: Path, tmp_path: Path) -> None:
    bundle = read_bundle(har_bundle)
    program = compile_model(bundle.model_bytes, "model", "network", target="armv7e-m")
    inputs = bundle.vectors().inputs
    # The first, the one in the middle and the last.
    chosen = [inputs[index].tobytes() for index in (0, 20, 39)]
    found = measure_program(program, "cortex-m4", chosen, work=tmp_path, layers=False)
    (row,) = (row for row in rows if row.board == "cortex-m4")
    assert row.instructions_mean == found.mean_instructions
    assert (row.instructions_min, row.instructions_max) == (min(found.instructions), max(found.instructions))
    assert (row.flash_bytes, row.stack_bytes) == (found.flash_bytes, found.stack_bytes)


@pytest.mark.usefixtures("can_run")
def test_other_outputs_than_the_recorded_ones_are_told(har_bundle: Path) -> None:
    bundle = read_bundle(har_bundle)
    vectors = bundle.vectors()
    outputs = vectors.outputs.copy()
    outputs[0, 0] ^= 1
    changed = With(bundle, replace(vectors, outputs=outputs))
    (row,) = run_boards(changed, ["cortex-m4"], windows=1)
    assert (row.status, row.byte_equal, row.windows) == ("run", False, 1)


@pytest.mark.usefixtures("can_run")
def test_large_networks_run_on_fewer_windows(har_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_MACS", 1)
    (row,) = run_boards(read_bundle(har_bundle), ["cortex-m4"])
    assert (row.status, row.windows) == ("run", 1)


def test_a_missing_tool_is_a_reason(har_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "find_spec", lambda name: None)
    told: list[tuple[str, int, int, str]] = []
    rows = run_boards(
        read_bundle(har_bundle),
        ["cortex-m4", "rv32imc"],
        progress=lambda task, done, total, note="": told.append((task, done, total, note)),
    )
    for row, name in zip(rows, ("cortex-m4", "rv32imc"), strict=True):
        assert (row.board, row.status, row.byte_equal, row.windows) == (name, "not run", None, 0)
        assert row.reason == (
            f"target {name}: no C compiler for it: put arm-none-eabi-gcc on PATH or run: pip install 'edgecnn[boards]'"
        )
        assert row.ram_bytes is None
    assert told[0] == ("virtual boards", 0, 2, "")
    assert told[-1][:3] == ("virtual boards", 2, 2)
    assert {note for _, _, _, note in told[1:]} == {"cortex-m4", "rv32imc"}


def test_a_failure_has_no_folders_of_this_machine(har_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(program: object, board: str, inputs: object, *, work: Path, **options: object) -> None:
        raise OSError(f"[Errno 28] no space left on device: '{work}/sources/network.c'" + "!" * 400)

    monkeypatch.setattr(module, "measure_program", fail)
    (row,) = run_boards(read_bundle(har_bundle), ["cortex-m4"])
    assert row.status == "not run"
    assert row.reason.startswith("[Errno 28] no space left on device: 'cortex-m4/sources/network.c'!")
    assert len(row.reason) == 300


def test_networks_that_are_refused_or_not_the_recorded_ones(har_bundle: Path, ecg_bundle: Path) -> None:
    har, ecg = read_bundle(har_bundle), read_bundle(ecg_bundle)
    net = NetworkWriter()
    into, out = net.tensor((1, 4), kind="FLOAT32"), net.tensor((1, 4), kind="FLOAT32")
    net.op("ADD", [into, into], [out], potScaleInt16=False)
    rows = run_boards(With(har, model=net.bytes([into], [out])), ["cortex-m0plus", "cortex-m4"])
    assert all(row.status == "not run" and "op #0 ADD" in row.reason for row in rows)
    (row,) = run_boards(With(har, model=ecg.model_bytes), ["cortex-m4"])
    assert row.reason == "the model's input is int8 (1, 1000, 1); the recorded one is int8 (1, 128, 9)"


def test_settings_that_make_no_sense(har_bundle: Path) -> None:
    bundle = read_bundle(har_bundle)
    with pytest.raises(SettingsError, match=r"unknown board 'cortex-m9'; accepted: cortex-m0plus, .*, all"):
        run_boards(bundle, ["cortex-m9"])
    with pytest.raises(SettingsError, match="windows = 0: a virtual board runs at least 1"):
        run_boards(bundle, windows=0)
    vectors = bundle.vectors()
    none = Vectors(**{name: value[:0] for name, value in vars(vectors).items() if isinstance(value, np.ndarray)})
    with pytest.raises(BundleError, match="no windows to run on virtual boards"):
        run_boards(With(bundle, none))
    assert named_boards(["cortex-m4", "all"]) == tuple(TARGETS)
    assert named_boards(["cortex-m4", "cortex-m0plus", "cortex-m4"]) == ("cortex-m0plus", "cortex-m4")
    assert run_boards(bundle, []) == ()
