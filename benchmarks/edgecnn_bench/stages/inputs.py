"""What the ways into the network make of windows: Python's definition, and its mirror of the C on raw counts."""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines.protocol import Windows
from edgecnn_firmware import numerics
from edgecnn_firmware.card import Card, CountsCard
from edgecnn_firmware.classifier.counts import count_lines, quantize_counts
from edgecnn_firmware.errors import DataError

_LIMITS: Final = np.iinfo(np.int16)

Counts: TypeAlias = npt.NDArray[np.int16]
"""`(n, window_samples, channels)` as the sensor gives them."""


def python_inputs(windows: Windows, card: Card) -> npt.NDArray[np.int8]:
    """Normalize and quantize windows `(n, window_samples, channels)` in physical units, as the model was made with.

    Raises:
        DataError: a value is NaN.
    """
    return numerics.quantize(numerics.normalize(windows, card.normalization), card.quantization.input)


def mirrored_count_inputs(counts: Counts, card: Card) -> npt.NDArray[np.int8]:
    """Quantize counts in integers as `NAME_classify_counts` does.

    Raises:
        SettingsError: the card has no counts, or they do not fit fixed point.
    """
    return quantize_counts(counts, count_lines(card))


def to_counts(windows: Windows, card: CountsCard) -> Counts:
    """Give windows `(n, window_samples, channels)` in physical units back to the sensor: the nearest int16 counts.

    Values beyond int16 saturate, as a sensor's do.

    Raises:
        DataError: a value is NaN.
    """
    exact = _exact_counts(windows, card)
    if np.isnan(exact).any():
        raise DataError("a window holds NaN, which no count stands for")
    found: Counts = np.clip(exact, _LIMITS.min, _LIMITS.max).astype(np.int16)
    return found


def from_counts(counts: Counts, card: CountsCard) -> Windows:
    """Physical units of counts: `(count - zero_count) * unit_per_count`, rounded to float32 at the end."""
    unit, zero = np.asarray(card.unit_per_count, np.float64), np.asarray(card.zero_count, np.float64)
    with np.errstate(over="ignore"):
        found: Windows = ((counts.astype(np.float64) - zero) * unit).astype(np.float32)
    return found


def saturated(windows: Windows, card: CountsCard) -> int:
    """How many values of windows lie beyond the sensor's int16 counts."""
    exact = _exact_counts(windows, card)
    return int(np.count_nonzero((exact < _LIMITS.min) | (exact > _LIMITS.max)))


def _exact_counts(windows: Windows, card: CountsCard) -> npt.NDArray[np.float64]:
    """The nearest whole numbers, of which int16 may hold some."""
    unit, zero = np.asarray(card.unit_per_count, np.float64), np.asarray(card.zero_count, np.float64)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return np.rint(windows.astype(np.float64) / unit + zero)
