"""Activations, softmax, quantization ops -> Table, Softmax, PRelu, ArgMax, QuantizeFloat, Dequantize."""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic import tables
from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.fixed_point import quantize_multiplier
from edgecnn_firmware.compiler.arithmetic.softmax import softmax_parameters
from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.ops.activation import ArgMax, Dequantize, PRelu, QuantizeFloat, Softmax, Table
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import LeakyReluOptions, SoftmaxOptions

_LOGISTIC_OUTPUT: Final = Affine(1 / 256, -128)
_TANH_OUTPUT: Final = Affine(1 / 128, 0)


def _unary(make: Callable[[Lowering, Operator, Affine, Affine], npt.NDArray[np.int8]]) -> Lower:
    def lower(lowering: Lowering, op: Operator) -> None:
        value, output = lowering.value(op, 0), lowering.output(op)
        table = make(lowering, op, value.affine, output.affine)
        lowering.ops.append(Table(op.index, op.code.label, (value,), output, table))

    return lower


def _relu(lowering: Lowering, op: Operator, source: Affine, target: Affine) -> npt.NDArray[np.int8]:  # noqa: ARG001
    return tables.relu_table(op.name, source, target)


def _leaky_relu(lowering: Lowering, op: Operator, source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    return tables.leaky_relu_table(lowering.options(op, LeakyReluOptions).alpha, source, target)


def _hard_swish(lowering: Lowering, op: Operator, source: Affine, target: Affine) -> npt.NDArray[np.int8]:  # noqa: ARG001
    return tables.hard_swish_table(source, target)


def _logistic(lowering: Lowering, op: Operator, source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    _require_output(lowering, op, target, _LOGISTIC_OUTPUT)
    return tables.logistic_table(source)


def _tanh(lowering: Lowering, op: Operator, source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    _require_output(lowering, op, target, _TANH_OUTPUT)
    return tables.tanh_table(source)


def _require_output(lowering: Lowering, op: Operator, found: Affine, wanted: Affine) -> None:
    if found != wanted:
        raise lowering.fail(
            op,
            f"its output has scale {found.scale} and zero point {found.zero_point}; "
            f"TFLite fixes them to {wanted.scale} and {wanted.zero_point}",
        )


def lower_quantize(lowering: Lowering, op: Operator) -> None:
    """QUANTIZE of floats at the input, or from one int8 or uint8 to another."""
    value, output = lowering.known_value(op, 0), lowering.output(op, "int8", "uint8")
    if value.type == "float32":
        lowering.ops.append(QuantizeFloat(op.index, op.code.label, (value,), output))
        return
    if value.type not in ("int8", "uint8"):
        raise lowering.fail(op, f"input 0 is {value.type}; expected float32, int8 or uint8")
    wide = tables.requantize_table(value.affine, output.affine, from_uint8=value.type == "uint8")
    kind, low, high = (np.uint8, 0, 255) if output.type == "uint8" else (np.int8, -128, 127)
    table: npt.NDArray[Any] = np.clip(wide, low, high).astype(kind)
    lowering.ops.append(Table(op.index, op.code.label, (value,), output, table))


def lower_dequantize(lowering: Lowering, op: Operator) -> None:
    """DEQUANTIZE at the output."""
    value, output = lowering.value(op, 0, "int8", "uint8"), lowering.output(op, "float32")
    lowering.ops.append(Dequantize(op.index, op.code.label, (value,), output))


def lower_softmax(lowering: Lowering, op: Operator) -> None:
    """SOFTMAX along the last axis."""
    value, output = lowering.value(op, 0), lowering.output(op)
    _require_output(lowering, op, output.affine, _LOGISTIC_OUTPUT)
    beta = lowering.options(op, SoftmaxOptions).beta
    if not beta > 0:
        raise lowering.fail(op, f"beta {beta}; expected one above 0")
    parameters = softmax_parameters(value.affine.scale, beta)
    if parameters.left_shift < 0 or parameters.multiplier == 0:
        raise lowering.fail(op, f"an input scale of {value.affine.scale} is too small for its fixed-point exponent")
    if value.channels > 1 << 11:
        raise lowering.fail(op, f"{value.channels} classes; up to {1 << 11} fit its 12-bit sum")
    lowering.ops.append(Softmax(op.index, op.code.label, (value,), output, parameters))


def lower_prelu(lowering: Lowering, op: Operator) -> None:
    """PRELU with one factor a channel."""
    value, output = lowering.value(op, 0), lowering.output(op)
    alpha = lowering.constant(op, 1, "alpha")
    slopes = lowering.affine(op, lowering.tensor(op, 1))
    if alpha.dtype != np.int8 or alpha.size not in (1, value.channels) or alpha.size != alpha.shape[-1]:
        raise lowering.fail(op, f"alpha of shape {alpha.shape}; expected one int8 a channel")
    positive = quantize_multiplier(value.affine.scale / output.affine.scale)
    negative = quantize_multiplier(value.affine.scale * slopes.scale / output.affine.scale)
    spread = np.broadcast_to(alpha.reshape(-1), (value.channels,)).astype(np.int8)
    lowering.ops.append(PRelu(op.index, op.code.label, (value,), output, spread, slopes.zero_point, positive, negative))


def lower_arg_max(lowering: Lowering, op: Operator) -> None:
    """ARG_MAX along the last axis."""
    value, output = lowering.value(op, 0), lowering.output(op, "int32", "int64")
    axis = int(lowering.constant(op, 1, "the axis").reshape(-1)[0])
    if axis not in (-1, len(value.shape) - 1) or math.prod(value.shape[:-1]) != output.elements:
        raise lowering.fail(op, f"axis {axis} of shape {value.shape}; expected the last")
    lowering.ops.append(ArgMax(op.index, op.code.label, (value,), output))


LOWER: Final[dict[str, Lower]] = {
    "RELU": _unary(_relu),
    "RELU6": _unary(_relu),
    "RELU_N1_TO_1": _unary(_relu),
    "LEAKY_RELU": _unary(_leaky_relu),
    "HARD_SWISH": _unary(_hard_swish),
    "LOGISTIC": _unary(_logistic),
    "TANH": _unary(_tanh),
    "QUANTIZE": lower_quantize,
    "DEQUANTIZE": lower_dequantize,
    "SOFTMAX": lower_softmax,
    "PRELU": lower_prelu,
    "ARG_MAX": lower_arg_max,
}
