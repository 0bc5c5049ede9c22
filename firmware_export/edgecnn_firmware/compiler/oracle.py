"""The compiler's graph computed in numpy: the meaning of every op, and the oracle of the emitted C."""

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.fixed_point import multiply_by_multiplier
from edgecnn_firmware.compiler.arithmetic.log_softmax import log_softmax
from edgecnn_firmware.compiler.arithmetic.reduction import rounded_average
from edgecnn_firmware.compiler.arithmetic.softmax import softmax
from edgecnn_firmware.compiler.ops.activation import (
    ArgMax,
    Dequantize,
    LogSoftmax,
    PRelu,
    QuantizeFloat,
    Softmax,
    Table,
)
from edgecnn_firmware.compiler.ops.convolution import Conv1D, Dense, Depthwise1D, Window
from edgecnn_firmware.compiler.ops.elementwise import Extreme, Product, SquaredDifference, Sum
from edgecnn_firmware.compiler.ops.matmul import MatMul
from edgecnn_firmware.compiler.ops.movement import Move
from edgecnn_firmware.compiler.ops.pointwise import Pointwise
from edgecnn_firmware.compiler.ops.pooling import AveragePool1D, MaxPool1D
from edgecnn_firmware.compiler.ops.reduction import Mean, ReduceMax, ReduceMin
from edgecnn_firmware.compiler.ops.stripes import Stripes
from edgecnn_firmware.compiler.ops.value import Graph, Op, Value

Array: TypeAlias = npt.NDArray[Any]
_NUMPY: Final = {
    "int8": np.int8,
    "uint8": np.uint8,
    "int32": np.int32,
    "int64": np.int64,
    "float32": np.float32,
    "bool": np.bool_,
}


class Oracle:
    """Runs a graph call by call; variables keep their values between calls."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.memory: dict[int, Array] = {}
        """The flat content of each storage after the last call."""
        for state in graph.states:
            self.memory[state.value.storage] = np.frombuffer(state.initial, np.int8)

    def run(self, *inputs: Array, watch: Callable[[Op, Array], None] | None = None) -> list[Array]:
        """One call.

        Args:
            inputs: one array for each of the graph's inputs.
            watch: called after every op with what it wrote.
        """
        for value, array in zip(self.graph.inputs, inputs, strict=True):
            self.memory[value.storage] = np.ascontiguousarray(array, _NUMPY[value.type]).reshape(-1)
        for op in self.graph.ops:
            arrays = [self._read(value) for value in op.inputs]
            made = np.ascontiguousarray(evaluate(op, arrays)).reshape(-1)
            self.memory[op.output.storage] = made
            if watch is not None:
                watch(op, made.reshape(op.output.shape))
        return [self._read(value) for value in self.graph.outputs]

    def _read(self, value: Value) -> Array:
        return self.memory[value.storage][: value.elements].reshape(value.shape)


@singledispatch
def evaluate(op: Op, inputs: Sequence[Array]) -> Array:
    """Compute an op on arrays of its inputs' shapes; the result has the output's elements in row-major order."""
    raise NotImplementedError(type(op).__name__)


@evaluate.register
def _conv1d(op: Conv1D, inputs: Sequence[Array]) -> Array:
    patches = _patches(op.inputs[0], inputs[0], op.window, op.conv_rows)
    sums = patches.reshape(op.conv_rows, -1) @ op.weights_by_output.T + op.folded_bias
    rows = op.requantization.apply(sums)
    kept = rows[: op.conv_rows // op.pool * op.pool]
    pooled: Array = kept.reshape(-1, op.pool, kept.shape[1]).max(axis=1)
    return pooled


@evaluate.register
def _depthwise1d(op: Depthwise1D, inputs: Sequence[Array]) -> Array:
    patches = _patches(op.inputs[0], inputs[0], op.window, op.output.length)
    spread = np.repeat(patches, op.multiplier, axis=2)
    sums = (spread * op.weights.astype(np.int64)).sum(axis=1) + op.folded_bias
    return op.requantization.apply(sums)


@evaluate.register
def _dense(op: Dense, inputs: Sequence[Array]) -> Array:
    sums = inputs[0].astype(np.int64) @ op.weights.astype(np.int64).T + op.folded_bias
    return op.requantization.apply(sums)


@evaluate.register
def _move(op: Move, inputs: Sequence[Array]) -> Array:
    output: Array = np.zeros(op.output.elements, _NUMPY[op.output.type])
    if op.fill is not None:
        output[:] = op.fill
    for part in op.parts:
        grid = np.indices(part.sizes).reshape(len(part.sizes), -1)
        source = part.source_start + np.asarray(part.source_strides, np.int64) @ grid
        target = part.output_start + np.asarray(part.output_strides, np.int64) @ grid
        output[target] = inputs[part.source].reshape(-1)[source]
    return output


@evaluate.register
def _max_pool(op: MaxPool1D, inputs: Sequence[Array]) -> Array:
    rows, inside = _windows(op, inputs[0])
    pooled: Array = np.where(inside[:, :, None], rows, -(1 << 20)).max(axis=1)
    return np.clip(pooled, op.clamp_min, op.clamp_max).astype(np.int8)


@evaluate.register
def _average_pool(op: AveragePool1D, inputs: Sequence[Array]) -> Array:
    rows, inside = _windows(op, inputs[0])
    sums = np.where(inside[:, :, None], rows, 0).sum(axis=1)
    averages = rounded_average(sums, inside.sum(axis=1)[:, None])
    return np.clip(averages, op.clamp_min, op.clamp_max).astype(np.int8)


@evaluate.register
def _mean(op: Mean, inputs: Sequence[Array]) -> Array:
    rows = inputs[0].reshape(-1, op.rows, op.output.channels).astype(np.int64)
    sums = rows.sum(axis=1) - op.rows * op.inputs[0].affine.zero_point
    scaled = multiply_by_multiplier(sums, op.multiplier, op.shift) + op.output.affine.zero_point
    return np.clip(scaled, -128, 127).astype(np.int8)


@evaluate.register
def _reduce_max(op: ReduceMax, inputs: Sequence[Array]) -> Array:
    found: Array = inputs[0].reshape(-1, op.rows, op.output.channels).max(axis=1)
    return found


@evaluate.register
def _reduce_min(op: ReduceMin, inputs: Sequence[Array]) -> Array:
    found: Array = inputs[0].reshape(-1, op.rows, op.output.channels).min(axis=1)
    return found


@evaluate.register
def _sum(op: Sum, inputs: Sequence[Array]) -> Array:
    return op.parameters.apply(*op.operands(list(inputs)))


@evaluate.register
def _product(op: Product, inputs: Sequence[Array]) -> Array:
    a, b = op.operands(list(inputs))
    products = (a - op.zero_points[0]) * (b - op.zero_points[1])
    return op.requantization.apply(products[..., None])[..., 0]


@evaluate.register
def _squared_difference(op: SquaredDifference, inputs: Sequence[Array]) -> Array:
    return op.parameters.apply(*op.operands(list(inputs)))


@evaluate.register
def _matmul(op: MatMul, inputs: Sequence[Array]) -> Array:
    a, b = (
        array.reshape(op.batches, -1, op.inner).astype(np.int64) - value.affine.zero_point
        for array, value in zip(inputs, op.inputs, strict=True)
    )
    sums = a @ b.transpose(0, 2, 1)
    return op.requantization.apply(sums[..., None])[..., 0]


@evaluate.register
def _extreme(op: Extreme, inputs: Sequence[Array]) -> Array:
    a, b = op.operands(list(inputs))
    found: Array = (np.minimum if op.kind == "min" else np.maximum)(a, b).astype(np.int8)
    return found


@evaluate.register
def _pointwise(op: Pointwise, inputs: Sequence[Array]) -> Array:
    return op.compute(*op.operands(list(inputs)))


@evaluate.register
def _table(op: Table, inputs: Sequence[Array]) -> Array:
    lowest = 0 if op.inputs[0].type == "uint8" else -128
    found: Array = op.table[inputs[0].astype(np.int64) - lowest]
    return found


@evaluate.register
def _softmax(op: Softmax, inputs: Sequence[Array]) -> Array:
    return softmax(inputs[0], op.parameters)


@evaluate.register
def _log_softmax(op: LogSoftmax, inputs: Sequence[Array]) -> Array:
    return log_softmax(inputs[0], op.parameters)


@evaluate.register
def _prelu(op: PRelu, inputs: Sequence[Array]) -> Array:
    centered = inputs[0].astype(np.int64) - op.inputs[0].affine.zero_point
    slopes = np.resize(op.alpha.astype(np.int64), inputs[0].shape) - op.alpha_zero_point
    rising = multiply_by_multiplier(centered, *op.positive)
    falling = multiply_by_multiplier(centered * slopes, *op.negative)
    found = np.where(centered >= 0, rising, falling) + op.output.affine.zero_point
    clamped: Array = np.clip(found, -128, 127).astype(np.int8)
    return clamped


@evaluate.register
def _arg_max(op: ArgMax, inputs: Sequence[Array]) -> Array:
    found: Array = inputs[0].argmax(axis=-1).astype(_NUMPY[op.output.type])
    return found


@evaluate.register
def _quantize_float(op: QuantizeFloat, inputs: Sequence[Array]) -> Array:
    low = 0 if op.output.type == "uint8" else -128
    with np.errstate(over="ignore"):
        quotient = inputs[0].astype(np.float32) / np.float32(op.output.affine.scale)
    bounded = np.clip(np.nan_to_num(quotient, nan=0.0), -1024, 1024).astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(bounded) + 0.5), bounded).astype(np.int64) + op.output.affine.zero_point
    found: Array = np.clip(rounded, low, low + 255).astype(_NUMPY[op.output.type])
    return found


@evaluate.register
def _dequantize(op: Dequantize, inputs: Sequence[Array]) -> Array:
    steps = inputs[0].astype(np.int32) - op.inputs[0].affine.zero_point
    found: Array = steps.astype(np.float32) * np.float32(op.inputs[0].affine.scale)
    return found


@evaluate.register
def _stripes(op: Stripes, inputs: Sequence[Array]) -> Array:
    memory = {value.storage: array for value, array in zip(op.inputs, inputs, strict=True)}
    for inner in op.ops:
        arrays = [memory[value.storage].reshape(value.shape) for value in inner.inputs]
        memory[inner.output.storage] = np.ascontiguousarray(evaluate(inner, arrays)).reshape(-1)
    return memory[op.output.storage]


def _windows(op: MaxPool1D | AveragePool1D, array: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """`(rows, kernel, channels)` what a pooling sees, and which of its rows lie inside the input."""
    value, window = op.inputs[0], op.window
    samples = array.reshape(value.length, value.channels).astype(np.int64)
    at = np.arange(op.output.length)[:, None] * window.stride - window.pad_before + np.arange(window.kernel)
    return samples[np.clip(at, 0, value.length - 1)], (at >= 0) & (at < value.length)


def _patches(value: Value, array: Array, window: Window, rows: int) -> npt.NDArray[np.int64]:
    """`(rows, kernel, in)`: what the kernel sees at each position."""
    samples = array.reshape(value.length, value.channels).astype(np.int64)
    at = (
        np.arange(rows)[:, None] * window.stride
        - window.pad_before
        + np.arange(window.kernel)[None, :] * window.dilation
    )
    inside = (at >= 0) & (at < value.length)
    taken = samples[np.clip(at, 0, value.length - 1)]
    patches: npt.NDArray[np.int64] = np.where(inside[:, :, None], taken, value.affine.zero_point)
    return patches
