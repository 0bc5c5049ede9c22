"""Reductions over the rows of a 1-D value."""

from dataclasses import dataclass

from edgecnn_firmware.compiler.ops.value import Op


@dataclass(frozen=True, eq=False)
class Mean(Op):
    """Mean over groups of rows: `(groups * rows, channels)` -> `(groups, channels)`."""

    rows: int
    multiplier: int
    shift: int
    """Positive: left."""


@dataclass(frozen=True, eq=False)
class ReduceMax(Op):
    """Maximum over groups of rows: `(groups * rows, channels)` -> `(groups, channels)`."""

    rows: int
