"""Maxima of four channels at a time for Armv7E-M: poolings with bounds and padding, and reductions of many rows."""

from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.boards.program import measure_program
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.errors import MissingDependency

from .native import Native
from .networks import NetworkWriter, Reference, random_int8

RELU6 = 3
KERNELS = ("edgecnn_max_pool_dsp(", "edgecnn_reduce_max_dsp(")
SHAPES = [(1, 8), (3, 4), (100, 8), (300, 12)]


def network(length: int, channels: int) -> bytes:
    """A pooling whose windows overlap and reach beyond both ends, bounded below and above; then the maximum of all rows."""
    net = NetworkWriter()
    value = net.tensor((1, 1, length, channels), 0.05, -11)
    pooled = net.tensor((1, 1, -(-length // 2), channels), 0.05, -11)
    made = net.tensor((1, channels), 0.05, -11)
    options = {"strideW": 2, "strideH": 1, "filterWidth": 5, "filterHeight": 1, "fusedActivationFunction": RELU6}
    net.op("MAX_POOL_2D", [value], [pooled], padding=0, **options)
    net.op("REDUCE_MAX", [pooled, net.const(np.array([1, 2], np.int32))], [made], keepDims=False)
    return net.bytes([value], [pooled, made])


@pytest.mark.parametrize(("length", "channels"), SHAPES)
def test_maxima_are_byte_equal(length: int, channels: int, tmp_path: Path) -> None:
    model = network(length, channels)
    program = compile_model(model, "maxima", "net", target="armv7e-m")
    assert all(kernel in program.files[program.source] for kernel in KERNELS)
    reference, rng = Reference(model), np.random.default_rng(length)
    windows = [random_int8(rng, (1, 1, length, channels), kind) for kind in range(4)]
    wanted = [[output.copy() for output in reference.run(window)] for window in windows]
    native = Native(program, tmp_path / "host", ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover"))
    for window, outputs in zip(windows, wanted, strict=True):
        for found, output in zip(native.run(window), outputs, strict=True):
            assert np.array_equal(found, output)
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    pytest.importorskip("elftools", reason="pyelftools is not installed")
    for prefer in ("gcc", "zig"):
        work = tmp_path / prefer
        work.mkdir()
        try:
            data = [window.tobytes() for window in windows]
            found = measure_program(program, "cortex-m4", data, work=work, prefer=prefer, layers=False, watch=True)
        except MissingDependency as error:
            pytest.skip(str(error))
        assert found.outputs == tuple(b"".join(output.tobytes() for output in outputs) for outputs in wanted)
        assert found.faults == ()


def test_other_channels_take_one_at_a_time() -> None:
    program = compile_model(network(20, 6), "maxima", "net", target="armv7e-m")
    assert not any(kernel in program.files[program.source] for kernel in KERNELS)
