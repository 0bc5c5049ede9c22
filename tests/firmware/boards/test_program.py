"""Compiled networks on every virtual board: byte-equal to the numpy oracle, no stray access, counts that add up."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.boards.program import KERNELS_OF_BOARD, BoardMeasurement, measure_program
from edgecnn_firmware.boards.targets import TARGETS
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import STACK_BYTES, Program
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import MissingDependency, SettingsError

from ..compiler.architectures import random_network
from ..compiler.networks import NetworkWriter, random_int8

MODELS = ("har_b1", "ecg_b1", "ds_b1", "tcn_b1")
SEEDS = (0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12)
SEEDS_OF_OTHER_COMPILER = SEEDS[:2]
WATCHED_SEED = 3
BOARDS = [(board, KERNELS_OF_BOARD.get(board, "portable")) for board in TARGETS] + [("cortex-m4", "portable")]
WITH_GCC = [pair for pair in BOARDS if TARGETS[pair[0]].gcc_flags]
BUILDS = [(*pair, "gcc") for pair in WITH_GCC] + [(*pair, "zig") for pair in BOARDS]


def measure(program: Program, board: str, windows: "list[np.ndarray]", work: Path, **options) -> BoardMeasurement:
    """The measurement, or a skip where something is not installed."""
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    pytest.importorskip("elftools", reason="pyelftools is not installed")
    if TARGETS[board].emulator == "qemu" and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on PATH")
    work.mkdir(exist_ok=True)
    options = {"layers": False, **options}
    try:
        return measure_program(program, board, [window.tobytes() for window in windows], work=work, **options)
    except MissingDependency as error:
        pytest.skip(str(error))


def windows_of(program: Program, count: int = 1, kind: int = 0) -> "list[np.ndarray]":
    """Inputs for a program."""
    rng = np.random.default_rng(7)
    return [random_int8(rng, program.graph.inputs[0].shape, kind + position) for position in range(count)]


def expected(program: Program, windows: "list[np.ndarray]") -> tuple[bytes, ...]:
    """What each call gives, from the network's first state."""
    return tuple(Oracle(program.graph).run(window)[0].tobytes() for window in windows)


def check_seeds(seeds: tuple[int, ...], board: str, kernels: str, work: Path, **options) -> None:
    """Compare random networks."""
    for seed in seeds:
        program = compile_model(random_network(seed), f"seed {seed}", f"net{seed}", target=kernels)
        windows = windows_of(program, 3)
        found = measure(program, board, windows, work / str(seed), **options)
        assert found.outputs == expected(program, windows), f"seed {seed}"
        assert found.faults == (), f"seed {seed}"
        # The header promises it for 32-bit cores.
        assert found.stack_bytes < STACK_BYTES or board.startswith("aarch64"), f"seed {seed}"


@pytest.mark.parametrize(("board", "kernels"), BOARDS)
def test_random_networks_are_byte_equal(board: str, kernels: str, tmp_path: Path) -> None:
    # Clang as zig takes twice as long as gcc.
    check_seeds(SEEDS if TARGETS[board].gcc_flags else SEEDS[:6], board, kernels, tmp_path)


@pytest.mark.parametrize(("board", "kernels"), WITH_GCC)
def test_random_networks_are_byte_equal_with_the_other_compiler(board: str, kernels: str, tmp_path: Path) -> None:
    check_seeds(SEEDS_OF_OTHER_COMPILER, board, kernels, tmp_path, prefer="zig")


@pytest.mark.parametrize(("board", "kernels", "prefer"), BUILDS)
def test_whole_models_are_byte_equal(
    board: str, kernels: str, prefer: str, shared_models: Path, tmp_path: Path
) -> None:
    for name in MODELS:
        program = compile_model((shared_models / f"{name}.tflite").read_bytes(), name, name, target=kernels)
        windows = windows_of(program, kind=1)
        found = measure(program, board, windows, tmp_path / name, prefer=prefer)
        assert found.outputs == expected(program, windows), name
        assert found.faults == (), name


@pytest.mark.parametrize(("board", "kernels"), [pair for pair in BOARDS if TARGETS[pair[0]].emulator == "unicorn"])
def test_every_access_stays_inside(board: str, kernels: str, tmp_path: Path) -> None:
    check_seeds((WATCHED_SEED,), board, kernels, tmp_path, watch=True)


@pytest.mark.parametrize(("board", "kernels"), BOARDS)
def test_counts_add_up(board: str, kernels: str, shared_models: Path, tmp_path: Path) -> None:
    program = compile_model((shared_models / "har_b1.tflite").read_bytes(), "har", "har", target=kernels)
    windows = windows_of(program, 2)
    found = measure(program, board, windows, tmp_path, layers=True)
    assert len(found.instructions) == 2
    assert found.mean_instructions == sum(found.instructions) / 2
    assert sum(found.by_function.values()) == found.instructions[-1]
    assert [(layer.op, layer.macs) for layer in found.layers] == [(op.label, op.macs) for op in program.graph.ops]
    # The build with marks is a build of its own: code between the marks may move a little.
    assert sum(layer.instructions for layer in found.layers) == pytest.approx(found.instructions[-1], rel=0.02)
    convolutions = [layer.instructions for layer in found.layers if layer.macs > 10_000]
    assert sum(convolutions) > 0.9 * found.instructions[-1]
    assert program.constant_bytes < found.flash_bytes < program.constant_bytes + 10_000
    assert (found.arena_bytes, found.state_bytes, found.input_bytes) == (program.arena.bytes, 0, 128 * 9)
    assert 16 <= found.stack_bytes <= 512
    assert found.ram_bytes == found.arena_bytes + found.input_bytes + found.stack_bytes
    if board == "cortex-m4":
        assert found.estimated_cycles is not None
        assert found.instructions[-1] < found.estimated_cycles < 2 * found.instructions[-1]
    else:
        assert found.estimated_cycles is None
    assert (found.board, found.kernels, found.flags) == (board, kernels, ("-O2",))
    assert found.emulator.startswith("QEMU emulator version" if TARGETS[board].emulator == "qemu" else "unicorn ")


@pytest.mark.parametrize("board", ["cortex-m0plus", "cortex-m3"])
def test_flash_by_kind(board: str, shared_models: Path, tmp_path: Path) -> None:
    program = compile_model((shared_models / "har_b1.tflite").read_bytes(), "har", "har")
    found = measure(program, board, windows_of(program), tmp_path)
    kinds = found.flash_by_kind
    assert sum(kinds.values()) == found.flash_bytes
    weights = sum(op.weights.size for op in program.graph.ops if hasattr(op, "weights"))
    assert kinds["weights"] == weights > 10_000
    # Rows are padded to words; the exponential of softmax has a table of its own.
    assert 0 <= kinds["tables"] - (program.constant_bytes - weights) < 100
    assert 1_000 < kinds["code"] < 10_000


@pytest.mark.parametrize("board", KERNELS_OF_BOARD)
def test_every_compiler_uses_the_kernels_of_the_core(board: str, shared_models: Path, tmp_path: Path) -> None:
    model = (shared_models / "har_b1.tflite").read_bytes()
    compilers = ("gcc", "zig") if TARGETS[board].gcc_flags else ("zig",)
    for prefer in compilers:
        found = []
        for kernels in ("portable", KERNELS_OF_BOARD[board]):
            program = compile_model(model, "har", "har", target=kernels)
            windows = windows_of(program)
            found.append(measure(program, board, windows, tmp_path / f"{kernels}-{prefer}", prefer=prefer))
        plain, fast = (measurement.instructions[0] for measurement in found)
        assert 1.5 * fast < plain, prefer


def stateful_network() -> bytes:
    """Adds its input to what it remembers, gives that back, and remembers its input."""
    net = NetworkWriter()
    handle = net.tensor((), kind="RESOURCE")
    remembered = net.tensor((1, 6), 0.5, 3)
    given, output = net.tensor((1, 6), 0.25, 0), net.tensor((1, 6), 0.5, -10)
    kept = net.tensor((1, 6), 0.5, 3)
    net.op("VAR_HANDLE", [], [handle], container="", sharedName="memory")
    net.op("READ_VARIABLE", [handle], [remembered])
    net.op("ADD", [given, remembered], [output], potScaleInt16=False)
    net.op("QUANTIZE", [given], [kept])
    net.op("ASSIGN_VARIABLE", [handle, kept], [])
    return net.bytes([given], [output])


def test_state_starts_anew_and_is_not_a_stray_access(tmp_path: Path) -> None:
    program = compile_model(stateful_network(), "stateful", "net")
    assert program.state_bytes == 6
    windows = windows_of(program, 3)
    found = measure(program, "cortex-m4", windows, tmp_path, watch=True)
    assert found.outputs == expected(program, windows)
    assert found.faults == ()
    assert found.state_bytes == 6
    # What sets the first values is counted neither in total nor by function.
    assert "net_init" not in found.by_function
    assert sum(found.by_function.values()) == found.instructions[0]


def test_several_inputs_lie_one_behind_the_other(tmp_path: Path) -> None:
    net = NetworkWriter()
    first, second, output = (net.tensor((1, 5), 0.1 * scale, scale) for scale in (1, 2, 3))
    net.op("SUB", [first, second], [output], potScaleInt16=False)
    program = compile_model(net.bytes([first, second], [output]), "two", "net")
    a, b = windows_of(program, 2)
    found = measure(program, "cortex-m0plus", [np.concatenate([a, b])], tmp_path)
    assert found.outputs == (Oracle(program.graph).run(a, b)[0].tobytes(),)
    assert found.input_bytes == 10


def test_no_inputs_and_unknown_boards_are_refused(tmp_path: Path) -> None:
    program = compile_model(random_network(0), "net", "net")
    with pytest.raises(SettingsError, match="board cortex-m4: no inputs to run"):
        measure_program(program, "cortex-m4", [], work=tmp_path)
    with pytest.raises(SettingsError, match="unknown target 'cortex-m9'; known: cortex-m0plus"):
        measure_program(program, "cortex-m9", [b""], work=tmp_path)
