"""The MVE kernels in all their shapes: in plain C on this machine, as machine code on QEMU's Cortex-M55."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.boards.program import measure_program
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.errors import MissingDependency

from .batch import SANITIZERS, run_batch
from .networks import NetworkWriter, Reference, random_int8
from .test_neon import Chain, chains

CALLS = 4
KINDS = ("conv1d_mve", "dense_mve", "depthwise1d_mve", "elementwise_mve", "mve", "reduce_mve")


def _all_chains() -> Iterator[tuple[str, bytes]]:
    for name, chain in chains():
        yield name, chain.model()
    # Dense layers of which no length fills sixteen or four; sums without activation, whose ties go both ways.
    for inputs, outputs in ((1, 1), (3, 2), (15, 5), (17, 4), (33, 7), (100, 9)):
        yield f"dense {inputs} {outputs}", Chain(inputs, 1, inputs).dense(outputs).model()
    yield "sums", Chain(11, 12, 8).add(0).add(0).reduce("MEAN").dense(3).model()
    for channels, rows in ((1, 5), (5, 3), (8, 255), (17, 20), (24, 256), (31, 33)):
        for op in ("MEAN", "REDUCE_MAX"):
            yield f"{op} {channels} {rows}", Chain(channels, rows, channels).reduce(op).model()
    for channels in (3, 16, 21):
        yield f"bounded pool {channels}", _bounded_pool(30, channels)


def _bounded_pool(length: int, channels: int) -> bytes:
    """A pooling whose windows overlap and reach beyond both ends, bounded below and above."""
    net = NetworkWriter()
    value = net.tensor((1, 1, length, channels), 0.05, -11)
    made = net.tensor((1, 1, -(-length // 2), channels), 0.05, -11)
    options = {"strideW": 2, "strideH": 1, "filterWidth": 5, "filterHeight": 1, "fusedActivationFunction": 3}
    net.op("MAX_POOL_2D", [value], [made], padding=0, **options)
    return net.bytes([value], [made])


CHAINS = dict(_all_chains()) if shutil.which("gcc") else {}


def compiled(name: str) -> tuple[Program, "list[np.ndarray]", "list[np.ndarray]"]:
    """A program, inputs, and what LiteRT's reference kernels make of them."""
    prefix = f"net_{name.replace(' ', '_')}"
    program = compile_model(CHAINS[name], name, prefix, target="armv8.1-m-mve")
    reference, rng = Reference(CHAINS[name]), np.random.default_rng(3)
    windows = [random_int8(rng, program.graph.inputs[0].shape, kind) for kind in range(CALLS)]
    return program, windows, [reference.run(window)[0].copy() for window in windows]


def test_plain_c_is_byte_equal(tmp_path: Path) -> None:
    if not CHAINS:
        pytest.skip("gcc is not installed")
    programs, inputs, wanted = zip(*(compiled(name) for name in CHAINS), strict=True)
    headers = {header for program in programs for header in program.files if header.endswith("mve.h")}
    assert headers == {f"edgecnn_{kind}.h" for kind in KINDS}
    flags = (*SANITIZERS, "-DEDGECNN_NO_INLINE")
    found = run_batch(programs, [np.stack(windows) for windows in inputs], tmp_path, flags)
    for name, outputs, expected in zip(CHAINS, found, wanted, strict=True):
        assert np.array_equal(outputs, np.stack([e.view(np.uint8).ravel() for e in expected])), name


@pytest.mark.spread
@pytest.mark.parametrize("name", CHAINS)
def test_machine_code_is_byte_equal(name: str, tmp_path: Path) -> None:
    program, windows, wanted = compiled(name)
    strict = ("-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
    data = [window.tobytes() for window in windows]
    try:
        found = measure_program(program, "cortex-m55", data, work=tmp_path, layers=False, flags=strict)
    except MissingDependency as error:
        pytest.skip(str(error))
    assert found.outputs == tuple(output.tobytes() for output in wanted)
    assert found.faults == ()


def test_means_of_more_rows_stay_in_32_bits() -> None:
    program = compile_model(Chain(1, 256, 8).reduce("MEAN").model(), "mean", "net", target="armv8.1-m-mve")
    assert "edgecnn_mean_mve(" not in program.files[program.source]
