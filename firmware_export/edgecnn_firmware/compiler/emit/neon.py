"""Layout of weights for the NEON kernels of 64-bit Arm."""

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.emit.requantization import line_of
from edgecnn_firmware.compiler.ops.convolution import Conv1D, Dense, Depthwise1D, Products

NEON_LANES: Final = 8
"""Output channels at a time, and the columns of tables."""
_QUAD: Final = 4


def neon_scratch_bytes(op: Conv1D | Depthwise1D | Dense) -> int:
    """Bytes of the input with its padding."""
    value = op.inputs[0]
    if isinstance(op, Dense):
        return value.elements + _QUAD
    rows = op.output.length * (op.pool if isinstance(op, Conv1D) else 1)
    last = (rows - 1) * op.window.stride + op.window.span
    return max(last, value.length + op.window.pad_before) * value.channels + _QUAD


def pack_eights(op: Conv1D | Dense) -> npt.NDArray[np.int8]:
    """Weights in the order that edgecnn_conv1d_neon.h states: `(groups, taps, quads, 8, 4)`."""
    out = op.outputs_per_row
    # Where taps lie next to each other, a patch is one run.
    adjacent = isinstance(op, Dense) or op.window.dilation == 1
    runs = op.weights.reshape(out, 1, -1) if adjacent else op.weights
    taps, run = runs.shape[1:]
    padded = np.zeros((-(-out // NEON_LANES) * NEON_LANES, taps, -(-run // _QUAD) * _QUAD), np.int8)
    padded[:out, :, :run] = runs
    parts = padded.reshape(-1, NEON_LANES, taps, padded.shape[2] // _QUAD, _QUAD)
    return np.ascontiguousarray(parts.transpose(0, 2, 3, 1, 4))


def has_eights(op: Depthwise1D) -> bool:
    """Whether a depthwise convolution has whole groups of eight channels, and a line."""
    return op.multiplier == 1 and op.outputs_per_row % NEON_LANES == 0 and line_of(op) is not None


def is_small(op: Products) -> int:
    """1 where no weight is -128, so that two products fit 16 bits; else 0."""
    return int(not (op.weights == -128).any())
