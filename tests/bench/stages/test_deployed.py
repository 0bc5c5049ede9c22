"""The emitted classifier in this process: what it says of windows, also where its network keeps state."""

from pathlib import Path

import numpy as np
import pytest

from edgecnn_bench.stages.deployed import build_deployed
from edgecnn_firmware.boards.process import BoardError
from edgecnn_firmware.bundle import read_bundle
from edgecnn_firmware.host.compiler import HostCompiler, find_compiler
from edgecnn_firmware.host.recipe import Recipe, portable_recipe

from ...firmware.compiler.networks import NetworkWriter
from .. import conftest as bundles
from .conftest import Task


def test_outputs_and_labels_are_the_reference_kernels(task: Task) -> None:
    bundle, vectors, found = task
    classified = build_deployed(bundle, portable_recipe(find_compiler())).classify(vectors.windows)
    assert np.array_equal(classified.inputs, vectors.inputs)
    assert np.array_equal(classified.outputs, vectors.outputs)
    assert np.array_equal(classified.labels, found.runs["litert-reference"].predicted)


def test_without_the_network_the_inputs_are_the_same(task: Task) -> None:
    bundle, vectors, _ = task
    built = build_deployed(bundle, portable_recipe(find_compiler()))
    assert np.array_equal(built.classify(vectors.windows, network=False).inputs, vectors.inputs)
    assert not built.classify(vectors.windows, network=False).outputs.any()
    assert np.array_equal(built.classify(vectors.windows).outputs, vectors.outputs)


def test_a_compiler_that_fails_is_one_line(task: Task) -> None:
    compiler = find_compiler()
    broken = HostCompiler((*compiler.command, "-fno-such-flag"), compiler.native, compiler.name)
    with pytest.raises(BoardError) as caught:
        build_deployed(task[0], Recipe("portable", broken, ()))
    assert "\n" not in str(caught.value)


def stateful_network() -> bytes:
    """Adds its window to what it remembers, gives that back, and remembers its window."""
    net = NetworkWriter()
    handle = net.tensor((), kind="RESOURCE")
    given = net.tensor((1, 3, 2), 0.25, 0)
    remembered, kept, sums = (net.tensor((1, 3, 2), 0.5, zero) for zero in (3, 3, -10))
    output = net.tensor((1, 6), 0.5, -10)
    net.op("VAR_HANDLE", [], [handle], container="", sharedName="memory")
    net.op("READ_VARIABLE", [handle], [remembered])
    net.op("ADD", [given, remembered], [sums], potScaleInt16=False)
    net.op("RESHAPE", [sums, net.const(np.array([1, 6], np.int32))], [output], newShape=[1, 6])
    net.op("QUANTIZE", [given], [kept])
    net.op("ASSIGN_VARIABLE", [handle, kept], [])
    return net.bytes([given], [output])


def test_every_window_starts_from_the_first_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The interpreter refuses to read what was never written.
    monkeypatch.setattr(bundles, "reference_outputs", lambda _, inputs: np.zeros((len(inputs), 6), np.int8))
    windows = np.random.default_rng(1).normal(0, 5, (4, 3, 2)).astype(np.float32)
    names = tuple(f"class {index}" for index in range(6))
    path = bundles.write_bundle(
        tmp_path / "waves", {"model.tflite": stateful_network()}, windows, np.zeros(4, np.int64), names
    )
    built = build_deployed(read_bundle(path), portable_recipe(find_compiler()))
    together = built.classify(windows)
    assert len(np.unique(together.outputs, axis=0)) == 4
    for index in range(4):
        alone = built.classify(windows[index : index + 1])
        assert np.array_equal(alone.outputs[0], together.outputs[index])
        assert np.array_equal(alone.inputs[0], together.inputs[index])
        # Zero bytes are remembered, which are 3 steps below the zero point; the window counts in steps twice as large.
        expected = alone.inputs[0].ravel() / 2 - 3 - 10
        assert np.abs(expected - alone.outputs[0]).max() <= 0.5
