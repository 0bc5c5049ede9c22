"""Who writes and who reads a value."""

from collections import Counter

from edgecnn_firmware.compiler.ops.value import Graph, Op


def writers(graph: Graph) -> dict[int, Op]:
    """The one op that writes each storage; storages that are state or are written more than once are left out."""
    counts = Counter(op.output.storage for op in graph.ops)
    states = {state.value.storage for state in graph.states}
    return {
        op.output.storage: op for op in graph.ops if counts[op.output.storage] == 1 and op.output.storage not in states
    }


def reads(graph: Graph) -> Counter[int]:
    """How many ops and outputs read each storage."""
    counted = Counter(storage for op in graph.ops for storage in {value.storage for value in op.inputs})
    counted.update(value.storage for value in graph.outputs)
    return counted


def reads_same_version(graph: Graph, writer: Op, reader: Op, storage: int) -> bool:
    """Whether a storage holds the same bytes at two ops: nothing writes it from the first to the second."""
    between = graph.ops[graph.ops.index(writer) : graph.ops.index(reader)]
    return all(op.output.storage != storage for op in between)
