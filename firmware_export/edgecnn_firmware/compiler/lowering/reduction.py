"""Poolings, MEAN and REDUCE_MAX -> MaxPool1D, AveragePool1D, Mean and ReduceMax."""

import math
from typing import Final

from edgecnn_firmware.compiler.arithmetic.reduction import mean_multiplier
from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.lowering.convolution import positions
from edgecnn_firmware.compiler.ops.convolution import Window
from edgecnn_firmware.compiler.ops.pooling import AveragePool1D, MaxPool1D
from edgecnn_firmware.compiler.ops.reduction import Mean, ReduceMax
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import Pool2DOptions, ReducerOptions


def lower_pool(lowering: Lowering, op: Operator) -> None:
    """MAX_POOL_2D and AVERAGE_POOL_2D along one spatial axis."""
    options = lowering.options(op, Pool2DOptions)
    value, output = lowering.value(op, 0), lowering.output(op)
    if len(value.shape) != 4 or value.shape[0] != 1:
        raise lowering.fail(op, f"an input of shape {value.shape}; expected 4 axes and batch 1")
    if value.affine != output.affine:
        raise lowering.fail(op, "its input and output have different scales or zero points")
    sizes = value.shape[1:3]
    axis = 0 if sizes[1] == 1 else 1
    kernels, strides = (options.filter_height, options.filter_width), (options.stride_h, options.stride_w)
    if sizes[1 - axis] != 1 or output.shape[2 - axis] != 1:
        raise lowering.fail(
            op, f"pooling over {sizes[0]} x {sizes[1]} moves in two dimensions; 1-D networks are compiled"
        )
    rows, before = positions(sizes[axis], kernels[axis], strides[axis], options.padding)
    if rows != output.shape[1 + axis] or output.channels != value.channels:
        raise lowering.fail(op, f"its output has shape {output.shape} where its options give {rows} rows")
    low, high = lowering.clamp(op, options.fused_activation_function, output.affine)
    make = MaxPool1D if op.name == "MAX_POOL_2D" else AveragePool1D
    window = Window(kernels[axis], strides[axis], 1, before)
    lowering.ops.append(make(op.index, op.code.label, (value,), output, window, low, high))


def lower_mean(lowering: Lowering, op: Operator) -> None:
    """MEAN over the rows."""
    value, output = lowering.value(op, 0), lowering.output(op)
    rows = _rows(lowering, op, value, output)
    multiplier, shift = mean_multiplier(value.affine, output.affine, rows, is_sum=False)
    if rows * 256 << max(shift, 0) >= 1 << 31:
        raise lowering.fail(op, f"{rows} rows and an output scale of {output.affine.scale} that its sum overflows")
    lowering.ops.append(Mean(op.index, op.code.label, (value,), output, rows, multiplier, shift))


def lower_reduce_max(lowering: Lowering, op: Operator) -> None:
    """REDUCE_MAX over the rows."""
    value, output = lowering.value(op, 0), lowering.output(op)
    if value.affine != output.affine:
        raise lowering.fail(op, "its input and output have different scales or zero points")
    rows = _rows(lowering, op, value, output)
    lowering.ops.append(ReduceMax(op.index, op.code.label, (value,), output, rows))


def refuse_sum(lowering: Lowering, op: Operator) -> None:
    """SUM has no reference to be equal to."""
    raise lowering.fail(
        op,
        "LiteRT's reference kernel for int8 SUM gives -1 for every negative sum and wraps large ones, so there is "
        "nothing to be equal to; use MEAN",
    )


def _rows(lowering: Lowering, op: Operator, value: Value, output: Value) -> int:
    """How many rows are reduced to one; the reduced axes lie together and end before the channels."""
    lowering.options(op, ReducerOptions)
    axes = [int(axis) for axis in lowering.constant(op, 1, "the axes").reshape(-1)]
    count = len(value.shape)
    axes = sorted({axis + count if axis < 0 else axis for axis in axes})
    if not axes or axes[0] < 0 or axes[-1] >= count:
        raise lowering.fail(op, f"axes {axes} of {count}")
    moving = [axis for axis in axes if value.shape[axis] != 1]
    reduced = math.prod(value.shape[axis] for axis in moving)
    behind = math.prod(value.shape[axis] for axis in range(count) if axis > max(moving, default=0) and axis not in axes)
    together = all(
        value.shape[axis] == 1 for axis in range(min(moving, default=0), max(moving, default=0)) if axis not in moving
    )
    if count - 1 in moving or not together or behind != value.channels or output.elements * reduced != value.elements:
        raise lowering.fail(op, f"axes {axes} of shape {value.shape}; expected those of time")
    return reduced


LOWER: Final[dict[str, Lower]] = {
    "MAX_POOL_2D": lower_pool,
    "AVERAGE_POOL_2D": lower_pool,
    "MEAN": lower_mean,
    "REDUCE_MAX": lower_reduce_max,
    "SUM": refuse_sum,
}
