"""Ops that run in turns, a stripe of rows at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

from edgecnn_firmware.compiler.ops.value import Op, Value


@dataclass(frozen=True, eq=False)
class CopyRows(Op):
    """The rows as they are: of an input that is whole in memory, where padding is put around them."""


@dataclass(frozen=True)
class Reach:
    """Which input rows an op reads: for its row `r`, `span` of them from `r * stride - before` on."""

    stride: int
    before: int
    span: int
    fill: int | None
    """The value of rows outside the input; None: there are none."""


@dataclass(frozen=True, eq=False)
class Step:
    """One op of the stripes. In stripe `s` it makes its rows up to `first + s * step`, as far as it has them."""

    op: Op
    """As its kernel is called: its inputs hold their padding, so that none is left for it to do."""
    reaches: tuple[Reach, ...]
    """Of each input."""
    rows: int
    """All that it makes; of an op that reduces rows to one, those that it reads."""
    first: int
    step: int


@dataclass(frozen=True)
class Lines:
    """The rows of a value that are in memory at a time, without gaps, oldest first."""

    value: Value
    capacity: int
    """The most of them, padding included."""
    before: int
    """Rows of padding before the first."""
    after: int
    """Rows of padding after the last."""
    fill: int
    """The padding's value."""

    @property
    def bytes(self) -> int:
        """Memory that they take."""
        return self.capacity * self.value.channels


@dataclass(frozen=True, eq=False)
class Stripes(Op):
    """`ops`, one after another, run in `count` stripes.

    `inputs` are whole in memory, and so is `output`, which the last op makes; every value between is `Lines`, or the one row
    of a reduction.
    """

    ops: tuple[Op, ...]
    """As they were, on whole values: their meaning."""
    steps: tuple[Step, ...]
    tail: tuple[Op, ...]
    """Those of `ops` that run once, after the stripes, on the results of reductions."""
    lines: Mapping[int, Lines]
    """By storage."""
    rows: int
    """Of a stripe: those that the last op makes or reduces."""
    count: int
    """Of stripes."""
    distances: tuple[int | None, ...]
    """Of each input, `plan.overlap.least_distance`."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates: no row is computed twice."""
        return sum(op.macs for op in self.ops)

    @property
    def lines_bytes(self) -> int:
        """Memory of all values between."""
        return sum(lines.bytes for lines in self.lines.values())
