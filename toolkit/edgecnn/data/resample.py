"""Samples onto an even grid by linear interpolation.

Linear interpolation does not filter: going far below the recorded rate folds what is above the new half rate back into
the signal.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn.data.recording import Recording, Samples, Segment
from edgecnn_firmware.errors import DataError

Float64 = npt.NDArray[np.float64]

MAX_SAMPLES: Final = 1 << 31


def grid_length(duration_s: float, rate_hz: float, where: str) -> int:
    """Count the samples of an even grid from 0 to `duration_s`, both ends included.

    Raises:
        DataError: more than any recording has.
    """
    # A duration is the sum of many rounded steps: 1e-6 of a sample keeps the last grid point.
    length = math.floor(duration_s * rate_hz + 1e-6) + 1
    if length > MAX_SAMPLES:
        raise DataError(f"{where}: {duration_s:g} s at {rate_hz:g} Hz are more than {MAX_SAMPLES} samples")
    return length


def resample_uneven(times_s: Float64, samples: Samples, rate_hz: float, where: str) -> Samples:
    """Interpolate `samples (length, channels)`, taken at increasing `times_s (length,)`, onto an even grid.

    The grid starts at `times_s[0]` and ends at or before `times_s[-1]`: float32 `(grid length, channels)`.

    Raises:
        DataError: the grid is longer than any recording.
    """
    length, read = uneven_reader(times_s, lambda start, stop: samples[start:stop], rate_hz, where)
    return read(0, length)


def uneven_reader(
    times_s: Float64, read: Callable[[int, int], Samples], rate_hz: float, where: str
) -> tuple[int, Callable[[int, int], Samples]]:
    """Like `resample_uneven`, but samples are read and interpolated when they are asked for: grid length and reader.

    Raises:
        DataError: the grid is longer than any recording.
    """
    since = times_s - times_s[0]
    length = grid_length(float(since[-1]), rate_hz, where)

    def read_grid(start: int, stop: int) -> Samples:
        grid = np.arange(start, max(stop, start)) / rate_hz
        first, last = 0, 0
        if len(grid):
            first = max(0, int(np.searchsorted(since, grid[0], side="right")) - 1)
            last = min(len(since) - 1, int(np.searchsorted(since, grid[-1], side="left")))
        source, own = read(first, last + 1), since[first : last + 1]
        even = np.empty((len(grid), source.shape[1]), dtype=np.float32)
        for channel in range(source.shape[1]):
            even[:, channel] = np.interp(grid, own, source[:, channel])
        return even

    return length, read_grid


def resample_recording(recording: Recording, rate_hz: float) -> Recording:
    """Give `recording` at another rate; its samples are interpolated when they are asked for.

    Segments keep the samples of the new grid that lie inside them, events the nearest one.

    Raises:
        DataError: the recording is empty or becomes longer than any recording.
    """
    if recording.sample_rate_hz == rate_hz:
        return recording
    step = recording.sample_rate_hz / rate_hz
    length = grid_length((recording.length - 1) / recording.sample_rate_hz, rate_hz, recording.name)
    return replace(
        recording,
        sample_rate_hz=rate_hz,
        length=length,
        segments=moved_segments(recording.segments, 1.0 / step, length),
        read=_lazy(recording, step),
    )


def moved_segments(segments: tuple[Segment, ...], ratio: float, length: int) -> tuple[Segment, ...]:
    """Convert segments to a grid with `ratio` times as many samples per second and `length` samples."""
    moved = []
    for segment in segments:
        if segment.stop - segment.start == 1:
            start = min(length - 1, round(segment.start * ratio))
            moved.append(Segment(start, start + 1, segment.label))
            continue
        start = min(length, math.ceil(segment.start * ratio - 1e-9))
        stop = min(length, math.ceil(segment.stop * ratio - 1e-9))
        if stop > start:
            moved.append(Segment(start, stop, segment.label))
    return tuple(moved)


def _lazy(recording: Recording, step: float) -> Callable[[int, int], Samples]:
    def read(start: int, stop: int) -> Samples:
        if stop <= start:
            return np.zeros((0, len(recording.channels)), dtype=np.float32)
        positions = np.arange(start, stop) * step
        first = min(math.floor(positions[0]), recording.length - 1)
        last = min(math.ceil(positions[-1]), recording.length - 1)
        source = recording.read(first, last + 1)
        own = np.arange(first, last + 1)
        columns = [np.interp(positions, own, source[:, channel]) for channel in range(source.shape[1])]
        return np.stack(columns, axis=1).astype(np.float32)

    return read
