"""Which ops run in stripes, and of how many rows, so that the arena is smallest."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from edgecnn_firmware.compiler.ops.movement import Move
from edgecnn_firmware.compiler.ops.stripes import Stripes
from edgecnn_firmware.compiler.ops.value import Graph, Op
from edgecnn_firmware.compiler.passes.uses import reads
from edgecnn_firmware.compiler.stripes.reach import reach_of
from edgecnn_firmware.compiler.stripes.schedule import Bare, chain_of, chains, stripes_of

_ROWS: Final = (2, 4, 8, 16, 32)
"""Rows of a stripe that are tried: kernels take rows in pairs, so odd ones would be slower for next to no memory."""
_MOST_OPS: Final = 40
"""Ops that run in stripes together, at most."""
_ROUNDS: Final = 8
_MOST_TRIES: Final = 400
"""Programs that are weighed in a round, those whose stripes need least first."""
_WORTH: Final = 0.03
"""Larger stripes, which run faster, are taken where they cost no more than so much of the arena."""

Cost = Callable[[Graph], tuple[int, int]]
"""Bytes that a graph needs at least, and the position of the op that needs them."""


def with_stripes(graph: Graph, cost: Cost, scratch: Callable[[Op], int], arena_bytes: int) -> Graph:
    """Let ops run in stripes as long as that makes the arena smaller.

    Args:
        graph: the program.
        cost: what it needs of a target's kernels.
        scratch: what one op needs of them while it runs.
        arena_bytes: what its arena takes as it is, which may be more than it needs at least.

    Returns:
        The program with some of its ops as `Stripes`, or as it was.
    """
    bytes_, peak = arena_bytes, cost(graph)[1]
    for _ in range(_ROUNDS):
        better = _cheaper(graph, cost, scratch, bytes_, peak)
        if not better:
            break
        least = min(candidate[0] for candidate in better)
        close = [candidate for candidate in better if candidate[0] <= least * (1 + _WORTH)]
        graph = max(close, key=lambda candidate: (candidate[1], -candidate[0]))[2]
        bytes_, peak = cost(graph)
    return graph


def _cheaper(
    graph: Graph, cost: Cost, scratch: Callable[[Op], int], bytes_: int, peak: int
) -> list[tuple[int, int, Graph]]:
    """Bytes, rows of a stripe and program of what needs less than `bytes_`."""
    found: list[tuple[int, int, Graph]] = []
    least = bytes_
    candidates = [(scratch(made), made.rows, begin, end, made) for begin, end, made in _candidates(graph, peak)]
    for own, rows, begin, end, made in sorted(candidates, key=lambda candidate: candidate[:4])[:_MOST_TRIES]:
        # No program needs less than one of its ops.
        if own > least * (1 + _WORTH):
            break
        program = replace(graph, ops=(*graph.ops[:begin], made, *graph.ops[end:]))
        needed = cost(program)[0]
        if needed < bytes_:
            found.append((needed, rows, program))
            least = min(least, needed)
    return found


def _candidates(graph: Graph, peak: int) -> Iterator[tuple[int, int, Stripes]]:
    """Begin and end of ops around the one that needs most memory, and what they are in stripes."""
    fresh = 1 + max((storage for op in graph.ops for storage in _storages(op)), default=0)
    bare: Bare = {}
    for begin, end in chains(graph.ops, reads(graph), peak, _MOST_OPS, can_run(graph)):
        chain = chain_of(graph.ops[begin:end], fresh, bare)
        if chain is None:
            continue
        for rows in _ROWS:
            made = stripes_of(chain, rows)
            if made is not None and made.count > 1:
                yield begin, end, made


def can_run(graph: Graph) -> Callable[[Op], bool]:
    """Whether an op of a graph can be among stripes: row by row, or behind them."""
    states = {state.value.storage for state in graph.states}

    def can(op: Op) -> bool:
        if states.intersection(value.storage for value in (*op.inputs, op.output)):
            return False
        return isinstance(op, Move) or all(reach_of(op, position) is not None for position in range(len(op.inputs)))

    return can


def _storages(op: Op) -> list[int]:
    inner = op.lines if isinstance(op, Stripes) else ()
    return [*inner, op.output.storage, *(value.storage for value in op.inputs)]
