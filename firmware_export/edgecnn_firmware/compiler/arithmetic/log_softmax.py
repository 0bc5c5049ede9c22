"""LOG_SOFTMAX of int8, exactly as TFLite's reference kernel computes it.

Source: `reference/integer_ops/log_softmax.h` and `log_x_for_x_greater_than_or_equal_to_1` of TFLite's `common.h`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic import gemmlowp
from edgecnn_firmware.compiler.arithmetic.fixed_point import (
    INT32_MIN,
    Int64,
    doubling_high_mul,
    multiply_by_multiplier,
    quantize_multiplier,
    rounding_divide_by_power,
)
from edgecnn_firmware.compiler.arithmetic.softmax import (
    DIFFERENCE_BITS,
    SUM_BITS,
    SoftmaxParameters,
    softmax_parameters,
)

OUTPUT_BITS: Final = 4
"""Integer bits of the output: its scale is 1/16, its zero point 127."""
MOST_LOG_CLASSES: Final = 4095
"""So many equal inputs still make a sum within 12 integer bits."""
_LOG_2: Final = 1488522236
_FOURTH_ROOT_OF_HALF: Final = 1805811301
_ROOT_OF_HALF: Final = 1518500250
_NUMERATOR: Final = 117049297
_DENOMINATOR: Final = (1057819769, 127690142, 638450708)
_SUM_FRACTION: Final = 31 - (DIFFERENCE_BITS + 1)


@dataclass(frozen=True)
class LogSoftmaxParameters:
    """What scales differences of inputs to exponents, and back."""

    forward: SoftmaxParameters
    reverse_multiplier: int
    reverse_shift: int
    """Positive: left."""


def log_softmax_parameters(scale: float) -> LogSoftmaxParameters:
    """TFLite's `PreprocessLogSoftmaxScalingExp`."""
    forward = softmax_parameters(scale, 1.0)
    reverse = quantize_multiplier(2.0 ** (31 - forward.left_shift) / forward.multiplier)
    return LogSoftmaxParameters(forward, *reverse)


def log_softmax(inputs: npt.NDArray[np.int8], parameters: LogSoftmaxParameters) -> npt.NDArray[np.int8]:
    """Logarithm of softmax along the last axis; the output is fixed to scale 1/16 and zero point 127."""
    forward = parameters.forward
    values = inputs.astype(np.int64)
    difference = values - values.max(axis=-1, keepdims=True)
    counted = difference >= forward.least_difference
    shifted = np.where(counted, difference, 0) * (1 << forward.left_shift)
    scaled = doubling_high_mul(np.maximum(shifted, INT32_MIN), forward.multiplier)
    exponentials = np.where(counted, gemmlowp.exp_on_negative_values(scaled, DIFFERENCE_BITS), 0)
    total = rounding_divide_by_power(exponentials, SUM_BITS).sum(axis=-1, keepdims=True)
    logarithm = log_of_sum(total)
    least = multiply_by_multiplier(logarithm + INT32_MIN, parameters.reverse_multiplier, parameters.reverse_shift)
    kept = difference > np.maximum(least, forward.least_difference - 1)
    rounded = rounding_divide_by_power(scaled - logarithm, 31 - DIFFERENCE_BITS - OUTPUT_BITS) + 127
    found: npt.NDArray[np.int8] = np.where(kept, np.clip(rounded, -128, 127), -128).astype(np.int8)
    return found


def log_of_sum(total: Int64) -> Int64:
    """Natural logarithm of Q12.19 from 1 on, in Q5.26."""
    headroom = _leading_zeros(total)
    root = doubling_high_mul(total << (headroom - 1), _ROOT_OF_HALF)
    mantissa_a = gemmlowp.saturating_shift_left(root, 1)
    quarter = 1 << (_SUM_FRACTION - 2)
    power_a = ((SUM_BITS - headroom) << _SUM_FRACTION) + quarter
    headroom_b = _leading_zeros(doubling_high_mul(total, _ROOT_OF_HALF)) - 1
    mantissa_b = np.minimum(total << headroom_b, (1 << 31) - 1)
    power_b = ((SUM_BITS - headroom_b) << _SUM_FRACTION) - quarter
    mantissa, power = np.minimum(mantissa_a, mantissa_b), np.maximum(power_a, power_b)
    rest = _log_of_mantissa(mantissa)
    return gemmlowp.saturating_shift_left(doubling_high_mul(power, _LOG_2) + rest, 1)


def _log_of_mantissa(r: Int64) -> Int64:
    """Logarithm of a mantissa in Q0.31 over the fourth root of 1/2, in Q6.25, by a quotient of polynomials."""
    middle = (r + _FOURTH_ROOT_OF_HALF + 1) >> 1
    q = 2 * (r - _FOURTH_ROOT_OF_HALF)
    square = doubling_high_mul(q, q)
    numerator = doubling_high_mul(q, r) + doubling_high_mul(doubling_high_mul(q, square), _NUMERATOR)
    constant, quadratic, linear = _DENOMINATOR
    denominator = doubling_high_mul(middle, constant + q + doubling_high_mul(quadratic, square))
    denominator = denominator + doubling_high_mul(linear, q)
    reciprocal = gemmlowp.one_over_one_plus(denominator)
    return doubling_high_mul(rounding_divide_by_power(numerator, DIFFERENCE_BITS + 1), reciprocal)


def _leading_zeros(x: Int64) -> Int64:
    """Zeros above the highest one of 32 bits; x from 1 to 2**31 - 1."""
    return 32 - np.frexp(x.astype(np.float64))[1].astype(np.int64)
