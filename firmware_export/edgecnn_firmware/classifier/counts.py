"""Raw sensor counts to int8 inputs in integers alone, for cores without floating point."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.card import Card
from edgecnn_firmware.errors import SettingsError
from edgecnn_firmware.numerics import INT8_MAX, INT8_MIN, Int8

SLOPE_BITS: Final = 15
INTERCEPT_BITS: Final = 30
MAX_SHIFT: Final = 30


@dataclass(frozen=True)
class CountLine:
    """`clamp((count * slope + intercept) >> shift)`: one channel's counts to its inputs.

    `|slope| < 2^15` and `|intercept| < 2^30`, so that the sum of any int16 count fits int32.
    """

    slope: int
    intercept: int
    shift: int


def count_lines(card: Card) -> tuple[CountLine, ...]:
    """The line of every channel, as steep and as finely as its integers allow.

    A count `c` is `(c - zero_count) * unit_per_count` in physical units, which normalization and quantization take to
    `((c - zero_count) * unit_per_count - offset) * gain / scale + zero_point`: a line in `c`.

    Raises:
        SettingsError: the card has no counts, or a channel's line does not fit its integers.
    """
    counts, quantization = card.deployment.counts, card.quantization.input
    if counts is None:
        raise SettingsError("the project file does not say what a count is ([firmware] unit_per_count)")
    lines = []
    for index, channel in enumerate(card.input.channels):
        unit, zero = counts.unit_per_count[index], counts.zero_count[index]
        per_unit = card.normalization.gain[index] / quantization.scale
        slope = unit * per_unit
        intercept = quantization.zero_point - (zero * unit + card.normalization.offset[index]) * per_unit
        found = _line(slope, intercept)
        if found is None:
            raise SettingsError(
                f"[firmware] unit_per_count = {unit:g}, zero_count = {zero:g} of channel '{channel.name}': its inputs would be "
                f"{slope:g} * count + {intercept:g}, which fixed point cannot hold"
            )
        lines.append(found)
    return tuple(lines)


def quantize_counts(counts: npt.NDArray[np.int16], lines: tuple[CountLine, ...]) -> Int8:
    """Turn counts `(..., channels)` into inputs, bit for bit as the emitted C does."""
    slope, intercept, shift = (
        np.array([getattr(line, name) for line in lines], np.int64) for name in ("slope", "intercept", "shift")
    )
    found: Int8 = np.clip((counts.astype(np.int64) * slope + intercept) >> shift, INT8_MIN, INT8_MAX).astype(np.int8)
    return found


def _line(slope: float, intercept: float) -> CountLine | None:
    if not (math.isfinite(slope) and math.isfinite(intercept)) or slope == 0:
        return None
    for shift in range(MAX_SHIFT, 0, -1):
        half = 1 << (shift - 1)
        steep, at = round(slope * 2.0**shift), round(intercept * 2.0**shift) + half
        if abs(steep) < 1 << SLOPE_BITS and abs(at) < 1 << INTERCEPT_BITS:
            return CountLine(steep, at, shift) if steep else None
    return None
