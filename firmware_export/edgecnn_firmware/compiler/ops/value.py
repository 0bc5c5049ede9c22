"""Values that flow between ops, and what every op has."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from edgecnn_firmware.compiler.arithmetic.affine import Affine

ElementType: TypeAlias = Literal["int8", "uint8", "int32", "int64", "float32", "bool"]

ELEMENT_BYTES: Final[dict[ElementType, int]] = {"int8": 1, "uint8": 1, "int32": 4, "int64": 8, "float32": 4, "bool": 1}


@dataclass(frozen=True)
class Value:
    """A tensor, row-major. Two values with one `storage` are the same bytes under two shapes, or the first of them."""

    storage: int
    """Number of the tensor in the file that first held these bytes."""
    name: str
    shape: tuple[int, ...]
    """As in the file, batch of 1 included."""
    affine: Affine
    """Scale and zero point; `Affine(1.0, 0)` where the type has none."""
    type: ElementType = "int8"

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes in memory."""
        return self.elements * ELEMENT_BYTES[self.type]

    @property
    def channels(self) -> int:
        """The last axis; 1 for a scalar."""
        return self.shape[-1] if self.shape else 1

    @property
    def length(self) -> int:
        """The product of all axes before the last: the rows of the 1-D view `(length, channels)`."""
        return self.elements // self.channels if self.channels else 0

    def view(self, shape: Sequence[int]) -> "Value":
        """The same bytes under another shape."""
        return replace(self, shape=tuple(shape))


@dataclass(frozen=True, eq=False)
class Op:
    """One step of the program. Every op writes one value."""

    number: int
    """The op's number in the file, for errors and tables; a fused op carries the first one's."""
    label: str
    """The op's name in the file, with the names of what was fused into it."""
    inputs: tuple[Value, ...]
    output: Value

    @property
    def macs(self) -> int:
        """Multiply-accumulates as the field counts them."""
        return 0


@dataclass(frozen=True)
class State:
    """Bytes that live from one call to the next."""

    value: Value
    initial: bytes


@dataclass(frozen=True)
class Sliding:
    """How the window of a network slides that takes only its newest rows."""

    window_rows: int
    hop_rows: int
    calls: int
    """After so many calls a window is full for the first time."""
    window_macs: int
    """Multiply-accumulates of a window computed whole."""
    stride: int
    """All strides multiplied: a hop that is a multiple of it keeps rows of every layer that has any to keep."""


@dataclass(frozen=True, eq=False)
class Graph:
    """A program: ops in the order they run."""

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    ops: tuple[Op, ...]
    states: tuple[State, ...] = ()
    sliding: Sliding | None = None
    """Where it takes the newest rows of a window that slides."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one call."""
        return sum(op.macs for op in self.ops)
