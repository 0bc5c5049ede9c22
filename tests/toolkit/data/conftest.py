"""Data sets in memory."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from edgecnn.data.recording import Channel, Dataset, Part, Recording, Samples, Segment

MakeRecording = Callable[..., Recording]
MakeDataset = Callable[..., Dataset]


def _recording(
    samples: Samples | int,
    segments: Iterable[tuple[int, int, str]] = (),
    *,
    name: str = "r",
    group: str | None = None,
    part: Part | None = None,
    rate: float = 100.0,
) -> Recording:
    if isinstance(samples, int):
        samples = np.arange(2 * samples, dtype=np.float32).reshape(samples, 2)
    array = samples
    return Recording(
        name=name,
        channels=tuple(Channel(f"c{number}", "g") for number in range(array.shape[1])),
        sample_rate_hz=rate,
        length=len(array),
        segments=tuple(Segment(*segment) for segment in sorted(segments)),
        group=group if group is not None else name,
        read=lambda start, stop: array[start:stop].copy(),
        part=part,
    )


def _dataset(*recordings: Recording, name: str = "set", file_format: str = "memory") -> Dataset:
    return Dataset(name, file_format, tuple(recordings), ())


@pytest.fixture(scope="session")
def make_recording() -> MakeRecording:
    """A recording from samples (or a length) and `(start, stop, label)` tuples."""
    return _recording


@pytest.fixture(scope="session")
def make_dataset() -> MakeDataset:
    """A data set from recordings."""
    return _dataset


@pytest.fixture(scope="session")
def people(make_recording: MakeRecording, make_dataset: MakeDataset) -> Callable[..., Dataset]:
    """A data set of people, each with recordings of several classes; samples are noise of a seed."""

    def make(groups: int, recordings: int = 2, length: int = 400, classes: str = "ab", seed: int = 0) -> Dataset:
        rng = np.random.default_rng(seed)
        made = []
        for group in range(groups):
            for take in range(recordings):
                edges = np.linspace(0, length, len(classes) + 1).astype(int).tolist()
                segments = [(edges[i], edges[i + 1], label) for i, label in enumerate(classes)]
                samples = rng.normal(3.0, 2.0, (length, 2)).astype(np.float32)
                made.append(make_recording(samples, segments, name=f"p{group}/{take}", group=f"p{group}"))
        return make_dataset(*made)

    return make
