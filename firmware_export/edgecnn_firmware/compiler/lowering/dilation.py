"""SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND -> one dilated convolution.

TensorFlow writes dilated convolutions that way: rows are dealt out to `block` batches, each is convolved without
dilation, and the results are dealt back.
"""

import math
from typing import Final

from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.lowering.convolution import make_convolution, make_depthwise
from edgecnn_firmware.compiler.ops.convolution import Window
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import Conv2DOptions, DepthwiseConv2DOptions, Padding

_SHAPES_ONLY: Final = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")


def lower_space_to_batch(lowering: Lowering, op: Operator) -> None:
    """Find the convolution and the op that undoes this one, and fold the three."""
    value = lowering.known_value(op, 0)
    if value.shape[0] != 1:
        raise lowering.fail(op, f"batch {value.shape[0]}; convert the model with batch 1")
    block, (before, _) = _block(lowering, op, value.shape, "the padding")
    conv = _only_reader(lowering, op)
    while conv.name in _SHAPES_ONLY:
        lowering.done.add(conv.index)
        conv = _only_reader(lowering, conv)
    options = conv.options
    if not isinstance(options, Conv2DOptions | DepthwiseConv2DOptions):
        raise lowering.fail(op, f"it feeds {conv.code.label}; expected CONV_2D or DEPTHWISE_CONV_2D")
    plain = (options.stride_w, options.stride_h, options.dilation_w_factor, options.dilation_h_factor) == (1, 1, 1, 1)
    if not plain or options.padding is not Padding.VALID:
        raise lowering.fail(
            conv,
            "a convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND with a stride, a "
            "dilation or padding of its own; expected none",
        )
    back = _only_reader(lowering, conv)
    while back.name in _SHAPES_ONLY:
        lowering.done.add(back.index)
        back = _only_reader(lowering, back)
    if back.name != "BATCH_TO_SPACE_ND":
        raise lowering.fail(conv, f"it feeds {back.code.label}; expected BATCH_TO_SPACE_ND")
    output = lowering.output(back)
    other, (cropped, _) = _block(lowering, back, output.shape, "the cropping")
    if other != block:
        raise lowering.fail(back, f"it puts back blocks of {other}; expected {block}")
    weights = lowering.tensor(conv, 1).shape
    kernel = math.prod(weights[1:3])
    window = Window(kernel, 1, block, before - cropped)
    if max(weights[1:3]) != kernel or window.pad_before < 0:
        raise lowering.fail(conv, f"a kernel of {weights[1]} x {weights[2]} after SPACE_TO_BATCH_ND; expected one axis")
    make = make_depthwise if isinstance(options, DepthwiseConv2DOptions) else make_convolution
    make(lowering, conv, value, output, window, output.length)
    lowering.done.update({conv.index, back.index})


def _block(lowering: Lowering, op: Operator, shape: tuple[int, ...], what: str) -> tuple[int, tuple[int, int]]:
    """The block along the one axis that has one, and what is added or cut before and after."""
    blocks = [int(n) for n in lowering.constant(op, 1, "the block shape").reshape(-1)]
    edges = [(int(a), int(b)) for a, b in lowering.constant(op, 2, what).reshape(-1, 2)]
    if len(edges) != len(blocks) or min(blocks, default=0) < 1 or any(a < 0 or b < 0 for a, b in edges):
        raise lowering.fail(op, f"block {blocks} and {what} {edges}")
    moving = [axis for axis, n in enumerate(blocks) if n > 1 or edges[axis] != (0, 0)]
    if len(moving) != 1:
        raise lowering.fail(op, f"block {blocks}; expected one axis (1-D networks are compiled)")
    if math.prod(shape[1 : 1 + len(blocks)]) != shape[1 + moving[0]]:
        raise lowering.fail(op, f"a shape of {shape}; expected one spatial axis longer than 1")
    return blocks[moving[0]], edges[moving[0]]


def _only_reader(lowering: Lowering, op: Operator) -> Operator:
    readers = [other for other in lowering.graph.operators if op.outputs[0] in other.inputs]
    if len(readers) != 1 or op.outputs[0] in lowering.graph.outputs:
        raise lowering.fail(op, f"its result is read by {len(readers)} ops; expected one convolution")
    return readers[0]


LOWER: Final[dict[str, Lower]] = {"SPACE_TO_BATCH_ND": lower_space_to_batch}
