"""Ops that move elements -> nothing at all where only the shape changes, else Move."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.ops.movement import Move, Pad, Part, row_major, simplify
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import (
    Activation,
    ConcatenationOptions,
    GatherOptions,
    MirrorPadMode,
    MirrorPadOptions,
    PackOptions,
    SplitOptions,
    SplitVOptions,
    StridedSliceOptions,
    UnpackOptions,
)


def lower_reshape(lowering: Lowering, op: Operator) -> None:
    """RESHAPE, EXPAND_DIMS and SQUEEZE: the same bytes."""
    tensor = lowering.tensor(op, 0)
    constant = lowering.constant_of(tensor)
    if constant is not None:
        output = lowering.graph.tensors[op.outputs[0]]
        if constant.size != output.elements:
            raise lowering.fail(op, f"{constant.size} elements become {output.elements}")
        lowering.constants[output.index] = constant.reshape(output.shape)
        return
    lowering.alias(op, lowering.known_value(op, 0))


def lower_transpose(lowering: Lowering, op: Operator) -> None:
    """TRANSPOSE; free where only axes of size 1 move."""
    value = lowering.known_value(op, 0)
    order = [int(axis) for axis in lowering.constant(op, 1, "the order of axes").reshape(-1)]
    order = [axis + len(order) if axis < 0 else axis for axis in order]
    if sorted(order) != list(range(len(value.shape))):
        raise lowering.fail(op, f"order {order} of {len(value.shape)} axes")
    moving = [axis for axis in order if value.shape[axis] != 1]
    if moving == sorted(moving):
        lowering.alias(op, value)
        return
    strides = row_major(value.shape)
    shape = tuple(value.shape[axis] for axis in order)
    part = Part(0, shape, 0, tuple(strides[axis] for axis in order), 0, row_major(shape))
    _move(lowering, op, (value,), (part,), shape)


def lower_concatenation(lowering: Lowering, op: Operator) -> None:
    """CONCATENATION along any axis; constants among the inputs are refused by their kind."""
    options = lowering.options(op, ConcatenationOptions)
    if options.fused_activation_function is not Activation.NONE:
        raise lowering.fail(op, f"fused activation {options.fused_activation_function.name}; expected NONE")
    values = tuple(lowering.known_value(op, position) for position in range(len(op.inputs)))
    output = lowering.graph.tensors[op.outputs[0]]
    axis = _axis(lowering, op, options.axis, len(output.shape))
    for position, value in enumerate(values):
        if value.affine != lowering.make_value(op, output).affine:
            raise lowering.fail(op, f"input {position} has another scale or zero point than the output")
        if len(value.shape) != len(output.shape):
            raise lowering.fail(op, f"input {position} has {len(value.shape)} axes, the output {len(output.shape)}")
    strides = row_major(output.shape)
    parts, at = [], 0
    for position, value in enumerate(values):
        parts.append(Part(position, value.shape, 0, row_major(value.shape), at * strides[axis], strides))
        at += value.shape[axis]
    if at != output.shape[axis]:
        raise lowering.fail(op, f"its inputs are {at} long along axis {axis}, its output {output.shape[axis]}")
    _move(lowering, op, values, tuple(parts), output.shape)


def lower_pack(lowering: Lowering, op: Operator) -> None:
    """PACK: stack along a new axis."""
    options = lowering.options(op, PackOptions)
    if all(lowering.is_constant(op, position) for position in range(len(op.inputs))):
        arrays = [lowering.constant(op, position, "an input") for position in range(len(op.inputs))]
        lowering.constants[op.outputs[0]] = np.stack(arrays, axis=options.axis)
        return
    values = tuple(lowering.known_value(op, position) for position in range(len(op.inputs)))
    output = lowering.graph.tensors[op.outputs[0]]
    axis = _axis(lowering, op, options.axis, len(output.shape))
    strides = row_major(output.shape)
    inner = tuple(stride for number, stride in enumerate(strides) if number != axis)
    shape = tuple(size for number, size in enumerate(output.shape) if number != axis)
    parts = []
    for position, value in enumerate(values):
        if value.shape != shape:
            raise lowering.fail(op, f"input {position} has shape {value.shape}; expected {shape}")
        parts.append(Part(position, shape, 0, row_major(shape), position * strides[axis], inner))
    _move(lowering, op, values, tuple(parts), output.shape)


def lower_unpack(lowering: Lowering, op: Operator) -> None:
    """UNPACK: one slice an output."""
    options = lowering.options(op, UnpackOptions)
    shape = lowering.tensor(op, 0).shape
    axis = _axis(lowering, op, options.axis, len(shape))
    for position in range(len(op.outputs)):
        _slice(lowering, op, position, axis, position, 1, drop_axis=True)


def lower_split(lowering: Lowering, op: Operator) -> None:
    """SPLIT into equal pieces."""
    options = lowering.options(op, SplitOptions)
    shape = lowering.tensor(op, 1).shape
    axis = _axis(lowering, op, int(lowering.constant(op, 0, "the axis").reshape(-1)[0]), len(shape))
    if options.num_splits != len(op.outputs) or shape[axis] % max(1, options.num_splits):
        raise lowering.fail(op, f"{shape[axis]} elements along axis {axis} into {options.num_splits} pieces")
    size = shape[axis] // options.num_splits
    for position in range(len(op.outputs)):
        _slice(lowering, op, position, axis, position * size, size, source=1)


def lower_split_v(lowering: Lowering, op: Operator) -> None:
    """SPLIT_V into pieces of stated sizes."""
    lowering.options(op, SplitVOptions)
    shape = lowering.tensor(op, 0).shape
    axis = _axis(lowering, op, int(lowering.constant(op, 2, "the axis").reshape(-1)[0]), len(shape))
    sizes = [int(size) for size in lowering.constant(op, 1, "the sizes").reshape(-1)]
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = shape[axis] - sum(size for size in sizes if size >= 0)
    if len(sizes) != len(op.outputs) or min(sizes, default=0) < 0 or sum(sizes) != shape[axis]:
        raise lowering.fail(op, f"pieces of {sizes} from {shape[axis]} elements")
    at = 0
    for position, size in enumerate(sizes):
        _slice(lowering, op, position, axis, at, size)
        at += size


def lower_slice(lowering: Lowering, op: Operator) -> None:
    """SLICE from `begin` with `size`."""
    source = lowering.tensor(op, 0)
    begin = [int(n) for n in lowering.constant(op, 1, "the begin").reshape(-1)]
    size = [int(n) for n in lowering.constant(op, 2, "the size").reshape(-1)]
    if len(begin) != len(source.shape) or len(size) != len(source.shape):
        raise lowering.fail(op, f"begin {begin} and size {size} for {len(source.shape)} axes")
    size = [total - at if n == -1 else n for at, n, total in zip(begin, size, source.shape, strict=True)]
    if any(at < 0 or n < 0 or at + n > total for at, n, total in zip(begin, size, source.shape, strict=True)):
        raise lowering.fail(op, f"begin {begin} and size {size} leave the shape {source.shape}")
    _strided(lowering, op, begin, [1] * len(begin), size)


def lower_strided_slice(lowering: Lowering, op: Operator) -> None:
    """STRIDED_SLICE with constant bounds; of a constant (SHAPE ...) it is evaluated."""
    options = lowering.options(op, StridedSliceOptions)
    source = lowering.tensor(op, 0)
    if options.ellipsis_mask or options.new_axis_mask:
        raise lowering.fail(op, "an ellipsis or a new axis in its slice; expected plain bounds")
    begins, ends, steps = (
        [int(n) for n in lowering.constant(op, position, what).reshape(-1)]
        for position, what in ((1, "the begin"), (2, "the end"), (3, "the strides"))
    )
    axes = len(source.shape)
    if not len(begins) == len(ends) == len(steps) or len(begins) > axes or 0 in steps:
        raise lowering.fail(op, f"bounds {begins}, {ends} and strides {steps} for {axes} axes")
    slices: list[slice] = []
    for axis in range(len(begins)):
        begin = None if options.begin_mask >> axis & 1 else begins[axis]
        end = None if options.end_mask >> axis & 1 else ends[axis]
        if options.shrink_axis_mask >> axis & 1:
            at = begins[axis] + (source.shape[axis] if begins[axis] < 0 else 0)
            slices.append(slice(at, at + 1, 1))
        else:
            slices.append(slice(begin, end, steps[axis]))
    slices.extend(slice(None) for _ in range(axes - len(slices)))
    constant = lowering.constant_of(source)
    output = lowering.graph.tensors[op.outputs[0]]
    if constant is not None:
        found = constant[tuple(slices)]
        if found.size != output.elements:
            raise lowering.fail(op, f"its bounds give {found.size} elements, its output has {output.elements}")
        lowering.constants[output.index] = found.reshape(output.shape)
        return
    ranges = [range(*piece.indices(size)) for piece, size in zip(slices, source.shape, strict=True)]
    if any(not len(found) for found in ranges):
        raise lowering.fail(op, "its slice is empty")
    _strided(lowering, op, [r.start for r in ranges], [r.step for r in ranges], [len(r) for r in ranges])


def lower_pad(lowering: Lowering, op: Operator) -> None:
    """PAD with the zero point, PADV2 with a constant."""
    value = lowering.known_value(op, 0)
    output = lowering.make_value(op, lowering.graph.tensors[op.outputs[0]])
    fill = output.affine.zero_point
    if op.name == "PADV2":
        fill = int(lowering.constant(op, 2, "the padding value").reshape(-1)[0])
        tensor = lowering.tensor(op, 2)
        if tensor.quantization and lowering.affine(op, tensor) != output.affine:
            raise lowering.fail(op, "the padding value has another scale or zero point than the output")
    if value.affine != output.affine:
        raise lowering.fail(op, "its input and output have different scales or zero points")
    pads = _pads(lowering, op, value)
    shape = tuple(size + before + after for size, (before, after) in zip(value.shape, pads, strict=True))
    strides = row_major(shape)
    start = sum(before * stride for (before, _), stride in zip(pads, strides, strict=True))
    part = Part(0, value.shape, 0, row_major(value.shape), start, strides)
    padded = [axis for axis, pair in enumerate(pads) if pair != (0, 0)]
    rows_only = len(padded) == 1 and padded[0] < len(shape) - 1 and math.prod(shape[: padded[0]]) == 1
    if not padded:
        lowering.alias(op, value)
        return
    _require_shape(lowering, op, shape)
    made = lowering.output(op, "int8", "uint8")
    common: dict[str, Any] = {
        "number": op.index,
        "label": op.code.label,
        "inputs": (value,),
        "output": made,
        "parts": (simplify(part),),
        "fill": fill,
    }
    if rows_only and fill == value.affine.zero_point:
        inner = math.prod(shape[padded[0] + 1 : -1])
        before, after = pads[padded[0]]
        lowering.ops.append(Pad(**common, before=before * inner, after=after * inner))
    else:
        lowering.ops.append(Move(**common))


def lower_mirror_pad(lowering: Lowering, op: Operator) -> None:
    """MIRROR_PAD along one axis: the borders are copied row by row."""
    options = lowering.options(op, MirrorPadOptions)
    value = lowering.known_value(op, 0)
    pads = _pads(lowering, op, value)
    padded = [axis for axis, pair in enumerate(pads) if pair != (0, 0)]
    if not padded:
        lowering.alias(op, value)
        return
    if len(padded) > 1:
        raise lowering.fail(op, f"padding along axes {padded}; expected one axis")
    axis = padded[0]
    before, after = pads[axis]
    size, skip = value.shape[axis], 1 if options.mode is MirrorPadMode.REFLECT else 0
    if max(before, after) > size - skip:
        raise lowering.fail(op, f"padding of {before} and {after} around {size} rows; expected at most {size - skip}")
    shape = tuple(n + (before + after if number == axis else 0) for number, n in enumerate(value.shape))
    source, strides = row_major(value.shape), row_major(shape)
    part = Part(0, value.shape, 0, source, before * strides[axis], strides)
    parts = [part]
    borders = ((before, skip, 1, before - 1, -1), (after, size - 1 - skip, -1, before + size, 1))
    for length, source_row, source_step, output_row, output_step in borders:
        if length:
            parts.append(
                Part(
                    0,
                    tuple(length if number == axis else n for number, n in enumerate(value.shape)),
                    source_row * source[axis],
                    tuple(n * (source_step if number == axis else 1) for number, n in enumerate(source)),
                    output_row * strides[axis],
                    tuple(n * (output_step if number == axis else 1) for number, n in enumerate(strides)),
                )
            )
    _move(lowering, op, (value,), tuple(parts), shape)


def lower_tile(lowering: Lowering, op: Operator) -> None:
    """TILE: the value again and again along each axis."""
    value = lowering.known_value(op, 0)
    counts = [int(n) for n in lowering.constant(op, 1, "the multiples").reshape(-1)]
    if len(counts) != len(value.shape) or min(counts, default=1) < 1:
        raise lowering.fail(op, f"multiples {counts} for {len(value.shape)} axes")
    shape = tuple(size * count for size, count in zip(value.shape, counts, strict=True))
    # Each axis is one that repeats and one that moves.
    pairs = list(zip(counts, value.shape, strict=True))
    sources = [step for stride in row_major(value.shape) for step in (0, stride)]
    outputs = [
        step for size, stride in zip(value.shape, row_major(shape), strict=True) for step in (size * stride, stride)
    ]
    part = Part(0, tuple(n for pair in pairs for n in pair), 0, tuple(sources), 0, tuple(outputs))
    _moved(lowering, op, value, part, shape)


def lower_broadcast(lowering: Lowering, op: Operator) -> None:
    """BROADCAST_TO a constant shape."""
    value = lowering.known_value(op, 0)
    shape = tuple(int(n) for n in lowering.constant(op, 1, "the shape").reshape(-1))
    own = (1,) * (len(shape) - len(value.shape)) + value.shape
    if len(own) != len(shape) or any(size not in (1, n) for size, n in zip(own, shape, strict=True)):
        raise lowering.fail(op, f"shapes {value.shape} and {shape} do not broadcast")
    strides = tuple(0 if size == 1 else stride for size, stride in zip(own, row_major(own), strict=True))
    _moved(lowering, op, value, Part(0, shape, 0, strides, 0, row_major(shape)), shape)


def lower_reverse(lowering: Lowering, op: Operator) -> None:
    """REVERSE_V2 along any axes."""
    value = lowering.known_value(op, 0)
    axes = [_axis(lowering, op, int(n), len(value.shape)) for n in lowering.constant(op, 1, "the axes").reshape(-1)]
    strides = row_major(value.shape)
    start = sum((value.shape[axis] - 1) * strides[axis] for axis in set(axes))
    steps = tuple(-stride if axis in axes else stride for axis, stride in enumerate(strides))
    _moved(lowering, op, value, Part(0, value.shape, start, steps, 0, strides), value.shape)


def lower_gather(lowering: Lowering, op: Operator) -> None:
    """GATHER with constant indices: one part for each run of indices that step evenly."""
    options = lowering.options(op, GatherOptions)
    value, indices = lowering.known_value(op, 0), lowering.constant(op, 1, "the indices")
    axis = _axis(lowering, op, options.axis, len(value.shape))
    size = value.shape[axis]
    found = [int(n) for n in indices.reshape(-1)]
    if options.batch_dims or not found or min(found) < 0 or max(found) >= size:
        raise lowering.fail(
            op, f"indices {found[:8]} along an axis of {size}; expected indices within it, without batches"
        )
    shape = (*value.shape[:axis], *indices.shape, *value.shape[axis + 1 :])
    whole = (*value.shape[:axis], len(found), *value.shape[axis + 1 :])
    sources, outputs = row_major(value.shape), row_major(whole)
    parts = []
    for begin, count, step in _runs(found):
        sizes = (*whole[:axis], count, *whole[axis + 1 :])
        steps = (*sources[:axis], step * sources[axis], *sources[axis + 1 :])
        parts.append(Part(0, sizes, found[begin] * sources[axis], steps, begin * outputs[axis], outputs))
    _move(lowering, op, (value,), tuple(parts), shape)


def _runs(numbers: Sequence[int]) -> list[tuple[int, int, int]]:
    """Position, length and step of each run of numbers that step evenly."""
    runs: list[tuple[int, int, int]] = []
    at = 0
    while at < len(numbers):
        step = numbers[at + 1] - numbers[at] if at + 1 < len(numbers) else 0
        end = at + 1
        while end < len(numbers) and numbers[end] - numbers[end - 1] == step:
            end += 1
        runs.append((at, end - at, step))
        at = end
    return runs


def _moved(lowering: Lowering, op: Operator, value: Value, part: Part, shape: tuple[int, ...]) -> None:
    """Add a Move of one part, or nothing where every element stays."""
    same = part.source_start == 0 and part.source_strides == part.output_strides and shape == value.shape
    if same:
        lowering.alias(op, value)
    else:
        _move(lowering, op, (value,), (part,), shape)


def lower_shape(lowering: Lowering, op: Operator) -> None:
    """SHAPE is a constant."""
    tensor = lowering.tensor(op, 0)
    if any(size < 0 for size in tensor.shape):
        raise lowering.fail(op, "the shape is not fixed")
    kind = np.int64 if lowering.graph.tensors[op.outputs[0]].type == "INT64" else np.int32
    lowering.constants[op.outputs[0]] = np.array(tensor.shape, kind)


def _move(
    lowering: Lowering, op: Operator, values: tuple[Value, ...], parts: tuple[Part, ...], shape: Sequence[int]
) -> None:
    _require_shape(lowering, op, shape)
    output = lowering.output(op, "int8", "uint8", "float32", "int32")
    simplified = tuple(simplify(part) for part in parts)
    lowering.ops.append(
        Move(number=op.index, label=op.code.label, inputs=values, output=output, parts=simplified, fill=None)
    )


def _require_shape(lowering: Lowering, op: Operator, shape: Sequence[int], position: int = 0) -> None:
    output = lowering.graph.tensors[op.outputs[position]]
    if tuple(shape) != output.shape:
        raise lowering.fail(op, f"its output has shape {output.shape}; its inputs give {tuple(shape)}")


def _slice(
    lowering: Lowering,
    op: Operator,
    position: int,
    axis: int,
    start: int,
    size: int,
    *,
    source: int = 0,
    drop_axis: bool = False,
) -> None:
    """Output `position` is `size` elements along one axis."""
    value = lowering.known_value(op, source)
    if start + size > value.shape[axis]:
        raise lowering.fail(op, f"output {position} reaches beyond the {value.shape[axis]} elements of axis {axis}")
    sizes = tuple(size if number == axis else n for number, n in enumerate(value.shape))
    strides = row_major(value.shape)
    shape = tuple(n for number, n in enumerate(sizes) if number != axis or not drop_axis)
    _require_shape(lowering, op, shape, position)
    output = lowering.output(op, "int8", "uint8", "float32", position=position)
    part = Part(0, sizes, start * strides[axis], strides, 0, row_major(sizes))
    lowering.ops.append(
        Move(number=op.index, label=op.code.label, inputs=(value,), output=output, parts=(simplify(part),))
    )


def _strided(lowering: Lowering, op: Operator, begin: Sequence[int], step: Sequence[int], size: Sequence[int]) -> None:
    value = lowering.known_value(op, 0)
    strides = row_major(value.shape)
    output = lowering.graph.tensors[op.outputs[0]]
    if math.prod(size) != output.elements:
        raise lowering.fail(op, f"its bounds give {math.prod(size)} elements, its output has {output.elements}")
    start = sum(at * stride for at, stride in zip(begin, strides, strict=True))
    steps = tuple(n * stride for n, stride in zip(step, strides, strict=True))
    if tuple(size) == value.shape and all(n == 1 for n in step):
        lowering.alias(op, value)
        return
    made = lowering.output(op, "int8", "uint8", "float32")
    part = Part(0, tuple(size), start, steps, 0, row_major(tuple(size)))
    lowering.ops.append(
        Move(number=op.index, label=op.code.label, inputs=(value,), output=made, parts=(simplify(part),))
    )


def _axis(lowering: Lowering, op: Operator, axis: int, axes: int) -> int:
    found = axis + axes if axis < 0 else axis
    if not 0 <= found < axes:
        raise lowering.fail(op, f"axis {axis} of {axes}")
    return found


def _pads(lowering: Lowering, op: Operator, value: Value) -> list[tuple[int, int]]:
    pads = lowering.constant(op, 1, "the padding")
    if pads.size != 2 * len(value.shape) or (pads < 0).any():
        raise lowering.fail(op, f"a padding of shape {pads.shape} for {len(value.shape)} axes")
    return [(int(before), int(after)) for before, after in pads.reshape(-1, 2)]


LOWER: Final[dict[str, Lower]] = {
    "RESHAPE": lower_reshape,
    "EXPAND_DIMS": lower_reshape,
    "SQUEEZE": lower_reshape,
    "TRANSPOSE": lower_transpose,
    "CONCATENATION": lower_concatenation,
    "PACK": lower_pack,
    "UNPACK": lower_unpack,
    "SPLIT": lower_split,
    "SPLIT_V": lower_split_v,
    "SLICE": lower_slice,
    "STRIDED_SLICE": lower_strided_slice,
    "PAD": lower_pad,
    "PADV2": lower_pad,
    "MIRROR_PAD": lower_mirror_pad,
    "TILE": lower_tile,
    "BROADCAST_TO": lower_broadcast,
    "REVERSE_V2": lower_reverse,
    "GATHER": lower_gather,
    "SHAPE": lower_shape,
}
