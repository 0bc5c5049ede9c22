"""Poolings, Mean and ReduceMax -> calls."""

from typing import Final

from edgecnn_firmware.compiler.emit.context import Emitter, emit
from edgecnn_firmware.compiler.ops.pooling import AveragePool1D, MaxPool1D
from edgecnn_firmware.compiler.ops.reduction import Mean, ReduceMax, ReduceMin
from edgecnn_firmware.compiler.targets import Target

_MOST_ROWS: Final = 255


def _vector_suffix(target: Target) -> str:
    """How kernels end that take any number of channels in vectors, or nothing."""
    return "_vnni" if target.vnni else "_avx2" if target.avx2 else "_mve" if target.mve else ""


def _dsp_suffix(op: MaxPool1D | ReduceMax, target: Target) -> str:
    """How kernels end that take four channels at a time, or nothing."""
    return "_dsp" if target.dsp and op.output.channels % 4 == 0 else ""


def _pooling(op: MaxPool1D | AveragePool1D, emitter: Emitter, kernel: str, suffix: str = "") -> None:
    emitter.include(f"edgecnn_reduce{suffix}.h")
    value, window = op.inputs[0], op.window
    fields = {
        "length": emitter.length(value),
        "channels": value.channels,
        "rows": emitter.length(op.output),
        "kernel": window.kernel,
        "stride": window.stride,
        "pad_before": window.pad_before,
        "clamp_min": op.clamp_min,
        "clamp_max": op.clamp_max,
    }
    pooling = emitter.struct("edgecnn_pooling", "pooling", fields)
    emitter.call(kernel + suffix, pooling, emitter.pointer(value), emitter.pointer(op.output))


@emit.register
def _max_pool(op: MaxPool1D, emitter: Emitter) -> None:
    _pooling(op, emitter, "edgecnn_max_pool", _dsp_suffix(op, emitter.target) or _vector_suffix(emitter.target))


@emit.register
def _average_pool(op: AveragePool1D, emitter: Emitter) -> None:
    _pooling(op, emitter, "edgecnn_average_pool")


@emit.register
def _mean(op: Mean, emitter: Emitter) -> None:
    value = op.inputs[0]
    # Sums of up to 255 bytes fit the 16 bits that these kernels keep them in.
    few = op.rows <= _MOST_ROWS
    if emitter.target.dsp and few and op.output.channels % 4 == 0:
        suffix = "_dsp"
    elif emitter.target.neon and few and op.output.channels % 8 == 0:
        suffix = "_neon"
    else:
        suffix = _vector_suffix(emitter.target) if few or not emitter.target.mve else ""
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
    suffix = "_neon" if emitter.target.neon and op.output.channels % 8 == 0 else _dsp_suffix(op, emitter.target)
    suffix = suffix or _vector_suffix(emitter.target)
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


@emit.register
def _reduce_min(op: ReduceMin, emitter: Emitter) -> None:
    emitter.include("edgecnn_reduce.h")
    value, channels = op.inputs[0], op.output.channels
    groups = value.elements // (op.rows * channels)
    emitter.call("edgecnn_reduce_min", groups, op.rows, channels, emitter.pointer(value), emitter.pointer(op.output))
