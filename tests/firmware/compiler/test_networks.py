"""Random networks: LiteRT's reference kernels, the numpy oracle and the compiled C give the same bytes.

`EDGECNN_NETWORKS` sets how many (the nightly run takes 100,000), `EDGECNN_FIRST_SEED` where they begin. A mismatch names the
seed; `python -m tests.firmware.compiler.repeat SEED TARGET` shows its first differing op.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.compiler.targets import find_target
from edgecnn_firmware.errors import ModelError

from .architectures import random_network
from .batch import SANITIZERS, run_batch
from .native import compilers
from .networks import Reference, random_int8
from .repeat import explain

NETWORKS = int(os.environ.get("EDGECNN_NETWORKS", "2000"))
FIRST = int(os.environ.get("EDGECNN_FIRST_SEED", "0"))
BATCH = 50
AS_SHIPPED = 8
"""One batch in so many."""
CALLS = 8
TARGETS = (*("portable", "armv7e-m", "armv8.1-m-mve") * 4, "x86-64-vnni", "x86-64-avx2", "aarch64")
"""Every network runs on one; the kernels of other machines run in their plain C form here, which takes gcc several times
as long to compile for the last three."""
REFUSALS = ("beyond int32", "too small for its fixed-point exponent", "too small for its activation")
OPTIMIZE = ("balanced", "size", "balanced", "speed", "balanced")


def _batches() -> list[range]:
    return [range(start, min(start + BATCH, FIRST + NETWORKS)) for start in range(FIRST, FIRST + NETWORKS, BATCH)]


@pytest.mark.spread
@pytest.mark.parametrize("seeds", _batches(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_random_networks_are_byte_equal(seeds: range, tmp_path: Path) -> None:
    if "gcc" not in compilers():
        pytest.skip("gcc is not installed")
    programs: list[Program] = []
    inputs, expected, kept = [], [], []
    refused = 0
    for seed in seeds:
        model = random_network(seed)
        target = TARGETS[seed % len(TARGETS)]
        try:
            optimize = OPTIMIZE[seed // len(TARGETS) % len(OPTIMIZE)]
            # Half of them in stripes of rows, where the target has kernels for that.
            least = seed % 2 == 1 and find_target(target).row_by_row
            program = compile_model(
                model, f"seed {seed}", f"net{seed}", target=target, optimize=optimize, least_ram=least
            )
        except ModelError as error:
            # The generator draws extreme scales, where sums leave int32, or where the reference itself aborts.
            assert any(reason in str(error) for reason in REFUSALS), f"seed {seed}: {error}"
            refused += 1
            continue
        reference, oracle = Reference(model), Oracle(program.graph)
        rng = np.random.default_rng(seed)
        windows = [random_int8(rng, program.graph.inputs[0].shape, kind) for kind in range(CALLS)]
        outputs = [reference.run(window)[0] for window in windows]
        for window, output in zip(windows, outputs, strict=True):
            assert np.array_equal(oracle.run(window)[0].ravel(), output.ravel()), explain(
                seed, target, window, least_ram=least
            )
        programs.append(program)
        inputs.append(np.stack([window.ravel() for window in windows]))
        expected.append(np.stack([output.view(np.uint8).ravel() for output in outputs]))
        kept.append((seed, target, least, windows))
    assert refused <= len(seeds) // 5
    # Called kernels compile twice as fast as the same kernels specialized for each layer; some batches are as shipped.
    called = () if seeds.start // BATCH % AS_SHIPPED == 0 else ("-DEDGECNN_NO_INLINE",)
    found = run_batch(programs, inputs, tmp_path, (*SANITIZERS, "-DEDGECNN_NO_SIMD", *called))
    for output, wanted, (seed, target, least, windows) in zip(found, expected, kept, strict=True):
        wrong = np.flatnonzero((output != wanted).any(axis=1))
        assert not len(wrong), explain(seed, target, windows[wrong[0]], least_ram=least)
