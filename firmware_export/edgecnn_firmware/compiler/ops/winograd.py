"""Convolutions that are computed in fewer products than they have."""

from dataclasses import dataclass

import numpy as np

from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64
from edgecnn_firmware.compiler.ops.convolution import Conv1D


@dataclass(frozen=True, eq=False)
class Winograd1D(Conv1D):
    """The same numbers as the `Conv1D`, of stride 1, in products of sums of inputs and sums of taps.

    Of every three taps two rows share four products instead of six, of two taps that are left three instead of four.
    """


def products_of_planes(op: Conv1D) -> tuple[int, int, int, int]:
    """Products of two rows and one output channel in the planes A, B, C and D of edgecnn_winograd1d_dsp.h, in whole steps.

    A step is two products; three input channels that four do not divide count as four.
    """
    channels = op.inputs[0].channels
    threes, left = divmod(op.window.kernel, 3)
    taps = threes + (left == 2), threes, threes + (left > 0), threes + (left > 0)
    a, b, c, d = (-(-count * (channels + (channels % 4 == 3)) // 2) * 2 for count in taps)
    return a, b, c, d


def planes(op: Conv1D) -> tuple[Int64, Int64, Int64, Int64]:
    """Weights of the planes A, B, C and D of edgecnn_winograd1d_dsp.h.

    Returns:
        Each `(out, taps, in)`: a tap for every three of the kernel, and one in A, C and D, or in C and D, for two or one
        that are left.
    """
    taps = op.weights.astype(np.int64)
    whole = taps.shape[1] // 3 * 3
    first, second, third = (taps[:, tap:whole:3] for tap in range(3))
    a, b, c, d = first + second + third, first - second + third, first, third
    rest = taps[:, whole:]
    if rest.shape[1]:
        c, d = np.concatenate([c, rest[:, :1]], axis=1), np.concatenate([d, rest[:, -1:]], axis=1)
    if rest.shape[1] == 2:
        a = np.concatenate([a, 2 * rest.sum(axis=1, keepdims=True)], axis=1)
    return a, b, c, d
