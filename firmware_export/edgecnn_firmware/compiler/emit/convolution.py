"""Conv1D, Depthwise1D and Dense -> calls of the plain C kernels."""

from edgecnn_firmware.compiler.emit.context import Emitter, Needs, emit, needs, struct_literal, wrapped
from edgecnn_firmware.compiler.emit.dsp import (
    dense_scratch_bytes,
    dsp_scratch_bytes,
    has_fours,
    is_packed,
    pack_fours,
    pack_pairs,
    why_not_dsp,
)
from edgecnn_firmware.compiler.emit.mve import mve_scratch_bytes, pack_sixteens
from edgecnn_firmware.compiler.emit.requantization import line_of, requantization_struct
from edgecnn_firmware.compiler.emit.vnni import pack_quads, pack_start, vnni_scratch_bytes
from edgecnn_firmware.compiler.ops.convolution import Conv1D, Dense, Depthwise1D, Window
from edgecnn_firmware.compiler.ops.value import Op, Value
from edgecnn_firmware.compiler.targets import Target


def is_direct(op: Conv1D | Depthwise1D) -> bool:
    """Whether every patch is a slice of the input."""
    window, rows = op.window, _conv_rows(op)
    last = (rows - 1) * window.stride + window.span
    return (window.dilation == 1 or window.kernel == 1) and window.pad_before == 0 and last <= op.inputs[0].length


@emit.register
def _conv1d(op: Conv1D, emitter: Emitter) -> None:
    window = window_struct(op, emitter, op.window, op.inputs[0], pool=op.pool)
    reason = why_not_dsp(op) if emitter.target.dsp else ""
    lanes = 1
    if emitter.target.mve and line_of(op) is not None:
        kernel, lanes, constants = "edgecnn_conv1d_mve", 4, [emitter.constant("weights", pack_sixteens(op))]
    elif emitter.target.vnni and line_of(op) is not None:
        kernel, lanes = "edgecnn_conv1d_vnni", 16
        constants = [emitter.constant("weights", pack_quads(op)), emitter.constant("start", pack_start(op))]
    elif emitter.target.dsp and not reason:
        kernel, constants = "edgecnn_conv1d_dsp", [emitter.constant("weights", pack_pairs(op))]
    else:
        kernel, constants = "edgecnn_conv1d", [emitter.constant("weights", op.weights)]
    if reason:
        emitter.notes.append(f"op {op.number} runs in plain C: {reason}")
    emitter.include(f"{kernel}.h")
    emitter.call(
        kernel,
        window,
        requantization_struct(op, emitter, lanes),
        emitter.pointer(op.inputs[0]),
        *constants,
        emitter.pointer(op.output),
        emitter.scratch(op),
    )


@emit.register
def _depthwise1d(op: Depthwise1D, emitter: Emitter) -> None:
    window = window_struct(op, emitter, op.window, op.inputs[0], pool=1)
    lanes = 1
    options: list[int] = []
    if emitter.target.mve and has_fours(op) and line_of(op) is not None:
        emitter.include("edgecnn_depthwise1d_mve.h")
        kernel, lanes, weights = "edgecnn_depthwise1d_mve", 4, emitter.constant("weights", op.weights)
    elif emitter.target.dsp and has_fours(op):
        emitter.include("edgecnn_depthwise1d_dsp.h")
        kernel, weights = "edgecnn_depthwise1d_dsp", emitter.constant("weights", pack_fours(op))
    else:
        emitter.include("edgecnn_depthwise1d.h")
        kernel, options, weights = "edgecnn_depthwise1d", [op.multiplier], emitter.constant("weights", op.weights)
    emitter.call(
        kernel,
        window,
        *options,
        requantization_struct(op, emitter, lanes),
        emitter.pointer(op.inputs[0]),
        weights,
        emitter.pointer(op.output),
    )


@emit.register
def _dense(op: Dense, emitter: Emitter) -> None:
    packed = emitter.target.dsp and is_packed(op)
    kernel = "edgecnn_dense_dsp" if packed else "edgecnn_dense"
    emitter.include(f"{kernel}.h")
    requantization = requantization_struct(op, emitter)
    weights = emitter.constant("weights", pack_pairs(op) if packed else op.weights)
    emitter.call(
        kernel,
        op.output.elements // op.outputs_per_row,
        op.weights.shape[1],
        op.outputs_per_row,
        requantization,
        emitter.pointer(op.inputs[0]),
        weights,
        emitter.pointer(op.output),
        *([emitter.scratch(op)] if packed else []),
    )


@needs.register
def _dense_needs(op: Dense, target: Target) -> Needs:
    return Needs(dense_scratch_bytes(op)) if target.dsp and is_packed(op) else Needs()


@needs.register
def _conv1d_needs(op: Conv1D, target: Target) -> Needs:
    if target.vnni and line_of(op) is not None:
        return Needs(vnni_scratch_bytes(op), copies=True)
    if target.mve and line_of(op) is not None:
        return Needs(mve_scratch_bytes(op))
    if target.dsp and not why_not_dsp(op):
        return Needs(dsp_scratch_bytes(op, is_direct(op)), gathers=True)
    if is_direct(op):
        return Needs()
    return Needs(2 * op.window.kernel * op.inputs[0].channels, gathers=True)


def window_struct(op: Conv1D | Depthwise1D, emitter: Emitter, window: Window, value: Value, *, pool: int) -> str:
    """Emit the const struct `edgecnn_window` of an op; a pointer to it."""
    emitter.include("edgecnn_patch.h")
    text = struct_literal(
        {
            "length": value.length,
            "in": value.channels,
            "out": op.outputs_per_row,
            "rows": op.output.elements // op.outputs_per_row,
            "kernel": window.kernel,
            "stride": window.stride,
            "dilation": window.dilation,
            "pad_before": window.pad_before,
            "pool": pool,
            "zero_point": value.affine.zero_point,
            "direct": int(is_direct(op)),
        }
    )
    emitter.line(wrapped(f"static const edgecnn_window op{op.number}_window = ", text, ";"))
    return f"&op{op.number}_window"


def _conv_rows(op: Op) -> int:
    return op.conv_rows if isinstance(op, Conv1D) else op.output.length
