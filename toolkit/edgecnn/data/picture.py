"""A data set's survey with a window of every class: what the page of `edgecnn data --picture` is drawn from."""

import itertools
from collections import defaultdict
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn.data.recording import Dataset, Recording, Samples, Segment
from edgecnn.data.survey import Survey
from edgecnn_bench.report.survey import MAX_EXAMPLES, ChannelPart, ClassPart, GroupPart, SurveyPicture
from edgecnn_bench.report.traces import Example, Mark, Signal

MAX_CHANNELS: Final = 12
"""Most channels of an example."""
MAX_EXAMPLE_SAMPLES: Final = 1 << 20
_COLUMNS: Final = 400
"""Steps in time that a drawing can show; a longer window keeps the lowest and highest value of each."""
_MAX_MARKS: Final = 60


def survey_picture(dataset: Dataset, found: Survey, window_samples: int) -> SurveyPicture:
    """Add an example of each class, `window_samples` long where the recording is, to what `survey` found.

    Raises:
        DataError: samples cannot be read.
    """
    labels = [item.label for item in found.classes]
    chosen = _middle_segments(dataset, labels[:MAX_EXAMPLES])
    window_samples = min(window_samples, MAX_EXAMPLE_SAMPLES)
    rate_hz = dataset.sample_rate_hz
    examples = {label: _example(*where, window_samples, rate_hz) for label, where in chosen.items()}
    return SurveyPicture(
        name=found.name,
        format=found.format,
        recordings=found.recordings,
        duration=sum(recording.length for recording in dataset.recordings) / rate_hz,
        sample_rate_hz=rate_hz if found.rate_known else None,
        window_samples=window_samples,
        classes=tuple(
            ClassPart(
                item.label,
                item.recordings,
                item.groups,
                item.amount,
                item.events is not None,
                examples.get(item.label),
            )
            for item in found.classes
        ),
        groups=tuple(
            GroupPart(item.group, item.recordings, item.seconds, tuple(item.amount(label) for label in labels))
            for item in found.groups
        ),
        channels=tuple(
            ChannelPart(item.name, item.unit, item.minimum, item.maximum, item.mean, item.std)
            for item in found.channels
        ),
        problems=found.problems,
        notes=found.notes,
    )


def _middle_segments(dataset: Dataset, labels: list[str]) -> dict[str, tuple[Recording, Segment]]:
    """The segment of middle length of each label; of equally long ones, as events are, the middle one."""
    places: dict[str, list[tuple[Recording, Segment]]] = defaultdict(list)
    for recording in dataset.recordings:
        for segment in recording.segments:
            places[segment.label].append((recording, segment))
    chosen = {}
    for label in labels:
        by_length = sorted(places[label], key=lambda place: place[1].stop - place[1].start)
        chosen[label] = by_length[len(by_length) // 2]
    return chosen


def _example(recording: Recording, segment: Segment, window_samples: int, rate_hz: float) -> Example:
    length = min(window_samples, recording.length)
    start = (segment.start + segment.stop - length) // 2
    start = max(0, min(start, recording.length - length))
    samples = recording.read(start, start + length)
    return Example(
        recording=recording.name,
        start=start / rate_hz,
        length=length / rate_hz,
        signals=tuple(
            Signal(channel.name, channel.unit, thinned(samples[:, number], rate_hz))
            for number, channel in enumerate(recording.channels[:MAX_CHANNELS])
        ),
        labeled=_labeled(segment, start, start + length, rate_hz),
        marks=_marks(recording, start, start + length, rate_hz),
    )


def thinned(values: Samples, rate_hz: float) -> tuple[tuple[float, float], ...]:
    """Points (seconds, value) of a signal `(length,)`; of a long one the extremes of each of a few hundred pieces."""
    kept: npt.NDArray[np.int64] = np.arange(len(values))
    if len(values) > 2 * _COLUMNS:
        edges = np.linspace(0, len(values), _COLUMNS + 1).astype(np.int64)
        pieces = [values[first:last] for first, last in itertools.pairwise(edges)]
        lowest = edges[:-1] + [int(piece.argmin()) for piece in pieces]
        highest = edges[:-1] + [int(piece.argmax()) for piece in pieces]
        kept = np.unique(np.concatenate((lowest, highest, [0, len(values) - 1])))
    return tuple((float(sample) / rate_hz, float(values[sample])) for sample in kept)


def _labeled(segment: Segment, start: int, stop: int, rate_hz: float) -> tuple[float, float] | None:
    """The part of the window that the segment covers; None where it is all of it, or one sample."""
    if segment.stop - segment.start == 1 or (segment.start <= start and stop <= segment.stop):
        return None
    return (max(segment.start, start) - start) / rate_hz, (min(segment.stop, stop) - start) / rate_hz


def _marks(recording: Recording, start: int, stop: int, rate_hz: float) -> tuple[Mark, ...]:
    events = (item for item in recording.segments if item.stop - item.start == 1 and start <= item.start < stop)
    marks = [Mark((item.start - start) / rate_hz, item.label) for item in events]
    return tuple(marks[:_MAX_MARKS])
