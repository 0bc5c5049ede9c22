"""Conv1D, Depthwise1D and Dense -> calls of the plain C kernels."""

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.emit.avx2 import (
    AVX2_LANES,
    avx2_requantization,
    avx2_scratch_bytes,
    dense_avx2,
    depthwise_avx2_scratch_bytes,
    pack_two_by_eight,
    pack_two_taps,
)
from edgecnn_firmware.compiler.emit.context import Emitter, Needs, emit, needs
from edgecnn_firmware.compiler.emit.dsp import (
    dense_scratch_bytes,
    dsp_scratch_bytes,
    has_fours,
    is_packed,
    pack_fours,
    pack_pairs,
    why_not_dsp,
)
from edgecnn_firmware.compiler.emit.layers import Layer
from edgecnn_firmware.compiler.emit.mve import mve_scratch_bytes, pack_sixteens
from edgecnn_firmware.compiler.emit.neon import NEON_LANES, has_eights, is_small, neon_scratch_bytes, pack_eights
from edgecnn_firmware.compiler.emit.requantization import line_of, requantization_of, requantization_struct
from edgecnn_firmware.compiler.emit.vnni import (
    dense_vnni,
    is_vnni_depthwise,
    pack_depthwise,
    pack_quads,
    pack_start,
    vnni_requantization,
    vnni_scratch_bytes,
)
from edgecnn_firmware.compiler.ops.convolution import Conv1D, Dense, Depthwise1D, Window
from edgecnn_firmware.compiler.ops.value import Op, Value
from edgecnn_firmware.compiler.targets import Target

_INPUT: Final = "const int8_t *"
_WORDS: Final = "const uint32_t *"
_OUTPUT: Final = "int8_t *"
_MVE_LANES: Final = 4


def is_direct(op: Conv1D | Depthwise1D) -> bool:
    """Whether every patch is a slice of the input."""
    window, rows = op.window, _conv_rows(op)
    last = (rows - 1) * window.stride + window.span
    return (window.dilation == 1 or window.kernel == 1) and window.pad_before == 0 and last <= op.inputs[0].length


@emit.register
def _conv1d(op: Conv1D, emitter: Emitter) -> None:
    window = window_fields(op, emitter, op.window, op.inputs[0], pool=op.pool)
    reason = why_not_dsp(op) if emitter.target.dsp else ""
    lanes = 1
    options: tuple[int, ...] = ()
    if emitter.target.mve and line_of(op) is not None:
        kernel, lanes, constants = (
            "edgecnn_conv1d_mve",
            _MVE_LANES,
            [(_INPUT, emitter.constant("weights", pack_sixteens(op)))],
        )
    elif emitter.target.vnni and line_of(op) is not None:
        kernel = "edgecnn_conv1d_vnni"
        starts = ("const int32_t *", emitter.constant("start", pack_start(op)))
        constants = [(_INPUT, emitter.constant("weights", pack_quads(op))), starts]
    elif emitter.target.avx2 and line_of(op) is not None:
        kernel, lanes = "edgecnn_conv1d_avx2", AVX2_LANES
        constants = [("const int16_t *", emitter.constant("weights", pack_two_by_eight(op)))]
    elif emitter.target.neon and line_of(op) is not None:
        kernel, lanes, options = "edgecnn_conv1d_neon", NEON_LANES, (is_small(op),)
        constants = [(_INPUT, emitter.constant("weights", pack_eights(op)))]
    elif emitter.target.dsp and not reason:
        kernel, constants = "edgecnn_conv1d_dsp", [(_WORDS, emitter.constant("weights", pack_pairs(op)))]
    else:
        kernel, constants = "edgecnn_conv1d", [(_INPUT, emitter.constant("weights", op.weights))]
    if reason:
        emitter.note(f"op {op.number} runs in plain C: {reason}")
    emitter.include(f"{kernel}.h")
    pointers = ((_INPUT, emitter.pointer(op.inputs[0])), *constants, (_OUTPUT, emitter.pointer(op.output)))
    is_vnni = kernel.endswith("_vnni")
    requantization = vnni_requantization(op, emitter) if is_vnni else requantization_of(op, emitter, lanes)
    scratch = (_OUTPUT, emitter.scratch(op))
    emitter.layer(Layer(op.number, kernel, window, options, requantization, (*pointers, scratch)))


@emit.register
def _depthwise1d(op: Depthwise1D, emitter: Emitter) -> None:
    window = window_fields(op, emitter, op.window, op.inputs[0], pool=1)
    lanes = 1
    options: tuple[int, ...] = ()
    starts: list[tuple[str, str]] = []
    if emitter.target.mve and has_fours(op) and line_of(op) is not None:
        kernel, lanes, weights = (
            "edgecnn_depthwise1d_mve",
            _MVE_LANES,
            (_INPUT, emitter.constant("weights", op.weights)),
        )
    elif emitter.target.vnni and is_vnni_depthwise(op):
        kernel = "edgecnn_depthwise1d_vnni"
        starts = [("const int32_t *", emitter.constant("start", pack_start(op)))]
        weights = (_INPUT, emitter.constant("weights", pack_depthwise(op)))
    elif emitter.target.avx2 and has_eights(op):
        kernel = "edgecnn_depthwise1d_avx2"
        weights = ("const int16_t *", emitter.constant("weights", pack_two_taps(op)))
    elif emitter.target.neon and has_eights(op):
        kernel, lanes, options = "edgecnn_depthwise1d_neon", NEON_LANES, (is_small(op),)
        weights = (_INPUT, emitter.constant("weights", op.weights))
    elif emitter.target.dsp and has_fours(op):
        kernel, weights = "edgecnn_depthwise1d_dsp", (_WORDS, emitter.constant("weights", pack_fours(op)))
    else:
        kernel, options = "edgecnn_depthwise1d", (op.multiplier,)
        weights = (_INPUT, emitter.constant("weights", op.weights))
    emitter.include(f"{kernel}.h")
    pointers = [(_INPUT, emitter.pointer(op.inputs[0])), weights, *starts, (_OUTPUT, emitter.pointer(op.output))]
    if needs(op, emitter.target).scratch_bytes:
        pointers.append((_OUTPUT, emitter.scratch(op)))
    if kernel.endswith("_vnni"):
        requantization = vnni_requantization(op, emitter)
    elif kernel.endswith("_avx2"):
        requantization = avx2_requantization(op, emitter)
    else:
        requantization = requantization_of(op, emitter, lanes)
    emitter.layer(Layer(op.number, kernel, window, options, requantization, tuple(pointers)))


@emit.register
def _dense(op: Dense, emitter: Emitter) -> None:
    if emitter.target.neon and line_of(op) is not None:
        _dense_neon(op, emitter)
        return
    if emitter.target.vnni and line_of(op) is not None:
        dense_vnni(op, emitter)
        return
    if emitter.target.avx2 and line_of(op) is not None:
        dense_avx2(op, emitter)
        return
    packed = emitter.target.dsp and is_packed(op)
    kernel, lanes = "edgecnn_dense", 1
    layout: npt.NDArray[np.int8 | np.uint32] = op.weights
    if packed:
        kernel, layout = "edgecnn_dense_dsp", pack_pairs(op)
    elif emitter.target.mve and line_of(op) is not None:
        kernel, lanes, layout = "edgecnn_dense_mve", _MVE_LANES, pack_sixteens(op)
    emitter.include(f"{kernel}.h")
    requantization = requantization_struct(op, emitter, lanes)
    weights = emitter.constant("weights", layout)
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


def _dense_neon(op: Dense, emitter: Emitter) -> None:
    """A dense layer as a convolution of kernel 1."""
    kernel = "edgecnn_conv1d_neon"
    emitter.include(f"{kernel}.h")
    rows, channels = op.output.elements // op.outputs_per_row, op.weights.shape[1]
    one = {"kernel": 1, "stride": 1, "dilation": 1, "pad_before": 0, "pool": 1, "zero_point": 0, "direct": 1}
    window = {"length": rows, "in": channels, "out": op.outputs_per_row, "rows": rows, **one}
    arguments = (
        (_INPUT, emitter.pointer(op.inputs[0])),
        (_INPUT, emitter.constant("weights", pack_eights(op))),
        (_OUTPUT, emitter.pointer(op.output)),
        (_OUTPUT, emitter.scratch(op)),
    )
    requantization = requantization_of(op, emitter, NEON_LANES)
    emitter.layer(Layer(op.number, kernel, window, (is_small(op),), requantization, arguments))


@needs.register
def _dense_needs(op: Dense, target: Target) -> Needs:
    if target.neon and line_of(op) is not None:
        return Needs(neon_scratch_bytes(op), copies=True)
    if target.vnni and line_of(op) is not None:
        return Needs(vnni_scratch_bytes(op), copies=True)
    if target.avx2 and line_of(op) is not None:
        return Needs(avx2_scratch_bytes(op), copies=True)
    return Needs(dense_scratch_bytes(op)) if target.dsp and is_packed(op) else Needs()


@needs.register
def _depthwise1d_needs(op: Depthwise1D, target: Target) -> Needs:
    if target.neon and has_eights(op):
        return Needs(neon_scratch_bytes(op), copies=True)
    if target.vnni and is_vnni_depthwise(op):
        return Needs(vnni_scratch_bytes(op), copies=True)
    if target.avx2 and has_eights(op):
        return Needs(depthwise_avx2_scratch_bytes(op), copies=True)
    return Needs()


@needs.register
def _conv1d_needs(op: Conv1D, target: Target) -> Needs:
    if target.avx2 and line_of(op) is not None:
        return Needs(avx2_scratch_bytes(op), copies=True)
    if target.vnni and line_of(op) is not None:
        return Needs(vnni_scratch_bytes(op), copies=True)
    if target.neon and line_of(op) is not None:
        return Needs(neon_scratch_bytes(op), copies=True)
    if target.mve and line_of(op) is not None:
        return Needs(mve_scratch_bytes(op))
    if target.dsp and not why_not_dsp(op):
        return Needs(dsp_scratch_bytes(op, is_direct(op)), gathers=True)
    if is_direct(op):
        return Needs()
    return Needs(2 * op.window.kernel * op.inputs[0].channels, gathers=True)


def window_fields(
    op: Conv1D | Depthwise1D, emitter: Emitter, window: Window, value: Value, *, pool: int
) -> dict[str, object]:
    """The fields of an op's `edgecnn_window`."""
    emitter.include("edgecnn_patch.h")
    direct, rows = is_direct(op), emitter.length(op.output)
    return {
        "length": emitter.length(value),
        "in": value.channels,
        "out": op.outputs_per_row,
        # A row of a transposed convolution holds several of its output's.
        "rows": rows if isinstance(rows, str) else op.output.elements // op.outputs_per_row,
        "kernel": window.kernel,
        "stride": window.stride,
        "dilation": window.dilation,
        "pad_before": window.pad_before,
        "pool": pool,
        # Only padding reads it.
        "zero_point": 0 if direct and not (emitter.target.vnni or emitter.target.avx2) else value.affine.zero_point,
        "direct": int(direct),
    }


def _conv_rows(op: Op) -> int:
    return op.conv_rows if isinstance(op, Conv1D) else op.output.length
