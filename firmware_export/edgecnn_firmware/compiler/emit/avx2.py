"""Layout of weights for the AVX2 kernels, and calls of those that stand for dense layers."""

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.float_line import solve_float_line
from edgecnn_firmware.compiler.emit.context import Emitter
from edgecnn_firmware.compiler.emit.layers import Layer
from edgecnn_firmware.compiler.emit.requantization import float_fields, requantization_of
from edgecnn_firmware.compiler.ops.convolution import Conv1D, Dense, Depthwise1D

AVX2_LANES: Final = 8
"""Output channels of a register, and the columns of tables."""
_PAIR: Final = 2
_ELEMENT_BYTES: Final = 2


def avx2_scratch_bytes(op: Conv1D | Dense) -> int:
    """Bytes of the input with its padding, two bytes an element."""
    value = op.inputs[0]
    if isinstance(op, Dense):
        return _ELEMENT_BYTES * (value.elements + _PAIR)
    last = (op.output.length * op.pool - 1) * op.window.stride + op.window.span
    rows = max(last, value.length + op.window.pad_before)
    return _ELEMENT_BYTES * (rows * value.channels + _PAIR)


def _up(number: int, step: int) -> int:
    return -(-number // step) * step


def pack_two_by_eight(op: Conv1D | Dense) -> npt.NDArray[np.int16]:
    """Weights in the order that edgecnn_conv1d_avx2.h states: `(groups, taps, pairs, 8, 2)`."""
    out = op.outputs_per_row
    # Where taps lie next to each other, a patch is one run.
    adjacent = isinstance(op, Dense) or op.window.dilation == 1
    runs = op.weights.reshape(out, 1, -1) if adjacent else op.weights
    taps, run = runs.shape[1:]
    padded = np.zeros((_up(out, 2 * AVX2_LANES), taps, _up(run, _PAIR)), np.int16)
    padded[:out, :, :run] = runs
    parts = padded.reshape(-1, AVX2_LANES, taps, padded.shape[2] // _PAIR, _PAIR)
    return np.ascontiguousarray(parts.transpose(0, 2, 3, 1, 4))


def depthwise_avx2_scratch_bytes(op: Depthwise1D) -> int:
    """Bytes of the input rows with their padding and one more, each up to sixteen channels."""
    value = op.inputs[0]
    last = (op.output.length - 1) * op.window.stride + op.window.span
    rows = max(last, value.length + op.window.pad_before) + 1
    return rows * _up(value.channels, 2 * AVX2_LANES)


def pack_two_taps(op: Depthwise1D) -> npt.NDArray[np.int16]:
    """Weights in the order that edgecnn_depthwise1d_avx2.h states: `(pairs, channels, 2)`."""
    kernel, out = op.weights.shape
    taps = np.zeros((_up(kernel, _PAIR), _up(out, 2 * AVX2_LANES)), np.int16)
    taps[:kernel, :out] = op.weights
    return np.ascontiguousarray(taps.reshape(-1, _PAIR, taps.shape[1]).transpose(0, 2, 1))


def avx2_requantization(op: Depthwise1D, emitter: Emitter) -> dict[str, object]:
    """The requantization of a depthwise convolution: in floats where that is proved equal."""
    lowest, highest = op.reach()
    op.requantization.require_range(lowest + op.folded_bias, highest + op.folded_bias)
    found = solve_float_line(op.requantization, op.folded_bias, lowest, highest, separate=True)
    return requantization_of(op, emitter, AVX2_LANES) if found is None else float_fields(found, emitter, AVX2_LANES)


def dense_avx2(op: Dense, emitter: Emitter) -> None:
    """A dense layer as a convolution of kernel 1."""
    kernel = "edgecnn_conv1d_avx2"
    emitter.include(f"{kernel}.h")
    rows, channels = op.output.elements // op.outputs_per_row, op.weights.shape[1]
    one = {"kernel": 1, "stride": 1, "dilation": 1, "pad_before": 0, "pool": 1, "zero_point": 0, "direct": 1}
    window = {"length": rows, "in": channels, "out": op.outputs_per_row, "rows": rows, **one}
    arguments = (
        ("const int8_t *", emitter.pointer(op.inputs[0])),
        ("const int16_t *", emitter.constant("weights", pack_two_by_eight(op))),
        ("int8_t *", emitter.pointer(op.output)),
        ("int8_t *", emitter.scratch(op)),
    )
    emitter.layer(Layer(op.number, kernel, window, (), requantization_of(op, emitter, AVX2_LANES), arguments))
