"""Layout of weights for the Armv7E-M kernels, and the proofs that they rest on."""

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64
from edgecnn_firmware.compiler.ops.convolution import Conv1D, Dense, Depthwise1D, Products

_GROUP: Final = 4
"""Output channels at a time."""
_LEAST_DENSE: Final = 2048
"""Weights from which a dense layer is packed; below, the padding to four channels costs more flash than it saves time."""


def why_not_dsp(op: Products) -> str:
    """Why the packed sums would not be exact for an op; empty where they are."""
    lowest, highest = op.reach()
    if max(np.abs(lowest).max(), np.abs(highest).max()) >= 1 << 23:
        return "its sums may reach 2^23"
    if (op.weights == -128).any():
        return "its weights hold -128"
    return ""


def dsp_scratch_bytes(op: Conv1D, direct: bool) -> int:
    """Bytes of a widened pair of patches, and of both patches where some are not slices of the input."""
    products = op.window.kernel * op.inputs[0].channels
    spare = 0 if direct or op.inputs[0].channels % 4 == 0 else 2 * products
    return -(-products // 8) * 8 * 4 + spare


def is_packed(op: Dense) -> bool:
    """Whether a dense layer is large enough for the packed kernel, and its sums small enough."""
    return op.weights.size >= _LEAST_DENSE and not why_not_dsp(op)


def dense_scratch_bytes(op: Dense) -> int:
    """Bytes of one widened row."""
    return -(-int(op.weights.shape[1]) // 8) * 8 * 2


def pack_pairs(op: Products) -> npt.NDArray[np.uint32]:
    """Weights in the order that edgecnn_conv1d_dsp.h states.

    Returns:
        `(groups, products / 2, 2)` words; products are rounded up to 8 and channels to 4 with zeros.
    """
    weights = op.weights_by_output
    out, products = weights.shape
    padded = np.zeros((-(-out // _GROUP) * _GROUP, -(-products // 8) * 8), np.int64)
    padded[:out, :products] = weights
    return pair_words(in_fours(padded))


def in_fours(weights: Int64) -> Int64:
    """`(..., products)` of which every four products 0, 1, 2, 3 become 0, 2, 1, 3, as SXTB16 parts inputs."""
    fours = weights.reshape(*weights.shape[:-1], -1, 4)[..., [0, 2, 1, 3]]
    ordered: Int64 = fours.reshape(weights.shape)
    return ordered


def pair_words(weights: Int64) -> npt.NDArray[np.uint32]:
    """Words of two output channels and two products next to each other: `(groups, products / 2, 2)`.

    Args:
        weights: `(out, products)`, multiples of 4 and 2.
    """
    # (group, channel pair, channel of the pair, word, half)
    parts = weights.reshape(-1, 2, 2, weights.shape[1] // 2, 2)
    halves = (parts[:, :, 0] + 256 * parts[:, :, 1]) & 0xFFFF
    words = halves[..., 0] | halves[..., 1] << 16
    return np.ascontiguousarray(words.transpose(0, 2, 1).astype(np.uint32))


def has_fours(op: Depthwise1D) -> bool:
    """Whether a depthwise convolution has whole groups of four channels."""
    return op.multiplier == 1 and op.outputs_per_row % _GROUP == 0


def pack_fours(op: Depthwise1D) -> npt.NDArray[np.uint32]:
    """Weights in the order that edgecnn_depthwise1d_dsp.h states.

    Returns:
        `(groups, kernel, 2)` words of halves: channels 0 and 2, then 1 and 3.
    """
    parts = op.weights_by_output.reshape(-1, _GROUP, op.window.kernel) & 0xFFFF
    words = parts[:, :2] | parts[:, 2:] << 16
    ordered: npt.NDArray[np.uint32] = words.transpose(0, 2, 1).astype(np.uint32)
    return ordered
