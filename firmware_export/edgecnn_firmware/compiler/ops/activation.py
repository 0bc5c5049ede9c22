"""Elementwise functions of one input, softmax, and what stands at the float ends of a network."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.log_softmax import LogSoftmaxParameters
from edgecnn_firmware.compiler.arithmetic.softmax import SoftmaxParameters
from edgecnn_firmware.compiler.ops.value import Op


@dataclass(frozen=True, eq=False)
class Table(Op):
    """`output = table[input - lowest input]`, for every element."""

    table: npt.NDArray[Any]
    """256 int8 or uint8 values."""


@dataclass(frozen=True, eq=False)
class Softmax(Op):
    """Softmax along the last axis."""

    parameters: SoftmaxParameters


@dataclass(frozen=True, eq=False)
class LogSoftmax(Op):
    """Logarithm of softmax along the last axis."""

    parameters: LogSoftmaxParameters


@dataclass(frozen=True, eq=False)
class PRelu(Op):
    """`x` scaled by one factor above the zero point and by one of its channel's, or its own, below."""

    alpha: npt.NDArray[np.int8]
    """`(channels,)` or `(elements,)`."""
    alpha_zero_point: int
    positive: tuple[int, int]
    """Multiplier and shift (positive: left)."""
    negative: tuple[int, int]


@dataclass(frozen=True, eq=False)
class ArgMax(Op):
    """Index of the first largest element along the last axis."""


@dataclass(frozen=True, eq=False)
class QuantizeFloat(Op):
    """float32 -> int8 or uint8, saturating, halves away from zero."""


@dataclass(frozen=True, eq=False)
class Dequantize(Op):
    """int8 or uint8 -> float32."""
