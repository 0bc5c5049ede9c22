"""Accuracy when the sensor is worse than in the recordings, and whether probabilities can be believed."""

from edgecnn_bench.results.base import Result
from edgecnn_firmware.card import Fraction, Interval


class RobustnessPoint(Result):
    """One level of a disturbance."""

    level: float
    float_accuracy: Interval | None
    """None where no float engine ran."""
    int8_accuracy: Interval


class Robustness(Result):
    """Accuracy against the level of one disturbance, on the same seeded windows for float and int8."""

    key: str
    """`noise`, `gain`, `offset`, `sample-rate`, `dropped` or `rotation`."""
    title: str
    unit: str
    """Of the level."""
    how: str
    """What was done to the windows, in one sentence."""
    float_engine: str
    int8_engine: str
    """Keys of the engines; empty where none ran."""
    windows: int
    points: tuple[RobustnessPoint, ...]


class CalibrationBin(Result):
    """Windows whose top probability lies within `low` and `high`."""

    low: Fraction
    high: Fraction
    n: int
    confidence: Fraction
    """Mean top probability; 0 where the bin is empty."""
    accuracy: Interval


class Calibration(Result):
    """How well an engine's probabilities say how often it is right."""

    engine: str
    n: int
    ece: Fraction
    """Expected calibration error over the bins (Guo et al. 2017)."""
    max_error: Fraction
    """Of the bins that are not empty."""
    brier: float
    """Mean squared distance of the probabilities from the truth, summed over classes (Brier 1950)."""
    bins: tuple[CalibrationBin, ...]


class PlottedWindow(Result):
    """Samples of a window whose label changed, for the plot."""

    window: int
    """Number among the bundle's windows."""
    sample_step: int
    """Every how many samples one is kept."""
    samples: tuple[tuple[float, ...], ...]
    """One row a channel, at most 4 channels, in physical units."""
    channels: tuple[str, ...]
