"""Ops of two inputs, element by element."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.binary import SumParameters
from edgecnn_firmware.compiler.arithmetic.requantization import Requantization
from edgecnn_firmware.compiler.ops.value import Op


@dataclass(frozen=True, eq=False)
class Binary(Op):
    """Two operands of the output's shape, or one number a channel for every row.

    A constant operand is not among `inputs`: `inputs` holds the computed ones in order.
    """

    constant: npt.NDArray[np.int8] | None
    """`(channels,)` where an operand is constant."""
    constant_first: bool
    """Whether the constant is the first operand."""

    def operands(self, arrays: list[npt.NDArray[Any]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Both operands as `(rows, channels)` or `(1, channels)` arrays."""
        channels = self.output.channels
        found = [array.reshape(-1, channels).astype(np.int64) for array in arrays]
        if self.constant is not None:
            found.insert(0 if self.constant_first else 1, self.constant.reshape(1, -1).astype(np.int64))
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


@dataclass(frozen=True, eq=False)
class Extreme(Binary):
    """MINIMUM or MAXIMUM of operands of one scale."""

    kind: Literal["min", "max"]
