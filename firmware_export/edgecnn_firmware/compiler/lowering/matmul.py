"""BATCH_MATMUL of two computed values, and SQUARED_DIFFERENCE -> MatMul and SquaredDifference."""

import math
from typing import Final

import numpy as np

from edgecnn_firmware.compiler.arithmetic.requantization import Requantization, Rounding
from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.ops.matmul import MatMul
from edgecnn_firmware.compiler.ops.movement import Move, Part, row_major, simplify
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import BatchMatMulOptions


def lower_matmul(lowering: Lowering, op: Operator) -> None:
    """BATCH_MATMUL; the second operand is turned into `(columns, inner)` first, as dense weights lie."""
    options = lowering.options(op, BatchMatMulOptions)
    a, b = lowering.value(op, 0), lowering.value(op, 1)
    if len(a.shape) != len(b.shape) or len(a.shape) < 2 or a.shape[:-2] != b.shape[:-2]:
        raise lowering.fail(op, f"shapes {a.shape} and {b.shape}; expected the same batches on both sides")
    a = _turned(lowering, op, a) if options.adj_x else a
    b = b if options.adj_y else _turned(lowering, op, b)
    output = lowering.output(op)
    rows, inner, columns = a.shape[-2], a.shape[-1], b.shape[-2]
    if b.shape[-1] != inner or output.shape != (*a.shape[:-2], rows, columns):
        raise lowering.fail(op, f"{rows} x {inner} times {b.shape[-1]} x {columns} in an output of {output.shape}")
    # The reference divides the product of both scales, in float32, by the output's.
    scale = float(np.float32(a.affine.scale) * np.float32(b.affine.scale)) / output.affine.scale
    requantization = Requantization(Rounding.TWICE, np.array([scale]), output.affine.zero_point, -128, 127)
    made = MatMul(op.index, op.code.label, (a, b), output, math.prod(a.shape[:-2]), requantization)
    try:
        requantization.require_range(*made.reach())
    except ModelError as error:
        raise lowering.fail(op, str(error)) from None
    lowering.ops.append(made)


def _turned(lowering: Lowering, op: Operator, value: Value) -> Value:
    """The last two axes exchanged."""
    shape = (*value.shape[:-2], value.shape[-1], value.shape[-2])
    if 1 in value.shape[-2:]:
        return value.view(shape)
    strides = row_major(value.shape)
    part = simplify(Part(0, shape, 0, (*strides[:-2], strides[-1], strides[-2]), 0, row_major(shape)))
    made = Value(lowering.fresh_storage(), f"{value.name}_turned", shape, value.affine)
    lowering.ops.append(Move(op.index, "TRANSPOSE", (value,), made, (part,)))
    return made


LOWER: Final[dict[str, Lower]] = {"BATCH_MATMUL": lower_matmul}
