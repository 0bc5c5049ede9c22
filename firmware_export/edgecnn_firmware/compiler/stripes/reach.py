"""Which rows of its inputs an op reads for which rows of its output."""

from dataclasses import replace
from functools import singledispatch

from edgecnn_firmware.compiler.ops.activation import PRelu, QuantizeFloat, Table
from edgecnn_firmware.compiler.ops.convolution import Conv1D, Dense, Depthwise1D, Window
from edgecnn_firmware.compiler.ops.elementwise import Binary
from edgecnn_firmware.compiler.ops.pooling import AveragePool1D, MaxPool1D
from edgecnn_firmware.compiler.ops.reduction import Mean, ReduceMax, ReduceMin
from edgecnn_firmware.compiler.ops.stripes import CopyRows, Reach
from edgecnn_firmware.compiler.ops.value import Op, Value

_ONE_ROW = Reach(stride=1, before=0, span=1, fill=None)


@singledispatch
def reach_of(op: Op, position: int) -> Reach | None:  # noqa: ARG001
    """How an op reads one of its inputs; None where it cannot run row by row."""
    return None


@reach_of.register
def _conv1d(op: Conv1D, position: int) -> Reach | None:  # noqa: ARG001
    if op.outputs_per_row != op.output.channels:
        return None
    stride, span = op.window.stride, (op.pool - 1) * op.window.stride + op.window.span
    return Reach(op.pool * stride, op.window.pad_before, span, op.inputs[0].affine.zero_point)


@reach_of.register
def _depthwise1d(op: Depthwise1D, position: int) -> Reach | None:  # noqa: ARG001
    return Reach(op.window.stride, op.window.pad_before, op.window.span, op.inputs[0].affine.zero_point)


@reach_of.register
def _max_pool(op: MaxPool1D, position: int) -> Reach | None:  # noqa: ARG001
    # Less than any other value, and so is padding's.
    return Reach(op.window.stride, op.window.pad_before, op.window.span, -128)


@reach_of.register
def _average_pool(op: AveragePool1D, position: int) -> Reach | None:  # noqa: ARG001
    window, value = op.window, op.inputs[0]
    last = (op.output.length - 1) * window.stride + window.span
    # Rows of padding do not count, so there must be none.
    inside = window.pad_before == 0 and last <= value.length
    return Reach(window.stride, 0, window.span, None) if inside else None


@reach_of.register(CopyRows)
@reach_of.register(QuantizeFloat)
@reach_of.register(Table)
@reach_of.register(Binary)
@reach_of.register(PRelu)
def _row_by_row(op: Op, position: int) -> Reach | None:
    if isinstance(op, PRelu) and len(op.alpha) != op.output.channels:
        return None
    if isinstance(op, Binary) and op.constant is not None and op.constant.size != op.output.channels:
        return None
    return _ONE_ROW if _rows(op.inputs[position]) == _rows(op.output) else None


@reach_of.register(Mean)
@reach_of.register(ReduceMax)
def _reduction(op: Mean | ReduceMax, position: int) -> Reach | None:  # noqa: ARG001
    whole = op.output.length == 1 and op.rows == op.inputs[0].length and op.inputs[0].channels == op.output.channels
    return _ONE_ROW if whole and not isinstance(op, ReduceMin) else None


@reach_of.register
def _dense(op: Dense, position: int) -> Reach | None:  # noqa: ARG001
    return _ONE_ROW if op.output.elements == op.outputs_per_row else None


def reduces(op: Op) -> bool:
    """Whether an op makes one row of all that it reads."""
    return isinstance(op, Mean | ReduceMax | Dense)


def rows_of(op: Op) -> int:
    """Rows that an op makes, or that it reduces."""
    return op.inputs[0].length if reduces(op) else op.output.length


def without_padding(op: Op, inputs: tuple[Value, ...]) -> Op:
    """The op on inputs that hold their padding."""
    op = replace(op, inputs=inputs)
    if isinstance(op, Conv1D):
        # Nor are there rows that the pooling drops.
        return replace(op, window=_bare(op.window), conv_rows=op.output.length * op.pool)
    if isinstance(op, Depthwise1D | MaxPool1D):
        return replace(op, window=_bare(op.window))
    return op


def _bare(window: Window) -> Window:
    return replace(window, pad_before=0)


def padded(value: Value, reach: Reach, rows: int) -> Value:
    """A value with the padding that an op of so many rows reads, and no more than it reads."""
    length = (rows - 1) * reach.stride + reach.span
    return replace(value, shape=(1, length, value.channels))


def _rows(value: Value) -> tuple[int, int]:
    return value.length, value.channels
