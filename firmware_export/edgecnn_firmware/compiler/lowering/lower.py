"""A `.tflite` model -> the compiler's graph, op by op, or a refusal that names the op and the reason."""

from collections.abc import Mapping
from typing import Final

from edgecnn_firmware.compiler.lowering import (
    activation,
    convolution,
    dilation,
    elementwise,
    matmul,
    movement,
    pointwise,
    reduction,
    transposed,
    variables,
)
from edgecnn_firmware.compiler.lowering.context import PROFILES, Lower, Lowering
from edgecnn_firmware.compiler.ops.value import Graph
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.model import Model, Operator

LOWER: Final[Mapping[str, Lower]] = {
    **activation.LOWER,
    **convolution.LOWER,
    **dilation.LOWER,
    **elementwise.LOWER,
    **matmul.LOWER,
    **movement.LOWER,
    **pointwise.LOWER,
    **reduction.LOWER,
    **transposed.LOWER,
    **variables.LOWER,
}
"""Every op that is compiled."""


_ENDS: Final = {"CALL_ONCE": (0, 0), "VAR_HANDLE": (0, 1), "ASSIGN_VARIABLE": (2, 0)}
"""Least number of inputs and outputs of ops, where it is not one of each."""


def lower_model(model: Model, profile: str = "litert") -> Graph:
    """Turn the model's main graph into the compiler's.

    Raises:
        ModelError: the first op that cannot be compiled, by number, name and reason.
    """
    graph = model.main
    if not graph.inputs or not graph.outputs:
        raise ModelError(f"{model.name}: the model has no {'outputs' if graph.inputs else 'inputs'}")
    lowering = Lowering(model, PROFILES[profile])
    for subgraph in model.subgraphs:
        for op in subgraph.operators:
            _require_ends(lowering, op)
    for index in graph.inputs:
        lowering.known[index] = lowering.make_value(None, graph.tensors[index])
    for op in graph.operators:
        if op.index not in lowering.done:
            _lower_op(lowering, op)
    outputs = []
    for index in graph.outputs:
        if index not in lowering.known:
            raise ModelError(f"{model.name}: output tensor {index} is a constant; expected a computed one")
        outputs.append(lowering.known[index])
    inputs = tuple(lowering.known[index] for index in graph.inputs)
    return Graph(model.name, inputs, tuple(outputs), tuple(lowering.ops), tuple(lowering.states))


def _require_ends(lowering: Lowering, op: Operator) -> None:
    """Every op has the tensors that are looked at without asking."""
    inputs, outputs = _ENDS.get(op.name, (1, 1))
    if len(op.inputs) < inputs or len(op.outputs) < outputs:
        counts = f"{len(op.inputs)} inputs and {len(op.outputs)} outputs"
        raise lowering.fail(op, f"it has {counts}; expected at least {inputs} and {outputs}")


def _lower_op(lowering: Lowering, op: Operator) -> None:
    if pointwise.is_on_floats(lowering, op):
        pointwise.lower_float(lowering, op)
        return
    lower = LOWER.get(op.name)
    if lower is None:
        raise lowering.fail(op, f"this op is not compiled; compiled are {', '.join(sorted(LOWER))}")
    lower(lowering, op)
    _mark_floats(lowering, op)


def _mark_floats(lowering: Lowering, op: Operator) -> None:
    """What is moved from floats that a DEQUANTIZE gave is of the same kind."""
    known = lowering.known
    if any(index in known and known[index].storage in lowering.islands for index in op.inputs):
        made = (known[index] for index in op.outputs if index in known)
        lowering.islands.update(value.storage for value in made if value.type == "float32")
