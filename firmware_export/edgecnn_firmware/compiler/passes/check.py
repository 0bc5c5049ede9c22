"""What holds for a graph before and after every pass."""

from edgecnn_firmware.compiler.ops.value import Graph


def check_graph(graph: Graph, after: str) -> None:
    """Every value is written before it is read.

    Raises:
        RuntimeError: a bug in what ran last, named by `after`.
    """
    written = {value.storage for value in graph.inputs} | {state.value.storage for state in graph.states}
    for position, op in enumerate(graph.ops):
        for value in op.inputs:
            if value.storage not in written:
                raise RuntimeError(f"after {after}: op {position} ({op.label}) reads a value that nothing wrote")
        written.add(op.output.storage)
    for value in graph.outputs:
        if value.storage not in written:
            raise RuntimeError(f"after {after}: output {value.name!r} is written by no op")
