"""Windows that slide: byte-equal to the whole network on every full window, whatever was kept.

`EDGECNN_NETWORKS` and `EDGECNN_FIRST_SEED` as for the random networks over whole windows; here a twentieth of them.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.firmware.compiler.architectures import random_network
from tests.firmware.compiler.batch import SANITIZERS, run_batch
from tests.firmware.compiler.native import compilers
from tests.firmware.compiler.networks import NetworkWriter, Reference, random_int8

from edgecnn_firmware.boards.program import measure_model
from edgecnn_firmware.compiler.compile import compile_graph, compile_model
from edgecnn_firmware.compiler.emit.program import Optimize, Program
from edgecnn_firmware.compiler.lowering.lower import lower_model
from edgecnn_firmware.compiler.ops.value import Graph
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.compiler.passes import run_passes
from edgecnn_firmware.compiler.sliding.slide import slide
from edgecnn_firmware.compiler.targets import find_target
from edgecnn_firmware.errors import EdgeCnnError, ModelError
from edgecnn_firmware.tflite.reader import read_model

NETWORKS = int(os.environ.get("EDGECNN_NETWORKS", "2000")) // 20
FIRST = 40_000 + int(os.environ.get("EDGECNN_FIRST_SEED", "0"))
BATCH = 25
AFTER = 5
"""Calls that are compared, from the first full window on."""
FLAGS = (*SANITIZERS, "-DEDGECNN_NO_SIMD", "-DEDGECNN_NO_INLINE")
TARGETS = ("portable", "armv7e-m", "armv8.1-m-mve", "x86-64-avx2", "x86-64-vnni", "aarch64")
OPTIMIZE: tuple[Optimize, ...] = ("balanced", "speed", "size")
REFUSALS = ("reads the whole window", "moves by", "no row alike", "fewer than the window's", "computes nothing")
NOT_COMPILED = ("beyond int32", "too small for its fixed-point exponent", "too small for its activation")


def _graph(model: bytes) -> Graph:
    return run_passes(lower_model(read_model(model, "model"), "litert"))


def _stream(graph: Graph, hop: int, calls: int, seed: int) -> np.ndarray:
    """Rows `(calls * hop, channels)`, in which windows of all kinds of random numbers follow each other."""
    value, rng = graph.inputs[0], np.random.default_rng(seed)
    rows = calls * hop
    if value.type == "float32":
        return rng.normal(0, 2, (rows, value.channels)).astype(np.float32)
    kinds = [random_int8(rng, (value.length, value.channels), kind) for kind in range(-(-rows // value.length))]
    return np.concatenate(kinds)[:rows]


def _full_windows(stream: np.ndarray, graph: Graph, hop: int) -> list[np.ndarray]:
    """The window that ends with each hop, from the first that is full on."""
    value = graph.inputs[0]
    ends = [end for end in range(hop, len(stream) + 1, hop) if end >= value.length]
    return [stream[end - value.length : end].reshape(value.shape) for end in ends]


def _calls(graph: Graph, hop: int) -> int:
    return -(-graph.inputs[0].length // hop) + AFTER


def _check(programs: list[Program], streams: list[np.ndarray], wanted: list[list[bytes]], folder: Path) -> None:
    """In C and in numpy."""
    hops = [program.graph.inputs[0].elements for program in programs]
    inputs = [stream.reshape(-1, size) for stream, size in zip(streams, hops, strict=True)]
    made = run_batch(programs, inputs, folder, FLAGS) if "gcc" in compilers() else [None] * len(programs)
    for program, found, calls, outputs in zip(programs, made, inputs, wanted, strict=True):
        sliding = program.graph.sliding
        assert sliding is not None
        oracle = Oracle(program.graph)
        rows = [oracle.run(call.reshape(program.graph.inputs[0].shape))[0].tobytes() for call in calls]
        assert rows[sliding.calls - 1 :] == outputs, f"{program.prefix}: numpy"
        if found is not None:
            assert [row.tobytes() for row in found][sliding.calls - 1 :] == outputs, f"{program.prefix}: C"


@pytest.mark.spread
@pytest.mark.parametrize(
    "seeds", [range(start, start + BATCH) for start in range(FIRST, FIRST + NETWORKS, BATCH)], ids=str
)
def test_random_networks_slide(seeds: range, tmp_path: Path) -> None:
    programs, streams, wanted = [], [], []
    refused = 0
    for seed in seeds:
        model = random_network(seed)
        rng = np.random.default_rng(seed)
        try:
            graph = _graph(model)
        except ModelError as error:
            assert any(reason in str(error) for reason in NOT_COMPILED), f"seed {seed}: {error}"
            continue
        reference = Reference(model)
        hops = {1, 2, int(rng.integers(1, max(2, graph.inputs[0].length)))}
        for hop in sorted(hops):
            target = TARGETS[(seed + hop) % len(TARGETS)]
            try:
                program = compile_model(
                    model,
                    f"seed {seed}",
                    f"net{seed}_{hop}",
                    target=target,
                    optimize=OPTIMIZE[seed % len(OPTIMIZE)],
                    least_ram=seed % 2 == 1 and find_target(target).row_by_row,
                    hop=hop,
                )
            except ModelError as error:
                assert any(reason in str(error) for reason in REFUSALS), f"seed {seed}, hop {hop}: {error}"
                refused += 1
                continue
            stream = _stream(graph, hop, _calls(graph, hop), seed)
            programs.append(program)
            streams.append(stream)
            wanted.append([reference.run(window)[0].tobytes() for window in _full_windows(stream, graph, hop)])
    assert len(programs) > refused / 2
    _check(programs, streams, wanted, tmp_path)


class _Layers:
    """A network over long windows, layer by layer."""

    def __init__(self, length: int, channels: int, seed: int) -> None:
        self.net, self.draw = NetworkWriter(), np.random.default_rng(seed)
        self.length, self.channels = length, channels
        self.first = self.last = self._tensor(length, channels)

    def _tensor(self, length: int, channels: int) -> int:
        return self.net.tensor((1, 1, length, channels), 0.06, -5)

    def conv(self, out: int, kernel: int, *, stride: int = 1, dilation: int = 1, same: bool = False) -> "_Layers":
        weights = self.draw.integers(-127, 128, (out, 1, kernel, self.channels)).astype(np.int8)
        bias = self.draw.integers(-3000, 3000, out).astype(np.int32)
        span = (kernel - 1) * dilation + 1
        self.length = -(-self.length // stride) if same else (self.length - span) // stride + 1
        self.channels = out
        made = self._tensor(self.length, out)
        constants = [
            self.net.const(weights, np.full(out, 0.004, np.float32)),
            self.net.const(bias, np.full(out, 0.00024, np.float32)),
        ]
        self.net.op(
            "CONV_2D",
            [self.last, *constants],
            [made],
            padding=0 if same else 1,
            strideW=stride,
            strideH=1,
            dilationWFactor=dilation,
            dilationHFactor=1,
            fusedActivationFunction=1,
        )
        self.last = made
        return self

    def pool(self, size: int) -> "_Layers":
        self.length //= size
        made = self._tensor(self.length, self.channels)
        self.net.op(
            "MAX_POOL_2D",
            [self.last],
            [made],
            padding=1,
            strideW=size,
            strideH=1,
            filterWidth=size,
            filterHeight=1,
            fusedActivationFunction=0,
        )
        self.last = made
        return self

    def join(self, other: int, channels: int) -> "_Layers":
        """Concatenate the channels of another value of as many rows."""
        self.channels += channels
        made = self._tensor(self.length, self.channels)
        self.net.op("CONCATENATION", [self.last, other], [made], axis=3, fusedActivationFunction=0)
        self.last = made
        return self

    def dense(self, out: int) -> bytes:
        """Over all rows."""
        size = self.length * self.channels
        flat = self.net.tensor((1, size), 0.06, -5)
        self.net.op("RESHAPE", [self.last, self.net.const(np.array([1, size], np.int32))], [flat])
        weights = self.draw.integers(-127, 128, (out, size)).astype(np.int8)
        made = self.net.tensor((1, out), 0.3, 3)
        constants = [self.net.const(weights, 0.004), self.net.const(np.zeros(out, np.int32), 0.00024)]
        self.net.op("FULLY_CONNECTED", [flat, *constants], [made], fusedActivationFunction=0)
        return self.net.bytes([self.first], [made])


def _valid() -> bytes:
    """Convolutions without padding, pooled, as most examples of this field have them."""
    return _Layers(96, 3, 1).conv(8, 5).pool(2).conv(12, 3).pool(2).conv(8, 3, dilation=2).dense(5)


def _same() -> bytes:
    """Padding on both sides, a stride and a pooling."""
    return (
        _Layers(120, 2, 2).conv(8, 7, stride=2, same=True).conv(8, 5, same=True).pool(2).conv(4, 3, same=True).dense(3)
    )


def _branches() -> bytes:
    """Two kernels over the same rows, their channels joined."""
    layers = _Layers(64, 3, 3).conv(6, 3, same=True)
    stem = layers.last
    wide = layers.conv(4, 7, same=True).last
    layers.last, layers.channels = stem, 6
    return layers.conv(5, 3, same=True).join(wide, 4).conv(6, 3, same=True).dense(4)


NETWORKS = {"valid": _valid, "same": _same, "branches": _branches}


@pytest.mark.parametrize("least_ram", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_layers_over_long_windows_slide_by_any_hop(name: str, least_ram: bool, tmp_path: Path) -> None:
    model = NETWORKS[name]()
    graph, reference = _graph(model), Reference(model)
    programs, streams, wanted = [], [], []
    for number, hop in enumerate((1, 2, 3, 4, 6, 8, 12, 20, 31, 32, 50, 63)):
        try:
            slid = slide(graph, hop, least_ram=least_ram)
        except ModelError as error:
            assert any(reason in str(error) for reason in REFUSALS), str(error)
            continue
        assert slid.macs < graph.macs or least_ram
        stream = _stream(graph, hop, _calls(graph, hop), hop)
        programs.append(compile_graph(slid, f"{name}{hop}", TARGETS[number % len(TARGETS)]))
        streams.append(stream)
        wanted.append([reference.run(window)[0].tobytes() for window in _full_windows(stream, graph, hop)])
    assert len(programs) >= 5
    _check(programs, streams, wanted, tmp_path)


def _slid(
    model: bytes, name: str, hop: int, target: str, *, least_ram: bool = False
) -> tuple[Program, np.ndarray, list[bytes]]:
    """A program, a stream, and what the reference makes of its full windows."""
    graph, reference = _graph(model), Reference(model)
    program = compile_model(model, name, f"{name}{hop}", target=target, hop=hop, least_ram=least_ram)
    stream = _stream(graph, hop, _calls(graph, hop), hop)
    return program, stream, [reference.run(window)[0].tobytes() for window in _full_windows(stream, graph, hop)]


@pytest.mark.parametrize(
    ("name", "hop", "macs"),
    [
        # Counted by hand: rows of each convolution that a hop adds, times its products; 384 of the dense layer.
        ("har", 4, 4 * 45 * 32 + 2 * 96 * 64 + 192 * 64 + 384),
        ("har", 16, 16 * 45 * 32 + 8 * 96 * 64 + 4 * 192 * 64 + 384),
        ("har", 64, 64 * 45 * 32 + 32 * 96 * 64 + 16 * 192 * 64 + 384),
        ("ecg", 64, None),
        ("ds", 1, None),
        ("tcn", 8, None),
    ],
)
def test_reference_networks(name: str, hop: int, macs: int | None, shared_models: Path, tmp_path: Path) -> None:
    model = (shared_models / f"{name}_b1.tflite").read_bytes()
    program, stream, wanted = _slid(model, name, hop, TARGETS[hop % len(TARGETS)])
    _check([program], [stream], [wanted], tmp_path)
    assert program.graph.macs < 0.3 * _graph(model).macs or hop == 64
    assert macs is None or program.graph.macs == macs


def test_networks_of_others(shared_models: Path, tmp_path: Path) -> None:
    programs, streams, wanted = [], [], []
    for number, path in enumerate(sorted((shared_models / "thirdparty").glob("*.tflite"))):
        model = path.read_bytes()
        try:
            graph = _graph(model)
        except ModelError:
            continue
        for hop in (2, 8):
            try:
                slide(graph, hop)
            except ModelError as error:
                assert any(reason in str(error) for reason in (*REFUSALS, "a state already", "has 2 inputs")), str(
                    error
                )
                continue
            program, stream, outputs = _slid(model, f"net{number}_", hop, "portable")
            programs.append(program)
            streams.append(stream)
            wanted.append(outputs)
    assert len(programs) >= 3
    _check(programs, streams, wanted, tmp_path)


@pytest.mark.parametrize(("name", "hop"), [("ecg", 64), ("ds", 1), ("tcn", 8)])
def test_least_ram_keeps_less(name: str, hop: int, shared_models: Path, tmp_path: Path) -> None:
    model = (shared_models / f"{name}_b1.tflite").read_bytes()
    usual = compile_model(model, name, "net", hop=hop)
    least, stream, wanted = _slid(model, name, hop, "portable", least_ram=True)
    _check([least], [stream], [wanted], tmp_path)
    assert least.state_bytes < 0.5 * usual.state_bytes
    assert usual.graph.macs < least.graph.macs < 0.6 * _graph(model).macs


def test_weights_of_rows_at_both_ends_are_there_once() -> None:
    whole, slid = compile_model(_same(), "same", "net"), compile_model(_same(), "same", "net", hop=8)
    assert sum(op.macs > 0 for op in slid.ops) > sum(op.macs > 0 for op in whole.ops)
    assert slid.constant_bytes - slid.state_bytes == whole.constant_bytes


def test_what_is_kept_is_what_is_read(shared_models: Path) -> None:
    graph = slide(_graph((shared_models / "har_b1.tflite").read_bytes()), 16)
    # Kernels of 5, 3 and 3, pools of 2: the rows that a hop adds and those that they reach back; the mean reads all 28.
    assert [state.value.shape for state in graph.states] == [
        (1, 16 + 4, 9),
        (1, 8 + 2, 32),
        (1, 4 + 2, 64),
        (1, 28, 64),
    ]
    assert (
        (graph.sliding.window_rows, graph.sliding.hop_rows, graph.sliding.calls) == (128, 16, 8)
        if graph.sliding
        else False
    )


def test_header_says_when_outputs_count(shared_models: Path) -> None:
    program = compile_model((shared_models / "har_b1.tflite").read_bytes(), "har", "har", hop=48)
    header = program.files["har.h"]
    for line in ("#define HAR_WINDOW_LENGTH 128", "#define HAR_HOP_LENGTH 48", "#define HAR_CALLS 3 "):
        assert line in header
    assert "void har_init(har_state *state);" in header


@pytest.mark.parametrize(
    ("hop", "reason"),
    [
        (0, "hop 0: expected 1 to 95 rows, fewer than the window's 96"),
        (-3, "hop -3: expected 1 to 95"),
        (96, "hop 96: expected 1 to 95"),
        (7, "hop 7: op 0 (CONV_2D + MAX_POOL_2D) moves by 2 rows; expected a multiple of 2"),
        (94, "hop 94: op 0 (CONV_2D + MAX_POOL_2D) has no row alike in two windows; expected a smaller hop"),
    ],
)
def test_hops_that_keep_nothing_are_refused(hop: int, reason: str) -> None:
    with pytest.raises(ModelError, match=reason.replace("(", "\\(").replace(")", "\\)").replace("+", "\\+")):
        compile_model(_valid(), "valid", "net", hop=hop)


def test_dense_networks_are_refused() -> None:
    with pytest.raises(ModelError, match="reads the whole window; nothing of it could be kept"):
        compile_model(_Layers(32, 2, 0).dense(3), "dense", "net", hop=4)


def test_networks_with_state_or_several_inputs_are_refused() -> None:
    graph = _graph(_valid())
    slid = slide(graph, 4)
    with pytest.raises(ModelError, match="keeps a state already"):
        slide(slid, 2)
    with pytest.raises(ModelError, match="has 2 inputs"):
        slide(replace(graph, inputs=graph.inputs * 2), 4)


@pytest.mark.parametrize("board", ["cortex-m0plus", "cortex-m4"])
def test_on_a_virtual_board(board: str, shared_models: Path, tmp_path: Path) -> None:
    model = (shared_models / "har_b1.tflite").read_bytes()
    try:
        _, whole = measure_model(model, "har", board, tmp_path, inputs=1)
    except EdgeCnnError as error:
        pytest.skip(str(error))
    work = tmp_path / "sliding"
    work.mkdir()
    program, found = measure_model(model, "har", board, work, hop=16, inputs=1)
    assert found.byte_equal
    assert not found.faults
    # 7.3 times fewer products; setting the first values is not counted.
    assert 6 * found.mean_instructions < whole.mean_instructions
    assert (
        abs(sum(layer.instructions for layer in found.layers) - found.mean_instructions)
        < 0.02 * found.mean_instructions
    )
    assert found.state_bytes == program.state_bytes == 2676
