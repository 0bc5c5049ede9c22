"""Elementwise int8 ops as tables of 256 entries, by the fixed-point arithmetic of TFLite's reference kernels.

LiteRT computes the quotient of two scales in float32 and TFLite Micro in float64; `single` says which. That shows in
about one of ten layers whose quotient puts an output on a tie.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic import gemmlowp
from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.fixed_point import (
    INT32_MAX,
    Int64,
    multiply_by_multiplier,
    quantize_multiplier,
    rounding_divide_by_power,
)
from edgecnn_firmware.compiler.arithmetic.inverse_square_root import inverse_square_root

INPUTS: Final = np.arange(-128, 128, dtype=np.int64)
"""The index of a table is the input plus 128 (plus 0 for uint8 inputs)."""

RELU_BOUNDS: Final[dict[str, tuple[float, float | None]]] = {
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}


def scale_ratio(source: Affine, target: Affine, factor: float = 1.0, *, single: bool) -> float:
    """`source.scale * factor / target.scale`, each operation in float32 (`single`) or in float64."""
    if single:
        return float(np.float32(source.scale) * np.float32(factor) / np.float32(target.scale))
    return source.scale * factor / target.scale


def relu_table(name: str, source: Affine, target: Affine, *, single: bool) -> npt.NDArray[np.int8]:
    """RELU, RELU6, RELU_N1_TO_1 and RELU_0_TO_1: requantized and clamped."""
    low, high = RELU_BOUNDS[name]
    least = max(-128, _quantized(low, target))
    most = min(127, _quantized(high, target)) if high is not None else 127
    ratio = scale_ratio(source, target, single=single)
    scaled = _scaled(INPUTS - source.zero_point, ratio) + target.zero_point
    # Not np.clip: where the bounds cross, the reference's order decides.
    return np.minimum(np.maximum(scaled, least), most).astype(np.int8)


def clamp_table(name: str, source: Affine) -> npt.NDArray[np.int8]:
    """RELU6 of TFLite Micro, which clamps and does not requantize."""
    low, high = RELU_BOUNDS[name]
    most = 127 if high is None else min(127, _quantized(high, source))
    table: npt.NDArray[np.int8] = np.clip(INPUTS, max(-128, _quantized(low, source)), most).astype(np.int8)
    return table


def requantize_table(source: Affine, target: Affine, *, from_uint8: bool = False) -> Int64:
    """QUANTIZE from one int8 or uint8 to another, before it is clamped to the output's type; float64 in every reference."""
    inputs = INPUTS + 128 if from_uint8 else INPUTS
    return _scaled(inputs - source.zero_point, scale_ratio(source, target, single=False)) + target.zero_point


def leaky_relu_table(alpha: float, source: Affine, target: Affine, *, single: bool) -> npt.NDArray[np.int8]:
    """LEAKY_RELU; `alpha` is the slope below zero."""
    centered = INPUTS - source.zero_point
    slope = scale_ratio(source, target, float(np.float32(alpha)), single=single)
    falling = _scaled(np.minimum(centered, 0), slope)
    rising = _scaled(np.maximum(centered, 0), scale_ratio(source, target, single=single))
    return _clamped(np.where(centered >= 0, rising, falling) + target.zero_point)


def abs_table(source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """ABS."""
    values = np.abs(INPUTS - source.zero_point)
    scaled = values if source.scale == target.scale else _scaled(values, scale_ratio(source, target, single=True))
    return _clamped(scaled + target.zero_point)


def negate_table() -> npt.NDArray[np.int8]:
    """NEG: the reference negates the stored byte, whatever the scales, and -128 stays."""
    return (-INPUTS).astype(np.int8)


def rsqrt_table(source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """RSQRT; 0 gives 127.

    Raises:
        ValueError: an input can be negative, where the reference stops.
    """
    if source.zero_point != -128:
        raise ValueError(f"its input has zero point {source.zero_point} and can be negative; expected -128")
    fine = 20
    root = np.float32(np.sqrt(np.float32(source.scale))) * np.float32(target.scale)
    multiplier, shift = quantize_multiplier(1.0 / float(root))
    _require_shift(shift - fine, 1 << fine)
    table = np.full(256, 127, np.int64)
    for value in range(1, 256):
        root_multiplier, root_shift = inverse_square_root(value)
        inverse = multiply_by_multiplier(1, root_multiplier, root_shift + fine)
        table[value] = multiply_by_multiplier(inverse, multiplier, shift - fine) + target.zero_point
    return _clamped(table)


def micro_logistic_table(source: Affine) -> npt.NDArray[np.int8]:
    """LOGISTIC of TFLite Micro; its output is fixed to scale 1/256 and zero point -128."""
    return _saturating(source, lambda scaled: rounding_divide_by_power(gemmlowp.logistic(scaled), 23) - 128)


def micro_tanh_table(source: Affine) -> npt.NDArray[np.int8]:
    """TANH of TFLite Micro; its output is fixed to scale 1/128 and zero point 0."""
    return _saturating(source, lambda scaled: rounding_divide_by_power(gemmlowp.tanh(scaled), 24))


def _saturating(source: Affine, function: Callable[[Int64], Int64]) -> npt.NDArray[np.int8]:
    """A function of Q4.27 within the input's radius, and the ends of int8 outside."""
    centered = INPUTS - source.zero_point
    real = source.scale * (1 << 27)
    radius = gemmlowp.input_radius(4, math.frexp(real)[1])
    inner = np.clip(centered, -radius, radius)
    scaled = np.clip(multiply_by_multiplier(inner, *quantize_multiplier(real)), -INT32_MAX - 1, INT32_MAX)
    bounded = np.where(centered <= -radius, -128, np.where(centered >= radius, 127, function(scaled)))
    return _clamped(bounded)


def hard_swish_table(source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """HARD_SWISH, in 16 bits as the reference does.

    Raises:
        ValueError: the output's scale is too fine for 16 bits, which the reference refuses too.
    """
    fine = np.float32(1 / 128) * np.float32(source.scale)
    out_multiplier, out_shift = _int16_multiplier(float(fine / np.float32(target.scale)))
    relu_multiplier, relu_shift = _int16_multiplier(float(fine / np.float32(3 / 32768)))
    if out_shift > 0:
        raise ValueError(f"its input scale of {source.scale} is over 128 times its output scale of {target.scale}")
    values = (INPUTS - source.zero_point) << 7
    gate = _gate(values, relu_multiplier, relu_shift)
    product = np.trunc(gate * _high_mul16(values, out_multiplier) / 32768.0).astype(np.int64)
    found = _divide16(product, -out_shift) + target.zero_point
    return _clamped(found)


def _gate(values: Int64, multiplier: int, shift: int) -> Int64:
    """`relu6(x + 3) / 6` of values in Q8.7 steps, in Q0.15."""
    gate = values
    if shift > 0:
        gate = np.clip(gate << (shift - 1), -32768, 32767)
    gate = _high_mul16(gate, multiplier)
    if shift > 0:
        gate = np.clip(gate << 1, -32768, 32767)
    if shift < 0:
        gate = _divide16(gate, -shift)
    return (gate + 32768) >> 1


def _high_mul16(a: Int64, b: int) -> Int64:
    """Gemmlowp's SaturatingRoundingDoublingHighMul of int16."""
    product = a * b
    nudge = np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return np.trunc((product + nudge) / 32768.0).astype(np.int64)


def _divide16(x: Int64, exponent: int) -> Int64:
    """Gemmlowp's RoundingDivideByPOT of int16, whose mask has 16 bits: from 2**16 on it gives 1, -1, or 0 for -1."""
    if exponent < 16:
        return rounding_divide_by_power(x, exponent)
    found: Int64 = np.where(x >= 0, 1, -1)
    return found


def _int16_multiplier(scale: float) -> tuple[int, int]:
    multiplier, shift = quantize_multiplier(scale)
    return ((multiplier + (1 << 15)) >> 16 if multiplier < 0x7FFF8000 else 32767), shift


def _scaled(values: Int64, ratio: float) -> Int64:
    multiplier, shift = quantize_multiplier(ratio)
    _require_shift(shift, int(np.abs(values).max()))
    return multiply_by_multiplier(values, multiplier, shift)


def _clamped(wide: Int64) -> npt.NDArray[np.int8]:
    kept: npt.NDArray[np.int8] = np.clip(wide, -128, 127).astype(np.int8)
    return kept


def _require_shift(shift: int, largest: int) -> None:
    if shift > 0 and largest << shift > INT32_MAX:
        raise ValueError("the quotient of its scales is so large that the reference overflows int32")


def _quantized(real: float, target: Affine) -> int:
    quotient = float(np.float32(real) / np.float32(target.scale))
    return target.zero_point + int(math.copysign(math.floor(abs(quotient) + 0.5), quotient))
