"""MEAN, SUM and poolings of int8, exactly as TFLite's reference kernels compute them."""

from typing import Any

import numpy as np

from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64, quantize_multiplier


def mean_multiplier(source: Affine, target: Affine, count: int, *, is_sum: bool) -> tuple[int, int]:
    """Multiplier and shift of sums over `count` elements (`QuantizedMeanOrSum`).

    The mean's division is folded into the multiplier, truncated, with as many bits as the shift leaves.
    """
    multiplier, shift = quantize_multiplier(source.scale / target.scale)
    if is_sum:
        return multiplier, shift
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << extra) // count, shift - extra


def rounded_average(sums: Int64, counts: Any) -> Int64:
    """Sums divided to the nearest, ties away from zero (`AveragePool`)."""
    half = np.asarray(counts, np.int64) // 2
    magnitude = (np.abs(sums) + half) // counts
    found: Int64 = np.where(sums > 0, magnitude, -magnitude)
    return found
