"""PAD before a convolution -> padding inside the convolution, which costs nothing."""

from dataclasses import replace

from edgecnn_firmware.compiler.ops.convolution import Conv1D, Depthwise1D
from edgecnn_firmware.compiler.ops.movement import Pad
from edgecnn_firmware.compiler.ops.value import Graph, Op
from edgecnn_firmware.compiler.passes.uses import reads_same_version, writers


def fuse_padding(graph: Graph) -> Graph:
    """Let convolutions read what a Pad reads; Pads that nobody reads then go away."""
    made = writers(graph)
    return replace(graph, ops=tuple(_fused(graph, op, made) for op in graph.ops))


def _fused(graph: Graph, op: Op, made: dict[int, Op]) -> Op:
    if not isinstance(op, Conv1D | Depthwise1D):
        return op
    pad = made.get(op.inputs[0].storage)
    # The convolution fills in its input's zero point, and so did the Pad; rows after the last are implied.
    if not isinstance(pad, Pad) or pad.fill != op.inputs[0].affine.zero_point:
        return op
    source = pad.inputs[0]
    if source.channels != op.inputs[0].channels or not reads_same_version(graph, pad, op, source.storage):
        return op
    window = replace(op.window, pad_before=op.window.pad_before + pad.before)
    return replace(op, inputs=(source,), window=window, label=f"{pad.label} + {op.label}")
