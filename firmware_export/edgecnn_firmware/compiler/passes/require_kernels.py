"""Refusal of what only exists as a table and did not become one."""

from edgecnn_firmware.compiler.ops.pointwise import Pointwise
from edgecnn_firmware.compiler.ops.value import Graph
from edgecnn_firmware.errors import ModelError


def require_kernels(graph: Graph) -> Graph:
    """Leave the graph as it is.

    Raises:
        ModelError: an op has no kernel and is no function of one int8 value.
    """
    for op in graph.ops:
        if isinstance(op, Pointwise):
            where = f"{graph.name}: op #{op.number} {op.label} {op.output.name[:60]!r}"
            if "float32" in (op.output.type, *(value.type for value in op.inputs)):
                raise ModelError(f"{where}: computes on float32; quantize the model to full int8")
            raise ModelError(f"{where}: its operands come from several values; expected a function of one, as a table")
    return graph
