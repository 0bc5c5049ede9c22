"""The vocabulary of recorded data: channels, labelled segments, recordings, data sets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.float32]
"""`(length, channels)` in physical units."""

Part: TypeAlias = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Channel:
    """One signal of a sensor."""

    name: str
    unit: str = ""


@dataclass(frozen=True)
class Segment:
    """`label` holds from sample `start` up to, not including, sample `stop`; an event is a segment of one sample."""

    start: int
    stop: int
    label: str


@dataclass(frozen=True)
class Recording:
    """One uninterrupted recording at a constant rate.

    `read(start, stop)` returns samples `start:stop` as float32 `(stop - start, channels)`, free of NaN and infinity, and
    does not keep the whole recording in memory when its file allows that. `segments` are sorted by `start`; whole-file
    labels are one segment. `name` is unique in its data set and the same on every machine (a path relative to the data
    folder, `/`-separated, with `#3` for the fourth recording of one file). `group` is whoever or whatever must not be in
    two parts of a split (subject, patient, device, session).
    """

    name: str
    channels: tuple[Channel, ...]
    sample_rate_hz: float
    length: int
    segments: tuple[Segment, ...]
    group: str
    read: Callable[[int, int], Samples] = field(repr=False, compare=False)
    part: Part | None = None
    """The part an official split assigns; None where the data set has none."""


@dataclass(frozen=True)
class Dataset:
    """All recordings of a data folder; every recording has the same channels and the same sample rate.

    `files` are the files that were read (for the fingerprint), `notes` say in a sentence each what the reader decided
    (for example that each recording is its own group because no group was given).
    """

    name: str
    format: str
    recordings: tuple[Recording, ...]
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that all recordings share."""
        return self.recordings[0].channels

    @property
    def sample_rate_hz(self) -> float:
        """The rate that all recordings share."""
        return self.recordings[0].sample_rate_hz

    @property
    def has_official_split(self) -> bool:
        """Whether the publisher of the data says which recordings are for testing."""
        return all(recording.part is not None for recording in self.recordings)
