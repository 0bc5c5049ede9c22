"""State kept in variables: VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE and the CALL_ONCE that sets the first values."""

from typing import Final

import numpy as np

from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.ops.movement import Move, Part
from edgecnn_firmware.compiler.ops.value import State
from edgecnn_firmware.tflite.model import Operator, Subgraph
from edgecnn_firmware.tflite.options import CallOnceOptions, VarHandleOptions


def lower_call_once(lowering: Lowering, op: Operator) -> None:
    """The subgraph that gives variables their first values; only constants may be assigned there."""
    options = lowering.options(op, CallOnceOptions)
    graph = lowering.subgraphs[options.init_subgraph_index]
    handles: dict[int, str] = {}
    for step in graph.operators:
        if step.name == "VAR_HANDLE" and isinstance(step.options, VarHandleOptions):
            handles[step.outputs[0]] = _name(step.options)
        elif step.name == "ASSIGN_VARIABLE" and step.inputs[0] in handles:
            lowering.initial[handles[step.inputs[0]]] = _constant_bytes(lowering, op, graph, step.inputs[1])
        else:
            raise lowering.fail(op, f"its subgraph runs {step.code.label}; expected constants assigned to variables")


def lower_var_handle(lowering: Lowering, op: Operator) -> None:
    """Name a variable; nothing runs."""
    lowering.resources[op.outputs[0]] = _name(lowering.options(op, VarHandleOptions))


def lower_read_variable(lowering: Lowering, op: Operator) -> None:
    """The variable's value as it is now: a copy, unless no later op writes the variable before the value's last use."""
    name = _resource(lowering, op)
    made = lowering.make_value(op, lowering.graph.tensors[op.outputs[0]])
    if made.type not in ("int8", "uint8"):
        raise lowering.fail(op, f"variable {name!r} is {made.type}; expected int8")
    state = lowering.variables.get(name)
    if state is None:
        first = lowering.initial.get(name, bytes(made.bytes))
        if len(first) != made.bytes:
            raise lowering.fail(op, f"variable {name!r} starts with {len(first)} bytes and is read as {made.bytes}")
        state = made
        lowering.variables[name] = state
        lowering.states.append(State(state, first))
    if state.bytes != made.bytes or state.affine != made.affine:
        raise lowering.fail(op, f"variable {name!r} is read with another shape, scale or zero point")
    if _is_free(lowering, op):
        lowering.alias(op, state)
        return
    output = lowering.output(op)
    part = Part(0, (state.elements,), 0, (1,), 0, (1,))
    lowering.ops.append(Move(number=op.index, label=op.code.label, inputs=(state,), output=output, parts=(part,)))


def lower_assign_variable(lowering: Lowering, op: Operator) -> None:
    """Copy a value into the variable."""
    name = _resource(lowering, op)
    value = lowering.value(op, 1)
    state = lowering.variables.get(name)
    if state is None:
        raise lowering.fail(op, f"variable {name!r} is assigned before it is read; expected the reverse")
    if state.bytes != value.bytes or state.affine != value.affine:
        raise lowering.fail(
            op, f"variable {name!r} is assigned another shape, scale or zero point than it is read with"
        )
    part = Part(0, (value.elements,), 0, (1,), 0, (1,))
    lowering.ops.append(Move(number=op.index, label=op.code.label, inputs=(value,), output=state, parts=(part,)))


def _name(options: VarHandleOptions) -> str:
    return f"{options.container}/{options.shared_name}"


def _resource(lowering: Lowering, op: Operator) -> str:
    name = lowering.resources.get(op.inputs[0])
    if name is None:
        raise lowering.fail(op, "its variable has no VAR_HANDLE before it")
    return name


def _is_free(lowering: Lowering, op: Operator) -> bool:
    """Whether the value read is used only before the variable is written again."""
    name, read = lowering.resources[op.inputs[0]], op.outputs[0]
    handles = {tensor for tensor, other in lowering.resources.items() if other == name}
    reach = {read}
    written = False
    for later in lowering.graph.operators[op.index + 1 :]:
        # Handles of the same variable may be made again further on.
        if later.name == "VAR_HANDLE" and isinstance(later.options, VarHandleOptions):
            if _name(later.options) == name:
                handles.add(later.outputs[0])
            continue
        uses = any(index in reach for index in later.inputs)
        if later.name == "ASSIGN_VARIABLE" and later.inputs[0] in handles:
            if uses or written:
                return False
            written = True
        elif uses:
            if written:
                return False
            # Shape ops hand the same bytes on.
            if later.name in ("RESHAPE", "EXPAND_DIMS", "SQUEEZE", "TRANSPOSE", "STRIDED_SLICE"):
                reach.update(later.outputs)
    return not any(index in reach for index in lowering.graph.outputs)


def _constant_bytes(lowering: Lowering, op: Operator, graph: Subgraph, index: int) -> bytes:
    tensor = graph.tensors[index]
    if tensor.data is None or tensor.type != "INT8":
        raise lowering.fail(
            op, f"its subgraph assigns tensor {tensor.name[:60]!r} ({tensor.type}); expected an int8 constant"
        )
    return np.frombuffer(tensor.data, np.int8).tobytes()


LOWER: Final[dict[str, Lower]] = {
    "CALL_ONCE": lower_call_once,
    "VAR_HANDLE": lower_var_handle,
    "READ_VARIABLE": lower_read_variable,
    "ASSIGN_VARIABLE": lower_assign_variable,
}
