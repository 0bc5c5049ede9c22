"""How far an op's output may reach into its input's memory.

Every kernel writes its output from the first element on and reads rows of its input in order. So the output may lie
below the input and run after it, as long as no element is overwritten that is still to be read.
"""

from functools import singledispatch
from typing import Final

from edgecnn_firmware.compiler.ops.activation import PRelu, Table
from edgecnn_firmware.compiler.ops.convolution import Conv1D, Depthwise1D
from edgecnn_firmware.compiler.ops.elementwise import Extreme, Product, SquaredDifference, Sum
from edgecnn_firmware.compiler.ops.pooling import AveragePool1D, MaxPool1D
from edgecnn_firmware.compiler.ops.reduction import Mean, ReduceMax
from edgecnn_firmware.compiler.ops.stripes import Stripes
from edgecnn_firmware.compiler.ops.value import Op
from edgecnn_firmware.compiler.ops.winograd import Winograd1D

ANYWHERE: Final = 1 << 40
"""Beyond any arena."""


@singledispatch
def least_distance(op: Op, position: int, gathers: bool) -> int | None:  # noqa: ARG001
    """Smallest `offset(input) - offset(output)` in bytes at which the op is right, or None where they must lie apart.

    Args:
        op: the op.
        position: which input.
        gathers: whether its kernel copies the patches of a row, or of a pair of rows, before it writes the row.
    """
    return None


@least_distance.register
def _conv1d(op: Conv1D, position: int, gathers: bool) -> int | None:  # noqa: ARG001
    window, channels, out = op.window, op.inputs[0].channels, op.outputs_per_row
    group = 2 if op.pool == 1 else op.pool
    distance = -op.inputs[0].bytes
    for first in range(0, op.output.length * op.pool, group):
        written = (min(first + group, op.conv_rows) // op.pool) * out
        # With its patches copied, a pair of rows frees what only it reads. Of a pooled group, the first pair writes
        # while the others are still to be read.
        row = first + 2 if gathers else first
        if row >= op.output.length * op.pool:
            continue
        first_read = max(0, row * window.stride - window.pad_before) * channels
        distance = max(distance, written - first_read)
    return distance


@least_distance.register
def _winograd1d(op: Winograd1D, position: int, gathers: bool) -> int | None:  # noqa: ARG001
    window, channels, out = op.window, op.inputs[0].channels, op.outputs_per_row
    rows = op.output.elements // out * op.pool
    group = 4 * window.dilation
    written, distance = 0, -op.inputs[0].bytes
    # Four rows, `dilation` apart, are read before the first of them is written; then the four behind them.
    for first in (row for row in range(rows) if row % group < window.dilation):
        first_read = max(0, first - window.pad_before) * channels
        distance = max(distance, written - first_read)
        last = min(first + 3 * window.dilation, rows - 1)
        written = max(written, (last // op.pool + 1) * out)
    return distance


@least_distance.register
def _depthwise1d(op: Depthwise1D, position: int, gathers: bool) -> int | None:  # noqa: ARG001
    window, channels = op.window, op.inputs[0].channels
    distance = -op.inputs[0].bytes
    # Some kernels write two rows while they read both patches.
    for row in range(op.output.length):
        first_read = max(0, (row - 1) * window.stride - window.pad_before) * channels
        distance = max(distance, (row + 1) * op.outputs_per_row - first_read)
    return distance


@least_distance.register(Table)
@least_distance.register(PRelu)
@least_distance.register(Extreme)
@least_distance.register(Product)
@least_distance.register(SquaredDifference)
@least_distance.register(Sum)
def _in_place(op: Op, position: int, gathers: bool) -> int | None:  # noqa: ARG001
    # An operand that serves every row is read again for each.
    return 0 if op.inputs[position].elements == op.output.elements else None


@least_distance.register(MaxPool1D)
@least_distance.register(AveragePool1D)
def _pooling(op: MaxPool1D | AveragePool1D, position: int, gathers: bool) -> int | None:  # noqa: ARG001
    window, channels = op.window, op.output.channels
    distance = -op.inputs[0].bytes
    for row in range(op.output.length):
        # Within a row, a channel is written once it has been read, and later ones lie behind it.
        first_read = max(0, row * window.stride - window.pad_before) * channels
        distance = max(distance, row * channels - first_read)
    return distance


@least_distance.register(Mean)
@least_distance.register(ReduceMax)
def _reduction(op: Op, position: int, gathers: bool) -> int | None:  # noqa: ARG001
    return 0


@least_distance.register
def _stripes(op: Stripes, position: int, gathers: bool) -> int | None:  # noqa: ARG001
    return op.distances[position]
