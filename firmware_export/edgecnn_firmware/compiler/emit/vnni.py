"""Layout of weights and tables for the AVX-512 VNNI kernels, and calls of those that stand for dense layers."""

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.float_line import solve_float_line
from edgecnn_firmware.compiler.emit.context import Emitter
from edgecnn_firmware.compiler.emit.layers import Layer
from edgecnn_firmware.compiler.emit.requantization import float_fields, line_of
from edgecnn_firmware.compiler.ops.convolution import Conv1D, Dense, Depthwise1D, Products
from edgecnn_firmware.errors import ModelError

VNNI_LANES: Final = 16
"""Output channels of a register, and the columns of tables."""
_QUAD: Final = 4
_BLOCK: Final = 64
"""Channels of a depthwise convolution that are computed together."""


def vnni_scratch_bytes(op: Conv1D | Depthwise1D | Dense) -> int:
    """Bytes of the input with its padding, made unsigned; of whole blocks for a depthwise convolution."""
    value = op.inputs[0]
    if isinstance(op, Dense):
        return value.elements + _QUAD
    rows = op.output.length * (op.pool if isinstance(op, Conv1D) else 1)
    last = (rows - 1) * op.window.stride + op.window.span
    rows_in = max(last, value.length + op.window.pad_before)
    if isinstance(op, Depthwise1D):
        return rows_in * _up(value.channels, _BLOCK)
    return rows_in * value.channels + _QUAD


def _up(number: int, step: int) -> int:
    return -(-number // step) * step


def pack_quads(op: Conv1D | Dense) -> npt.NDArray[np.int8]:
    """Weights in the order that edgecnn_conv1d_vnni.h states: `(groups, taps, quads, 16, 4)`."""
    out = op.outputs_per_row
    # Where taps lie next to each other, a patch is one run.
    adjacent = isinstance(op, Dense) or op.window.dilation == 1
    runs = op.weights.reshape(out, 1, -1) if adjacent else op.weights
    taps, run = runs.shape[1:]
    padded = np.zeros((_up(out, VNNI_LANES), taps, _up(run, _QUAD)), np.int8)
    padded[:out, :, :run] = runs
    parts = padded.reshape(-1, VNNI_LANES, taps, padded.shape[2] // _QUAD, _QUAD)
    return np.ascontiguousarray(parts.transpose(0, 2, 3, 1, 4))


def pack_start(op: Products) -> npt.NDArray[np.int32]:
    """What sums start from: -128 times the sum of each channel's weights; zeros up to a multiple of 16."""
    start = np.zeros(_up(op.outputs_per_row, VNNI_LANES), np.int32)
    start[: op.outputs_per_row] = -128 * op.weights_by_output.sum(axis=1)
    return start


def vnni_requantization(op: Products, emitter: Emitter) -> dict[str, object]:
    """Emit the table of an op's line, or of its float form, as edgecnn_vnni.h states; the fields of its `edgecnn_requantization`.

    Raises:
        ModelError: there is no line; `line_of` says so first.
    """
    line = line_of(op)
    if line is None:
        raise ModelError(f"op #{op.number} {op.label}: no line")
    lowest, highest = op.reach()
    op.requantization.require_range(lowest + op.folded_bias, highest + op.folded_bias)
    emitter.include("edgecnn_requantize.h")
    # Sums of a depthwise convolution come as fast as they are requantized; those of others hide it.
    if isinstance(op, Depthwise1D):
        found = solve_float_line(op.requantization, op.folded_bias, lowest, highest)
        if found is not None:
            return float_fields(found, emitter, VNNI_LANES)
    multipliers, addends = _sixteens(line.multipliers), _sixteens(line.addends)
    columns = [multipliers, addends]
    if line.drops is not None:
        limits = np.minimum(-addends.astype(np.int64), np.iinfo(np.int32).max)
        moved = (addends.astype(np.int64) + line.offset).astype(np.int32)
        columns = [multipliers, moved, limits.astype(np.int32), _sixteens(line.drops)]
    elif line.shift >= line.pre_shift:
        wide = addends.astype(np.int64) << (32 - line.pre_shift)
        halves = np.concatenate([wide[:, 0::2], wide[:, 1::2]], axis=1).astype("<i8").view("<i4")
        columns = [multipliers, halves.astype(np.int32)]
    return {
        "form": "EDGECNN_LINE" if line.drops is None else "EDGECNN_SIGNED_LINE",
        "table": emitter.constant("requantize", np.concatenate(columns, axis=1)),
        "pre_shift": line.pre_shift,
        "shift": line.shift,
        # In the table.
        "offset": 0,
        "clamp_min": op.requantization.clamp_min,
        "clamp_max": op.requantization.clamp_max,
    }


def _sixteens(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """`(groups, 16)` with zeros up to a whole group."""
    padded = np.zeros(_up(len(values), VNNI_LANES), np.int32)
    padded[: len(values)] = values
    return padded.reshape(-1, VNNI_LANES)


def is_vnni_depthwise(op: Depthwise1D) -> bool:
    """Whether every output channel has an input channel of its own, and there is a line."""
    return op.multiplier == 1 and line_of(op) is not None


def pack_depthwise(op: Depthwise1D) -> npt.NDArray[np.int8]:
    """Weights in the order that edgecnn_depthwise1d_vnni.h states: `(blocks, quads, 64, 4)`."""
    kernel, out = op.weights.shape
    taps = np.zeros((_up(kernel, _QUAD), _up(out, _BLOCK)), np.int8)
    # Three taps meet the rows 0, 1, 1 and 2.
    places = (0, 1, 3) if kernel == 3 else range(kernel)
    for place, row in zip(places, op.weights, strict=True):
        taps[place, :out] = row
    parts = taps.reshape(-1, _QUAD, taps.shape[1] // _BLOCK, _BLOCK)
    return np.ascontiguousarray(parts.transpose(2, 0, 3, 1))


def dense_vnni(op: Dense, emitter: Emitter) -> None:
    """A dense layer as a convolution of kernel 1."""
    kernel = "edgecnn_conv1d_vnni"
    emitter.include(f"{kernel}.h")
    rows, channels = op.output.elements // op.outputs_per_row, op.weights.shape[1]
    one = {"kernel": 1, "stride": 1, "dilation": 1, "pad_before": 0, "pool": 1, "zero_point": 0, "direct": 1}
    window = {"length": rows, "in": channels, "out": op.outputs_per_row, "rows": rows, **one}
    arguments = (
        ("const int8_t *", emitter.pointer(op.inputs[0])),
        ("const int8_t *", emitter.constant("weights", pack_quads(op))),
        ("const int32_t *", emitter.constant("start", pack_start(op))),
        ("int8_t *", emitter.pointer(op.output)),
        ("int8_t *", emitter.scratch(op)),
    )
    emitter.layer(Layer(op.number, kernel, window, (), vnni_requantization(op, emitter), arguments))
