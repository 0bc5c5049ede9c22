"""One simulated person: a rhythm, beat shapes, a lead and its disturbances, all from one seed."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn.data.simulator.beats import BUNDLE_BRANCH, NORMAL, VENTRICULAR, Beats, Shape, adjusted, draw, varied
from edgecnn.data.simulator.noise import NoiseSettings, make_noise
from edgecnn.data.simulator.rhythm import Rhythm, RhythmSettings, make_rhythm

SAMPLE_RATE_HZ: Final = 250.0
STEP_MV: Final = 0.005
"""Step of the simulated converter. Rounding to it also makes the bytes the same where exp() differs in its last bit."""
BUNDLE_BRANCH_SHARE: Final = 0.2

_RHYTHM, _SIGNAL = 0, 1


@dataclass(frozen=True, eq=False)
class Patient:
    """What distinguishes a person. `gain_mv` is the height of a normal R wave, negative in an inverted lead."""

    number: int
    seed: int
    samples: int
    rhythm: RhythmSettings
    noise: NoiseSettings
    gain_mv: float
    breathing_hz: float
    sinus: Shape
    ventricular: tuple[Shape, Shape]


def make_patient(seed: int, number: int, samples: int) -> Patient:
    """Draw a person; the same seed and number give the same person."""
    rng = np.random.default_rng([seed, number])
    rate = float(rng.uniform(55, 100))
    rhythm = RhythmSettings(
        rate_bpm=rate,
        rr_deviation_s=float(rng.uniform(0.015, 0.06)),
        lf_hf=float(rng.uniform(0.3, 2.0)),
        ventricular=float(rng.uniform(0.05, 0.24)),
        coupling=float(rng.uniform(0.55, 0.85)),
        atrial=float(rng.uniform(0.0, 0.1)),
        dropped=float(rng.uniform(0.0, 0.03)),
    )
    noise = NoiseSettings(
        white_mv=float(rng.uniform(0.005, 0.03)),
        pink_mv=float(rng.uniform(0.02, 0.09)),
        wander_mv=float(rng.uniform(0.04, 0.25)),
        mains_mv=float(rng.uniform(0.0, 0.05)),
        mains_hz=float(rng.choice((50.0, 60.0))),
        muscle_mv=float(rng.uniform(0.03, 0.12)),
        muscle_per_minute=float(rng.uniform(0.0, 6.0)),
        movement_mv=float(rng.uniform(0.3, 0.9)),
        movement_per_minute=float(rng.uniform(0.0, 4.0)),
    )
    wide = number % round(1 / BUNDLE_BRANCH_SHARE) == 2
    template = BUNDLE_BRANCH if wide else NORMAL
    gain_mv = float(rng.uniform(0.6, 1.6) * (1.0 if rng.random() < 0.75 else -1.0))
    foci = tuple(_focus(rng, rate, wide=wide) for _ in range(2))
    return Patient(
        number=number,
        seed=seed,
        samples=samples,
        rhythm=rhythm,
        noise=noise,
        gain_mv=gain_mv,
        breathing_hz=float(rng.uniform(0.18, 0.35)),
        sinus=varied(adjusted(template, rate), rng, 0.15),
        ventricular=(foci[0], foci[1]),
    )


def _focus(rng: np.random.Generator, rate_bpm: float, *, wide: bool) -> Shape:
    """The shape of ventricular beats from one place of the heart: either direction, more or less wide."""
    shape = varied(adjusted(VENTRICULAR, rate_bpm), rng, 0.15)
    direction = 1.0 if rng.random() < 0.6 else -1.0
    stretch = rng.uniform(0.75, 1.2) * (1.2 if wide else 1.0)
    return replace(shape, height=shape.height * direction * rng.uniform(0.6, 1.3), width=shape.width * stretch)


def rhythm_of(patient: Patient) -> Rhythm:
    """The beats of a person's recording; they are its labels, and cost little to make."""
    rng = np.random.default_rng([patient.seed, patient.number, _RHYTHM])
    return make_rhythm(patient.rhythm, patient.samples / SAMPLE_RATE_HZ, rng)


@lru_cache(maxsize=2)
def signal_of(seed: int, number: int, samples: int) -> npt.NDArray[np.float32]:
    """The whole recording of a person, `(samples, 1)` in mV; the last two are kept, as recordings are read in order."""
    patient = make_patient(seed, number, samples)
    rng = np.random.default_rng([seed, number, _SIGNAL])
    beats = _beats(patient, rhythm_of(patient), rng)
    time_s = np.arange(samples) / SAMPLE_RATE_HZ
    breathing = np.sin(2 * np.pi * (patient.breathing_hz * time_s + rng.random()))
    clean = draw(beats, 0.15 * breathing, SAMPLE_RATE_HZ) * (1 + 0.08 * breathing)
    measured = clean + make_noise(patient.noise, samples, SAMPLE_RATE_HZ, rng)
    signal = (np.rint(measured / STEP_MV) * STEP_MV).astype(np.float32)[:, None]
    signal.flags.writeable = False
    return signal


def _beats(patient: Patient, rhythm: Rhythm, rng: np.random.Generator) -> Beats:
    shapes = []
    for kind in rhythm.kind:
        if kind == "V":
            shape = patient.ventricular[0 if rng.random() < 0.75 else 1]
        elif kind == "A":
            # Another place of the atrium: the P wave is smaller, the ventricles follow as always.
            shape = replace(patient.sinus, height=patient.sinus.height * np.array([rng.uniform(-0.4, 0.5), 1, 1, 1, 1]))
        else:
            shape = patient.sinus
        shapes.append(shape)
    height = np.stack([shape.height for shape in shapes]) * patient.gain_mv
    return Beats(
        peak_s=rhythm.peak_s,
        velocity_rad_s=2 * np.pi / rhythm.interval_s,
        angle=np.stack([shape.angle for shape in shapes]),
        height_mv=height * np.exp(rng.normal(0.0, 0.06, height.shape)),
        width=np.stack([shape.width for shape in shapes]) * np.exp(rng.normal(0.0, 0.03, height.shape)),
    )
