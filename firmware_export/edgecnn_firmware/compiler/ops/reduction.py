"""Reductions over axes next to each other; what lies behind them are the output's channels."""

from dataclasses import dataclass

from edgecnn_firmware.compiler.ops.value import Op


@dataclass(frozen=True, eq=False)
class Mean(Op):
    """Mean or sum over groups of rows: `(groups * rows, channels)` -> `(groups, channels)`."""

    rows: int
    multiplier: int
    shift: int
    """Positive: left."""


@dataclass(frozen=True, eq=False)
class ReduceMax(Op):
    """Maximum over groups of rows: `(groups * rows, channels)` -> `(groups, channels)`."""

    rows: int


@dataclass(frozen=True, eq=False)
class ReduceMin(ReduceMax):
    """Minimum over groups of rows."""
