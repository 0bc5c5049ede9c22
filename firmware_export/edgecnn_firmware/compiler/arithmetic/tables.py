"""Elementwise int8 ops as tables of 256 entries, exactly as TFLite's reference kernels compute them."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic import gemmlowp
from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.fixed_point import (
    Int64,
    multiply_by_multiplier,
    quantize_multiplier,
    rounding_divide_by_power,
)

INPUTS: Final = np.arange(-128, 128, dtype=np.int64)
"""The index of a table is the input plus 128 (plus 0 for uint8 inputs)."""

_RELU_BOUNDS: Final = {"RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}


def relu_table(name: str, source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """RELU, RELU6 and RELU_N1_TO_1: requantized and clamped."""
    low, high = _RELU_BOUNDS[name]
    least = max(-128, _quantized(low, target))
    most = min(127, _quantized(high, target)) if high is not None else 127
    return np.clip(_rescaled(INPUTS - source.zero_point, source, target), least, most).astype(np.int8)


def requantize_table(source: Affine, target: Affine, *, from_uint8: bool = False) -> Int64:
    """QUANTIZE from one int8 or uint8 to another, before it is clamped to the output's type."""
    inputs = INPUTS + 128 if from_uint8 else INPUTS
    return _rescaled(inputs - source.zero_point, source, target)


def leaky_relu_table(alpha: float, source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """LEAKY_RELU."""
    centered = INPUTS - source.zero_point
    slope = quantize_multiplier(float(np.float64(source.scale) * np.float64(np.float32(alpha)) / target.scale))
    falling = multiply_by_multiplier(centered, *slope) + target.zero_point
    rising = _rescaled(centered, source, target)
    return np.clip(np.where(centered >= 0, rising, falling), -128, 127).astype(np.int8)


def logistic_table(source: Affine) -> npt.NDArray[np.int8]:
    """LOGISTIC; its output is fixed to scale 1/256 and zero point -128."""
    centered = INPUTS - source.zero_point
    multiplier, shift = quantize_multiplier(source.scale * (1 << 27))
    radius = gemmlowp.input_radius(4, shift)
    inner = np.clip(centered, -radius, radius)
    scaled = np.clip(multiply_by_multiplier(inner, multiplier, shift), -(1 << 31), (1 << 31) - 1)
    found = rounding_divide_by_power(gemmlowp.logistic(scaled), 23) - 128
    bounded = np.where(centered <= -radius, -128, np.where(centered >= radius, 127, found))
    return np.clip(bounded, -128, 127).astype(np.int8)


def tanh_table(source: Affine) -> npt.NDArray[np.int8]:
    """TANH; its output is fixed to scale 1/128 and zero point 0."""
    centered = INPUTS - source.zero_point
    multiplier, shift = quantize_multiplier(source.scale * (1 << 27))
    radius = gemmlowp.input_radius(4, shift)
    inner = np.clip(centered, -radius, radius)
    scaled = np.clip(multiply_by_multiplier(inner, multiplier, shift), -(1 << 31), (1 << 31) - 1)
    found = rounding_divide_by_power(gemmlowp.tanh(scaled), 24)
    bounded = np.where(centered <= -radius, -128, np.where(centered >= radius, 127, found))
    return np.clip(bounded, -128, 127).astype(np.int8)


def hard_swish_table(source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """HARD_SWISH, in 16 bits as the reference does."""
    fine = np.float32(1 / 128) * np.float32(source.scale)
    relu_scale = np.float32(3 / 32768)
    out_multiplier, out_shift = _int16_multiplier(float(fine / np.float32(target.scale)))
    relu_multiplier, relu_shift = _int16_multiplier(float(fine / relu_scale))
    values = (INPUTS - source.zero_point) << 7
    scaled = _high_mul16(values, out_multiplier)
    gate = values
    if relu_shift > 0:
        gate = np.clip(gate << (relu_shift - 1), -32768, 32767)
    gate = _high_mul16(gate, relu_multiplier)
    if relu_shift > 0:
        gate = np.clip(gate << 1, -32768, 32767)
    if relu_shift < 0:
        gate = rounding_divide_by_power(gate, min(-relu_shift, 31))
    gate = (gate + 32768) >> 1
    product = np.trunc(gate * scaled / 32768.0).astype(np.int64)
    found = rounding_divide_by_power(product, min(max(-out_shift, 0), 31)) + target.zero_point
    return np.clip(found, -128, 127).astype(np.int8)


def _high_mul16(a: Int64, b: int) -> Int64:
    """Gemmlowp's SaturatingRoundingDoublingHighMul of int16."""
    product = a * b
    nudge = np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return np.trunc((product + nudge) / 32768.0).astype(np.int64)


def _int16_multiplier(scale: float) -> tuple[int, int]:
    multiplier, shift = quantize_multiplier(scale)
    return ((multiplier + (1 << 15)) >> 16 if multiplier < 0x7FFF8000 else 32767), shift


def _rescaled(centered: Int64, source: Affine, target: Affine) -> Int64:
    multiplier, shift = quantize_multiplier(source.scale / target.scale)
    return multiply_by_multiplier(centered, multiplier, shift) + target.zero_point


def _quantized(real: float, target: Affine) -> int:
    quotient = float(np.float32(real) / np.float32(target.scale))
    return target.zero_point + int(math.copysign(math.floor(abs(quotient) + 0.5), quotient))
