"""ADD, SUB, MUL, MINIMUM and MAXIMUM -> Sum, Product and Extreme."""

import math
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.binary import product_scale, sum_parameters
from edgecnn_firmware.compiler.arithmetic.requantization import Requantization, Rounding
from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.ops.elementwise import Extreme, Product, Sum
from edgecnn_firmware.compiler.ops.movement import Move, Part, row_major, simplify
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import AddOptions, MulOptions, SubOptions


def lower_sum(lowering: Lowering, op: Operator) -> None:
    """ADD and SUB."""
    sign: Literal[1, -1] = -1 if op.name == "SUB" else 1
    options = lowering.options(op, SubOptions) if op.name == "SUB" else lowering.options(op, AddOptions)
    common, affines, output = _operands(lowering, op)
    clamp = lowering.clamp(op, options.fused_activation_function, output.affine)
    parameters = sum_parameters(*affines, output.affine, sign, clamp)
    if parameters.shift > 0:
        raise lowering.fail(op, f"an output scale of {output.affine.scale} that its fixed-point sum overflows")
    lowering.ops.append(Sum(**common, parameters=parameters))


def lower_product(lowering: Lowering, op: Operator) -> None:
    """MUL."""
    options = lowering.options(op, MulOptions)
    common, (a, b), output = _operands(lowering, op)
    clamp = lowering.clamp(op, options.fused_activation_function, output.affine)
    scales = np.array([product_scale(a, b, output.affine)])
    requantization = Requantization(Rounding.TWICE, scales, output.affine.zero_point, *clamp)
    lowering.ops.append(Product(**common, zero_points=(a.zero_point, b.zero_point), requantization=requantization))


def lower_extreme(lowering: Lowering, op: Operator) -> None:
    """MINIMUM and MAXIMUM, of one scale and zero point on both sides."""
    common, affines, output = _operands(lowering, op)
    if {*affines} != {output.affine}:
        raise lowering.fail(op, "its inputs and output have different scales or zero points")
    lowering.ops.append(Extreme(**common, kind="min" if op.name == "MINIMUM" else "max"))


def _operands(lowering: Lowering, op: Operator) -> tuple[dict[str, Any], tuple[Affine, Affine], Value]:
    """What every Binary has, the operands' quantization, and the output."""
    output = lowering.output(op)
    constants = [lowering.constant_of(lowering.tensor(op, position)) for position in (0, 1)]
    if constants[0] is not None and constants[1] is not None:
        raise lowering.fail(op, "both inputs are constants; expected one computed at run time")
    values = []
    spread: npt.NDArray[np.int8] | None = None
    for position, constant in enumerate(constants):
        if constant is None:
            values.append(_fitted(lowering, op, lowering.value(op, position), output))
        else:
            spread = _per_channel(lowering, op, constant, output)
    affines = (lowering.affine(op, lowering.tensor(op, 0)), lowering.affine(op, lowering.tensor(op, 1)))
    common = {
        "number": op.index,
        "label": op.code.label,
        "inputs": tuple(values),
        "output": output,
        "constant": spread,
        "constant_first": constants[0] is not None,
    }
    return common, affines, output


def _per_channel(lowering: Lowering, op: Operator, constant: npt.NDArray[Any], output: Value) -> npt.NDArray[np.int8]:
    if constant.dtype != np.int8:
        raise lowering.fail(op, f"a constant of {constant.dtype}; expected int8")
    if constant.size == 1:
        return np.full(output.channels, constant.reshape(-1)[0], np.int8)
    if constant.size == output.channels and constant.shape[-1] == output.channels:
        return np.ascontiguousarray(constant.reshape(-1))
    raise lowering.fail(op, f"a constant of shape {constant.shape}; expected one number, or one a channel")


def _fitted(lowering: Lowering, op: Operator, value: Value, output: Value) -> Value:
    """An operand as the kernels take it: of the output's shape, or one row; anything else is spread out first."""
    if value.elements == output.elements:
        return value
    if value.elements == output.channels == value.channels:
        return value
    shape = (1,) * (len(output.shape) - len(value.shape)) + value.shape
    if len(shape) != len(output.shape) or any(n not in (1, m) for n, m in zip(shape, output.shape, strict=True)):
        raise lowering.fail(op, f"shapes {value.shape} and {output.shape} do not broadcast")
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
    "MINIMUM": lower_extreme,
    "MAXIMUM": lower_extreme,
}
