"""Which op of the float network is which op of the int8 one: both come from one Keras model, by different conversions."""

from typing import Final

from edgecnn_firmware.tflite.model import Operator, Subgraph, Tensor

MAX_OPS: Final = 2000
"""Longer networks are not aligned: the table below grows with the product of their lengths."""

_SAME_OP: Final = 2
_SAME_NAME: Final = 1


def align_ops(int8: Subgraph, real: Subgraph) -> tuple[tuple[Operator, Operator], ...]:
    """Pairs (int8 op, float op) whose first outputs stand for the same values, in the order of the int8 ops.

    First the common subsequence of the two lists that agrees best: ops pair if they are of one kind, with one fused
    activation and one output shape; equal names of output tensors decide between alternatives. Ops left over pair by
    the name of their output, which both conversions take from the Keras layer. What neither finds is left out.
    """
    if max(len(int8.operators), len(real.operators)) > MAX_OPS:
        return ()
    found = dict(_common(int8, real))
    taken = set(found.values())
    names = _names_used_once(real)
    for op in int8.operators:
        if op.index in found or not op.outputs or not _is_int8(_output(int8, op)):
            continue
        other = names.get(_output(int8, op).name)
        if other is not None and other not in taken and _elements(real, other) == _output(int8, op).elements:
            found[op.index] = other
            taken.add(other)
    return tuple((int8.operators[index], real.operators[found[index]]) for index in sorted(found))


def _common(int8: Subgraph, real: Subgraph) -> list[tuple[int, int]]:
    """The heaviest common subsequence, by the textbook table of suffixes."""
    rows, columns = len(int8.operators), len(real.operators)
    weights = [[_weight(int8, one, real, other) for other in real.operators] for one in int8.operators]
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row in reversed(range(rows)):
        for column in reversed(range(columns)):
            skipped = max(best[row + 1][column], best[row][column + 1])
            weight = weights[row][column]
            best[row][column] = max(skipped, weight + best[row + 1][column + 1]) if weight else skipped
    pairs, row, column = [], 0, 0
    while row < rows and column < columns:
        weight = weights[row][column]
        if weight and best[row][column] == weight + best[row + 1][column + 1]:
            pairs.append((row, column))
            row, column = row + 1, column + 1
        elif best[row][column] == best[row + 1][column]:
            row += 1
        else:
            column += 1
    return pairs


def _weight(int8: Subgraph, one: Operator, real: Subgraph, other: Operator) -> int:
    """How well two ops agree; 0 where they cannot be the same."""
    if one.code.label != other.code.label or not one.outputs or not other.outputs:
        return 0
    left, right = _output(int8, one), _output(real, other)
    if not _is_int8(left) or right.type != "FLOAT32" or left.shape != right.shape or _fused(one) != _fused(other):
        return 0
    return _SAME_OP + (_SAME_NAME if left.name == right.name else 0)


def _names_used_once(graph: Subgraph) -> dict[str, int]:
    """Output name -> op, of float outputs whose name no other op's output has."""
    found: dict[str, list[int]] = {}
    for op in graph.operators:
        if op.outputs:
            found.setdefault(_output(graph, op).name, []).append(op.index)
    return {
        name: ops[0]
        for name, ops in found.items()
        if name and len(ops) == 1 and _output(graph, graph.operators[ops[0]]).type == "FLOAT32"
    }


def _output(graph: Subgraph, op: Operator) -> Tensor:
    return graph.tensors[op.outputs[0]]


def _elements(graph: Subgraph, op: int) -> int:
    return _output(graph, graph.operators[op]).elements


def _is_int8(tensor: Tensor) -> bool:
    return tensor.type == "INT8" and tensor.quantization is not None and not tensor.quantization.is_per_channel


def _fused(op: Operator) -> int:
    """Number of the fused activation; 0 is none."""
    return int(getattr(op.options, "fused_activation_function", 0))
