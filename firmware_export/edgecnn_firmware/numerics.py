"""From a window in physical units to a label: the one definition of every number on the way.

Each function states its arithmetic to the rounding, because the emitted C and the report repeat it exactly.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.card import NormalizationCard, TensorQuantization
from edgecnn_firmware.errors import DataError

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]

INT8_MIN, INT8_MAX = -128, 127


def normalize(windows: Float32, card: NormalizationCard) -> Float32:
    """Compute `(x - offset) * gain` per channel in float32, each of the two operations rounded once.

    Args:
        windows: `(..., channels)` in physical units.
        card: offset in the channel's unit, gain per unit; one of each per channel.
    """
    offset = np.asarray(card.offset, np.float32)
    gain = np.asarray(card.gain, np.float32)
    centered = np.subtract(windows, offset, dtype=np.float32)
    return np.multiply(centered, gain, out=centered)


def quantize(normalized: Float32, quantization: TensorQuantization) -> Int8:
    """Compute `clamp(round_half_away(x / scale) + zero_point, -128, 127)` with the division in float32.

    This is TFLite's QUANTIZE op (`AffineQuantize` of its reference kernels). Infinities saturate.

    Raises:
        DataError: a value is NaN, which no int8 stands for.
    """
    quotient = np.asarray(normalized, np.float32) / np.float32(quantization.scale)
    if np.isnan(quotient).any():
        place = tuple(int(i) for i in np.argwhere(np.isnan(quotient))[0])
        raise DataError(f"input window: value {place} is NaN; expected finite numbers")
    # 2**20 is far outside int8 and keeps the steps below exact for any finite or infinite value.
    bounded = np.clip(quotient, np.float32(-(2**20)), np.float32(2**20))
    whole = np.trunc(bounded)
    away = np.where(np.abs(bounded - whole) >= 0.5, np.sign(bounded), np.float32(0))
    rounded = (whole + away).astype(np.int32) + quantization.zero_point
    return np.clip(rounded, INT8_MIN, INT8_MAX).astype(np.int8)


def dequantize(values: Int8, quantization: TensorQuantization) -> Float32:
    """Compute `scale * (q - zero_point)` in float32."""
    steps = values.astype(np.int32) - quantization.zero_point
    return steps.astype(np.float32) * np.float32(quantization.scale)


def probabilities(outputs: Int8, quantization: TensorQuantization) -> Float32:
    """Dequantize int8 outputs `(n, outputs)` to probabilities, kept within 0 and 1."""
    return np.clip(dequantize(outputs, quantization), np.float32(0), np.float32(1))


def decide(probability: Float32, output: Literal["softmax", "sigmoid"]) -> npt.NDArray[np.int64]:
    """Turn probabilities `(n, outputs)` into label numbers `(n,)`.

    `softmax`: the first largest; `sigmoid`: label 1 where the only output is over 0.5, else label 0.
    """
    if output == "sigmoid":
        return (probability[:, 0] > 0.5).astype(np.int64)
    return np.argmax(probability, axis=1).astype(np.int64)
