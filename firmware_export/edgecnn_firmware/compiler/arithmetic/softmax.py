"""SOFTMAX of int8, exactly as TFLite's reference kernel computes it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic import gemmlowp
from edgecnn_firmware.compiler.arithmetic.fixed_point import (
    Int64,
    doubling_high_mul,
    quantize_multiplier,
    rounding_divide_by_power,
)

DIFFERENCE_BITS: Final = 5
"""Integer bits of the scaled difference to the largest input (`kScaledDiffIntegerBits`)."""
SUM_BITS: Final = 12
"""Integer bits of the sum of exponentials (`kAccumulationIntegerBits`)."""
MOST_CLASSES: Final = 511
"""512 equal inputs make a sum whose division shifts by 32 bits, where the reference aborts."""


@dataclass(frozen=True)
class SoftmaxParameters:
    """What scales differences of inputs to exponents."""

    multiplier: int
    left_shift: int
    least_difference: int
    """Inputs that lie further below the largest one count as nothing."""


def softmax_parameters(scale: float, beta: float) -> SoftmaxParameters:
    """TFLite's `PreprocessSoftmaxScaling`."""
    real = min(float(np.float32(beta)) * scale * (1 << (31 - DIFFERENCE_BITS)), (1 << 31) - 1.0)
    multiplier, shift = quantize_multiplier(real)
    return SoftmaxParameters(multiplier, shift, -gemmlowp.input_radius(DIFFERENCE_BITS, shift))


def exponentials(parameters: SoftmaxParameters) -> Int64:
    """`(256,)`: the exponential, Q0.31, of what lies 0 to 255 below the largest input; 0 where that counts as nothing."""
    difference = -np.arange(256, dtype=np.int64)
    counted = difference >= parameters.least_difference
    shifted = np.where(counted, difference, 0) * (1 << parameters.left_shift)
    scaled = doubling_high_mul(np.clip(shifted, -(1 << 31), (1 << 31) - 1), parameters.multiplier)
    found: Int64 = np.where(counted, gemmlowp.exp_on_negative_values(scaled, DIFFERENCE_BITS), 0)
    return found


def softmax(inputs: npt.NDArray[np.int8], parameters: SoftmaxParameters) -> npt.NDArray[np.int8]:
    """Softmax along the last axis; the output is fixed to scale 1/256 and zero point -128."""
    values = inputs.astype(np.int64)
    difference = values - values.max(axis=-1, keepdims=True)
    counted = difference >= parameters.least_difference
    shifted = np.where(counted, difference, 0) * (1 << parameters.left_shift)
    scaled = doubling_high_mul(np.clip(shifted, -(1 << 31), (1 << 31) - 1), parameters.multiplier)
    exponentials = np.where(counted, gemmlowp.exp_on_negative_values(scaled, DIFFERENCE_BITS), 0)
    total = rounding_divide_by_power(exponentials, SUM_BITS).sum(axis=-1, keepdims=True)
    headroom = 32 - np.ceil(np.log2(total + 1)).astype(np.int64)
    reciprocal = gemmlowp.one_over_one_plus((total << headroom) - (1 << 31))
    shares = rounding_divide_by_power(doubling_high_mul(reciprocal, exponentials), SUM_BITS - headroom + 31 - 8)
    found: npt.NDArray[np.int8] = np.where(counted, np.clip(shares - 128, -128, 127), -128).astype(np.int8)
    return found
