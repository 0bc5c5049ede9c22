"""TRANSPOSE_CONV -> one convolution whose rows hold `stride` rows of the output each.

Row `t * stride + phase` of the output sums the inputs `t - j` with the taps `phase + pad + j * stride`. So a convolution with
`stride * out` channels, zeros where a phase has no tap, gives the output's rows in their order.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from edgecnn_firmware.compiler.arithmetic.requantization import Rounding
from edgecnn_firmware.compiler.lowering.context import Lower, Lowering
from edgecnn_firmware.compiler.lowering.convolution import find_bias, find_requantization, find_weights
from edgecnn_firmware.compiler.ops.convolution import Conv1D, Int8, Window
from edgecnn_firmware.compiler.ops.movement import Move, Part
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.tflite.model import Operator
from edgecnn_firmware.tflite.options import Padding, TransposeConvOptions


def lower_transposed(lowering: Lowering, op: Operator) -> None:
    """TRANSPOSE_CONV along one axis; its inputs are the output's shape, the weights, the value and a bias."""
    options = lowering.options(op, TransposeConvOptions)
    value, output, weights = lowering.value(op, 2), lowering.output(op), find_weights(lowering, op, 4)
    out, kernel_h, kernel_w, channels = weights.shape
    if len(value.shape) != 4 or len(output.shape) != 4 or value.shape[0] != 1 or channels != value.channels:
        raise lowering.fail(op, f"weights of shape {weights.shape} on an input of shape {value.shape}")
    sizes, made = value.shape[1:3], output.shape[1:3]
    axis = 0 if sizes[1] == kernel_w == made[1] == 1 else 1
    stride = options.stride_h if axis == 0 else options.stride_w
    if sizes[1 - axis] != 1 or (kernel_h, kernel_w)[1 - axis] != 1 or made[1 - axis] != 1:
        raise lowering.fail(op, f"a kernel of {kernel_h} x {kernel_w} on {sizes[0]} x {sizes[1]}; expected one axis")
    rows, kernel = made[axis], kernel_h * kernel_w
    before = max(0, (sizes[axis] - 1) * stride + kernel - rows) // 2 if options.padding is Padding.SAME else 0
    dealt = -(-rows // stride) if options.padding is Padding.SAME else (rows - kernel) // stride + 1
    if dealt != sizes[axis] or before >= kernel:
        raise lowering.fail(op, f"{rows} rows of output from {sizes[axis]} with stride {stride} and kernel {kernel}")
    phased, window = _phases(weights.reshape(out, kernel, channels), stride, before)
    found = find_requantization(
        lowering, op, value, output, out, Rounding.TWICE, options.fused_activation_function, axis=0
    )
    turns = -(-rows // stride)
    whole = rows == turns * stride
    full = Value(lowering.fresh_storage(), output.name, (1, turns, stride * out), output.affine)
    lowering.ops.append(
        Conv1D(
            number=op.index,
            label=op.code.label,
            inputs=(value,),
            output=output.view((1, turns, stride * out)) if whole else full,
            weights=phased,
            bias=np.tile(find_bias(lowering, op, out, 3), stride),
            requantization=replace(found, scales=np.tile(found.scales, stride)),
            window=window,
            conv_rows=turns,
        )
    )
    if not whole:
        part = Part(0, (output.elements,), 0, (1,), 0, (1,))
        lowering.ops.append(Move(op.index, "SLICE", (full,), output, (part,)))


def _phases(weights: Int8, stride: int, before: int) -> tuple[Int8, Window]:
    """`(stride * out, taps, in)` weights and how they move over the input."""
    out, kernel, channels = weights.shape
    # Input t - j meets tap phase + before + j * stride; j runs from -(before / stride), rounded, to the last tap.
    first = -((stride - 1 + before) // stride)
    last = (kernel - 1 - before) // stride
    taps = max(1, last - first + 1)
    made = np.zeros((stride, out, taps, channels), np.int8)
    for phase in range(stride):
        for j in range(first, last + 1):
            tap = phase + before + j * stride
            if 0 <= tap < kernel:
                made[phase, :, last - j] = weights[:, tap]
    return made.reshape(stride * out, taps, channels), Window(taps, 1, 1, last)


LOWER: Final[dict[str, Lower]] = {"TRANSPOSE_CONV": lower_transposed}
