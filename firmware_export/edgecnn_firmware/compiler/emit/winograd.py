"""Winograd1D -> calls of the kernel of Armv7E-M, whose weights are laid out here, or of AVX2."""

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64
from edgecnn_firmware.compiler.emit.context import Emitter, Needs, emit, needs
from edgecnn_firmware.compiler.emit.convolution import window_fields
from edgecnn_firmware.compiler.emit.dsp import in_fours, pair_words
from edgecnn_firmware.compiler.emit.layers import Layer
from edgecnn_firmware.compiler.emit.requantization import requantization_of
from edgecnn_firmware.compiler.emit.winograd_avx2 import winograd_avx2, winograd_avx2_scratch_bytes
from edgecnn_firmware.compiler.ops.convolution import Conv1D
from edgecnn_firmware.compiler.ops.winograd import Winograd1D, planes, products_of_planes
from edgecnn_firmware.compiler.targets import Target

_GROUP: Final = 4
"""Output channels at a time."""
_QUAD: Final = 4
"""Input channels at a time."""
_KERNEL: Final = "edgecnn_winograd1d_dsp"


def pack_planes(op: Winograd1D) -> npt.NDArray[np.uint32]:
    """Weights in the order that edgecnn_winograd1d_dsp.h states.

    Returns:
        `(groups, words)`; output channels are rounded up to 4 with zeros.
    """
    a, b, c, d = (in_steps(plane) for plane in planes(op))
    parts = [_half_words(a), _half_words(b), pair_words(c), pair_words(d)]
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def in_steps(plane: Int64) -> Int64:
    """`(out, taps, in)` as `(out, products)` in the order of halves, with zeros up to whole groups and steps."""
    out, taps, channels = plane.shape
    whole = (channels + 1) // _QUAD * _QUAD
    padded = np.zeros((-(-out // _GROUP) * _GROUP, taps, max(whole, channels)), np.int64)
    padded[:out, :, :channels] = plane
    fours = in_fours(padded[..., :whole]).reshape(len(padded), -1)
    rest = padded[..., whole:].reshape(len(padded), -1)
    odd = np.zeros((len(padded), rest.shape[1] % 2), np.int64)
    return np.concatenate([fours, rest, odd], axis=1)


def _half_words(weights: Int64) -> npt.NDArray[np.uint32]:
    """`(groups, products / 2, 4)` words of two products next to each other."""
    halves = weights.reshape(-1, _GROUP, weights.shape[1] // 2, 2) & 0xFFFF
    words = halves[..., 0] | halves[..., 1] << 16
    return np.ascontiguousarray(words.transpose(0, 2, 1).astype(np.uint32))


def winograd_scratch_bytes(op: Conv1D) -> int:
    """Bytes of the planes' inputs of four rows, and of the rows that they are made of where those are not the input's."""
    window, value = op.window, op.inputs[0]
    blocks = -(-op.output.elements // op.outputs_per_row * op.pool // (4 * window.dilation))
    last = (4 * blocks + window.kernel - 1) * window.dilation - window.pad_before
    gathered = 0 if window.pad_before == 0 and last <= value.length else (window.kernel + 3) * value.channels
    return 4 * sum(products_of_planes(op)) + gathered


@needs.register
def _winograd1d_needs(op: Winograd1D, target: Target) -> Needs:
    if target.avx2:
        return Needs(winograd_avx2_scratch_bytes(op), copies=True)
    return Needs(winograd_scratch_bytes(op))


@emit.register
def _winograd1d(op: Winograd1D, emitter: Emitter) -> None:
    if emitter.target.avx2:
        winograd_avx2(op, emitter)
        return
    emitter.include(f"{_KERNEL}.h")
    window = window_fields(op, emitter, op.window, op.inputs[0], pool=op.pool)
    # Rows behind the last of all read the zero point too.
    window["zero_point"] = op.inputs[0].affine.zero_point
    arguments = (
        ("const int8_t *", emitter.pointer(op.inputs[0])),
        ("const uint32_t *", emitter.constant("weights", pack_planes(op))),
        ("int8_t *", emitter.pointer(op.output)),
        ("int8_t *", emitter.scratch(op)),
    )
    emitter.layer(Layer(op.number, _KERNEL, window, (), requantization_of(op, emitter), arguments))
