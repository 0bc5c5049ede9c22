"""Comparisons, SELECT, DIV and what is computed on floats between a DEQUANTIZE and a QUANTIZE -> Pointwise."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic import pointwise
from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.ops.pointwise import Function, Pointwise
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import Activation, AddOptions, DivOptions, LeakyReluOptions, MulOptions, SubOptions

FLOAT_OPS: Final = {*pointwise.FLOAT, *pointwise.COMPARE, "LEAKY_RELU", "DIV", "SELECT", "SELECT_V2", "CAST"}
"""What may be computed on floats that a DEQUANTIZE gave."""


def is_on_floats(lowering: Lowering, op: Operator) -> bool:
    """Whether an op is one of `FLOAT_OPS` on floats that come from a DEQUANTIZE."""
    tensors = [lowering.graph.tensors[index] for index in op.inputs if index >= 0]
    floats = [tensor for tensor in tensors if tensor.type == "FLOAT32" and tensor.index in lowering.known]
    islands = all(lowering.known[tensor.index].storage in lowering.islands for tensor in floats)
    return op.name in FLOAT_OPS and bool(floats) and islands


def lower_float(lowering: Lowering, op: Operator) -> None:
    """An op on floats."""
    if op.name in ("SELECT", "SELECT_V2"):
        lower_select(lowering, op)
    elif op.name in pointwise.COMPARE:
        _append(lowering, op, pointwise.COMPARE[op.name], "bool")
    elif op.name == "CAST":
        found = lowering.graph.tensors[op.outputs[0]].type
        if found != "FLOAT32":
            raise lowering.fail(op, f"a cast to {found}, as before a lookup by value; expected one to FLOAT32")
        _append(lowering, op, lambda x: x.astype(np.float32), "float32")
    elif op.name == "LEAKY_RELU":
        alpha = np.float32(lowering.options(op, LeakyReluOptions).alpha)
        _append(lowering, op, lambda x: np.where(x > 0, x, x * alpha), "float32")
    else:
        if isinstance(op.options, AddOptions | SubOptions | MulOptions | DivOptions):
            activation = op.options.fused_activation_function
            if activation is not Activation.NONE:
                raise lowering.fail(op, f"fused activation {activation.name} on float32; expected NONE")
        compute: Function = np.divide if op.name == "DIV" else pointwise.FLOAT[op.name]
        _append(lowering, op, compute, "float32")


def lower_compare(lowering: Lowering, op: Operator) -> None:
    """GREATER and its like on int8."""
    a, b = (lowering.affine(op, lowering.tensor(op, position)) for position in (0, 1))
    if not max(a.scale, b.scale) < 1:
        raise lowering.fail(op, f"scales {a.scale} and {b.scale}; the reference compares scales below 1")
    _append(lowering, op, pointwise.compare(op.name, a, b), "bool")


def lower_logical(lowering: Lowering, op: Operator) -> None:
    """LOGICAL_AND, LOGICAL_OR and LOGICAL_NOT."""
    _append(lowering, op, pointwise.LOGICAL[op.name], "bool")


def lower_select(lowering: Lowering, op: Operator) -> None:
    """SELECT and SELECT_V2."""
    _append(lowering, op, pointwise.select, "int8", "float32")


def lower_quotient(lowering: Lowering, op: Operator) -> None:
    """DIV of int8."""
    activation = lowering.options(op, DivOptions).fused_activation_function
    a, b = (lowering.affine(op, lowering.tensor(op, position)) for position in (0, 1))
    target = lowering.affine(op, lowering.graph.tensors[op.outputs[0]])
    _append(lowering, op, pointwise.quotient(a, b, target, lowering.clamp(op, activation, target)), "int8")


def _append(lowering: Lowering, op: Operator, compute: Function, *types: str) -> None:
    values: list[Value] = []
    constants: list[npt.NDArray[Any] | None] = []
    for position in range(len(op.inputs)):
        constant = lowering.constant_of(lowering.tensor(op, position))
        constants.append(constant)
        if constant is None:
            values.append(lowering.known_value(op, position))
    if not values:
        raise lowering.fail(op, "all its inputs are constants; expected one computed at run time")
    output = lowering.output(op, *types)
    if output.type == "float32":
        lowering.islands.add(output.storage)
    lowering.ops.append(Pointwise(op.index, op.code.label, tuple(values), output, compute, tuple(constants)))


LOWER: Final[dict[str, Lower]] = {
    **dict.fromkeys(pointwise.COMPARE, lower_compare),
    **dict.fromkeys(pointwise.LOGICAL, lower_logical),
    "SELECT": lower_select,
    "SELECT_V2": lower_select,
    "DIV": lower_quotient,
}
