"""ADD, SUB, MUL, SQUARED_DIFFERENCE, MINIMUM and MAXIMUM -> Sum, Product, SquaredDifference and Extreme."""

import math
from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.binary import ALL, product_scale, square_parameters, sum_parameters
from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64
from edgecnn_firmware.compiler.arithmetic.requantization import Requantization, Rounding
from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.ops.activation import Table
from edgecnn_firmware.compiler.ops.elementwise import Binary, Extreme, Product, SquaredDifference, Sum
from edgecnn_firmware.compiler.ops.movement import Move, Part, row_major, simplify
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import AddOptions, MulOptions, SubOptions

_LEAST_TABLED: Final = 64
"""Elements from which an op with one constant number is worth a table of 256 bytes."""


def lower_sum(lowering: Lowering, op: Operator) -> None:
    """ADD and SUB."""
    sign: Literal[1, -1] = -1 if op.name == "SUB" else 1
    options = lowering.options(op, SubOptions) if op.name == "SUB" else lowering.options(op, AddOptions)
    common, affines, output = _operands(lowering, op)
    clamp = lowering.clamp(op, options.fused_activation_function, output.affine)
    parameters = sum_parameters(*affines, output.affine, sign, clamp)
    if parameters.shift > 0:
        raise lowering.fail(op, f"an output scale of {output.affine.scale} that its fixed-point sum overflows")
    _append(lowering, Sum(**common, parameters=parameters), parameters.apply)


def lower_product(lowering: Lowering, op: Operator) -> None:
    """MUL."""
    options = lowering.options(op, MulOptions)
    common, (a, b), output = _operands(lowering, op)
    clamp = lowering.clamp(op, options.fused_activation_function, output.affine)
    scales = np.array([product_scale(a, b, output.affine)])
    requantization = Requantization(Rounding.TWICE, scales, output.affine.zero_point, *clamp)
    made = Product(**common, zero_points=(a.zero_point, b.zero_point), requantization=requantization)
    try:
        requantization.require_range(*made.reach())
    except ModelError as error:
        raise lowering.fail(op, str(error)) from None

    def product(x: Int64, y: Int64) -> npt.NDArray[np.int8]:
        return requantization.apply((x - a.zero_point) * (y - b.zero_point))

    _append(lowering, made, product)


def lower_squared_difference(lowering: Lowering, op: Operator) -> None:
    """SQUARED_DIFFERENCE."""
    common, affines, output = _operands(lowering, op)
    parameters = square_parameters(*affines, output.affine)
    if parameters.shift > 0:
        raise lowering.fail(op, f"an output scale of {output.affine.scale} that its square overflows")
    _append(lowering, SquaredDifference(**common, parameters=parameters), parameters.apply)


def lower_extreme(lowering: Lowering, op: Operator) -> None:
    """MINIMUM and MAXIMUM, of one scale and zero point on both sides."""
    common, affines, output = _operands(lowering, op)
    if {*affines} != {output.affine}:
        raise lowering.fail(op, "its inputs and output have different scales or zero points")
    kind: Literal["min", "max"] = "min" if op.name == "MINIMUM" else "max"
    choose = np.minimum if kind == "min" else np.maximum
    _append(lowering, Extreme(**common, kind=kind), lambda a, b: choose(a, b).astype(np.int8))


def _append(lowering: Lowering, made: Binary, compute: Callable[[Int64, Int64], npt.NDArray[np.int8]]) -> None:
    """Add an op, as a table where its other operand is one number."""
    constant, value = made.constant, made.inputs[0]
    one = constant is not None and constant.min() == constant.max() and value.elements == made.output.elements
    if constant is None or not one or value.elements < _LEAST_TABLED:
        lowering.ops.append(made)
        return
    number = constant[:1].astype(np.int64)
    table = compute(number, ALL) if made.constant_first else compute(ALL, number)
    lowering.ops.append(Table(made.number, made.label, made.inputs, made.output, table))


def _operands(lowering: Lowering, op: Operator) -> tuple[dict[str, Any], tuple[Affine, Affine], Value]:
    """What every Binary has, the operands' quantization, and the output."""
    output = lowering.output(op)
    constants = [lowering.constant_of(lowering.tensor(op, position)) for position in (0, 1)]
    if constants[0] is not None and constants[1] is not None:
        raise lowering.fail(op, "both inputs are constants; expected one computed at run time")
    given = [
        lowering.value(op, position) if constant is None else constant for position, constant in enumerate(constants)
    ]
    _require_shape(lowering, op, [tuple(found.shape) for found in given], output)
    values = [_fitted(lowering, op, found, output) for found in given if isinstance(found, Value)]
    spread = [_spread(lowering, op, constant, output) for constant in constants if constant is not None]
    affines = (lowering.affine(op, lowering.tensor(op, 0)), lowering.affine(op, lowering.tensor(op, 1)))
    common = {
        "number": op.index,
        "label": op.code.label,
        "inputs": tuple(values),
        "output": output,
        "constant": spread[0] if spread else None,
        "constant_first": constants[0] is not None,
    }
    return common, affines, output


def _require_shape(lowering: Lowering, op: Operator, shapes: list[tuple[int, ...]], output: Value) -> None:
    try:
        found = np.broadcast_shapes(*shapes)
    except ValueError:
        raise lowering.fail(op, f"shapes {shapes[0]} and {shapes[1]} do not broadcast") from None
    if found != output.shape:
        raise lowering.fail(op, f"shapes {shapes[0]} and {shapes[1]} make {found}, its output has {output.shape}")


def _spread(lowering: Lowering, op: Operator, constant: npt.NDArray[Any], output: Value) -> npt.NDArray[np.int8]:
    """A constant as one number a channel, or one an element where its rows differ."""
    if constant.dtype != np.int8:
        raise lowering.fail(op, f"a constant of {constant.dtype}; expected int8")
    if constant.size == 1 or constant.size == constant.shape[-1]:
        spread = np.broadcast_to(constant.reshape(-1), (output.channels,))
    else:
        spread = np.broadcast_to(constant, output.shape).reshape(-1)
    return np.ascontiguousarray(spread, np.int8)


def _fitted(lowering: Lowering, op: Operator, value: Value, output: Value) -> Value:
    """An operand as the kernels take it: of the output's shape, or one row; anything else is spread out first."""
    if value.elements == output.elements:
        return value
    if value.elements == output.channels == value.channels:
        return value
    shape = (1,) * (len(output.shape) - len(value.shape)) + value.shape
    strides = tuple(0 if size == 1 else stride for size, stride in zip(shape, row_major(shape), strict=True))
    part = simplify(Part(0, output.shape, 0, strides, 0, row_major(output.shape)))
    made = Value(lowering.fresh_storage(), value.name, output.shape, value.affine)
    lowering.ops.append(Move(number=op.index, label="BROADCAST", inputs=(value,), output=made, parts=(part,)))
    if math.prod(part.sizes) != output.elements:
        raise lowering.fail(op, f"shapes {value.shape} and {output.shape} do not broadcast")
    return made


LOWER: Final[dict[str, Lower]] = {
    "ADD": lower_sum,
    "SUB": lower_sum,
    "MUL": lower_product,
    "SQUARED_DIFFERENCE": lower_squared_difference,
    "MINIMUM": lower_extreme,
    "MAXIMUM": lower_extreme,
}
