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
    """The first row that any op reads in a call, but for those at the window's beginning."""
    left: int = 0
    """Rows at the window's beginning that are read by those ops which compute such rows too."""

    @property
    def fresh(self) -> int:
        """The first row at the end that is computed: new, or beside the padding after the last."""
        return max(self.clean[1] - self.shift, self.needed)

    @property
    def is_whole(self) -> bool:
        """Whether all rows are in memory."""
        return self.needed == 0

    @property
    def computed_left(self) -> int:
        """Rows at the window's beginning that are computed each time."""
        return self.clean[0] if self.is_whole else self.left

    @property
    def held(self) -> int:
        """Rows in memory, the last of the window."""
        return self.length - self.needed

    @property
    def is_kept(self) -> bool:
        """Whether some of them come from the call before."""
        return self.needed < self.fresh

    def read_whole(self) -> None:
        """All rows are read."""
        self.needed = 0


def slide(graph: Graph, hop: int, *, least_ram: bool = False) -> Graph:
    """Make a network take `hop` rows a call: the newest of a window that ends with them.

    Args:
        graph: a network of one input, without state, after `run_passes`.
        hop: rows by which the window slides, fewer than it has.
        least_ram: compute rows at the window's beginning, which move towards its padding, again from the input's; without,
            all rows of a layer are kept where such rows are read.

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
    return _Window(graph, hop, least_ram=least_ram).slid()


def total_stride(graph: Graph) -> int:
    """Rows of the input from one row to the next of those layers, of all that can keep rows, that have the fewest."""
    strides = {graph.inputs[0].storage: 1}
    for op in graph.ops:
        found = set()
        for position, value in enumerate(op.inputs):
            reach, before = reach_in_window(op, position), strides.get(value.storage)
            found.add(reach.stride * before if reach is not None and before is not None else None)
        stride = found.pop() if len(found) == 1 else None
        if stride is not None and op.output.length > 1:
            strides[op.output.storage] = stride
    return max(strides.values())


class _Window:
    """What is known of each value, by storage."""

    def __init__(self, graph: Graph, hop: int, *, least_ram: bool) -> None:
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
        self._look_back(least_ram)
        self._fresh = 1 + max(*written, given.storage)
        self._ops: list[Op] = []
        self._states: list[State] = []
        self._rows: dict[int, Value] = {}
        """The last rows of each value, as a call has them."""
        self._lefts: dict[int, Value] = {}
        """The first ones, where not all are in memory."""

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
                f"best of {total_stride(self._graph)}"
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

    def _look_back(self, least_ram: bool) -> None:
        """From the last op to the first: which rows are read."""
        for value in self._graph.outputs:
            if value.storage in self._found:
                self._found[value.storage].read_whole()
        for op in reversed(self._graph.ops):
            made, reaches = self._found.get(op.output.storage), self._reaches.get(op.output.storage)
            if made is None or reaches is None:
                for value in op.inputs:
                    if value.storage in self._found:
                        self._found[value.storage].read_whole()
                continue
            if made.left and (not least_ram or made.left >= made.needed):
                # Rows that are kept come to lie there.
                made.read_whole()
            # Its first row reads more than padding.
            made.needed = min(made.needed, made.clean[1] - 1)
            for value, reach in zip(op.inputs, reaches, strict=True):
                source = self._found[value.storage]
                source.needed = min(source.needed, made.fresh * reach.stride - reach.before)
                if made.computed_left:
                    source.left = max(source.left, _end(reach, made.computed_left, source.length))
        given = self._found[self._graph.inputs[0].storage]
        if given.left:
            given.read_whole()
        # All rows of a hop are given, whether they are read or not.
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
        sliding = Sliding(
            window_rows=given.length,
            hop_rows=self._hop,
            calls=calls,
            window_macs=graph.macs,
            stride=total_stride(graph),
        )
        made_graph = replace(graph, inputs=(new,), ops=tuple(self._ops), states=tuple(self._states), sliding=sliding)
        check_graph(made_graph, f"slide by {self._hop}")
        return made_graph

    def _some(self, op: Op, made: _Rows) -> None:
        """An op whose rows are kept, but for those that are computed."""
        reaches = self._reaches[op.output.storage]
        channels, left = op.output.channels, None
        if made.computed_left:
            count = made.computed_left
            inputs = tuple(self._first(value, reach, count) for value, reach in zip(op.inputs, reaches, strict=True))
            left = replace(op.output, storage=self._new_storage(), shape=(1, count, channels))
            self._ops.append(some_rows(op, inputs, left, reaches[0].before))
            if not made.is_whole:
                self._lefts[op.output.storage], left = left, None
        inputs = tuple(
            self._last(value, reach, made.fresh, made.length, op)
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

    def _first(self, value: Value, reach: Reach, rows: int) -> Value:
        """What the first rows of an op read."""
        source = self._found[value.storage]
        held = self._rows[value.storage] if source.is_whole else self._lefts[value.storage]
        return replace(held, shape=(1, _end(reach, rows, source.length), held.channels))

    def _last(self, value: Value, reach: Reach, first: int, end: int, op: Op) -> Value:
        """What rows `first` to `end` - 1 of an op, the last, read."""
        source = self._found[value.storage]
        from_row, held = first * reach.stride - reach.before, self._rows[value.storage]
        some = replace(held, shape=(1, _end(reach, end, source.length) - from_row, held.channels))
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


def _end(reach: Reach, rows: int, length: int) -> int:
    """Behind the last row, of `length`, that the first `rows` rows of an op read; one at least, if all read padding."""
    return min(length, max(1, (rows - 1) * reach.stride - reach.before + reach.span))


def _run(source: int, start: int, to: int, elements: int) -> Part:
    return Part(source, (elements,), start, (1,), to, (1,))
