"""What is in a data set: classes, groups, lengths, channels, and what will make trouble.

Samples are read once, in blocks, so that data larger than memory can be looked at.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn.data.labels import listed, natural_key
from edgecnn.data.proposal import propose_project
from edgecnn.data.recording import Dataset, Recording, Samples
from edgecnn.data.windows import rate_is_known
from edgecnn_firmware.progress import Progress, silent

__all__ = ["ChannelSurvey", "ClassSurvey", "GroupSurvey", "Survey", "propose_project", "survey"]

Float64 = npt.NDArray[np.float64]

FEW_SEGMENTS: Final = 10
SHORT_SHARE: Final = 0.2
"""A recording shorter than this share of the middle one is very short."""
CLIPPED_SHARE: Final = 0.01
"""A channel that is at its largest or smallest value in more than this share of the samples looks clipped."""
_BLOCK_VALUES: Final = 1 << 21


@dataclass(frozen=True)
class ClassSurvey:
    """One label: how often and how long it occurs.

    `seconds` are samples where the rate is unknown, and None for a label that marks single samples (a beat, a step):
    such events have no duration and are counted in `events`, which is None for all other labels.
    """

    label: str
    recordings: int
    segments: int
    seconds: float | None
    groups: int
    events: int | None = None

    @property
    def amount(self) -> float:
        """Seconds, or the number of events."""
        return self.seconds or 0.0 if self.events is None else self.events


@dataclass(frozen=True)
class GroupSurvey:
    """One group: the seconds of each label in it that lasts, and the number of each that is an event."""

    group: str
    recordings: int
    seconds: float
    classes: dict[str, float]
    events: dict[str, int]

    def amount(self, label: str) -> float:
        """Seconds of a label in this group, or the number of its events."""
        return self.classes.get(label, self.events.get(label, 0))


@dataclass(frozen=True)
class ChannelSurvey:
    """One channel over all recordings, in its unit."""

    name: str
    unit: str
    minimum: float
    maximum: float
    mean: float
    std: float


@dataclass(frozen=True)
class Survey:
    """What is in a data set; lengths are in samples."""

    name: str
    format: str
    recordings: int
    sample_rate_hz: float
    rate_known: bool
    length_min: int
    length_median: int
    length_max: int
    official_split: bool
    classes: tuple[ClassSurvey, ...]
    groups: tuple[GroupSurvey, ...]
    channels: tuple[ChannelSurvey, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def survey(dataset: Dataset, progress: Progress = silent) -> Survey:
    """Count and measure `dataset`.

    Raises:
        DataError: samples cannot be read.
    """
    lengths = np.array([recording.length for recording in dataset.recordings])
    classes = _classes(dataset)
    groups = _groups(dataset, {item.label for item in classes if item.events is not None})
    totals, digests = _read_all(dataset, progress)
    problems = [
        *_duplicates(dataset, digests),
        *_class_problems(classes, groups, dataset),
        *_short_ones(dataset, float(np.median(lengths))),
        *totals.problems([channel.name for channel in dataset.channels]),
    ]
    return Survey(
        name=dataset.name,
        format=dataset.format,
        recordings=len(dataset.recordings),
        sample_rate_hz=dataset.sample_rate_hz,
        rate_known=rate_is_known(dataset),
        length_min=int(lengths.min()),
        length_median=int(np.median(lengths)),
        length_max=int(lengths.max()),
        official_split=dataset.has_official_split,
        classes=classes,
        groups=groups,
        channels=totals.channels(dataset),
        problems=tuple(problems),
        notes=dataset.notes,
    )


class _Totals:
    """Running minimum, maximum, mean and variance per channel (Chan, Golub & LeVeque 1979)."""

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.low = np.full(channels, np.inf)
        self.high = np.full(channels, -np.inf)
        self.at_low = np.zeros(channels, dtype=np.int64)
        self.at_high = np.zeros(channels, dtype=np.int64)
        self.mean: Float64 = np.zeros(channels)
        self.squares: Float64 = np.zeros(channels)

    def add(self, block: Samples) -> None:
        values = block.astype(np.float64)
        count, mean = len(values), values.mean(axis=0)
        delta, total = mean - self.mean, self.count + count
        self.squares = self.squares + ((values - mean) ** 2).sum(axis=0) + delta**2 * self.count * count / total
        self.mean = self.mean + delta * count / total
        self.count = total
        self.low, self.at_low = _extreme(self.low, self.at_low, values.min(axis=0), values)
        self.high, self.at_high = _extreme(self.high, self.at_high, values.max(axis=0), values, sign=-1.0)

    def channels(self, dataset: Dataset) -> tuple[ChannelSurvey, ...]:
        std = np.sqrt(self.squares / max(1, self.count))
        return tuple(
            ChannelSurvey(
                channel.name,
                channel.unit,
                *(_round(column[number]) for column in (self.low, self.high, self.mean, std)),
            )
            for number, channel in enumerate(dataset.channels)
        )

    def problems(self, names: list[str]) -> Iterator[str]:
        for number, name in enumerate(names):
            if self.low[number] == self.high[number]:
                yield f"channel {name} is constant ({self.low[number]:g})"
                continue
            for value, times in ((self.low, self.at_low), (self.high, self.at_high)):
                share = times[number] / max(1, self.count)
                if share > CLIPPED_SHARE and self.count >= 100:
                    yield f"channel {name} may be clipped: {share:.1%} of its samples are {value[number]:g}"


def _extreme(
    old: Float64, times: npt.NDArray[np.int64], new: Float64, values: Float64, sign: float = 1.0
) -> tuple[Float64, npt.NDArray[np.int64]]:
    """The more extreme of old and new per channel, and how often it occurs."""
    here = (values == new).sum(axis=0)
    joined = np.where(old == new, times + here, np.where(sign * new < sign * old, here, times))
    return np.where(sign * new < sign * old, new, old), joined


def _round(value: float) -> float:
    return float(f"{value:.6g}")


def _read_all(dataset: Dataset, progress: Progress) -> tuple[_Totals, list[str]]:
    """Read every sample once: the channels' totals, and a digest of each recording."""
    totals, digests = _Totals(len(dataset.channels)), []
    step = max(1, _BLOCK_VALUES // len(dataset.channels))
    for number, recording in enumerate(dataset.recordings, start=1):
        digest = hashlib.sha256()
        for start in range(0, recording.length, step):
            block = recording.read(start, min(recording.length, start + step))
            totals.add(block)
            digest.update(np.ascontiguousarray(block, dtype="<f4").tobytes())
        digests.append(digest.hexdigest())
        progress("look at recordings", number, len(dataset.recordings))
    return totals, digests


def _classes(dataset: Dataset) -> tuple[ClassSurvey, ...]:
    recordings: dict[str, set[str]] = defaultdict(set)
    groups: dict[str, set[str]] = defaultdict(set)
    segments: Counter[str] = Counter()
    samples: Counter[str] = Counter()
    longest: Counter[str] = Counter()
    for recording in dataset.recordings:
        for segment in recording.segments:
            recordings[segment.label].add(recording.name)
            groups[segment.label].add(recording.group)
            segments[segment.label] += 1
            length = segment.stop - segment.start
            samples[segment.label] += length
            longest[segment.label] = max(longest[segment.label], length)
    return tuple(
        ClassSurvey(
            label,
            len(recordings[label]),
            segments[label],
            round(samples[label] / dataset.sample_rate_hz, 3) if longest[label] != 1 else None,
            len(groups[label]),
            segments[label] if longest[label] == 1 else None,
        )
        for label in sorted(segments, key=natural_key)
    )


def _groups(dataset: Dataset, event_labels: set[str]) -> tuple[GroupSurvey, ...]:
    members: dict[str, list[Recording]] = defaultdict(list)
    for recording in dataset.recordings:
        members[recording.group].append(recording)
    surveys = []
    for group in sorted(members, key=natural_key):
        samples: Counter[str] = Counter()
        for recording in members[group]:
            for segment in recording.segments:
                samples[segment.label] += segment.stop - segment.start
        rate_hz = dataset.sample_rate_hz
        labels = sorted(samples, key=natural_key)
        classes = {label: round(samples[label] / rate_hz, 3) for label in labels if label not in event_labels}
        events = {label: samples[label] for label in labels if label in event_labels}
        seconds = round(sum(recording.length for recording in members[group]) / rate_hz, 3)
        surveys.append(GroupSurvey(group, len(members[group]), seconds, classes, events))
    return tuple(surveys)


def _duplicates(dataset: Dataset, digests: list[str]) -> Iterator[str]:
    names: dict[str, list[str]] = defaultdict(list)
    for recording, digest in zip(dataset.recordings, digests, strict=True):
        names[digest].append(recording.name)
    twice = [found for found in names.values() if len(found) > 1]
    if twice:
        shown = "; ".join(" = ".join(found[:3]) for found in twice[:5])
        yield f"{sum(len(found) - 1 for found in twice)} recordings are copies of others: {shown}"


def _class_problems(
    classes: tuple[ClassSurvey, ...], groups: tuple[GroupSurvey, ...], dataset: Dataset
) -> Iterator[str]:
    if not classes:
        yield "no recording has a label"
    unlabeled = [recording.name for recording in dataset.recordings if not recording.segments]
    if classes and unlabeled:
        yield f"{len(unlabeled)} recordings have no label: {listed(unlabeled, 5)}"
    for item in classes:
        if item.segments < FEW_SEGMENTS:
            what = "segment" if item.events is None else "event"
            plural = "" if item.segments == 1 else "s"
            yield f"class {item.label} has {item.segments} {what}{plural}, few to learn from and to test with"
        # Where each recording is a group, no class can be in all of them.
        if len(groups) < len(dataset.recordings) and item.groups < len(groups):
            where = [group.group for group in groups if item.label in group.classes or item.label in group.events]
            yield f"class {item.label} is in {item.groups} of {len(groups)} groups: {listed(where, 5)}"


def _short_ones(dataset: Dataset, median: float) -> Iterator[str]:
    short = [recording.name for recording in dataset.recordings if recording.length < SHORT_SHARE * median]
    if short:
        yield f"{len(short)} recordings are under {SHORT_SHARE:.0%} of the middle length: {listed(short, 5)}"
