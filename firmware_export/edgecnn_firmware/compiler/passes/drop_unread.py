"""Ops whose results nobody reads go away."""

from dataclasses import replace

from edgecnn_firmware.compiler.ops.value import Graph, Op


def drop_unread(graph: Graph) -> Graph:
    """Keep what outputs and variables depend on."""
    wanted = {value.storage for value in graph.outputs} | {state.value.storage for state in graph.states}
    kept: list[Op] = []
    for op in reversed(graph.ops):
        if op.output.storage in wanted:
            kept.append(op)
            wanted.update(value.storage for value in op.inputs)
    return replace(graph, ops=tuple(reversed(kept)))
