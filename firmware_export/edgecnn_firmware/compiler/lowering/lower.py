"""A `.tflite` model -> the compiler's graph, op by op, or a refusal that names the op and the reason."""

from collections.abc import Mapping
from typing import Final

from edgecnn_firmware.compiler.lowering import (
    activation,
    convolution,
    dilation,
    elementwise,
    movement,
    reduction,
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
    **movement.LOWER,
    **reduction.LOWER,
    **variables.LOWER,
}
"""Every op that is compiled."""


def lower_model(model: Model, profile: str = "litert") -> Graph:
    """Turn the model's main graph into the compiler's.

    Raises:
        ModelError: the first op that cannot be compiled, by number, name and reason.
    """
    graph = model.main
    if not graph.inputs or not graph.outputs:
        raise ModelError(f"{model.name}: the model has no {'outputs' if graph.inputs else 'inputs'}")
    lowering = Lowering(model, PROFILES[profile])
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


def _lower_op(lowering: Lowering, op: Operator) -> None:
    lower = LOWER.get(op.name)
    if lower is None:
        raise lowering.fail(op, f"this op is not compiled; compiled are {', '.join(sorted(LOWER))}")
    lower(lowering, op)
