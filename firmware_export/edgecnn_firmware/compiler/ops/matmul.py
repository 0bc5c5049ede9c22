"""Products of two computed matrices, as in attention."""

from dataclasses import dataclass

import numpy as np

from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64
from edgecnn_firmware.compiler.arithmetic.requantization import Requantization
from edgecnn_firmware.compiler.ops.value import Op


@dataclass(frozen=True, eq=False)
class MatMul(Op):
    """`(batches, rows, inner)` times `(batches, columns, inner)`, the second turned -> `(batches, rows, columns)`."""

    batches: int
    requantization: Requantization
    """Of one channel."""

    @property
    def inner(self) -> int:
        """Products in one sum."""
        return self.inputs[0].channels

    @property
    def columns(self) -> int:
        """Columns of the output."""
        return self.inputs[1].elements // (self.batches * self.inner)

    def reach(self) -> tuple[Int64, Int64]:
        """Smallest and largest sum, zero points subtracted, as arrays of one channel."""
        ends = [np.array([-128, 127]) - value.affine.zero_point for value in self.inputs]
        products = np.outer(*ends) * self.inner
        return products.min(keepdims=True).reshape(1), products.max(keepdims=True).reshape(1)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.output.elements * self.inner
