"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED -> Conv1D, Depthwise1D and Dense."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64
from edgecnn_firmware.compiler.arithmetic.requantization import Requantization, Rounding
from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.lowering.groups import append_groups
from edgecnn_firmware.compiler.ops.convolution import Conv1D, Dense, Depthwise1D, Window
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import (
    Activation,
    Conv2DOptions,
    DepthwiseConv2DOptions,
    FullyConnectedOptions,
    Padding,
    WeightsFormat,
)


def lower_convolution(lowering: Lowering, op: Operator) -> None:
    """CONV_2D whose kernel or whose input has size 1 along one spatial axis."""
    options = lowering.options(op, Conv2DOptions)
    value, output = lowering.value(op, 0), lowering.output(op)
    window, rows = _window(lowering, op, value, output, find_weights(lowering, op, 4).shape[1:3], options)
    make_convolution(lowering, op, value, output, window, rows)


def make_convolution(lowering: Lowering, op: Operator, value: Value, output: Value, window: Window, rows: int) -> None:
    """Add the Conv1D of a CONV_2D that moves by `window` over `rows` positions."""
    weights = find_weights(lowering, op, 4)
    out, kernel_h, kernel_w, channels = weights.shape
    groups = value.channels // channels
    if groups * channels != value.channels or out % groups:
        raise lowering.fail(op, f"weights for {channels} input channels and {out} output channels on {value.channels}")
    if output.elements != rows * out:
        raise lowering.fail(op, f"{rows} rows of {out} channels in an output of {output.elements} elements")
    activation = lowering.options(op, Conv2DOptions).fused_activation_function
    common: dict[str, Any] = {
        "number": op.index,
        "label": op.code.label,
        "inputs": (value,),
        "output": output,
        "bias": find_bias(lowering, op, out),
        "requantization": find_requantization(lowering, op, value, output, out, Rounding.TWICE, activation, axis=0),
        "window": window,
    }
    flat = weights.reshape(out, kernel_h * kernel_w, channels)
    if groups == 1:
        lowering.ops.append(Conv1D(**common, weights=flat, conv_rows=rows))
    elif channels == 1:
        # Output channel c reads input channel c // (out / groups), as a depthwise convolution's does.
        lowering.ops.append(Depthwise1D(**common, weights=flat[:, :, 0].T.copy(), multiplier=out // groups))
    else:
        append_groups(lowering, Conv1D(**common, weights=flat, conv_rows=rows), groups)


def lower_depthwise(lowering: Lowering, op: Operator) -> None:
    """DEPTHWISE_CONV_2D, any depth multiplier."""
    options = lowering.options(op, DepthwiseConv2DOptions)
    value, output = lowering.value(op, 0), lowering.output(op)
    window, rows = _window(lowering, op, value, output, find_weights(lowering, op, 4).shape[1:3], options)
    make_depthwise(lowering, op, value, output, window, rows)


def make_depthwise(lowering: Lowering, op: Operator, value: Value, output: Value, window: Window, rows: int) -> None:
    """Add the Depthwise1D of a DEPTHWISE_CONV_2D that moves by `window` over `rows` positions."""
    weights = find_weights(lowering, op, 4)
    first, kernel_h, kernel_w, out = weights.shape
    if first != 1 or out % value.channels or output.elements != rows * out:
        raise lowering.fail(op, f"weights of shape {weights.shape} on {value.channels} channels")
    activation = lowering.options(op, DepthwiseConv2DOptions).fused_activation_function
    lowering.ops.append(
        Depthwise1D(
            number=op.index,
            label=op.code.label,
            inputs=(value,),
            output=output,
            weights=weights.reshape(kernel_h * kernel_w, out),
            bias=find_bias(lowering, op, out),
            requantization=find_requantization(lowering, op, value, output, out, Rounding.TWICE, activation, axis=3),
            window=window,
            multiplier=out // value.channels,
        )
    )


def lower_dense(lowering: Lowering, op: Operator) -> None:
    """FULLY_CONNECTED with constant weights."""
    options = lowering.options(op, FullyConnectedOptions)
    if options.weights_format is not WeightsFormat.DEFAULT:
        raise lowering.fail(op, f"weights format {options.weights_format.name}; expected DEFAULT")
    value = lowering.value(op, 0)
    weights = find_weights(lowering, op, 2)
    if value.elements % weights.shape[1]:
        raise lowering.fail(op, f"weights of shape {weights.shape} on an input of {value.elements} elements")
    out, products = weights.shape
    output = lowering.output(op)
    rows = value.elements // products
    if output.elements != rows * out:
        raise lowering.fail(op, f"{rows} x {out} results in an output of {output.elements} elements")
    lowering.ops.append(
        Dense(
            number=op.index,
            label=op.code.label,
            inputs=(value.view((rows, products)),),
            output=output,
            weights=weights,
            bias=find_bias(lowering, op, out),
            requantization=find_requantization(
                lowering, op, value, output, out, lowering.profile.dense, options.fused_activation_function, axis=0
            ),
        )
    )


def find_weights(lowering: Lowering, op: Operator, axes: int) -> npt.NDArray[np.int8]:
    """The constant weights of an op, input 1."""
    tensor = lowering.tensor(op, 1)
    weights: npt.NDArray[Any] = lowering.constant(op, 1, "the weight tensor")
    if tensor.type != "INT8":
        raise lowering.fail(op, f"weights are {tensor.type}; expected INT8")
    if tensor.quantization is not None and any(tensor.quantization.zero_points):
        raise lowering.fail(op, "weights have a zero point other than 0; expected symmetric int8 weights")
    if not weights.size or weights.ndim != axes:
        raise lowering.fail(op, f"weights of shape {weights.shape}; expected {axes} axes")
    return weights


def find_bias(lowering: Lowering, op: Operator, out: int, position: int = 2) -> Int64:
    """The constant bias of an op; zeros where it has none."""
    if not lowering.has_input(op, position):
        return np.zeros(out, np.int64)
    bias: npt.NDArray[Any] = lowering.constant(op, position, "the bias")
    if lowering.tensor(op, position).type != "INT32" or bias.size != out:
        raise lowering.fail(op, f"a bias of {bias.size} {bias.dtype} values; expected {out} of int32")
    return bias.reshape(-1).astype(np.int64)


def find_requantization(
    lowering: Lowering,
    op: Operator,
    value: Value,
    output: Value,
    out: int,
    rounding: Rounding,
    activation: Activation,
    *,
    axis: int,
) -> Requantization:
    """How the sums of an op become its output; its weights have one scale, or one along `axis`."""
    tensor = lowering.tensor(op, 1)
    found = tensor.quantization
    if found is None or len(found.scales) not in (1, out):
        raise lowering.fail(op, f"weights have {len(found.scales) if found else 0} scales; expected 1 or {out}")
    if len(found.scales) > 1 and found.axis != axis:
        raise lowering.fail(op, f"weights have scales along axis {found.axis}; expected {axis}")
    # Scales come as float32; TFLite multiplies and divides them in float64 (`PopulateConvolutionQuantizationParams`).
    scales = value.affine.scale * np.asarray(found.scales, np.float64) / output.affine.scale
    low, high = lowering.clamp(op, activation, output.affine)
    if low > high:
        raise lowering.fail(op, f"its activation clamps to an empty range of {low} to {high}")
    return Requantization(rounding, np.broadcast_to(scales, (out,)).copy(), output.affine.zero_point, low, high)


def _window(
    lowering: Lowering,
    op: Operator,
    value: Value,
    output: Value,
    kernel: tuple[int, ...],
    options: Conv2DOptions | DepthwiseConv2DOptions,
) -> tuple[Window, int]:
    """The window along the one axis that it moves on, and the number of its positions."""
    if len(value.shape) != 4 or len(output.shape) != 4:
        raise lowering.fail(op, f"an input of shape {value.shape}; expected 4 axes")
    if value.shape[0] != 1:
        raise lowering.fail(op, f"batch {value.shape[0]}; convert the model with batch 1")
    sizes, made = value.shape[1:3], output.shape[1:3]
    strides = (options.stride_h, options.stride_w)
    dilations = (options.dilation_h_factor, options.dilation_w_factor)
    if kernel == (1, 1) and strides == (1, 1):
        return Window(1, 1, 1, 0), sizes[0] * sizes[1]
    axis = 0 if sizes[1] == 1 and kernel[1] == 1 else 1
    other = 1 - axis
    if sizes[other] != 1 or kernel[other] != 1:
        raise lowering.fail(
            op,
            f"a kernel of {kernel[0]} x {kernel[1]} on {sizes[0]} x {sizes[1]} moves in two dimensions; "
            "1-D networks are compiled (one spatial axis of size 1)",
        )
    span = (kernel[axis] - 1) * dilations[axis] + 1
    rows, before = positions(sizes[axis], span, strides[axis], options.padding)
    if rows < 1 or made != ((rows, 1) if axis == 0 else (1, rows)):
        raise lowering.fail(op, f"its output is {made[0]} x {made[1]} where its options give {rows} rows")
    return Window(kernel[axis], strides[axis], dilations[axis], before), rows


def positions(size: int, span: int, stride: int, padding: Padding) -> tuple[int, int]:
    """Positions of a window and the rows of padding before the first, as TFLite computes them."""
    if padding is Padding.VALID:
        return (size - span) // stride + 1, 0
    rows = (size + stride - 1) // stride
    return rows, max(0, (rows - 1) * stride + span - size) // 2


LOWER: Final[dict[str, Lower]] = {
    "CONV_2D": lower_convolution,
    "DEPTHWISE_CONV_2D": lower_depthwise,
    "FULLY_CONNECTED": lower_dense,
}
