"""Elementwise ops that compute a function of one int8 value -> one table of 256 entries.

`x * sigmoid(x)`, the exponentials and logarithms of softplus and mish, comparisons with a constant and the ops on floats
between a DEQUANTIZE and a QUANTIZE are all that. The entries are what the oracle gives for the 256 inputs.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.ops.activation import Dequantize, PRelu, QuantizeFloat, Table
from edgecnn_firmware.compiler.ops.elementwise import Binary
from edgecnn_firmware.compiler.ops.pointwise import Pointwise
from edgecnn_firmware.compiler.ops.value import Graph, Op, Value
from edgecnn_firmware.compiler.oracle import evaluate
from edgecnn_firmware.compiler.passes.uses import writers
from edgecnn_firmware.errors import ModelError

_LEAST_TABLED: Final = 64
"""Elements from which ops without a table are worth one of 256 bytes."""
_MOST_DEEP: Final = 32
"""Ops in a row that are looked at, so that a long file takes no time beyond its length."""
_POINTS: Final = (256, 1)


@dataclass(frozen=True, eq=False)
class _Curve:
    """A value as a function of another."""

    root: Value
    entries: npt.NDArray[Any]
    """Its elements where those of the root are -128 to 127."""
    depth: int = 0
    """Ops from the root to it, along the longest way."""


def fold_tables(graph: Graph) -> Graph:
    """Replace such ops, where nothing else reads what lies between, or where they have no kernel of their own.

    Raises:
        ModelError: the reference is undefined for some of the 256 inputs.
    """
    made = writers(graph)
    curves = _curves(graph, made)
    readers: dict[int, set[int]] = defaultdict(set)
    for op in graph.ops:
        for value in op.inputs:
            readers[value.storage].add(id(op))
    for value in graph.outputs:
        readers[value.storage].add(0)
    wanted = {value.storage for value in graph.outputs} | {state.value.storage for state in graph.states}
    kept: list[Op] = []
    for op in reversed(graph.ops):
        if op.output.storage in made and op.output.storage not in wanted:
            continue
        folded = _folded(op, curves.get(op.output.storage, {}), made, readers)
        kept.append(folded)
        wanted.update(value.storage for value in folded.inputs)
    return replace(graph, ops=tuple(reversed(kept)))


def _curves(graph: Graph, made: dict[int, Op]) -> dict[int, dict[int, _Curve]]:
    """Of each storage, every storage that it is a function of, the earliest first and itself last."""
    identity = np.arange(-128, 128, dtype=np.int64).astype(np.int8)
    written = {op.output.storage for op in graph.ops} | {state.value.storage for state in graph.states}
    found: dict[int, dict[int, _Curve]] = {}
    for value in graph.inputs:
        if value.type == "int8" and value.storage not in written:
            found[value.storage] = {value.storage: _Curve(value, identity)}
    for op in graph.ops:
        if op.output.storage not in made:
            continue
        own: dict[int, _Curve] = {}
        if _is_pointwise(op):
            try:
                own = _computed(op, [found.get(value.storage, {}) for value in op.inputs])
            except ModelError as error:
                where = f"{graph.name}: op #{op.number} {op.label} {op.output.name[:60]!r}"
                raise ModelError(f"{where}: {error}") from None
        if op.output.type == "int8":
            own[op.output.storage] = _Curve(op.output, identity)
        found[op.output.storage] = own
    return found


def _is_pointwise(op: Op) -> bool:
    """Whether each element of the output depends on the same element of every input, in one way for all elements."""
    if not op.inputs or any(value.elements != op.output.elements for value in op.inputs):
        return False
    if isinstance(op, Pointwise):
        return all(constant is None or _is_uniform(constant) for constant in op.constants)
    if isinstance(op, Binary):
        return op.constant is None or _is_uniform(op.constant)
    if isinstance(op, PRelu):
        return _is_uniform(op.alpha)
    return isinstance(op, Table | Dequantize | QuantizeFloat)


def _is_uniform(constant: npt.NDArray[Any]) -> bool:
    return bool((constant == constant.reshape(-1)[0]).all())


def _computed(op: Op, inputs: list[dict[int, _Curve]]) -> dict[int, _Curve]:
    found = {}
    for storage, first in inputs[0].items():
        curves = [other[storage] for other in inputs if storage in other]
        depth = 1 + max(curve.depth for curve in curves)
        if len(curves) == len(inputs) and depth <= _MOST_DEEP:
            entries = _at_points(op, [curve.entries for curve in curves])
            found[storage] = _Curve(first.root, entries, depth)
    return found


def _at_points(op: Op, arrays: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The op on 256 elements."""
    inputs = tuple(value.view(_POINTS) for value in op.inputs)
    narrow = replace(op, inputs=inputs, output=op.output.view(_POINTS))
    if isinstance(narrow, Binary) and narrow.constant is not None:
        narrow = replace(narrow, constant=narrow.constant.reshape(-1)[:1])
    elif isinstance(narrow, PRelu):
        narrow = replace(narrow, alpha=narrow.alpha[:1])
    elif isinstance(narrow, Pointwise):
        constants = tuple(None if constant is None else constant.reshape(-1)[:1] for constant in narrow.constants)
        narrow = replace(narrow, constants=constants)
    with np.errstate(all="ignore"):
        return evaluate(narrow, [array.reshape(_POINTS) for array in arrays]).reshape(-1)


def _folded(op: Op, curves: dict[int, _Curve], made: dict[int, Op], readers: dict[int, set[int]]) -> Op:
    choices = [curve for storage, curve in curves.items() if storage != op.output.storage]
    if not choices or op.output.type not in ("int8", "uint8"):
        return op
    must = isinstance(op, Pointwise | QuantizeFloat)
    for curve in choices:
        cone = _cone(op, curve.root.storage, made)
        members = {id(member) for member in cone}
        closed = all(readers[member.output.storage] <= members for member in cone[1:])
        pays = any(isinstance(member, Table) for member in cone) or op.output.elements >= _LEAST_TABLED
        if closed and (must or (len(cone) > 1 and pays)):
            return _table(op, curve, cone)
    if must:
        return _table(op, choices[-1], _cone(op, choices[-1].root.storage, made))
    return op


def _cone(op: Op, root: int, made: dict[int, Op]) -> list[Op]:
    """The op and all between it and a root, the op first."""
    found, waiting = {id(op): op}, [op]
    while waiting:
        for value in waiting.pop().inputs:
            writer = made.get(value.storage)
            if value.storage != root and writer is not None and id(writer) not in found:
                found[id(writer)] = writer
                waiting.append(writer)
    return list(found.values())


def _table(op: Op, curve: _Curve, cone: list[Op]) -> Table:
    label = " + ".join(member.label for member in sorted(cone, key=lambda member: member.number))
    return Table(op.number, label, (curve.root.view(op.output.shape),), op.output, curve.entries)
