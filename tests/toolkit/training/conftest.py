"""A small task that is learned in seconds, and one call to train on it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgecnn.project import AugmentSettings, ModelSettings, TrainingSettings
from edgecnn.training import train
from edgecnn.zoo import build_model
from edgecnn_firmware.card import NormalizationCard

NORMALIZATION = NormalizationCard(method="standard", offset=(1.0, -2.0), gain=(0.5, 0.25))
NO_AUGMENTATION = AugmentSettings(jitter=0, scaling=0, offset=0, wander=0, stretch=0, shift=0)


@dataclass(frozen=True)
class Part:
    windows: np.ndarray
    labels: np.ndarray


def tones(count, classes, seed):
    """Windows `(count, 32, 2)` whose class is the frequency of a sine in noise, in units that need normalization."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    time = np.arange(32)[None, :, None] / 32
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 2))
    signal = np.sin(2 * np.pi * (2 + 3 * labels[:, None, None]) * time + phase)
    signal = (signal + rng.normal(0, 0.3, signal.shape)) / np.array([0.5, 0.25]) + np.array([1.0, -2.0])
    return Part(signal.astype(np.float32), labels.astype(np.int64))


@pytest.fixture(scope="session")
def small_task():
    """Training and validation parts of three classes."""
    return tones(90, 3, seed=1), tones(45, 3, seed=2)


@pytest.fixture
def fit(small_task):
    """Train a small network on the small task; keyword arguments change settings or the call."""

    def run(*, training=None, validation="held out", seed=0, classes=3, checkpoint_dir=None, progress=None, **settings):
        parts = small_task if classes == 3 else (tones(80, classes, 1), tones(40, classes, 2))
        options = {"filters": (6, 8), "kernel_size": (5, 3), "pool": (2, 2), "dropout": 0.3}
        model = build_model(ModelSettings(name="small", options=options), (32, 2), classes, base=Path(), seed=seed)
        return train(
            model,
            training or parts[0],
            parts[1] if validation == "held out" else validation,
            NORMALIZATION,
            TrainingSettings(**({"epochs": 4, "batch_size": 32, "patience": 0} | settings)),
            seed=seed,
            checkpoint_dir=checkpoint_dir,
            **({"progress": progress} if progress else {}),
        )

    return run
