"""Convolution and the max-pooling after it -> one op: requantization never falls, so the maximum may be taken before it."""

from dataclasses import replace
from typing import Final

from edgecnn_firmware.compiler.ops.convolution import Conv1D
from edgecnn_firmware.compiler.ops.pooling import MaxPool1D
from edgecnn_firmware.compiler.ops.value import Graph, Op
from edgecnn_firmware.compiler.passes.uses import reads, writers

MOST_ROWS: Final = 16
"""Rows of a pooling that is fused: the kernels keep a pair of them at a time, so any number would do."""


def fuse_max_pool(graph: Graph) -> Graph:
    """Fuse poolings whose windows do not overlap and that alone read the convolution."""
    made, counts = writers(graph), reads(graph)
    fused: dict[int, Op] = {}
    dropped: set[int] = set()
    for op in graph.ops:
        if not isinstance(op, MaxPool1D):
            continue
        conv = made.get(op.inputs[0].storage)
        window = op.window
        if (
            isinstance(conv, Conv1D)
            and conv.pool == 1
            and counts[conv.output.storage] == 1
            and window.kernel == window.stride <= MOST_ROWS
            and window.pad_before == 0
            and window.dilation == 1
            and op.output.length * window.kernel <= conv.conv_rows
            and conv.output.channels == op.output.channels
        ):
            narrowed = replace(
                conv.requantization,
                clamp_min=max(conv.requantization.clamp_min, op.clamp_min),
                clamp_max=min(conv.requantization.clamp_max, op.clamp_max),
            )
            fused[id(op)] = replace(
                conv,
                output=op.output,
                pool=window.kernel,
                requantization=narrowed,
                label=f"{conv.label} + {op.label}",
            )
            dropped.add(id(conv))
    ops = tuple(fused.get(id(op), op) for op in graph.ops if id(op) not in dropped)
    return replace(graph, ops=ops)
