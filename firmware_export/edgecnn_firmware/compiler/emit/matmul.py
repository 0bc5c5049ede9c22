"""MatMul -> a call."""

import numpy as np

from edgecnn_firmware.compiler.emit.context import Emitter, emit
from edgecnn_firmware.compiler.emit.requantization import requantization_fields
from edgecnn_firmware.compiler.ops.matmul import MatMul


@emit.register
def _matmul(op: MatMul, emitter: Emitter) -> None:
    emitter.include("edgecnn_matmul.h")
    struct = requantization_fields(emitter, op.number, op.label, op.requantization, np.zeros(1, np.int64), *op.reach())
    a, b = op.inputs
    rows = a.elements // (op.batches * op.inner)
    zero_points = a.affine.zero_point, b.affine.zero_point
    pointers = emitter.pointer(a), emitter.pointer(b), emitter.pointer(op.output)
    emitter.call("edgecnn_matmul", op.batches, rows, op.inner, op.columns, struct, *zero_points, *pointers)
