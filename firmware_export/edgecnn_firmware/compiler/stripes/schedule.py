"""When each op of some stripes makes which rows, and how many rows of each value are in memory at once."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from edgecnn_firmware.compiler.ops.activation import QuantizeFloat, Table
from edgecnn_firmware.compiler.ops.movement import Move
from edgecnn_firmware.compiler.ops.stripes import CopyRows, Lines, Reach, Step, Stripes
from edgecnn_firmware.compiler.ops.value import Op, Value
from edgecnn_firmware.compiler.stripes.reach import padded, reach_of, reduces, rows_of, without_padding

_STEADY: Final = 3
"""After so many stripes in which every op made its usual number of rows, what is in memory is alike too."""


@dataclass(frozen=True, eq=False)
class Chain:
    """Ops that can run in stripes, whatever their rows: what does not depend on how many."""

    ops: tuple[Op, ...]
    """As they were."""
    bare: tuple[Op, ...]
    """As their kernels are called; before them the copies of inputs that need padding."""
    reaches: tuple[tuple[Reach, ...], ...]
    """Of each of `bare`, of each input."""
    inputs: tuple[Value, ...]
    """What lies whole in memory before them."""
    tail: tuple[Op, ...]
    """What joins the results of reductions, once after all stripes."""


Bare: TypeAlias = dict[tuple[int, tuple[Value, ...]], Op]
"""Ops without padding, by the op's identity and its inputs: one object for one meaning, since its proofs are kept by it."""


def chain_of(ops: Sequence[Op], fresh: int, bare: Bare) -> Chain | None:
    """What stripes of `ops` are made of; None where these cannot run in stripes.

    Args:
        ops: at least two, in order; what any but the last writes is read by others of them alone.
        fresh: the first number that no storage has.
        bare: what other chains of the same program have made; grows.
    """
    made = {op.output.storage: op.output for op in ops}
    parts = _parts(ops)
    if len(made) != len(ops) or parts is None:
        return None
    body, tail = parts
    found = _Found(made, fresh, bare)
    if not all(found.add(op) for op in body) or len({rows_of(op) for op in found.bare if reduces(op)}) > 1:
        return None
    first = tuple(found.copies.values())
    reaches = (*((Reach(1, 0, 1, None),) for _ in first), *found.reaches)
    return Chain(tuple(ops), (*first, *found.bare), reaches, tuple(found.inputs.values()), tuple(tail))


def _parts(ops: Sequence[Op]) -> tuple[list[Op], list[Op]] | None:
    """What runs in stripes, and what runs behind them, on the results of reductions; None where an op needs both."""
    body: list[Op] = []
    tail: list[Op] = []
    reduced: set[int] = set()
    for op in ops:
        behind = [value.storage in reduced for value in op.inputs]
        if any(behind):
            if not all(behind) or not isinstance(op, Move | Table):
                return None
            tail.append(op)
        else:
            body.append(op)
        if any(behind) or reduces(op):
            reduced.add(op.output.storage)
    # Whatever the last op makes is what all stripes make.
    return None if reduced and ops[-1].output.storage not in reduced else (body, tail)


def _of_rows(op: Op, made: Mapping[int, Value]) -> Op:
    """A reduction that reads the rows as they are made, whatever shape it was given."""
    value = op.inputs[0]
    if not reduces(op) or value.storage not in made:
        return op
    return replace(op, inputs=(made[value.storage],))


class _Found:
    """What a chain is made of, op by op."""

    def __init__(self, made: Mapping[int, Value], fresh: int, known: Bare) -> None:
        self._made = made
        self._fresh = fresh
        self._known = known
        self.inputs: dict[int, Value] = {}
        self.copies: dict[int, CopyRows] = {}
        self.bare: list[Op] = []
        self.reaches: list[tuple[Reach, ...]] = []

    def add(self, given: Op) -> bool:
        """Whether the next op can run by rows."""
        op = _of_rows(given, self._made)
        found = [reach_of(op, position) for position in range(len(op.inputs))]
        known = tuple(reach for reach in found if reach is not None)
        if len(known) != len(found) or op.output.type != "int8":
            return False
        values = []
        for value, reach in zip(op.inputs, known, strict=True):
            seen = self._seen(op, value, reach)
            if seen is None:
                return False
            values.append(padded(seen, reach, rows_of(op)))
        key = id(given), tuple(values)
        if key not in self._known:
            self._known[key] = without_padding(op, tuple(values))
        self.bare.append(self._known[key])
        self.reaches.append(known)
        return True

    def _seen(self, op: Op, value: Value, reach: Reach) -> Value | None:
        """An input as the op finds it, with padding where it needs any; None where it cannot."""
        if value.type != "int8" and not (value.type == "float32" and isinstance(op, QuantizeFloat)):
            return None
        first = self._made.get(value.storage) or self.inputs.setdefault(value.storage, value)
        if (first.length, first.channels) != (value.length, value.channels):
            return None
        if value.storage in self._made or not _needs_padding(value, reach, rows_of(op)):
            return value
        made = replace(value, storage=self._fresh + len(self.copies))
        return self.copies.setdefault(value.storage, CopyRows(op.number, "COPY", (value,), made)).output


def _needs_padding(value: Value, reach: Reach, rows: int) -> bool:
    return reach.before > 0 or (rows - 1) * reach.stride - reach.before + reach.span > value.length


def stripes_of(chain: Chain, rows: int) -> Stripes | None:
    """Run a chain so that its last op makes or reduces `rows` rows in each stripe; None where that cannot be.

    It cannot be where two readers of one value go on at different speeds, or want different padding.
    """
    steps = _steps(chain, rows)
    if steps is None:
        return None
    # Rows that come before the first of the last op are made in stripes of their own, not all at once.
    before = max(0, *(-(-(step.first - step.step) // step.step) for step in steps))
    steps = tuple(replace(step, first=step.first - before * step.step) for step in steps)
    count = -(-steps[-1].rows // rows) + before
    simulation = _Simulation(steps, chain.inputs)
    fills = _fills(steps)
    if fills is None:
        return None
    simulation.run(count)
    lines = {}
    for storage, held in simulation.held.items():
        lines[storage] = Lines(held.value, held.capacity, held.before, held.after, fills.get(storage, 0))
    ops = chain.ops
    return Stripes(
        number=ops[0].number,
        label=f"{len(ops)} ops in stripes: " + ", ".join(op.label for op in ops),
        inputs=chain.inputs,
        output=ops[-1].output,
        ops=ops,
        steps=steps,
        tail=chain.tail,
        lines=lines,
        rows=rows,
        count=count,
        distances=simulation.distances(),
    )


def _steps(chain: Chain, rows: int) -> tuple[Step, ...] | None:
    """Backwards: each op has made, by the end of a stripe, what the ops after it read in the stripe."""
    made = {op.output.storage for op in chain.bare}
    wanted: dict[int, tuple[int, int]] = {}
    found: list[Step] = []
    for op, reaches in zip(reversed(chain.bare), reversed(chain.reaches), strict=True):
        first, step = wanted.get(op.output.storage, (rows, rows))
        found.append(Step(op, reaches, rows_of(op), first, step))
        for value, reach in zip(op.inputs, reaches, strict=True):
            need = ((first - 1) * reach.stride - reach.before + reach.span, step * reach.stride)
            other = wanted.get(value.storage, need)
            if value.storage in made and other[1] != need[1]:
                return None
            wanted[value.storage] = max(need, other)
    return tuple(reversed(found))


def _fills(steps: Sequence[Step]) -> dict[int, int] | None:
    fills: dict[int, int] = {}
    for step in steps:
        for value, reach in zip(step.op.inputs, step.reaches, strict=True):
            if reach.fill is not None and fills.setdefault(value.storage, reach.fill) != reach.fill:
                return None
    return fills


@dataclass
class _Held:
    """The rows of one value that are in memory."""

    value: Value
    before: int
    after: int
    first: int = field(init=False)
    end: int = 0
    capacity: int = field(init=False)

    def __post_init__(self) -> None:
        self.first = -self.before
        self.capacity = self.before


class _Simulation:
    """Goes through the stripes as the C does, and watches."""

    def __init__(self, steps: Sequence[Step], inputs: Sequence[Value]) -> None:
        self._steps = steps
        self._inputs = inputs
        self._done = [0] * len(steps)
        self._readers: dict[int, list[tuple[int, Reach]]] = {}
        for number, step in enumerate(steps):
            for value, reach in zip(step.op.inputs, step.reaches, strict=True):
                self._readers.setdefault(value.storage, []).append((number, reach))
        # What no other reads goes on to those after the stripes.
        self.held = {
            step.op.output.storage: self._begin(step) for step in steps if step.op.output.storage in self._readers
        }
        self._distances = {value.storage: -value.bytes for value in inputs}

    def _begin(self, step: Step) -> _Held:
        readers = self._readers[step.op.output.storage]
        before = max(reach.before for _, reach in readers)
        last = max((self._steps[n].rows - 1) * reach.stride - reach.before + reach.span for n, reach in readers)
        return _Held(step.op.output, before, max(0, last - step.rows))

    def run(self, count: int) -> None:
        """All stripes; those in the middle, which are all alike, are passed over."""
        stripe, steady = 0, 0
        while stripe < count:
            alike = [self._run(number, step, stripe) == step.step for number, step in enumerate(self._steps)]
            steady = steady + 1 if all(alike) and self._is_past_padding() else 0
            stripe += 1
            if steady == _STEADY:
                # Up to where an op makes the last of its rows, and one less: until then its input is still to be read.
                ahead = max(0, min((step.rows - step.first) // step.step for step in self._steps) - 1 - stripe)
                self._pass_over(ahead)
                stripe += ahead

    def _is_past_padding(self) -> bool:
        """Whether what the next rows read of the inputs lies behind the padding before them."""
        readers = (reader for value in self._inputs for reader in self._readers.get(value.storage, ()))
        return all(self._done[number] * reach.stride >= reach.before for number, reach in readers)

    def _run(self, number: int, step: Step, stripe: int) -> int:
        """One op in one stripe; how many rows it makes."""
        before = self._done[number]
        due = min(max(step.first + stripe * step.step, before), step.rows)
        if due > before:
            held = self.held.get(step.op.output.storage)
            if held is None:
                self._watch_output(step, due)
            else:
                self._make(held, step, due)
            self._done[number] = due
        return due - before

    def _pass_over(self, stripes: int) -> None:
        """Go on by so many stripes in which each op makes as many rows as in the last."""
        for number, step in enumerate(self._steps):
            rows = stripes * step.step
            self._done[number] += rows
            held = self.held.get(step.op.output.storage)
            if held is not None:
                held.first += rows
                held.end += rows

    def _make(self, held: _Held, step: Step, due: int) -> None:
        held.first = max(held.first, min(self._lowest(held.value.storage), held.end))
        held.end = due + (held.after if due == step.rows else 0)
        held.capacity = max(held.capacity, held.end - held.first)

    def _lowest(self, storage: int) -> int:
        """The first row that is still to be read."""
        return min(self._done[number] * reach.stride - reach.before for number, reach in self._readers[storage])

    def _watch_output(self, step: Step, due: int) -> None:
        """How far below an input the output may begin, if rows up to `due` are written now."""
        if reduces(step.op):
            return
        for value in self._inputs:
            for number, reach in self._readers.get(value.storage, ()):
                # What the last op itself reads in this stripe is read while it writes.
                lowest = max(0, self._done[number] * reach.stride - reach.before)
                if lowest < value.length and self._done[number] < self._steps[number].rows:
                    distance = due * step.op.output.channels - lowest * value.channels
                    self._distances[value.storage] = max(self._distances[value.storage], distance)

    def distances(self) -> tuple[int | None, ...]:
        """Of each input."""
        return tuple(self._distances[value.storage] for value in self._inputs)


def chains(
    ops: Sequence[Op], counts: Mapping[int, int], position: int, most: int, can: Callable[[Op], bool]
) -> Iterator[tuple[int, int]]:
    """Begin and end of every run of ops around a position whose values between have no other readers.

    Args:
        ops: the program.
        counts: how often each storage is read, by ops and as the program's output.
        position: an op that is to be among them.
        most: the most ops.
        can: whether an op can run in stripes.
    """
    for begin in range(position, max(-1, position - most), -1):
        if not can(ops[begin]):
            return
        inside: Counter[int] = Counter()
        between: set[int] = set()
        for end in range(begin, min(len(ops), begin + most)):
            if not can(ops[end]):
                break
            inside.update({value.storage for value in ops[end].inputs})
            if end > begin and end >= position and all(inside[storage] == counts[storage] for storage in between):
                yield begin, end + 1
            between.add(ops[end].output.storage)
