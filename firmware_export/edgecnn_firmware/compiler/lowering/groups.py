"""A convolution in groups -> for each group its channels, a convolution of them, and the results side by side."""

from dataclasses import replace

from edgecnn_firmware.compiler.lowering.context import Lowering
from edgecnn_firmware.compiler.ops.convolution import Conv1D
from edgecnn_firmware.compiler.ops.movement import Move, Part
from edgecnn_firmware.compiler.ops.value import Value


def append_groups(lowering: Lowering, op: Conv1D, groups: int) -> None:
    """Add the ops of a convolution whose weights are `(out, kernel, in / groups)`."""
    (value,), output = op.inputs, op.output
    ins, outs = value.channels // groups, output.channels // groups
    made = []
    for group in range(groups):
        taken = Value(lowering.fresh_storage(), f"{value.name}_{group}", (1, value.length, ins), value.affine)
        part = Part(0, (value.length, ins), group * ins, (value.channels, 1), 0, (ins, 1))
        lowering.ops.append(Move(op.number, "SPLIT", (value,), taken, (part,)))
        own = slice(group * outs, (group + 1) * outs)
        result = Value(lowering.fresh_storage(), f"{output.name}_{group}", (1, output.length, outs), output.affine)
        requantization = replace(op.requantization, scales=op.requantization.scales[own])
        weights, bias = op.weights[own], op.bias[own]
        narrow = replace(op, inputs=(taken,), output=result, weights=weights, bias=bias, requantization=requantization)
        lowering.ops.append(narrow)
        made.append(result)
    parts = [
        Part(group, (output.length, outs), 0, (outs, 1), group * outs, (output.channels, 1)) for group in range(groups)
    ]
    lowering.ops.append(Move(op.number, "CONCATENATION", tuple(made), output, tuple(parts)))
