"""Whether a sensor's data still look like the training data: integer sums over the inputs, per channel."""

import math
from dataclasses import dataclass
from typing import Final

from edgecnn_firmware.card import Card
from edgecnn_firmware.numerics import INT8_MAX, INT8_MIN, Int8

MOST_SAMPLES: Final = 1 << 20
"""Beyond these the older half fades."""
STEP: Final = 256
"""Fixed point of means and deviations."""
ONE: Final = 1 << 15


@dataclass(frozen=True)
class TrainingInputs:
    """Mean and standard deviation of one channel's training inputs, in 1/256 of an int8 step."""

    mean: int
    deviation: int


@dataclass(frozen=True)
class Drift:
    """How a channel differs from the training data; the emitted C computes the same numbers."""

    samples: int
    mean_shift: float
    """In standard deviations of the training data."""
    spread: float
    """Standard deviation as a share of that of the training data."""
    clipped: float
    """Share of samples at the ends of the input's range."""


def training_inputs(card: Card) -> tuple[TrainingInputs, ...] | None:
    """What the monitor compares with; None where the card has no statistics."""
    if card.statistics is None:
        return None
    quantization, normalization = card.quantization.input, card.normalization
    found = []
    for index, (mean, deviation) in enumerate(zip(card.statistics.mean, card.statistics.deviation, strict=True)):
        per_unit = normalization.gain[index] / quantization.scale
        center = (mean - normalization.offset[index]) * per_unit + quantization.zero_point
        # Beyond these no input lies, and no int32 overflows.
        center = min(max(center, -1024.0), 1024.0)
        width = min(max(abs(deviation * per_unit), 1.0 / STEP), 1024.0)
        found.append(TrainingInputs(round(center * STEP), max(1, round(width * STEP))))
    return tuple(found)


class Moments:
    """Sums over the samples of one channel."""

    def __init__(self) -> None:
        self.samples = self.total = self.squares = self.clipped = 0

    def add(self, value: int) -> None:
        """Count one input."""
        if self.samples >= MOST_SAMPLES:
            self.samples, self.total = self.samples >> 1, self.total >> 1
            self.squares, self.clipped = self.squares >> 1, self.clipped >> 1
        self.samples += 1
        self.total += value
        self.squares += value * value
        self.clipped += value in (INT8_MIN, INT8_MAX)

    def drift_numbers(self, training: TrainingInputs) -> tuple[int, int, int]:
        """`(mean_shift, spread, clipped)` in 1/256, 1/256 and Q15, as the emitted C gives them; needs a sample."""
        n = self.samples
        shift = (self.total * STEP // n - training.mean) * STEP // training.deviation
        root = math.isqrt((n * self.squares - self.total * self.total) << 4) * 64
        return shift, root * STEP // (n * training.deviation), self.clipped * ONE // n

    def drift(self, training: TrainingInputs) -> Drift:
        """The same for people."""
        shift, spread, clipped = self.drift_numbers(training)
        return Drift(self.samples, shift / STEP, spread / STEP, clipped / ONE)


class Monitor:
    """All channels of a card with statistics."""

    def __init__(self, card: Card) -> None:
        self.training = training_inputs(card)
        self.moments = tuple(Moments() for _ in card.input.channels)

    def add(self, sample: Int8) -> None:
        """Count one sample, `(channels,)` inputs."""
        for moments, value in zip(self.moments, sample.tolist(), strict=True):
            moments.add(value)

    def drift(self) -> tuple[Drift, ...] | None:
        """Per channel; None without statistics or samples."""
        if self.training is None or not self.moments[0].samples:
            return None
        return tuple(moments.drift(training) for moments, training in zip(self.moments, self.training, strict=True))
