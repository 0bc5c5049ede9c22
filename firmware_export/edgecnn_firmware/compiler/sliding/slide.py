"""A network over windows -> one that takes the rows by which the window slides, and keeps a state.

Row `r` of a layer in one window is row `r + shift` in the window before, wherever neither reads padding: the same bytes. So
only rows that read the window's new rows, and those at its ends that read padding, are computed. Of what a later call reads,
as many rows are kept as it reads. Layers whose rows do not come to lie on each other's (the hop is no multiple of their stride)
and what follows them, down to the result, are computed whole.
"""

from collections import Counter
from dataclasses import dataclass, replace

from edgecnn_firmware.compiler.ops.movement import Move, Part
from edgecnn_firmware.compiler.ops.stripes import Reach
from edgecnn_firmware.compiler.ops.value import Graph, Op, Sliding, State, Value
from edgecnn_firmware.compiler.passes.check import check_graph
from edgecnn_firmware.compiler.sliding.rows import reach_in_window, some_rows
from edgecnn_firmware.errors import ModelError


@dataclass
class _Rows:
    """Rows of a value in a window, and where they were in the window before."""

    value: Value
    length: int
    stride: int
    """Rows of the network's input from one to the next."""
    shift: int
    """A row was so many rows further on in the window before."""
    clean: tuple[int, int]
    """The rows, begin and end, that read no padding."""
    needed: int
    """The first row that any op reads in a call."""

    @property
    def fresh(self) -> int:
        """The first row at the end that is computed: new, or beside the padding after the last."""
        return max(self.clean[1] - self.shift, self.needed)

    @property
    def has_left(self) -> bool:
        """Whether rows beside the padding before the first are read, and so computed each time."""
        return self.needed < self.clean[0]

    @property
    def held(self) -> int:
        """Rows in memory, the last of the window."""
        return self.length - self.needed

    @property
    def is_kept(self) -> bool:
        """Whether some of them come from the call before."""
        return self.needed < self.fresh


def slide(graph: Graph, hop: int) -> Graph:
    """Make a network take `hop` rows a call: the newest of a window that ends with them.

    Args:
        graph: a network of one input, without state, after `run_passes`.
        hop: rows by which the window slides, fewer than it has.

    Returns:
        A network with state whose outputs, once a window is full, are those of `graph` on that window, byte for byte.

    Raises:
        ModelError: there is nothing that a call could keep, or no window that slides.
    """
    if len(graph.inputs) != 1:
        raise ModelError(
            f"hop {hop}: the network has {len(graph.inputs)} inputs; expected one whose rows follow in time"
        )
    if graph.states:
        raise ModelError(f"hop {hop}: the network keeps a state already; call it for each of its inputs")
    given = graph.inputs[0]
    if not 1 <= hop < given.length:
        raise ModelError(f"hop {hop}: expected 1 to {given.length - 1} rows, fewer than the window's {given.length}")
    return _Window(graph, hop).slid()


class _Window:
    """What is known of each value, by storage."""

    def __init__(self, graph: Graph, hop: int) -> None:
        self._graph = graph
        self._hop = hop
        given = graph.inputs[0]
        rows = given.length
        self._found = {given.storage: _Rows(given, rows, 1, hop, (0, rows), rows)}
        self._reaches: dict[int, tuple[Reach, ...]] = {}
        written = Counter(op.output.storage for op in graph.ops)
        for op in graph.ops:
            if written[op.output.storage] == 1:
                self._follow(op)
        if not self._reaches:
            raise ModelError(f"hop {hop}: {self._why_nothing()}")
        self._look_back()
        self._fresh = 1 + max(*written, given.storage)
        self._ops: list[Op] = []
        self._states: list[State] = []
        self._rows: dict[int, Value] = {}

    def _why_nothing(self) -> str:
        if not self._graph.ops:
            return "the network computes nothing"
        first = self._graph.ops[0]
        reach = reach_in_window(first, 0)
        if reach is None:
            return f"op {first.number} ({first.label}) reads the whole window; nothing of it could be kept"
        if self._hop % reach.stride:
            return (
                f"op {first.number} ({first.label}) moves by {reach.stride} rows; expected a multiple of {reach.stride}, "
                f"and best one of the strides of all layers multiplied"
            )
        return f"op {first.number} ({first.label}) has no row alike in two windows; expected a smaller hop"

    def _follow(self, op: Op) -> None:
        """Find an op's rows, if they come to lie on those of the window before."""
        reaches = [reach_in_window(op, position) for position in range(len(op.inputs))]
        known = tuple(reach for reach in reaches if reach is not None)
        sources = [self._found.get(value.storage) for value in op.inputs]
        if len(known) != len(reaches) or not known or op.output.type != "int8":
            return
        strides, begin, end = set(), 0, op.output.length
        for reach, rows, value in zip(known, sources, op.inputs, strict=True):
            if rows is None or (rows.length, rows.value.channels) != (value.length, value.channels):
                return
            strides.add(rows.stride * reach.stride)
            begin = max(begin, -(-(rows.clean[0] + reach.before) // reach.stride))
            end = min(end, (rows.clean[1] + reach.before - reach.span) // reach.stride + 1)
        stride = strides.pop()
        shift = self._hop // stride
        if strides or self._hop % stride or end - shift <= begin:
            return
        length = op.output.length
        self._found[op.output.storage] = _Rows(op.output, length, stride, shift, (begin, end), length)
        self._reaches[op.output.storage] = known

    def _look_back(self) -> None:
        """From the last op to the first: which rows are read."""
        for value in self._graph.outputs:
            if value.storage in self._found:
                self._found[value.storage].needed = 0
        for op in reversed(self._graph.ops):
            made, reaches = self._found.get(op.output.storage), self._reaches.get(op.output.storage)
            if made is None or reaches is None:
                for value in op.inputs:
                    if value.storage in self._found:
                        self._found[value.storage].needed = 0
                continue
            if made.has_left:
                # Kept rows come to lie beside these, so all are.
                made.needed = 0
            for value, reach in zip(op.inputs, reaches, strict=True):
                source = self._found[value.storage]
                first = 0 if made.has_left else made.fresh * reach.stride - reach.before
                source.needed = min(source.needed, first)
        # All rows of a hop are given, whether they are read or not.
        given = self._found[self._graph.inputs[0].storage]
        given.needed = min(given.needed, given.length - given.shift)

    def slid(self) -> Graph:
        """The network that keeps what can be kept."""
        graph, given = self._graph, self._graph.inputs[0]
        rows = self._found[given.storage]
        new = replace(given, shape=(1, self._hop, given.channels))
        if rows.is_kept:
            if given.type != "int8":
                raise ModelError(
                    f"hop {self._hop}: the input is {given.type} and read over more than one row; expected int8"
                )
            new = replace(new, storage=self._new_storage())
            self._keep(rows, graph.ops[0].number, None, new)
        else:
            self._rows[given.storage] = new
        for op in graph.ops:
            made = self._found.get(op.output.storage)
            if made is None or op.output.storage not in self._reaches:
                self._ops.append(op)
            else:
                self._some(op, made)
        calls = -(-given.length // self._hop)
        sliding = Sliding(window_rows=given.length, hop_rows=self._hop, calls=calls, window_macs=graph.macs)
        made_graph = replace(graph, inputs=(new,), ops=tuple(self._ops), states=tuple(self._states), sliding=sliding)
        check_graph(made_graph, f"slide by {self._hop}")
        return made_graph

    def _some(self, op: Op, made: _Rows) -> None:
        """An op whose rows are kept, but for those that are computed."""
        reaches = self._reaches[op.output.storage]
        channels, left = op.output.channels, None
        if made.has_left:
            count = made.clean[0]
            inputs = tuple(
                self._input(value, reach, 0, count, op) for value, reach in zip(op.inputs, reaches, strict=True)
            )
            left = replace(op.output, storage=self._new_storage(), shape=(1, count, channels))
            self._ops.append(some_rows(op, inputs, left, reaches[0].before))
        inputs = tuple(
            self._input(value, reach, made.fresh, made.length, op)
            for value, reach in zip(op.inputs, reaches, strict=True)
        )
        right = replace(op.output, shape=(1, made.length - made.fresh, channels))
        if not made.is_kept:
            self._ops.append(some_rows(op, inputs, right, 0))
            self._rows[op.output.storage] = right
            return
        right = replace(right, storage=self._new_storage())
        self._ops.append(some_rows(op, inputs, right, 0))
        self._keep(made, op.number, left, right)

    def _keep(self, rows: _Rows, number: int, left: Value | None, right: Value) -> None:
        """A state of the last rows: move those that stay, and put the computed ones beside them."""
        channels, held = rows.value.channels, rows.held
        state = replace(rows.value, shape=(1, held, channels))
        zero = rows.value.affine.zero_point & 0xFF
        self._states.append(State(state, bytes([zero]) * state.elements))
        begin = rows.clean[0] if left is not None else rows.needed
        parts = [
            _run(
                0,
                (begin + rows.shift - rows.needed) * channels,
                (begin - rows.needed) * channels,
                (rows.fresh - begin) * channels,
            )
        ]
        inputs = [state]
        if left is not None:
            parts.append(_run(len(inputs), 0, 0, left.elements))
            inputs.append(left)
        parts.append(_run(len(inputs), 0, (rows.fresh - rows.needed) * channels, right.elements))
        inputs.append(right)
        self._ops.append(Move(number=number, label="SLIDE", inputs=tuple(inputs), output=state, parts=tuple(parts)))
        self._rows[rows.value.storage] = state

    def _input(self, value: Value, reach: Reach, first: int, end: int, op: Op) -> Value:
        """The rows of an input that rows `first` to `end` - 1 of an op read."""
        source = self._found[value.storage]
        from_row = max(0, first * reach.stride - reach.before)
        to_row = min(source.length, (end - 1) * reach.stride - reach.before + reach.span)
        held = self._rows[value.storage]
        some = replace(held, shape=(1, to_row - from_row, held.channels))
        start = (from_row - source.needed) * held.channels
        if start == 0:
            return some
        made = replace(some, storage=self._new_storage())
        part = _run(0, start, 0, made.elements)
        self._ops.append(Move(number=op.number, label="ROWS", inputs=(held,), output=made, parts=(part,)))
        return made

    def _new_storage(self) -> int:
        self._fresh += 1
        return self._fresh


def _run(source: int, start: int, to: int, elements: int) -> Part:
    return Part(source, (elements,), start, (1,), to, (1,))
