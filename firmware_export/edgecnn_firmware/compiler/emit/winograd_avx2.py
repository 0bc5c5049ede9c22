"""Winograd1D for AVX2: when it gains, the proof that it is exact, its sums of taps and its scratch."""

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.emit.avx2 import AVX2_LANES
from edgecnn_firmware.compiler.emit.context import Emitter
from edgecnn_firmware.compiler.emit.convolution import window_fields
from edgecnn_firmware.compiler.emit.layers import Layer
from edgecnn_firmware.compiler.emit.requantization import line_of, requantization_of
from edgecnn_firmware.compiler.ops.convolution import Conv1D
from edgecnn_firmware.compiler.ops.winograd import Winograd1D, planes

_ELEMENT_BYTES: Final = 2
_LEAST_KERNEL: Final = 3
_OVERHEAD: Final = 16
"""What a pair of rows costs besides its products, in products of two: sums by way of memory, and the halves. Of the reference
networks, layers with 96 and 120 such products gained a quarter and more, one with 46 lost as much."""
_MOST: Final = 0.9
_MOST_SUM: Final = 1 << 28
"""Rows' sums below this: A + B and A - B are six times as large at most, and true in 32 bits."""


def gains_on_avx2(op: Conv1D) -> bool:
    """Whether the AVX2 kernel can compute it, exactly, and gains on the ordinary one."""
    window = op.window
    if window.kernel < _LEAST_KERNEL or window.stride != 1 or window.dilation != 1 or (op.pool % 2 and op.pool > 1):
        return False
    if op.outputs_per_row != op.output.channels or line_of(op) is None:
        return False
    # A + B is twice what a row's sum and C differ by, and the inputs of C, differences, reach twice as far.
    lowest, highest = op.reach()
    if max(np.abs(lowest).max(), np.abs(highest).max()) >= _MOST_SUM:
        return False
    ordinary = 2 * -(-window.kernel * op.inputs[0].channels // 2)
    return sum(_counts(op)) // 2 + _OVERHEAD <= _MOST * ordinary


def winograd_avx2_scratch_bytes(op: Conv1D) -> int:
    """Bytes of the input rows with their padding and of all planes' inputs, two bytes an element."""
    rows = (2 * _pairs(op) + op.window.kernel - 1) * op.inputs[0].channels
    return _ELEMENT_BYTES * (rows + sum(_pairs(op) * count + 1 for count in _counts(op)))


def _pairs(op: Conv1D) -> int:
    """Pairs of rows."""
    return -(-op.output.length * op.pool // 2)


def _counts(op: Conv1D) -> list[int]:
    """Inputs of each plane for a pair of rows."""
    return [-(-plane[0].size // 2) * 2 for plane in planes(op)]


def pack_planes_avx2(op: Conv1D) -> npt.NDArray[np.int16]:
    """Weights in the order that edgecnn_winograd1d_avx2.h states: `(groups, numbers)`."""
    out = op.outputs_per_row
    groups = -(-out // (2 * AVX2_LANES)) * 2
    parts = []
    for plane, count in zip(planes(op), _counts(op), strict=True):
        padded = np.zeros((groups * AVX2_LANES, count), np.int16)
        padded[:out, : plane[0].size] = plane.reshape(out, -1)
        parts.append(padded.reshape(groups, AVX2_LANES, -1, 2).transpose(0, 2, 1, 3).reshape(groups, -1))
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def winograd_avx2(op: Winograd1D, emitter: Emitter) -> None:
    """Emit the call."""
    kernel = "edgecnn_winograd1d_avx2"
    emitter.include(f"{kernel}.h")
    # Rows behind the last of all read the zero point too.
    window = window_fields(op, emitter, op.window, op.inputs[0], pool=op.pool)
    arguments = (
        ("const int8_t *", emitter.pointer(op.inputs[0])),
        ("const int16_t *", emitter.constant("weights", pack_planes_avx2(op))),
        ("int8_t *", emitter.pointer(op.output)),
        ("int8_t *", emitter.scratch(op)),
    )
    emitter.layer(Layer(op.number, kernel, window, (), requantization_of(op, emitter, AVX2_LANES), arguments))
