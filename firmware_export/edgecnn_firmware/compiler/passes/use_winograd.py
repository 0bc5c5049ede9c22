"""Conv1D -> Winograd1D, where the target has its kernel and it gains.

Not one of `PASSES`: those know no target. What is computed stays the same; the time falls and the flash grows.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Final

from edgecnn_firmware.compiler.emit.dsp import why_not_dsp
from edgecnn_firmware.compiler.emit.winograd_avx2 import gains_on_avx2
from edgecnn_firmware.compiler.ops.convolution import Conv1D
from edgecnn_firmware.compiler.ops.value import Graph, Op
from edgecnn_firmware.compiler.ops.winograd import Winograd1D, products_of_planes
from edgecnn_firmware.compiler.targets import Target

_LEAST_KERNEL: Final = 3
"""Two taps alone would take three quarters of the products and leave plane B empty."""
_LEAST_CHANNELS: Final = 3
_MOST: Final = 0.9
"""Share of the ordinary kernel's cycles: for less of a gain, weights of twice the size are not worth it."""
_PAIR_CYCLES: Final = 16
_PAIR_OVERHEAD: Final = 100
"""Cycles of edgecnn_conv1d_dsp for two products, and for what else it does, in two rows of four output channels."""
_STEP_CYCLES: Final = 16.5
_BLOCK_OVERHEAD: Final = 240
"""The same of edgecnn_winograd1d_dsp, in four rows. All fitted to estimates of the virtual Cortex-M4 for 40 shapes, of which the
quotient is right within a twentieth but where rows or channels are few or a pool is odd, where it gains all the same."""


def use_winograd(graph: Graph, target: Target, optimize: str) -> Graph:
    """Compute convolutions in fewer products: where flash is scarce only for speed, on x86-64 but for size."""
    if target.dsp and optimize == "speed":
        return replace(graph, ops=tuple(_converted(op, _gains_on_dsp) for op in graph.ops))
    if target.avx2 and optimize != "size":
        return replace(graph, ops=tuple(_converted(op, gains_on_avx2) for op in graph.ops))
    return graph


def _gains_on_dsp(op: Conv1D) -> bool:
    # Where the ordinary kernel's proof holds, sums below 2^23, so does this one's: A + B and A - B, being twice such a sum
    # and twice plane C or D, are below 2^26. Where it does not, the ordinary op says so.
    return not why_not_dsp(op) and is_winograd(op)


def _converted(op: Op, gains: Callable[[Conv1D], bool]) -> Op:
    if type(op) is not Conv1D or not gains(op):
        return op
    return Winograd1D(**{field.name: getattr(op, field.name) for field in fields(op)})


def is_winograd(op: Conv1D) -> bool:
    """Whether the kernel can compute it and gains on the ordinary one."""
    return has_form(op) and winograd_cycles(op) <= _MOST * ordinary_cycles(op)


def has_form(op: Conv1D) -> bool:
    """Whether the kernel can compute it: each plane has two steps or more."""
    window = op.window
    enough = window.kernel >= _LEAST_KERNEL and op.inputs[0].channels >= _LEAST_CHANNELS
    return enough and window.stride == 1 and (window.dilation == 1 or op.pool == 1)


def ordinary_cycles(op: Conv1D) -> float:
    """Estimate for the ordinary kernel and four output channels, without the reading of inputs."""
    rows = op.output.elements // op.outputs_per_row
    pairs = -(-rows // 2) if op.pool == 1 else rows * -(-op.pool // 2)
    steps = -(-op.window.kernel * op.inputs[0].channels // 8) * 4
    return float(pairs * (steps * _PAIR_CYCLES + _PAIR_OVERHEAD))


def winograd_cycles(op: Conv1D) -> float:
    """The same for the Winograd kernel."""
    rows, group = op.output.elements // op.outputs_per_row * op.pool, 4 * op.window.dilation
    blocks = sum(row % group < op.window.dilation for row in range(rows))
    steps = sum(products_of_planes(op)) // 2
    return blocks * (steps * _STEP_CYCLES + _BLOCK_OVERHEAD)
