"""Read the samples of windows: one recording at a time, front to back, in blocks."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn.data.recording import Recording, Samples
from edgecnn.data.windows import WindowIndex
from edgecnn_firmware.errors import DataError

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]

_BLOCK_VALUES: Final = 1 << 22
"""Values (samples times channels) that are read, and that are given, at a time; one window may be more."""


def read_windows(index: WindowIndex, rows: Int64, block_values: int = _BLOCK_VALUES) -> Iterator[Samples]:
    """Give the windows of sorted `rows` in their order, as blocks `(windows, window_samples, channels)`.

    Raises:
        DataError: a recording gives other samples than it promised, or NaN or infinity.
    """
    of_recording = index.recording[rows]
    edges = np.flatnonzero(np.diff(of_recording, prepend=-1, append=-1))
    for first, stop in pairwise(edges.tolist()):
        recording = index.dataset.recordings[of_recording[first]]
        own = rows[first:stop]
        yield from _of_recording(recording, index.start[own], index.available[own], index.window_samples, block_values)


def _of_recording(
    recording: Recording, starts: Int64, available: Int32, window_samples: int, block_values: int
) -> Iterator[Samples]:
    window_values = window_samples * len(recording.channels)
    most_windows = max(1, block_values // window_values)
    most_samples = max(window_samples, block_values // len(recording.channels))
    first = 0
    while first < len(starts):
        begin = int(starts[first])
        near = int(np.searchsorted(starts, begin + most_samples - window_samples, side="right"))
        stop = min(max(near, first + 1), first + most_windows)
        end = int((starts[first:stop] + available[first:stop]).max())
        samples = _read(recording, begin, end)
        # A padded window repeats its last existing sample.
        steps = np.minimum(np.arange(window_samples), available[first:stop, None] - 1)
        yield samples[steps + (starts[first:stop, None] - begin)]
        first = stop


def _read(recording: Recording, start: int, stop: int) -> Samples:
    samples = recording.read(start, stop)
    expected = (stop - start, len(recording.channels))
    if samples.shape != expected or samples.dtype != np.float32:
        given = f"{samples.dtype} {samples.shape}"
        raise DataError(f"{recording.name}: samples {start} to {stop} come as {given}, not float32 {expected}")
    if not np.isfinite(samples).all():
        row = int(np.flatnonzero(~np.isfinite(samples).all(axis=1))[0])
        raise DataError(f"{recording.name}: sample {start + row} is NaN or infinite")
    return samples
