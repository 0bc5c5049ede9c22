"""When the simulated heart beats, and what kind each beat is."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

Kind = Literal["N", "V", "A"]
"""Sinus beat, premature ventricular beat, premature atrial beat, as annotators write them."""

_TACHOGRAM_HZ: Final = 4.0


@dataclass(frozen=True)
class RhythmSettings:
    """The rhythm of a person: mean rate, variability, and how often beats come early."""

    rate_bpm: float
    rr_deviation_s: float
    lf_hf: float
    """Power of the blood-pressure rhythm (0.1 Hz) over that of breathing (0.25 Hz)."""
    ventricular: float
    """Probability that a premature ventricular beat follows a sinus beat."""
    coupling: float
    """Its time after the sinus beat, as a share of the sinus interval."""
    atrial: float
    """Probability of a premature atrial beat."""
    dropped: float
    """Probability that a sinus beat is left out."""


@dataclass(frozen=True, eq=False)
class Rhythm:
    """R peaks in seconds, their kinds, and the sinus interval at each."""

    peak_s: Float64
    kind: tuple[Kind, ...]
    interval_s: Float64


def tachogram(settings: RhythmSettings, duration_s: float, rng: np.random.Generator) -> Float64:
    """Sinus intervals (s) over time, 4 per second, with the bimodal spectrum of the paper's section III.

    Two Gaussians of power at 0.1 Hz and 0.25 Hz (standard deviation 0.01 Hz each), random phases, scaled to the mean
    and standard deviation asked for.
    """
    count = 1 << int(np.ceil(np.log2(duration_s * _TACHOGRAM_HZ + 2)))
    frequency_hz = np.fft.rfftfreq(count, 1 / _TACHOGRAM_HZ)
    low, high = (np.exp(-np.square((frequency_hz - center) / 0.01) / 2) for center in (0.1, 0.25))
    amplitude = np.sqrt(settings.lf_hf * low + high)
    amplitude[0] = 0.0
    waves = np.fft.irfft(amplitude * np.exp(2j * np.pi * rng.random(len(amplitude))), count)
    mean_s = 60.0 / settings.rate_bpm
    return np.asarray(mean_s + waves * (min(settings.rr_deviation_s, 0.2 * mean_s) / waves.std()))


def make_rhythm(settings: RhythmSettings, duration_s: float, rng: np.random.Generator) -> Rhythm:
    """Walk from beat to beat: a compensatory pause follows a ventricular one, an atrial one resets the sinus."""
    intervals = tachogram(settings, duration_s, rng)
    peaks: list[float] = []
    kinds: list[Kind] = []
    sinus: list[float] = []
    kind: Kind = "N"
    time_s = next_sinus_s = float(rng.uniform(0.1, 0.6))
    while time_s < duration_s:
        interval = float(intervals[int(time_s * _TACHOGRAM_HZ)])
        peaks.append(time_s)
        kinds.append(kind)
        sinus.append(interval)
        draw = rng.random()
        if kind == "V":
            # The sinus node kept its beat: the next one comes two intervals after the last sinus beat.
            couplet = draw < 0.12
            time_s, kind = (time_s + rng.uniform(0.5, 0.65) * interval, "V") if couplet else (next_sinus_s, "N")
            if couplet:
                next_sinus_s = max(next_sinus_s, time_s + 0.9 * interval)
        elif draw < settings.ventricular:
            next_sinus_s = time_s + 2 * interval
            time_s, kind = time_s + (settings.coupling + rng.normal(0, 0.03)) * interval, "V"
        elif draw < settings.ventricular + settings.atrial:
            time_s, kind = time_s + rng.uniform(0.55, 0.85) * interval, "A"
        elif draw < settings.ventricular + settings.atrial + settings.dropped:
            time_s, kind = time_s + rng.uniform(1.5, 2.1) * interval, "N"
        else:
            time_s, kind = time_s + (1.1 if kind == "A" else 1.0) * interval, "N"
    return Rhythm(np.array(peaks), tuple(kinds), np.array(sinus))
