"""Exact integer Winograd: its algebra, where it is used, and its kernel in all shapes, in plain C and as machine code."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.boards.program import measure_program
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Optimize, Program
from edgecnn_firmware.compiler.emit.winograd import planes
from edgecnn_firmware.compiler.ops.convolution import Conv1D
from edgecnn_firmware.compiler.ops.winograd import Winograd1D, products_of_planes
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.compiler.passes import use_winograd
from edgecnn_firmware.compiler.plan.overlap import least_distance
from edgecnn_firmware.errors import MissingDependency

from .batch import SANITIZERS, run_batch
from .native import Native, compilers
from .networks import NetworkWriter, Reference, random_int8
from .test_neon import Chain

CALLS = 4
RANDOM = 16
POOLS = (1, 1, 2, 2, 3, 4, 5, 8)
NO_ASM = "-DEDGECNN_NO_ASM"


@pytest.fixture
def wherever_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the kernel also where it gains nothing."""
    monkeypatch.setattr(use_winograd, "is_winograd", use_winograd.has_form)


def random_chain(seed: int) -> Chain:
    """A few convolutions of any shape that the kernel has."""
    draw = np.random.default_rng(seed)
    chain = Chain(seed, int(draw.integers(30, 80)), int(draw.integers(3, 14)))
    for _ in range(3):
        kernel, pool = int(draw.choice([3, 3, 3, 4, 5, 5, 6, 7, 8])), int(draw.choice(POOLS))
        dilation = int(draw.choice([1, 2, 3, 4])) if pool == 1 else 1
        same = bool(draw.integers(2)) or chain.length < (kernel - 1) * dilation + pool + 1
        chain.conv(int(draw.integers(3, 14)), kernel, dilation=dilation, same=same)
        if pool > 1 and chain.length >= pool:
            chain.pool(pool)
    return chain


def chosen_chains() -> dict[str, Chain]:
    """What random shapes may miss: single rows, one output channel, every number of rows that fill no four, long planes."""
    found = {
        f"rows {length}": Chain(length, length + 2, 5).conv(9, 3).conv(6, 5, same=True).conv(4, 4, same=True)
        for length in range(1, 6)
    }
    found["dilated"] = Chain(7, 37, 16).conv(16, 3, dilation=8, same=True).conv(7, 3, dilation=5).conv(9, 5, dilation=3)
    found["pools"] = Chain(8, 121, 8).conv(1, 3, same=True).conv(12, 1).conv(5, 3).pool(3).conv(8, 5).pool(4)
    found["long"] = Chain(9, 19, 41).conv(40, 5).conv(3, 3).dense(3)
    found["large pool"] = Chain(10, 70, 4).conv(4, 3).pool(16).conv(5, 3, same=True).pool(2)
    return found


def extreme_network(channels: int, kernel: int = 3) -> bytes:
    """Weights and bias as far out as they go, in one channel all of one sign; a scale under which some outputs saturate."""
    net, draw = NetworkWriter(), np.random.default_rng(channels)
    value = net.tensor((1, 1, 14, channels), 0.05, 127)
    weights = draw.choice(np.array([-127, 127], np.int8), (7, 1, kernel, channels))
    weights[0], weights[1], weights[2, :, 1], weights[3, :, 1] = 127, -127, 127, -127
    scales = np.full(7, 0.01, np.float32)
    constants = [net.const(weights, scales), net.const(np.full(7, -70_000, np.int32), np.float32(0.05) * scales)]
    made = net.tensor((1, 1, 14 - kernel + 1, 7), 0.0005 * 127 * 255 * channels * kernel / 160, -3)
    options = {"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1, "fusedActivationFunction": 0}
    net.op("CONV_2D", [value, *constants], [made], padding=1, **options)
    return net.bytes([value], [made])


def compiled(model: bytes, name: str, optimize: Optimize = "speed") -> Program:
    """The program for the cores that have the kernel."""
    return compile_model(model, name, f"net_{name.replace(' ', '_')}", target="armv7e-m", optimize=optimize)


def expected(model: bytes, count: int = CALLS) -> "tuple[list[np.ndarray], list[np.ndarray]]":
    """Inputs, and what LiteRT's reference kernels make of them."""
    reference, rng = Reference(model), np.random.default_rng(3)
    shape = reference.interpreter.get_input_details()[0]["shape"]
    windows = [random_int8(rng, shape, kind) for kind in range(count)]
    return windows, [reference.run(window)[0].copy() for window in windows]


def convolutions(program: Program) -> list[Conv1D]:
    """Its convolutions."""
    return [op for op in program.graph.ops if isinstance(op, Conv1D)]


def check(models: dict[str, bytes], folder: Path, flags: Sequence[str]) -> None:
    """Compare programs in plain C with the reference."""
    if "gcc" not in compilers():
        pytest.skip("gcc is not installed")
    programs = [compiled(model, name) for name, model in models.items()]
    assert any(isinstance(op, Winograd1D) for program in programs for op in program.graph.ops)
    cases = [expected(model) for model in models.values()]
    found = run_batch(programs, [np.stack(windows) for windows, _ in cases], folder, (*SANITIZERS, *flags))
    for name, program, outputs, (windows, wanted) in zip(models, programs, found, cases, strict=True):
        assert np.array_equal(outputs, np.stack([output.view(np.uint8).ravel() for output in wanted])), name
        assert np.array_equal(Oracle(program.graph).run(windows[0])[0].ravel(), wanted[0].ravel()), name


@pytest.mark.parametrize("kernel", range(3, 10))
def test_planes_give_two_rows(kernel: int) -> None:
    program = compiled(Chain(kernel, 30, 6).conv(5, kernel).model(), "net", "balanced")
    op = convolutions(program)[0]
    draw = np.random.default_rng(kernel)
    rows = draw.integers(-128, 128, (kernel + 1, 6))
    a, b, c, d = planes(op)
    assert max(np.abs(plane).max() for plane in (a, b, c, d)) <= 508
    sums = np.zeros((2, 5), np.int64)
    sums_ab = np.zeros((2, 5), np.int64)
    for number in range(c.shape[1]):
        x = rows[3 * number :]
        if 3 * number + 3 <= kernel:
            first, second = a[:, number] @ (x[1] + x[2]), b[:, number] @ (x[2] - x[1])
            sums_ab += np.stack([first + second, first - second])
            sums += np.stack([c[:, number] @ (x[0] - x[2]), d[:, number] @ (x[3] - x[1])])
        elif 3 * number + 2 == kernel:
            sums_ab += a[:, number] @ x[1]
            sums += np.stack([c[:, number] @ (x[0] - x[1]), d[:, number] @ (x[2] - x[1])])
        else:
            sums += np.stack([c[:, number] @ x[0], d[:, number] @ x[1]])
    assert (sums_ab % 2 == 0).all()
    weights = op.weights.astype(np.int64)
    wanted = [np.einsum("oki,ki->o", weights, rows[row : row + kernel]) for row in range(2)]
    assert np.array_equal(sums_ab // 2 + sums, wanted)


@pytest.mark.usefixtures("wherever_it_can")
def test_random_shapes_are_byte_equal_in_plain_c(tmp_path: Path) -> None:
    models = {f"random {seed}": random_chain(seed).model() for seed in range(RANDOM)}
    check(models, tmp_path, ("-DEDGECNN_NO_INLINE",))


@pytest.mark.usefixtures("wherever_it_can")
def test_chosen_shapes_are_byte_equal_in_plain_c(tmp_path: Path) -> None:
    check({name: chain.model() for name, chain in chosen_chains().items()}, tmp_path, ("-DEDGECNN_NO_INLINE",))


def test_extreme_weights_are_byte_equal_up_to_the_bound_of_the_proof(tmp_path: Path) -> None:
    most = (1 << 23) // (127 * 128 * 3)
    models = {f"extreme {channels}": extreme_network(channels) for channels in (3, 10, most)}
    models["extreme of five"] = extreme_network(3 * most // 5, 5)
    check(models, tmp_path, ())
    program = compiled(extreme_network(most + 1), "beyond")
    assert type(program.graph.ops[0]) is Conv1D
    assert program.notes[0] == "op 0 runs in plain C: its sums may reach 2^23"
    assert "op 0 runs in plain C: its sums may reach 2^23" in program.files[program.header]


@pytest.mark.parametrize(("prefer", "flags"), [("gcc", ()), ("gcc", (NO_ASM,)), ("zig", ()), ("zig", (NO_ASM,))])
@pytest.mark.usefixtures("wherever_it_can")
def test_machine_code_is_byte_equal(prefer: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    pytest.importorskip("elftools", reason="pyelftools is not installed")
    models = {name: chain.model() for name, chain in chosen_chains().items()}
    models |= {f"random {seed}": random_chain(seed).model() for seed in range(RANDOM if prefer == "gcc" else 4)}
    models["extreme"] = extreme_network(172)
    for name, model in models.items():
        program = compiled(model, name)
        windows, wanted = expected(model, 2)
        work = tmp_path / name
        work.mkdir()
        data = [window.tobytes() for window in windows]
        strict = ("-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror")
        try:
            found = measure_program(
                program, "cortex-m4", data, work=work, prefer=prefer, layers=False, flags=(*strict, *flags)
            )
        except MissingDependency as error:
            pytest.skip(str(error))
        assert found.outputs == tuple(output.tobytes() for output in wanted), name
        assert found.faults == (), name
        assert found.stack_bytes < 512, name


@pytest.mark.usefixtures("wherever_it_can")
def test_every_access_stays_inside(tmp_path: Path) -> None:
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    pytest.importorskip("elftools", reason="pyelftools is not installed")
    # The emulator computes wrongly behind a conditional store that is watched.
    flags = ("-O2", "-fno-if-conversion", "-fno-if-conversion2")
    for name in ("rows 2", "dilated", "pools"):
        model = chosen_chains()[name].model()
        windows, wanted = expected(model, 1)
        work = tmp_path / name
        work.mkdir()
        data = [windows[0].tobytes()]
        try:
            found = measure_program(
                compiled(model, name), "cortex-m4", data, work=work, prefer="gcc", layers=False, watch=True, flags=flags
            )
        except MissingDependency as error:
            pytest.skip(str(error))
        assert found.outputs == (wanted[0].tobytes(),), name
        assert found.faults == (), name


@pytest.mark.parametrize("name", ["har_b1", "hars_b1", "ecg_b1", "ds_b1", "dsx_b1", "tcn_b1"])
def test_whole_models_are_byte_equal(name: str, shared_models: Path, tmp_path: Path) -> None:
    model = (shared_models / f"{name}.tflite").read_bytes()
    program = compiled(model, name)
    assert any(isinstance(op, Winograd1D) for op in program.graph.ops)
    native = Native(program, tmp_path, ("-O2", "-DEDGECNN_NO_SIMD"))
    windows, wanted = expected(model, 400)
    for window, output in zip(windows, wanted, strict=True):
        assert np.array_equal(native.run(window)[0], output)


def test_only_speed_uses_it_and_only_where_it_gains(shared_models: Path) -> None:
    model = (shared_models / "har_b1.tflite").read_bytes()
    options: tuple[Optimize, ...] = ("speed", "balanced", "size")
    kinds = {option: [type(op) for op in convolutions(compiled(model, "har", option))] for option in options}
    assert kinds == {"speed": [Winograd1D] * 3, "balanced": [Conv1D] * 3, "size": [Conv1D] * 3}
    portable = compile_model(model, "har", "har", target="portable", optimize="speed")
    assert {type(op) for op in convolutions(portable)} == {Conv1D}
    # Two channels fill no plane, six rows no second block, and a kernel of one has nothing to share.
    for chain in (Chain(1, 40, 2).conv(16, 3), Chain(1, 8, 16).conv(16, 3), Chain(1, 40, 16).conv(16, 1)):
        assert type(convolutions(compiled(chain.model(), "net"))[0]) is Conv1D
    assert type(convolutions(compiled(Chain(1, 40, 16).conv(16, 3, stride=2).model(), "net"))[0]) is Conv1D


def test_it_is_faster_by_instructions_and_by_estimated_cycles(shared_models: Path, tmp_path: Path) -> None:
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    pytest.importorskip("elftools", reason="pyelftools is not installed")
    model = (shared_models / "har_b1.tflite").read_bytes()
    counts = {}
    for option in ("balanced", "speed"):
        program = compiled(model, "har", option)
        windows, wanted = expected(model, 1)
        work = tmp_path / option
        work.mkdir()
        try:
            found = measure_program(program, "cortex-m4", [windows[0].tobytes()], work=work, layers=False)
        except MissingDependency as error:
            pytest.skip(str(error))
        assert found.outputs == (wanted[0].tobytes(),)
        assert found.estimated_cycles is not None
        counts[option] = np.array([found.instructions[0], found.estimated_cycles])
    assert (counts["speed"] < 0.85 * counts["balanced"]).all()


@pytest.mark.parametrize("chain", [Chain(3, 44, 12).conv(12, 3), Chain(3, 44, 12).conv(12, 3, dilation=4, same=True)])
def test_outputs_overlap_inputs_as_far_as_rows_are_read(chain: Chain) -> None:
    op = next(op for op in compiled(chain.model(), "net").graph.ops if isinstance(op, Winograd1D))
    distance = least_distance(op, 0, gathers=False)
    assert distance is not None
    dilation, pad = op.window.dilation, op.window.pad_before
    group = 4 * dilation
    steps = [row for row in range(op.conv_rows) if row % group < dilation]
    # A byte at `distance` less is written while a step that follows still reads it.
    worst = -op.inputs[0].bytes
    for position, row in enumerate(steps):
        ends = [min(before + 3 * dilation, op.conv_rows - 1) + 1 for before in steps[:position]]
        worst = max(worst, max(ends, default=0) * 12 - max(0, row - pad) * 12)
    assert distance == worst
    assert distance < op.inputs[0].bytes


def test_products_are_those_that_are_packed() -> None:
    op = convolutions(compiled(Chain(3, 44, 9).conv(12, 5).model(), "net"))[0]
    # Seven taps' worth of nine channels: two, one, two and two, each rounded up to a pair.
    assert products_of_planes(op) == (18, 10, 18, 18)
    assert products_of_planes(replace(op, inputs=(op.inputs[0].view((1, 1, 36, 11)),))) == (24, 12, 24, 24)
