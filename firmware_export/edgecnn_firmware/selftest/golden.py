"""Which of a bundle's test windows become golden vectors: few bytes of flash, every class that the model can tell."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import ModelError

Int8 = npt.NDArray[np.int8]

FIRST_ROWS: Final = 2
"""Rows from the front that are taken whatever class they are."""

MAX_VECTORS: Final = 16

MAX_BYTES: Final = 16 * 1024
"""Flash of all golden vectors; one is taken even if it is longer than that."""

MAX_WINDOW_BYTES: Final = 256 * 1024
"""Of one window; the C text is about four times as long."""


@dataclass(frozen=True)
class Golden:
    """Windows and what the reference kernels make of them, one row a vector."""

    rows: tuple[int, ...]
    """Their rows in vectors.npz."""
    inputs: Int8
    """`(vectors, input bytes)`."""
    outputs: Int8
    """`(vectors, output bytes)`."""


def choose_golden(program: Program, inputs: Int8, outputs: Int8) -> Golden:
    """Choose the first rows and the first of each decided class, as many as the limits allow, and check them.

    A network that keeps state is to run them one after the other, so that what it remembers is tested too: their outputs
    are then the compiler's arithmetic in that order. One whose window slides takes each window in hops.

    Args:
        program: the compiled network, with one int8 input and one int8 output.
        inputs: `(n, ...)` int8 windows.
        outputs: `(n, outputs)` what the reference kernels give for each, from the network's first state.

    Raises:
        ModelError: the network is of another kind, there are no windows, one is too long, or the compiler's arithmetic
            gives other bytes.
    """
    _require_plain(program)
    made, window_bytes = program.graph.outputs[0], _window_bytes(program)
    if not len(inputs) or inputs.size != len(inputs) * window_bytes or outputs.shape != (len(inputs), made.bytes):
        raise ModelError(
            f"self-test: windows {inputs.shape} and outputs {outputs.shape}; "
            f"expected {window_bytes} values and ({made.bytes},) of each of at least one window"
        )
    inputs = inputs.reshape(len(inputs), -1)
    if window_bytes > MAX_WINDOW_BYTES:
        raise ModelError(f"self-test: a window of {window_bytes} bytes; at most {MAX_WINDOW_BYTES} go into flash")
    most = max(1, min(MAX_VECTORS, MAX_BYTES // (window_bytes + made.bytes)))
    rows = _rows(_classes(outputs, made.affine.zero_point, made.affine.scale), most)
    for row in rows:
        if not np.array_equal(_in_order(program, inputs[[row]])[0], outputs[row]):
            raise ModelError(f"self-test: window {row} gives other bytes than the bundle's reference outputs")
    chosen = inputs[list(rows)]
    remembers = program.graph.states and not program.graph.sliding
    return Golden(rows, chosen, _in_order(program, chosen) if remembers else outputs[list(rows)])


def _in_order(program: Program, inputs: Int8) -> Int8:
    """Outputs `(n, outputs)` of windows one after the other, from the first state."""
    oracle, found = Oracle(program.graph), []
    for window in inputs:
        for call in _calls(program, window):
            made = oracle.run(call)[0]
        found.append(np.asarray(made, np.int8).reshape(-1))
    return np.stack(found)


def _calls(program: Program, window: Int8) -> Int8:
    """The inputs of the calls that take a window: the last one ends with it."""
    value = program.graph.inputs[0]
    count = program.graph.sliding.calls if program.graph.sliding else 1
    made = np.zeros((count, *value.shape), np.int8)
    made.reshape(-1)[-window.size :] = window.reshape(-1)
    return made


def _window_bytes(program: Program) -> int:
    value, sliding = program.graph.inputs[0], program.graph.sliding
    return sliding.window_rows * value.channels if sliding else value.bytes


def _require_plain(program: Program) -> None:
    graph = program.graph
    if [value.type for value in (*graph.inputs, *graph.outputs)] != ["int8", "int8"]:
        raise ModelError("self-test: expected a network with one int8 input and one int8 output")


def _classes(outputs: Int8, zero_point: int, scale: float) -> npt.NDArray[np.int64]:
    """The decided label of each row: the largest output, or whether the only one is over one half."""
    if outputs.shape[1] == 1:
        return np.asarray((outputs[:, 0].astype(np.int64) - zero_point) * scale > 0.5, np.int64)
    return np.asarray(np.argmax(outputs, axis=1), np.int64)


def _rows(classes: npt.NDArray[np.int64], most: int) -> tuple[int, ...]:
    first_of_each = np.unique(classes, return_index=True)[1].tolist()
    # Classes before further rows from the front, should there be room for some only.
    wanted = dict.fromkeys([*sorted(first_of_each), *range(min(FIRST_ROWS, len(classes)))])
    return tuple(sorted(list(wanted)[:most]))
