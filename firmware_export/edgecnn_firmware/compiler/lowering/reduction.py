"""Poolings, MEAN, SUM, REDUCE_MAX and REDUCE_MIN -> MaxPool1D, AveragePool1D, Mean, ReduceMax and ReduceMin."""

import math
from typing import Final

from edgecnn_firmware.compiler.arithmetic.reduction import mean_multiplier
from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.lowering.convolution import positions
from edgecnn_firmware.compiler.ops.convolution import Window
from edgecnn_firmware.compiler.ops.movement import Move, Part, row_major, simplify
from edgecnn_firmware.compiler.ops.pooling import AveragePool1D, MaxPool1D
from edgecnn_firmware.compiler.ops.reduction import Mean, ReduceMax, ReduceMin
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import Pool2DOptions, ReducerOptions


def lower_pool(lowering: Lowering, op: Operator) -> None:
    """MAX_POOL_2D and AVERAGE_POOL_2D along one spatial axis."""
    options = lowering.options(op, Pool2DOptions)
    value, output = lowering.value(op, 0), lowering.output(op)
    if len(value.shape) != 4 or value.shape[0] != 1 or len(output.shape) != 4:
        raise lowering.fail(op, f"shapes {value.shape} and {output.shape}; expected 4 axes and batch 1")
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
    """MEAN, and SUM as TFLite Micro computes it."""
    is_sum = op.name == "SUM"
    if is_sum and lowering.profile.name == "litert":
        raise lowering.fail(
            op,
            "LiteRT's reference kernel for SUM reads int8 as uint8, so there is nothing to be equal to; "
            "use MEAN, or --rounding tflm",
        )
    value, output, rows = _reduced(lowering, op)
    multiplier, shift = mean_multiplier(value.affine, output.affine, rows, is_sum=is_sum)
    if rows * 256 << max(shift, 0) >= 1 << 31:
        raise lowering.fail(op, f"{rows} rows and an output scale of {output.affine.scale} that its sum overflows")
    lowering.ops.append(Mean(op.index, op.code.label, (value,), output, rows, multiplier, shift))


def lower_reduce_extreme(lowering: Lowering, op: Operator) -> None:
    """REDUCE_MAX and REDUCE_MIN."""
    value, output, rows = _reduced(lowering, op)
    if value.affine != output.affine:
        raise lowering.fail(op, "its input and output have different scales or zero points")
    make = ReduceMax if op.name == "REDUCE_MAX" else ReduceMin
    lowering.ops.append(make(op.index, op.code.label, (value,), output, rows))


def _reduced(lowering: Lowering, op: Operator) -> tuple[Value, Value, int]:
    """The input, the output as `(..., elements behind the reduced axes)`, and how many elements become one.

    Reduced axes that other axes lie between are moved behind them first.
    """
    lowering.options(op, ReducerOptions)
    value, output = lowering.value(op, 0), lowering.output(op)
    axes = [int(axis) for axis in lowering.constant(op, 1, "the axes").reshape(-1)]
    count = len(value.shape)
    axes = sorted({axis + count if axis < 0 else axis for axis in axes})
    if not axes or axes[0] < 0 or axes[-1] >= count:
        raise lowering.fail(op, f"axes {axes} of {count}")
    value, axes = _together(lowering, op, value, axes)
    moving = [axis for axis in axes if value.shape[axis] != 1]
    first, last = min(moving, default=0), max(moving, default=-1)
    rows = math.prod(value.shape[first : last + 1])
    if output.elements * rows != value.elements:
        raise lowering.fail(op, f"axes {axes} of shape {value.shape} to an output of shape {output.shape}")
    behind = math.prod(value.shape[last + 1 :]) if moving else value.channels
    if behind == output.channels:
        return value, output, rows
    return value, output.view((1, output.elements // behind, behind)), rows


def _together(lowering: Lowering, op: Operator, value: Value, axes: list[int]) -> tuple[Value, list[int]]:
    """The value with its reduced axes next to each other, but for axes of one element, and where they are."""
    moving = [axis for axis in axes if value.shape[axis] != 1]
    between = [n for axis, n in enumerate(value.shape) if moving and moving[0] < axis < moving[-1] and axis not in axes]
    if math.prod(between) == 1:
        return value, axes
    order = [axis for axis in range(len(value.shape)) if axis not in axes] + axes
    strides, shape = row_major(value.shape), tuple(value.shape[axis] for axis in order)
    part = simplify(Part(0, shape, 0, tuple(strides[axis] for axis in order), 0, row_major(shape)))
    made = Value(lowering.fresh_storage(), f"{value.name}_turned", shape, value.affine)
    lowering.ops.append(Move(op.index, "TRANSPOSE", (value,), made, (part,)))
    return made, list(range(len(shape) - len(axes), len(shape)))


LOWER: Final[dict[str, Lower]] = {
    "MAX_POOL_2D": lower_pool,
    "AVERAGE_POOL_2D": lower_pool,
    "MEAN": lower_mean,
    "REDUCE_MAX": lower_reduce_extreme,
    "REDUCE_MIN": lower_reduce_extreme,
    "SUM": lower_mean,
}
