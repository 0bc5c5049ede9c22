"""Softmax, PReLU, indices of the largest and the float output -> Softmax, LogSoftmax, PRelu, ArgMax, Dequantize."""

import math
from typing import Final

import numpy as np

from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.fixed_point import INT32_MAX, quantize_multiplier
from edgecnn_firmware.compiler.arithmetic.log_softmax import MOST_LOG_CLASSES, log_softmax_parameters
from edgecnn_firmware.compiler.arithmetic.softmax import MOST_CLASSES, softmax_parameters
from edgecnn_firmware.compiler.arithmetic.tables import scale_ratio
from edgecnn_firmware.compiler.lowering import unary
from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.ops.activation import ArgMax, Dequantize, LogSoftmax, PRelu, Softmax
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import SoftmaxOptions

_SOFTMAX_OUTPUT: Final = Affine(1 / 256, -128)
_LOG_SOFTMAX_OUTPUT: Final = Affine(1 / 16, 127)


def lower_dequantize(lowering: Lowering, op: Operator) -> None:
    """DEQUANTIZE at the output."""
    value, output = lowering.value(op, 0, "int8", "uint8"), lowering.output(op, "float32")
    lowering.islands.add(output.storage)
    lowering.ops.append(Dequantize(op.index, op.code.label, (value,), output))


def lower_softmax(lowering: Lowering, op: Operator) -> None:
    """SOFTMAX along the last axis."""
    value, output = lowering.value(op, 0), lowering.output(op)
    unary.require_output(lowering, op, output.affine, _SOFTMAX_OUTPUT)
    beta = lowering.options(op, SoftmaxOptions).beta
    if not beta > 0:
        raise lowering.fail(op, f"beta {beta}; expected one above 0")
    parameters = softmax_parameters(value.affine.scale, beta)
    if parameters.left_shift < 1:
        # The reference aborts the process: its multiplier must be over 1.
        raise lowering.fail(op, f"an input scale of {value.affine.scale} is too small for its fixed-point exponent")
    if value.channels > MOST_CLASSES:
        raise lowering.fail(op, f"{value.channels} classes; the reference takes up to {MOST_CLASSES}")
    lowering.ops.append(Softmax(op.index, op.code.label, (value,), output, parameters))


def lower_log_softmax(lowering: Lowering, op: Operator) -> None:
    """LOG_SOFTMAX along the last axis."""
    unary.require_litert(lowering, op)
    value, output = lowering.value(op, 0), lowering.output(op)
    unary.require_output(lowering, op, output.affine, _LOG_SOFTMAX_OUTPUT)
    parameters = log_softmax_parameters(value.affine.scale)
    if not -31 <= parameters.reverse_shift <= 0:
        raise lowering.fail(op, f"an input scale of {value.affine.scale} does not fit its fixed-point exponent")
    if value.channels > MOST_LOG_CLASSES:
        raise lowering.fail(op, f"{value.channels} classes; the reference takes up to {MOST_LOG_CLASSES}")
    lowering.ops.append(LogSoftmax(op.index, op.code.label, (value,), output, parameters))


def lower_prelu(lowering: Lowering, op: Operator) -> None:
    """PRELU with one factor a channel, or one an element."""
    value, output = lowering.value(op, 0), lowering.output(op)
    alpha = lowering.constant(op, 1, "alpha")
    slopes = lowering.affine(op, lowering.tensor(op, 1))
    if alpha.dtype != np.int8 or not _broadcasts(alpha.shape, value.shape):
        raise lowering.fail(op, f"alpha of {alpha.dtype} and shape {alpha.shape}; expected int8 of shape {value.shape}")
    single = not unary.is_micro(lowering)
    positive = quantize_multiplier(scale_ratio(value.affine, output.affine, single=single))
    negative = quantize_multiplier(scale_ratio(value.affine, output.affine, slopes.scale, single=single))
    if max(positive[1], 0) > _largest_shift(1 << 8) or max(negative[1], 0) > _largest_shift(1 << 16):
        raise lowering.fail(op, "the quotient of its scales is so large that the reference overflows int32")
    by_channel = alpha.size == alpha.shape[-1] if alpha.shape else True
    shape = (value.channels,) if by_channel else value.shape
    spread = np.broadcast_to(alpha.reshape(-1) if by_channel else alpha, shape).reshape(-1).astype(np.int8)
    lowering.ops.append(PRelu(op.index, op.code.label, (value,), output, spread, slopes.zero_point, positive, negative))


def _broadcasts(shape: tuple[int, ...], wider: tuple[int, ...]) -> bool:
    """Whether an array of the first shape spreads to the second."""
    try:
        return np.broadcast_shapes(shape, wider) == wider
    except ValueError:
        return False


def _largest_shift(bound: int) -> int:
    """How far numbers below `bound` may be shifted within int32."""
    return (INT32_MAX // bound).bit_length()


def lower_arg_max(lowering: Lowering, op: Operator) -> None:
    """ARG_MAX and ARG_MIN along the last axis."""
    value, output = lowering.value(op, 0), lowering.output(op, "int32", "int64")
    axis = int(lowering.constant(op, 1, "the axis").reshape(-1)[0])
    if axis not in (-1, len(value.shape) - 1) or math.prod(value.shape[:-1]) != output.elements:
        raise lowering.fail(op, f"axis {axis} of shape {value.shape}; expected the last")
    if op.name == "ARG_MIN":
        # The complement of a byte puts the order the other way round, and no two bytes share one.
        turned = Value(lowering.fresh_storage(), f"{value.name}_turned", value.shape, value.affine, "int8")
        unary.append_table(lowering, op, value, turned, np.arange(127, -129, -1).astype(np.int8))
        value = turned
    lowering.ops.append(ArgMax(op.index, op.code.label, (value,), output))


LOWER: Final[dict[str, Lower]] = {
    **unary.LOWER,
    "DEQUANTIZE": lower_dequantize,
    "SOFTMAX": lower_softmax,
    "LOG_SOFTMAX": lower_log_softmax,
    "PRELU": lower_prelu,
    "ARG_MAX": lower_arg_max,
    "ARG_MIN": lower_arg_max,
}
