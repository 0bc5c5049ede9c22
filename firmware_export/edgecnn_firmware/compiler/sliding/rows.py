"""Some rows of an op's output, computed from some rows of its inputs."""

from dataclasses import replace

from edgecnn_firmware.compiler.ops.convolution import Conv1D, Dense, Depthwise1D
from edgecnn_firmware.compiler.ops.movement import Move, Part
from edgecnn_firmware.compiler.ops.pooling import AveragePool1D, MaxPool1D
from edgecnn_firmware.compiler.ops.stripes import Reach
from edgecnn_firmware.compiler.ops.value import Op, Value
from edgecnn_firmware.compiler.stripes.reach import reach_of, reduces

_ONE_ROW = Reach(stride=1, before=0, span=1, fill=None)


def reach_in_window(op: Op, position: int) -> Reach | None:
    """Which rows of an input each row of the output reads; None where that is more than rows around its place."""
    value = op.inputs[position]
    if isinstance(op, Dense) and op.output.length == value.length and op.weights.shape[1] == value.channels:
        return _ONE_ROW if value.length > 1 else None
    if isinstance(op, Move):
        return _ONE_ROW if all(_by_rows(op, part) for part in op.parts) else None
    return None if reduces(op) else reach_of(op, position)


def _by_rows(op: Move, part: Part) -> bool:
    """Whether a copy takes the same channels of every row."""
    value, rows = op.inputs[part.source], op.output.length
    if value.length != rows or part.source_start >= value.channels or part.output_start >= op.output.channels:
        return False
    if part.sizes == (value.elements,):
        # Axes that run on from each other are one.
        return value.channels == op.output.channels and (part.source_strides, part.output_strides) == ((1,), (1,))
    rows_first = part.sizes[0] == rows and len(part.sizes) <= 2
    strides = (value.channels, 1), (op.output.channels, 1)
    count = len(part.sizes)
    return rows_first and (part.source_strides, part.output_strides) == (strides[0][:count], strides[1][:count])


def some_rows(op: Op, inputs: tuple[Value, ...], output: Value, before: int) -> Op:
    """The op for some of its rows.

    Args:
        op: the op on whole values; `reach_in_window` knows all its inputs.
        inputs: the rows that they read, with as many as are missing at their ends.
        output: the rows that it makes.
        before: rows of padding before those of the inputs.
    """
    made = replace(op, inputs=inputs, output=output)
    if isinstance(made, Conv1D):
        rows = output.length * made.pool
        return replace(made, window=replace(made.window, pad_before=before), conv_rows=rows)
    if isinstance(made, Depthwise1D | MaxPool1D | AveragePool1D):
        return replace(made, window=replace(made.window, pad_before=before))
    if isinstance(made, Move):
        return replace(made, parts=tuple(_fewer(part, op.output.length, output.length) for part in made.parts))
    return made


def _fewer(part: Part, rows: int, kept: int) -> Part:
    return replace(part, sizes=(part.sizes[0] // rows * kept, *part.sizes[1:]))
