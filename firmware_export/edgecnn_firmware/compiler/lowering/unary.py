"""Elementwise int8 ops of one input -> Table."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic import float_tables, tables
from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.ops.activation import QuantizeFloat, Table
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import GeluOptions, LeakyReluOptions

Int8: TypeAlias = npt.NDArray[np.int8]

_LOGISTIC_SCALE: Final = 1 / 256
_MICRO_LOGISTIC: Final = Affine(1 / 256, -128)
_MICRO_TANH: Final = Affine(1 / 128, 0)


def is_micro(lowering: Lowering) -> bool:
    """Whether TFLite Micro's arithmetic is repeated and not LiteRT's."""
    return lowering.profile.name == "tflm"


def require_output(lowering: Lowering, op: Operator, found: Affine, wanted: Affine) -> None:
    """Refuse an output whose quantization the reference does not take."""
    if found != wanted:
        raise lowering.fail(
            op,
            f"its output has scale {found.scale} and zero point {found.zero_point}; "
            f"TFLite fixes them to {wanted.scale} and {wanted.zero_point}",
        )


def _unary(make: Callable[[Lowering, Operator, Affine, Affine], Int8]) -> Lower:
    def lower(lowering: Lowering, op: Operator) -> None:
        value, output = lowering.value(op, 0), lowering.output(op)
        try:
            table = make(lowering, op, value.affine, output.affine)
        except ValueError as error:
            raise lowering.fail(op, str(error)) from error
        append_table(lowering, op, value, output, table)

    return lower


def _litert_only(make: Callable[[Affine, Affine], Int8]) -> Lower:
    def checked(lowering: Lowering, op: Operator, source: Affine, target: Affine) -> Int8:
        require_litert(lowering, op)
        return make(source, target)

    return _unary(checked)


def require_litert(lowering: Lowering, op: Operator) -> None:
    """Refuse an op whose arithmetic in TFLite Micro is not known."""
    if is_micro(lowering):
        raise lowering.fail(op, "this op is compiled with LiteRT's rounding only; expected rounding litert")


def append_table(lowering: Lowering, op: Operator, value: Value, output: Value, table: npt.NDArray[Any]) -> None:
    """Add a Table."""
    lowering.ops.append(Table(op.index, op.code.label, (value,), output, table))


def _relu(lowering: Lowering, op: Operator, source: Affine, target: Affine) -> Int8:
    if is_micro(lowering) and op.name == "RELU":
        return tables.relu_table(op.name, source, target, single=False)
    if is_micro(lowering) and op.name == "RELU6":
        return tables.clamp_table(op.name, source)
    require_litert(lowering, op)
    return tables.relu_table(op.name, source, target, single=True)


def _leaky_relu(lowering: Lowering, op: Operator, source: Affine, target: Affine) -> Int8:
    alpha = lowering.options(op, LeakyReluOptions).alpha
    return tables.leaky_relu_table(alpha, source, target, single=not is_micro(lowering))


def _hard_swish(lowering: Lowering, op: Operator, source: Affine, target: Affine) -> Int8:  # noqa: ARG001
    return tables.hard_swish_table(source, target)


def _logistic(lowering: Lowering, op: Operator, source: Affine, target: Affine) -> Int8:
    if is_micro(lowering):
        require_output(lowering, op, target, _MICRO_LOGISTIC)
        return tables.micro_logistic_table(source)
    require_output(lowering, op, target, Affine(_LOGISTIC_SCALE, target.zero_point))
    return float_tables.logistic_table(source, target)


def _tanh(lowering: Lowering, op: Operator, source: Affine, target: Affine) -> Int8:
    if is_micro(lowering):
        require_output(lowering, op, target, _MICRO_TANH)
        return tables.micro_tanh_table(source)
    return float_tables.tanh_table(source, target)


def _gelu(lowering: Lowering, op: Operator, source: Affine, target: Affine) -> Int8:
    require_litert(lowering, op)
    approximate = bool(lowering.options(op, GeluOptions).approximate)
    return float_tables.gelu_table(source, target, approximate=approximate)


def lower_quantize(lowering: Lowering, op: Operator) -> None:
    """QUANTIZE of floats at the input, or from one int8 or uint8 to another."""
    value, output = lowering.known_value(op, 0), lowering.output(op, "int8", "uint8")
    if value.type == "float32":
        lowering.ops.append(QuantizeFloat(op.index, op.code.label, (value,), output))
        return
    if value.type not in ("int8", "uint8"):
        raise lowering.fail(op, f"input 0 is {value.type}; expected float32, int8 or uint8")
    try:
        wide = tables.requantize_table(value.affine, output.affine, from_uint8=value.type == "uint8")
    except ValueError as error:
        raise lowering.fail(op, str(error)) from error
    kind, low, high = (np.uint8, 0, 255) if output.type == "uint8" else (np.int8, -128, 127)
    table: npt.NDArray[Any] = np.clip(wide, low, high).astype(kind)
    append_table(lowering, op, value, output, table)


LOWER: Final[dict[str, Lower]] = {
    "RELU": _unary(_relu),
    "RELU6": _unary(_relu),
    "RELU_N1_TO_1": _unary(_relu),
    "RELU_0_TO_1": _unary(_relu),
    "LEAKY_RELU": _unary(_leaky_relu),
    "HARD_SWISH": _unary(_hard_swish),
    "LOGISTIC": _unary(_logistic),
    "TANH": _unary(_tanh),
    "GELU": _unary(_gelu),
    "ELU": _litert_only(float_tables.elu_table),
    "EXP": _litert_only(float_tables.exp_table),
    "LOG": _litert_only(float_tables.log_table),
    "SQRT": _litert_only(float_tables.sqrt_table),
    "RSQRT": _litert_only(tables.rsqrt_table),
    "ABS": _litert_only(tables.abs_table),
    "NEG": _litert_only(lambda source, target: tables.negate_table()),  # noqa: ARG005
    "QUANTIZE": lower_quantize,
}
