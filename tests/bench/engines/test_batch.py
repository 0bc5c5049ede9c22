"""Many windows through interpreters: networks that keep state, and interpreters that fail."""

import numpy as np
import pytest
from tests.firmware.compiler.networks import NetworkWriter

from edgecnn_bench.engines import batch, reference_outputs
from edgecnn_firmware.errors import ModelError


def memory(*, assigned: bool) -> bytes:
    """Gives its window plus what it remembers, 5 at first, and remembers its window."""
    net = NetworkWriter()
    if assigned:
        handle = net.variable("memory", np.full((1, 3, 2), 5, np.int8), 1.0, 0)
    else:
        handle = net.tensor((), kind="RESOURCE")
        net.op("VAR_HANDLE", [], [handle], container="", sharedName="memory")
    given, remembered, sums = (net.tensor((1, 3, 2), 1.0, 0) for _ in range(3))
    output = net.tensor((1, 6), 1.0, 0)
    net.op("READ_VARIABLE", [handle], [remembered])
    net.op("ADD", [given, remembered], [sums], potScaleInt16=False)
    net.op("RESHAPE", [sums, net.const(np.array([1, 6], np.int32))], [output], newShape=[1, 6])
    net.op("ASSIGN_VARIABLE", [handle, given], [])
    return net.bytes([given], [output])


@pytest.mark.parametrize("workers", [1, 3])
def test_every_window_begins_at_the_first_state(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MIN_WINDOWS_PER_WORKER", 1)
    monkeypatch.setattr(batch.os, "cpu_count", lambda: workers)
    windows = np.random.default_rng(0).integers(-100, 100, (7, 3, 2)).astype(np.int8)
    assert np.array_equal(reference_outputs(memory(assigned=True), windows), windows.reshape(7, 6) + 5)


def test_a_model_that_the_interpreter_cannot_run_is_one_line() -> None:
    with pytest.raises(ModelError, match=r"the interpreter fails on the model: .*READ_VARIABLE") as error:
        reference_outputs(memory(assigned=False), np.zeros((2, 3, 2), np.int8))
    assert "\n" not in str(error.value)
