"""DEQUANTIZE, then a Move -> the Move, then DEQUANTIZE: bytes are moved, not floats."""

from dataclasses import replace

from edgecnn_firmware.compiler.ops.activation import Dequantize
from edgecnn_firmware.compiler.ops.movement import Move
from edgecnn_firmware.compiler.ops.value import Graph, Op, Value
from edgecnn_firmware.compiler.passes.uses import reads_same_version, writers


def move_integers(graph: Graph) -> Graph:
    """Let Moves of dequantized values read what was dequantized; DEQUANTIZEs that nobody reads then go away."""
    storages = [value.storage for op in graph.ops for value in (op.output, *op.inputs)]
    fresh = max([*storages, *(value.storage for value in graph.inputs)], default=0) + 1
    ops: list[Op] = []
    for op in graph.ops:
        on_floats = isinstance(op, Move) and op.fill is None and op.output.type == "float32"
        # Of a chain of Moves, the first is done already.
        sources = _sources(replace(graph, ops=(*ops, op)), op) if on_floats else None
        if sources is None:
            ops.append(op)
            continue
        bytes_moved = Value(fresh, op.output.name, op.output.shape, sources[0].affine, sources[0].type)
        fresh += 1
        ops.append(replace(op, inputs=sources, output=bytes_moved))
        ops.append(Dequantize(op.number, "DEQUANTIZE", (bytes_moved,), op.output))
    return replace(graph, ops=tuple(ops))


def _sources(graph: Graph, op: Op) -> tuple[Value, ...] | None:
    """What a Move's inputs were dequantized from, if all are of one quantization."""
    made = writers(graph)
    if op.output.storage not in made:
        return None
    found = []
    for value in op.inputs:
        writer = made.get(value.storage)
        if not isinstance(writer, Dequantize):
            return None
        source = writer.inputs[0]
        if not reads_same_version(graph, writer, op, source.storage):
            return None
        found.append(source.view(value.shape))
    same = len({(value.affine, value.type) for value in found}) == 1
    return tuple(found) if same else None
