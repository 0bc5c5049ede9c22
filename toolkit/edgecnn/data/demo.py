"""The built-in demo: a simulated ECG data set and the project that trains on it."""

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from edgecnn.data.recording import Channel, Dataset, Recording, Samples, Segment
from edgecnn.data.simulator.patient import SAMPLE_RATE_HZ, make_patient, rhythm_of, signal_of
from edgecnn.project import (
    DataSettings,
    LabelSettings,
    Project,
    ProjectSettings,
    SplitSettings,
    TrainingSettings,
    WindowSettings,
)
from edgecnn_firmware.errors import SettingsError

SIMULATOR_VERSION: Final = 1
"""Counts changes of the simulated signal; it is part of the data's fingerprint."""
WINDOW_SAMPLES: Final = 1000
DEMO_PATH: Final = Path("demo")
MAX_PATIENTS: Final = 10_000
_NOTE: Final = f"simulated ECG, not measured on anyone: simulator version {SIMULATOR_VERSION}"


def demo_dataset(seed: int = 0, patients: int = 48, windows_per_patient: int = 52) -> Dataset:
    """Simulate one recording per person at 250 Hz; each is a group of its own.

    Beats are labelled at their R peak: `N` sinus, `V` premature ventricular, `A` premature atrial. Signals are made
    when they are read. The same arguments give the same bytes.

    Raises:
        SettingsError: an argument is out of range.
    """
    if not (0 <= seed < 2**31 and 1 <= patients <= MAX_PATIENTS and 1 <= windows_per_patient <= 100_000):
        raise SettingsError(
            f"demo: seed {seed}, {patients} patients, {windows_per_patient} windows each; expected a seed from 0, 1 to "
            f"{MAX_PATIENTS} patients and 1 to 100000 windows"
        )
    samples = windows_per_patient * WINDOW_SAMPLES
    return Dataset(
        name="demo",
        format="demo",
        recordings=tuple(_recording(seed, number, samples) for number in range(patients)),
        files=(),
        notes=(f"{_NOTE}, seed {seed}, {patients} patients, {samples} samples each",),
    )


def demo_project() -> Project:
    """Tell four-second windows with a premature ventricular beat from windows without one; patients are kept apart."""
    return Project(
        project=ProjectSettings(
            name="ecg_demo",
            description="Premature ventricular beats in simulated ECG. A demonstration, not a medical device.",
        ),
        data=DataSettings(path=DEMO_PATH, format="demo"),
        windows=WindowSettings(length=WINDOW_SAMPLES, hop=WINDOW_SAMPLES),
        labels=LabelSettings(rule="any-of", classes={"pvc": ("V",)}, background="normal"),
        split=SplitSettings(test=0.25, validation=0.2),
        training=TrainingSettings(epochs=30, patience=10),
    )


def _recording(seed: int, number: int, samples: int) -> Recording:
    name = f"patient{number + 1:02d}"
    rhythm = rhythm_of(make_patient(seed, number, samples))
    segments = []
    for peak_s, kind in zip(rhythm.peak_s, rhythm.kind, strict=True):
        sample = round(float(peak_s) * SAMPLE_RATE_HZ)
        if sample < samples:
            segments.append(Segment(sample, sample + 1, kind))
    return Recording(
        name=name,
        channels=(Channel("ecg", "mV"),),
        sample_rate_hz=SAMPLE_RATE_HZ,
        length=samples,
        segments=tuple(segments),
        group=name,
        read=partial(_read, seed, number, samples),
    )


def _read(seed: int, number: int, samples: int, start: int, stop: int) -> Samples:
    return np.array(signal_of(seed, number, samples)[start:stop])
