"""Fit the constants that bring each channel to mean 0 and standard deviation 1.

`normalized = (x - offset) * gain` is computed by `edgecnn_firmware.numerics.normalize`, in Python as on the board; this
file only finds `offset` and `gain`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgecnn.data.recording import Channel, Samples
from edgecnn.project import NormalizationSettings
from edgecnn_firmware.card import NormalizationCard, StatisticsCard
from edgecnn_firmware.errors import DataError, SettingsError

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and sum of squared deviations per channel of the samples seen so far, in float64."""

    count: int
    mean: Float64
    squares: Float64

    def merged(self, other: "Moments") -> "Moments":
        """Join the moments of two sets of samples.

        Chan, Golub, LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
        """
        count = self.count + other.count
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.count / count)
        squares = self.squares + other.squares + delta**2 * (self.count * other.count / count)
        return Moments(count, mean, squares)


def moments(samples: npt.NDArray[np.float32]) -> Moments:
    """Moments of `(..., channels)` samples, of which there is at least one."""
    values = samples.reshape(-1, samples.shape[-1]).astype(np.float64)
    mean = values.mean(axis=0)
    return Moments(len(values), mean, np.square(values - mean).sum(axis=0))


def fit(blocks: Iterable[Samples], settings: NormalizationSettings, channels: tuple[Channel, ...]) -> NormalizationCard:
    """Find offset and gain from the training part, given as blocks `(windows, window_samples, channels)`.

    `standard` gives the mean and 1 / the standard deviation over all samples of all training windows, rounded to
    float32 as the board uses them. `none` and `constants` do not look at the samples.

    Raises:
        DataError: a channel is constant, or holds NaN or infinity.
        SettingsError: the number of constants is not the number of channels, or one is out of range.
    """
    if settings.method == "none":
        return NormalizationCard(method="none", offset=(0.0,) * len(channels), gain=(1.0,) * len(channels))
    if settings.method == "constants":
        return _constants(settings, channels)
    return _standard(total_moments(blocks), channels)


def total_moments(blocks: Iterable[Samples]) -> Moments:
    """Moments of all blocks `(windows, window_samples, channels)`.

    Raises:
        DataError: there are no samples.
    """
    total: Moments | None = None
    for block in blocks:
        if block.size:
            part = moments(block)
            total = part if total is None else total.merged(part)
    if total is None:
        raise DataError("normalization: the training part has no samples")
    return total


def statistics(total: Moments, channels: tuple[Channel, ...]) -> StatisticsCard:
    """What the firmware's monitor compares a sensor with.

    Raises:
        DataError: a channel holds NaN or infinity.
    """
    deviation = np.sqrt(total.squares / total.count)
    for number, channel in enumerate(channels):
        if not (np.isfinite(total.mean[number]) and np.isfinite(deviation[number])):
            raise DataError(f"channel '{channel.name}' holds NaN or infinity in the training part")
    return StatisticsCard(mean=tuple(total.mean.tolist()), deviation=tuple(deviation.tolist()))


def _standard(total: Moments, channels: tuple[Channel, ...]) -> NormalizationCard:
    offsets, gains = [], []
    for number, channel in enumerate(channels):
        mean, deviation = total.mean[number], np.sqrt(total.squares[number] / total.count)
        if not (np.isfinite(mean) and np.isfinite(deviation)):
            raise DataError(f"channel '{channel.name}' holds NaN or infinity in the training part")
        # Below the resolution of float32 around the mean, differences are rounding, not signal.
        if deviation <= abs(mean) * np.finfo(np.float32).eps or deviation < np.finfo(np.float32).tiny:
            raise DataError(
                f"channel '{channel.name}' is constant ({mean:g}{' ' if channel.unit else ''}{channel.unit}) over the "
                "training part; leave it out with data.channels, or set normalization.method 'constants'"
            )
        offsets.append(float(np.float32(mean)))
        gains.append(float(np.float32(1.0 / deviation)))
    return NormalizationCard(method="standard", offset=tuple(offsets), gain=tuple(gains))


def _constants(settings: NormalizationSettings, channels: tuple[Channel, ...]) -> NormalizationCard:
    values = {}
    for key, given in (("offset", settings.offset), ("gain", settings.gain)):
        if given is None or len(given) != len(channels):
            names = ", ".join(channel.name for channel in channels)
            count = 0 if given is None else len(given)
            raise SettingsError(f"normalization.{key}: {count} values for {len(channels)} channels ({names})")
        limit = float(np.finfo(np.float32).max)
        if any(abs(value) > limit for value in given):
            raise SettingsError(f"normalization.{key}: values must fit float32 (at most {limit:g})")
        values[key] = tuple(float(np.float32(value)) for value in given)
    if 0.0 in values["gain"]:
        raise SettingsError("normalization.gain: 0 would erase a channel; leave it out with data.channels")
    return NormalizationCard(method="constants", offset=values["offset"], gain=values["gain"])
