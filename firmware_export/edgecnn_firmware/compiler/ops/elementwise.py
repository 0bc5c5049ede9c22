"""Ops of two inputs, element by element."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.binary import SquareParameters, SumParameters
from edgecnn_firmware.compiler.arithmetic.requantization import Requantization
from edgecnn_firmware.compiler.ops.value import Op


@dataclass(frozen=True, eq=False)
class Binary(Op):
    """Two operands of the output's shape, or one number a channel for every row.

    A constant operand is not among `inputs`: `inputs` holds the computed ones in order.
    """

    constant: npt.NDArray[np.int8] | None
    """Where an operand is constant: one number a channel, or one an element."""
    constant_first: bool
    """Whether the constant is the first operand."""

    def operands(self, arrays: list[npt.NDArray[Any]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Both operands as `(rows, channels)` or `(1, channels)` arrays."""
        given = [*arrays]
        if self.constant is not None:
            given.insert(0 if self.constant_first else 1, self.constant)
        found = [array.reshape(-1, self.output.channels).astype(np.int64) for array in given]
        return found[0], found[1]

    def ranges(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """What each operand can be."""
        found = [np.arange(-128, 128, dtype=np.int64)] * 2
        if self.constant is not None:
            found[0 if self.constant_first else 1] = np.unique(self.constant).astype(np.int64)
        return found[0], found[1]


@dataclass(frozen=True, eq=False)
class Sum(Binary):
    """ADD or SUB."""

    parameters: SumParameters


@dataclass(frozen=True, eq=False)
class Product(Binary):
    """MUL: `(a - zero_point) * (b - zero_point)`, requantized."""

    zero_points: tuple[int, int]
    requantization: Requantization

    def reach(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Smallest and largest product, as arrays of one channel."""
        first, second = (values - zero for values, zero in zip(self.ranges(), self.zero_points, strict=True))
        products = np.outer(first[[0, -1]], second[[0, -1]])
        return products.min(keepdims=True).reshape(1), products.max(keepdims=True).reshape(1)


@dataclass(frozen=True, eq=False)
class SquaredDifference(Binary):
    """SQUARED_DIFFERENCE."""

    parameters: SquareParameters


@dataclass(frozen=True, eq=False)
class Extreme(Binary):
    """MINIMUM or MAXIMUM of operands of one scale."""

    kind: Literal["min", "max"]
