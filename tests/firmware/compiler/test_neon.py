"""The NEON kernels in all their shapes: in plain C on this machine, as machine code on virtual 64-bit Arm cores."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.boards.program import measure_program
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import MissingDependency

from .batch import SANITIZERS, run_batch
from .networks import NetworkWriter, Reference, random_int8

CALLS = 4


class Chain:
    """Layers one behind the other, with scales under which outputs neither vanish nor saturate.

    Args:
        seed: of the weights.
        length: input rows.
        channels: input channels.
        least: the smallest weight drawn, -127 or -128.
    """

    def __init__(self, seed: int, length: int, channels: int, least: int = -127) -> None:
        self.draw = np.random.default_rng(seed)
        self.net = NetworkWriter()
        self.least = least
        self.length, self.channels, self.scale, self.zero_point = length, channels, 0.05, -3
        self.first = self.last = self.net.tensor((1, 1, length, channels), self.scale, self.zero_point)

    def _weights(self, shape: tuple[int, ...], out: int, axis: int) -> tuple[list[int], float]:
        values = self.draw.integers(self.least, 128, shape).astype(np.int8)
        values.reshape(-1)[:: values.size // 8 + 1] = self.least
        scales = (0.01 * self.draw.uniform(0.3, 1, out)).astype(np.float32)
        spread = 60 * 60 * math.sqrt(values.size / out)
        bias = self.draw.normal(0, spread / 3, out).astype(np.int32)
        constants = [
            self.net.const(values, scales, axis=axis),
            self.net.const(bias, np.float32(self.scale) * scales),
        ]
        return constants, float(np.float32(self.scale * float(scales.max()) * spread / 30))

    def _append(self, name: str, constants: list[int], scale: float, **options: object) -> "Chain":
        self.zero_point = int(self.draw.choice([-128, -5, 20]))
        made = self.net.tensor((1, 1, self.length, self.channels), scale, self.zero_point)
        self.net.op(name, [self.last, *constants], [made], **options)
        self.last, self.scale = made, scale
        return self

    def _rows(self, kernel: int, stride: int, dilation: int, *, same: bool) -> None:
        span = (kernel - 1) * dilation + 1
        self.length = -(-self.length // stride) if same else (self.length - span) // stride + 1

    def conv(self, out: int, kernel: int = 1, stride: int = 1, dilation: int = 1, *, same: bool = False) -> "Chain":
        """CONV_2D."""
        constants, scale = self._weights((out, 1, kernel, self.channels), out, 0)
        self._rows(kernel, stride, dilation, same=same)
        self.channels = out
        return self._append("CONV_2D", constants, scale, **_window(stride, dilation, same=same))

    def depthwise(self, kernel: int, stride: int = 1, dilation: int = 1, *, same: bool = False) -> "Chain":
        """DEPTHWISE_CONV_2D."""
        constants, scale = self._weights((1, 1, kernel, self.channels), self.channels, 3)
        self._rows(kernel, stride, dilation, same=same)
        options = _window(stride, dilation, same=same)
        return self._append("DEPTHWISE_CONV_2D", constants, scale, depthMultiplier=1, **options)

    def pool(self, kernel: int) -> "Chain":
        """MAX_POOL_2D of rows that do not overlap."""
        self.length //= kernel
        made = self.net.tensor((1, 1, self.length, self.channels), self.scale, self.zero_point)
        options = {"strideW": kernel, "strideH": 1, "filterWidth": kernel, "filterHeight": 1}
        self.net.op("MAX_POOL_2D", [self.last], [made], padding=1, fusedActivationFunction=0, **options)
        self.last = made
        return self

    def reduce(self, name: str) -> "Chain":
        """MEAN or REDUCE_MAX over all rows."""
        made = self.net.tensor((1, 1, 1, self.channels), self.scale, self.zero_point)
        self.net.op(name, [self.last, self.net.const(np.array([2], np.int32))], [made], keepDims=True)
        self.last, self.length = made, 1
        return self

    def add(self, activation: int = 1) -> "Chain":
        """ADD of what the last layer read and wrote, a residual block's end; `activation` as in the schema, 1: ReLU."""
        other = self.last
        self.conv(self.channels, 3, same=True)
        made = self.net.tensor((1, 1, self.length, self.channels), self.scale * 1.3, 7)
        self.net.op("ADD", [other, self.last], [made], potScaleInt16=False, fusedActivationFunction=activation)
        self.last, self.scale, self.zero_point = made, self.scale * 1.3, 7
        return self

    def dense(self, out: int) -> "Chain":
        """FULLY_CONNECTED over everything."""
        constants, scale = self._weights((out, self.length * self.channels), out, 0)
        elements = self.length * self.channels
        flat = self.net.tensor((1, elements), self.scale, self.zero_point)
        self.net.op("RESHAPE", [self.last, self.net.const(np.array([1, elements], np.int32))], [flat])
        made = self.net.tensor((1, out), scale, 4)
        self.net.op("FULLY_CONNECTED", [flat, *constants], [made], fusedActivationFunction=0)
        self.last = made
        return self

    def model(self) -> bytes:
        """The file."""
        return self.net.bytes([self.first], [self.last])


def _window(stride: int, dilation: int, *, same: bool) -> dict[str, int]:
    return {
        "padding": 0 if same else 1,
        "strideW": stride,
        "strideH": 1,
        "dilationWFactor": dilation,
        "dilationHFactor": 1,
        "fusedActivationFunction": 0,
    }


def chains() -> Iterator[tuple[str, Chain]]:
    """Channels around multiples of 8 and 16, runs around multiples of 4, 8 and 16, rows that fill no block, pools."""
    yield "pools", Chain(1, 61, 3).conv(17, 5).pool(2).conv(9, 3).pool(3).conv(33, 2).pool(4).dense(3)
    yield "pool of 5", Chain(2, 31, 8).conv(8, 2).pool(5).conv(24, 6).dense(12)
    yield "padding", Chain(23, 23, 5).conv(16, 4, same=True).conv(7, 5, stride=2, same=True).conv(1, 3, same=True)
    yield "dilation", Chain(4, 40, 6).conv(10, 3, dilation=4).conv(16, 4, dilation=3, same=True).conv(31, 2, dilation=5)
    yield "few rows", Chain(5, 4, 12).conv(20, 2).conv(16, 2).conv(5, 2).dense(1)
    yield "depthwise", Chain(6, 37, 8).depthwise(3).conv(24).depthwise(5, 2, same=True).depthwise(4, 1, 2).depthwise(1)
    yield "short depthwise", Chain(7, 6, 16).depthwise(4).depthwise(2, same=True).depthwise(2, stride=2)
    yield "large weights", Chain(8, 19, 8, -128).depthwise(3).depthwise(2, same=True).conv(24, 3).conv(9, 2).dense(18)
    yield "residual", Chain(9, 21, 16).conv(24, 3).add().add().reduce("MEAN").dense(5)
    yield "maximum", Chain(10, 21, 16).conv(13, 3).add().conv(16).reduce("REDUCE_MAX").dense(4)


CHAINS = dict(chains()) if shutil.which("gcc") else {}


def compiled(name: str) -> tuple[Program, "list[np.ndarray]", "list[np.ndarray]"]:
    """A chain's program, inputs, and what LiteRT's reference kernels make of them."""
    model = CHAINS[name].model()
    program = compile_model(model, name, f"net_{name.replace(' ', '_')}", target="aarch64")
    reference, rng = Reference(model), np.random.default_rng(3)
    windows = [random_int8(rng, program.graph.inputs[0].shape, kind) for kind in range(CALLS)]
    return program, windows, [reference.run(window)[0].copy() for window in windows]


def test_plain_c_is_byte_equal(tmp_path: Path) -> None:
    if not CHAINS:
        pytest.skip("gcc is not installed")
    programs, inputs, wanted = zip(*(compiled(name) for name in CHAINS), strict=True)
    headers = {header for program in programs for header in program.files if header.endswith("_neon.h")}
    kinds = ("neon", "conv1d_neon", "depthwise1d_neon", "elementwise_neon", "reduce_neon")
    assert headers == {f"edgecnn_{kind}.h" for kind in kinds}
    found = run_batch(
        programs,
        [np.stack(windows) for windows in inputs],
        tmp_path,
        (*SANITIZERS, "-DEDGECNN_NO_SIMD", "-DEDGECNN_NO_INLINE"),
    )
    for name, outputs, expected in zip(CHAINS, found, wanted, strict=True):
        assert len(np.unique(np.stack(expected))) > 2, f"{name}: its outputs say nothing"
        assert np.array_equal(outputs, np.stack([e.view(np.uint8).ravel() for e in expected])), name


@pytest.mark.parametrize("board", ["aarch64", "aarch64-dotprod"])
@pytest.mark.parametrize("name", CHAINS)
def test_machine_code_is_byte_equal(name: str, board: str, tmp_path: Path) -> None:
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    pytest.importorskip("elftools", reason="pyelftools is not installed")
    program, windows, wanted = compiled(name)
    try:
        data = [window.tobytes() for window in windows]
        strict = ("-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror")
        found = measure_program(program, board, data, work=tmp_path, layers=False, watch=True, flags=strict)
    except MissingDependency as error:
        pytest.skip(str(error))
    assert found.outputs == tuple(output.tobytes() for output in wanted)
    assert found.outputs == tuple(Oracle(program.graph).run(window)[0].tobytes() for window in windows)
    assert found.faults == ()
