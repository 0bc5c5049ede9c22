"""Layout of weights and tables for the AVX-512 VNNI kernels."""

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.ops.convolution import Conv1D

_LANES: Final = 16
_QUAD: Final = 4


def vnni_scratch_bytes(op: Conv1D) -> int:
    """Bytes of the input with its padding, made unsigned."""
    window, value = op.window, op.inputs[0]
    last = (op.output.length * op.pool - 1) * window.stride + window.span
    return max(last, value.length + window.pad_before) * value.channels + _QUAD


def pack_quads(op: Conv1D) -> npt.NDArray[np.int8]:
    """Weights in the order that edgecnn_conv1d_vnni.h states: `(groups, taps, quads, 16, 4)`."""
    out, kernel, channels = op.weights.shape
    # Where taps lie next to each other, a patch is one run.
    runs = op.weights.reshape(out, 1, kernel * channels) if op.window.dilation == 1 else op.weights
    taps, run = runs.shape[1:]
    padded = np.zeros((-(-out // _LANES) * _LANES, taps, -(-run // _QUAD) * _QUAD), np.int8)
    padded[:out, :, :run] = runs
    parts = padded.reshape(-1, _LANES, taps, padded.shape[2] // _QUAD, _QUAD)
    return np.ascontiguousarray(parts.transpose(0, 2, 3, 1, 4))


def pack_start(op: Conv1D) -> npt.NDArray[np.int32]:
    """What sums start from: -128 times the sum of each channel's weights; zeros up to a multiple of 16."""
    start = np.zeros(-(-op.outputs_per_row // _LANES) * _LANES, np.int32)
    start[: op.outputs_per_row] = -128 * op.weights_by_output.sum(axis=1)
    return start
