"""From a window in physical units to a label: the one definition of every number on the way.

Each function states its arithmetic to the rounding, because the emitted C and the report repeat it exactly.
"""

from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.card import NormalizationCard, TensorQuantization
from edgecnn_firmware.errors import DataError

Float32: TypeAlias = npt.NDArray[np.float32]
Int8: TypeAlias = npt.NDArray[np.int8]

INT8_MIN: Final = -128
INT8_MAX: Final = 127

_FAR: Final = np.float32(1 << 10)
"""Outside int8 by any zero point, and small enough that the steps of rounding are exact in float32."""


def normalize(windows: Float32, card: NormalizationCard) -> Float32:
    """Compute `(x - offset) * gain` per channel in float32, each of the two operations rounded once.

    Args:
        windows: `(..., channels)` in physical units.
        card: offset in the channel's unit, gain per unit; one of each per channel.
    """
    offset = np.asarray(card.offset, np.float32)
    gain = np.asarray(card.gain, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        centered = np.subtract(windows, offset, dtype=np.float32)
        return np.multiply(centered, gain, out=centered)


def quantize(normalized: Float32, quantization: TensorQuantization) -> Int8:
    """Compute `clamp(round_half_away(x / scale) + zero_point, -128, 127)` with the division in float32.

    This is TFLite's QUANTIZE op (`AffineQuantize` of its reference kernels) wherever that is defined: it converts the
    rounded quotient to int32, which no standard defines for quotients beyond it. Those and infinities saturate here.

    Raises:
        DataError: a value is NaN, which no int8 stands for.
    """
    with np.errstate(over="ignore", under="ignore"):
        quotient = np.asarray(normalized, np.float32) / np.float32(quantization.scale)
    if np.isnan(quotient).any():
        place = ", ".join(str(int(i)) for i in np.argwhere(np.isnan(quotient))[0])
        raise DataError(f"input window: the value at [{place}] is NaN; expected numbers")
    bounded = np.clip(quotient, -_FAR, _FAR)
    whole = np.trunc(bounded)
    away = np.where(np.abs(bounded - whole) >= 0.5, np.copysign(np.float32(1), bounded), np.float32(0))
    rounded = (whole + away).astype(np.int32) + quantization.zero_point
    clamped: Int8 = np.clip(rounded, INT8_MIN, INT8_MAX).astype(np.int8)
    return clamped


def dequantize(values: Int8, quantization: TensorQuantization) -> Float32:
    """Compute `scale * (q - zero_point)` in float32, rounded once."""
    steps = values.astype(np.int32) - quantization.zero_point
    real: Float32 = steps.astype(np.float32) * np.float32(quantization.scale)
    return real


def probabilities(outputs: Int8, quantization: TensorQuantization) -> Float32:
    """Dequantize int8 outputs `(n, outputs)` to probabilities, kept within 0 and 1."""
    return np.clip(dequantize(outputs, quantization), np.float32(0), np.float32(1))


def decide(
    outputs: Float32 | Int8,
    output: Literal["softmax", "sigmoid"],
    quantization: TensorQuantization | None = None,
) -> npt.NDArray[np.int64]:
    """Turn outputs `(n, outputs)` into label numbers `(n,)`.

    `softmax`: the first largest; `sigmoid`: label 1 where the only output's probability is over 0.5, else label 0.

    Args:
        outputs: probabilities, or int8 outputs.
        output: what the model ends in.
        quantization: of int8 outputs; needed for `sigmoid` only, because scale and order agree.

    Raises:
        ValueError: int8 outputs of a sigmoid without their quantization.
    """
    if output == "softmax":
        largest: npt.NDArray[np.int64] = np.argmax(outputs, axis=1).astype(np.int64)
        return largest
    if outputs.dtype == np.int8:
        if quantization is None:
            raise ValueError("int8 outputs of a sigmoid need their quantization")
        outputs = probabilities(outputs.astype(np.int8, copy=False), quantization)
    return (outputs[:, 0] > 0.5).astype(np.int64)
