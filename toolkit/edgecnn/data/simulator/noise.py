"""What a real recording has besides the heart: drift, muscles, movement, mains."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NoiseSettings:
    """Standard deviations and amplitudes in mV, events per minute."""

    white_mv: float
    pink_mv: float
    wander_mv: float
    """Slow drift of the baseline by breathing and skin, below 0.6 Hz."""
    mains_mv: float
    mains_hz: float
    muscle_mv: float
    """Bursts of broadband noise above about 20 Hz."""
    muscle_per_minute: float
    movement_mv: float
    """Single deflections as wide as a ventricular beat, or wider."""
    movement_per_minute: float


def make_noise(settings: NoiseSettings, samples: int, sample_rate_hz: float, rng: np.random.Generator) -> Float64:
    """All disturbances of one recording, in mV."""
    time_s = np.arange(samples) / sample_rate_hz
    frequency_hz: Float64 = np.fft.rfftfreq(samples, 1 / sample_rate_hz).astype(np.float64)
    pink = _shaped(1 / np.sqrt(np.maximum(frequency_hz, 0.5)), settings.pink_mv, samples, rng)
    wander = _shaped(np.exp(-np.square(frequency_hz / 0.3) / 2), settings.wander_mv, samples, rng)
    hum = settings.mains_mv * np.sin(2 * np.pi * (settings.mains_hz * time_s + rng.random()))
    white = rng.normal(0.0, settings.white_mv, samples)
    muscles, movements = _muscles(settings, time_s, frequency_hz, rng), _movements(settings, time_s, rng)
    return np.asarray(white + pink + wander + hum + muscles + movements)


def _shaped(amplitude: Float64, deviation: float, samples: int, rng: np.random.Generator) -> Float64:
    spectrum = amplitude * np.exp(2j * np.pi * rng.random(len(amplitude)))
    spectrum[0] = 0.0
    noise = np.fft.irfft(spectrum, samples)
    return np.asarray(noise * (deviation / noise.std()))


def _events(per_minute: float, time_s: Float64, rng: np.random.Generator) -> Float64:
    duration_s = time_s[-1]
    return np.sort(rng.uniform(0.0, duration_s, rng.poisson(per_minute * duration_s / 60)))


def _muscles(settings: NoiseSettings, time_s: Float64, frequency_hz: Float64, rng: np.random.Generator) -> Float64:
    envelope = np.zeros_like(time_s)
    for center_s in _events(settings.muscle_per_minute, time_s, rng):
        envelope += np.exp(-np.square((time_s - center_s) / rng.uniform(0.3, 1.5)) / 2)
    band = (frequency_hz > 20).astype(np.float64)
    return envelope * _shaped(band, settings.muscle_mv, len(time_s), rng)


def _movements(settings: NoiseSettings, time_s: Float64, rng: np.random.Generator) -> Float64:
    total = np.zeros_like(time_s)
    for center_s in _events(settings.movement_per_minute, time_s, rng):
        width_s = np.exp(rng.uniform(np.log(0.03), np.log(0.4)))
        lag = (time_s - center_s) / width_s
        shape = np.exp(-np.square(lag) / 2) * (1.0 if rng.random() < 0.5 else lag)
        total += rng.choice((-1.0, 1.0)) * settings.movement_mv * rng.uniform(0.4, 1.6) * shape
    return total
