"""Convolutions and dense layers: sums of int8 products, requantized to int8."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64
from edgecnn_firmware.compiler.arithmetic.requantization import Requantization
from edgecnn_firmware.compiler.ops.value import Op

Int8: TypeAlias = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Products(Op):
    """What convolutions and dense layers share."""

    weights: Int8
    """Conv1D: `(out, kernel, in)`; Depthwise1D: `(kernel, out)`; Dense: `(out, in)`."""
    bias: Int64
    """`(out,)`, without the input's zero point."""
    requantization: Requantization

    @property
    def outputs_per_row(self) -> int:
        """Output channels."""
        return len(self.bias)

    @property
    def weights_by_output(self) -> Int64:
        """`(out, products)`: every weight that one output channel sums over."""
        return self.weights.reshape(len(self.bias), -1).astype(np.int64)

    @property
    def folded_bias(self) -> Int64:
        """`(out,)` bias with the input's zero point folded in: `bias - zero_point * sum(weights)`."""
        zero_point = self.inputs[0].affine.zero_point
        folded: Int64 = self.bias - zero_point * self.weights_by_output.sum(axis=1)
        return folded

    def reach(self) -> tuple[Int64, Int64]:
        """`(out,)` smallest and largest sums of raw int8 inputs times weights, bias not counted."""
        weights = self.weights_by_output
        lowest = np.where(weights > 0, weights * -128, weights * 127).sum(axis=1)
        highest = np.where(weights > 0, weights * 127, weights * -128).sum(axis=1)
        return lowest, highest


@dataclass(frozen=True, eq=False)
class Window:
    """How a kernel moves over the rows of its input."""

    kernel: int
    stride: int
    dilation: int
    pad_before: int
    """Rows of the input's zero point before its first row."""

    @property
    def span(self) -> int:
        """Rows from a patch's first to its last, both counted."""
        return (self.kernel - 1) * self.dilation + 1


@dataclass(frozen=True, eq=False)
class Conv1D(Products):
    """`(length, in)` -> `(rows, out)`, and a max-pooling over `pool` of its rows where one was fused."""

    window: Window
    conv_rows: int
    """Rows that the convolution itself gives; the output has `conv_rows // pool`."""
    pool: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates as the field counts them: those of rows that a pooling drops are not needed."""
        return self.output.length * self.pool * self.weights.size


@dataclass(frozen=True, eq=False)
class Depthwise1D(Products):
    """`(length, in)` -> `(rows, in * multiplier)`; output channel `c` reads input channel `c // multiplier`."""

    window: Window
    multiplier: int

    @property
    def weights_by_output(self) -> Int64:
        """`(out, kernel)`."""
        transposed: Int64 = self.weights.T.astype(np.int64)
        return transposed

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.output.length * self.weights.size


@dataclass(frozen=True, eq=False)
class Dense(Products):
    """`(rows, in)` -> `(rows, out)`."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.output.length * self.weights.size
