"""Fixed-point multiplication as TFLite's reference kernels do it, in int64 numpy.

Source: `tensorflow/lite/kernels/internal/common.h` and `quantization_util.cc`, gemmlowp's `fixedpoint.h`.
"""

import math
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Int64: TypeAlias = npt.NDArray[np.int64]

INT32_MIN: Final = -(1 << 31)
INT32_MAX: Final = (1 << 31) - 1


def quantize_multiplier(scale: float) -> tuple[int, int]:
    """Write a scale >= 0 as `multiplier / 2**31 * 2**shift` with a multiplier of 0 or from 2**30 to 2**31 - 1.

    Returns:
        The multiplier and the shift (positive: left).
    """
    if scale == 0:
        return 0, 0
    fraction, shift = math.frexp(scale)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier, shift = 1 << 30, shift + 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return INT32_MAX, 30
    return multiplier, shift


def doubling_high_mul(a: Any, b: Any) -> Int64:
    """Compute `floor((a * b + 2**30) / 2**31)`, gemmlowp's SaturatingRoundingDoublingHighMul but for min * min."""
    product: Int64 = np.asarray(a, np.int64) * np.asarray(b, np.int64) + (1 << 30)
    return product >> 31


def rounding_divide_by_power(x: Any, exponent: Any) -> Int64:
    """Divide by `2**exponent` (0 to 31) to the nearest, ties away from zero."""
    values, shift = np.asarray(x, np.int64), np.asarray(exponent, np.int64)
    half = np.where(shift > 0, np.left_shift(1, np.maximum(shift - 1, 0)), 0)
    nudged: Int64 = values + half - ((values < 0) & (shift > 0))
    return nudged >> shift


def multiply_by_multiplier(x: Any, multiplier: Any, shift: Any) -> Int64:
    """TFLite's `MultiplyByQuantizedMultiplier`, which rounds twice; exact where `x << shift` fits int32."""
    shifts = np.asarray(shift, np.int64)
    shifted = np.asarray(x, np.int64) << np.maximum(shifts, 0)
    return rounding_divide_by_power(doubling_high_mul(shifted, multiplier), np.maximum(-shifts, 0))
