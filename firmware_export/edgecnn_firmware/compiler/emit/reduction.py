"""Poolings, Mean and ReduceMax -> calls."""

from typing import Final

from edgecnn_firmware.compiler.emit.context import Emitter, emit, struct_literal, wrapped
from edgecnn_firmware.compiler.ops.pooling import AveragePool1D, MaxPool1D
from edgecnn_firmware.compiler.ops.reduction import Mean, ReduceMax

_MOST_ROWS: Final = 255


def _pooling(op: MaxPool1D | AveragePool1D, emitter: Emitter, kernel: str) -> None:
    emitter.include("edgecnn_reduce_vnni.h" if kernel.endswith("_vnni") else "edgecnn_reduce.h")
    value, window = op.inputs[0], op.window
    text = struct_literal(
        {
            "length": value.length,
            "channels": value.channels,
            "rows": op.output.length,
            "kernel": window.kernel,
            "stride": window.stride,
            "pad_before": window.pad_before,
            "clamp_min": op.clamp_min,
            "clamp_max": op.clamp_max,
        }
    )
    emitter.line(wrapped(f"static const edgecnn_pooling op{op.number}_pooling = ", text, ";"))
    emitter.call(kernel, f"&op{op.number}_pooling", emitter.pointer(value), emitter.pointer(op.output))


@emit.register
def _max_pool(op: MaxPool1D, emitter: Emitter) -> None:
    _pooling(op, emitter, "edgecnn_max_pool_vnni" if emitter.target.vnni else "edgecnn_max_pool")


@emit.register
def _average_pool(op: AveragePool1D, emitter: Emitter) -> None:
    _pooling(op, emitter, "edgecnn_average_pool")


@emit.register
def _mean(op: Mean, emitter: Emitter) -> None:
    value = op.inputs[0]
    # Sums of up to 255 bytes fit the 16 bits that these kernels keep them in.
    few = op.rows <= _MOST_ROWS
    suffix = ""
    if emitter.target.dsp and few and op.output.channels % 4 == 0:
        suffix = "_dsp"
    elif emitter.target.neon and few and op.output.channels % 8 == 0:
        suffix = "_neon"
    elif emitter.target.vnni:
        suffix = "_vnni"
    emitter.include(f"edgecnn_reduce{suffix}.h")
    emitter.call(
        f"edgecnn_mean{suffix}",
        value.elements // (op.rows * op.output.channels),
        op.rows,
        op.output.channels,
        -op.rows * value.affine.zero_point,
        op.multiplier,
        op.shift,
        op.output.affine.zero_point,
        emitter.pointer(value),
        emitter.pointer(op.output),
    )


@emit.register
def _reduce_max(op: ReduceMax, emitter: Emitter) -> None:
    suffix = "_neon" if emitter.target.neon and op.output.channels % 8 == 0 else ""
    if emitter.target.vnni:
        suffix = "_vnni"
    emitter.include(f"edgecnn_reduce{suffix}.h")
    value = op.inputs[0]
    groups = value.elements // (op.rows * op.output.channels)
    emitter.call(
        f"edgecnn_reduce_max{suffix}",
        groups,
        op.rows,
        op.output.channels,
        emitter.pointer(value),
        emitter.pointer(op.output),
    )
