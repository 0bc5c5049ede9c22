"""Fixed-point exponential, logistic and tanh as gemmlowp computes them, in int64 numpy.

Source: gemmlowp's `fixedpoint/fixedpoint.h`, which TFLite's reference kernels call. `Qm.n` stands for m integer bits and n
fractional bits of an int32.
"""

from typing import Any, Final

import numpy as np

from edgecnn_firmware.compiler.arithmetic.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    Int64,
    doubling_high_mul,
    rounding_divide_by_power,
)

EXP_MINUS_EIGHTH: Final = 1895147668
THIRD: Final = 715827883
BARREL: Final = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
"""Exponent e and exp(-2^e) in Q0.31."""
_48_OVER_17: Final = 1515870810
_MINUS_32_OVER_17: Final = -1010580540


def saturating_shift_left(x: Any, bits: int) -> Int64:
    """Shift left, kept within int32."""
    shifted: Int64 = np.clip(np.asarray(x, np.int64) << bits, INT32_MIN, INT32_MAX)
    return shifted


def exp_on_negative_values(a: Any, integer_bits: int) -> Int64:
    """Compute exp of `a <= 0` in Q(integer_bits).(31 - integer_bits); the result is Q0.31."""
    values = np.asarray(a, np.int64)
    fractional = 31 - integer_bits
    quarter = 1 << (fractional - 2)
    below = (values & (quarter - 1)) - quarter
    result = _exp_on_last_quarter(saturating_shift_left(below, integer_bits))
    remainder = below - values
    for exponent, multiplier in BARREL:
        if integer_bits > exponent:
            chosen = (remainder >> (fractional + exponent)) & 1
            result = np.where(chosen == 1, doubling_high_mul(result, multiplier), result)
    found: Int64 = np.where(values == 0, INT32_MAX, result)
    return found


def _exp_on_last_quarter(a: Int64) -> Int64:
    """Compute exp of -1/4 <= a < 0 in Q0.31, by its Taylor series around -1/8."""
    x = a + (1 << 28)
    x2 = doubling_high_mul(x, x)
    x3 = doubling_high_mul(x2, x)
    x4_over_4 = rounding_divide_by_power(doubling_high_mul(x2, x2), 2)
    tail = rounding_divide_by_power(doubling_high_mul(x4_over_4 + x3, THIRD) + x2, 1)
    return EXP_MINUS_EIGHTH + doubling_high_mul(EXP_MINUS_EIGHTH, x + tail)


def _reciprocal_of_half_sum(a: Int64) -> Int64:
    """Compute 2 / (1 + a) for `a` in 0 to 1 (Q0.31), in Q2.29, by three steps of Newton."""
    total = a + INT32_MAX
    half_denominator = np.where(total >= 0, total + 1, total - 1) // 2
    x = _48_OVER_17 + doubling_high_mul(half_denominator, _MINUS_32_OVER_17)
    for _ in range(3):
        rest = (1 << 29) - doubling_high_mul(half_denominator, x)
        x = x + saturating_shift_left(doubling_high_mul(x, rest), 2)
    return x


def one_over_one_plus(a: Int64) -> Int64:
    """Compute 1 / (1 + a) for `a` in 0 to 1; both Q0.31."""
    return saturating_shift_left(_reciprocal_of_half_sum(a), 1)


def logistic(a: Any) -> Int64:
    """Compute 1 / (1 + exp(-a)) of Q4.27 in Q0.31."""
    values = np.asarray(a, np.int64)
    positive = one_over_one_plus(exp_on_negative_values(-np.abs(values), 4))
    found: Int64 = np.where(values == 0, 1 << 30, np.where(values > 0, positive, INT32_MAX - positive))
    return found


def tanh(a: Any) -> Int64:
    """Compute tanh of Q4.27 in Q0.31."""
    values = np.asarray(a, np.int64)
    # The same bits read as Q5.26 are twice the value.
    x = _reciprocal_of_half_sum(exp_on_negative_values(-np.abs(values), 5))
    positive = saturating_shift_left(x - (1 << 29), 2)
    found: Int64 = np.where(values == 0, 0, np.where(values > 0, positive, -positive))
    return found


def input_radius(integer_bits: int, left_shift: int) -> int:
    """Largest input that does not overflow when scaled: TFLite's `CalculateInputRadius`."""
    return int(((1 << integer_bits) - 1) * 2.0 ** (31 - integer_bits) / 2.0**left_shift)
