"""Samples of many recordings: in memory while they are small, in a temporary file beyond."""

import tempfile
from collections.abc import Callable
from typing import IO, Any, Final

import numpy as np

from edgecnn.data.recording import Samples

MEMORY_BYTES: Final = 256 << 20


class SampleStore:
    """Keeps `(length, channels)` float32 arrays; what exceeds `memory_bytes` in total goes to one temporary file.

    The file has no name on systems that allow it and goes away with the last recording that reads from it.
    """

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._left = memory_bytes
        self._file: IO[bytes] | None = None

    def add(self, samples: "np.ndarray[Any, np.dtype[Any]]") -> Callable[[int, int], Samples]:
        """Keep `samples` and return the function that reads samples `start:stop` of them."""
        kept: Samples = np.ascontiguousarray(samples, dtype=np.float32)
        if kept.nbytes <= self._left:
            self._left -= kept.nbytes
            return array_reader(kept)
        self._left = 0
        return self._spill(kept)

    def _spill(self, samples: Samples) -> Callable[[int, int], Samples]:
        if self._file is None:
            # Lives as long as the closures that read it.
            self._file = tempfile.TemporaryFile(prefix="edgecnn-")  # noqa: SIM115
        file = self._file
        begin = file.seek(0, 2)
        file.write(samples.data)
        length, channels = samples.shape

        def read(start: int, stop: int) -> Samples:
            first, last, _ = slice(start, stop).indices(length)
            file.seek(begin + first * channels * 4)
            content = file.read(max(0, last - first) * channels * 4)
            part: Samples = np.frombuffer(content, dtype=np.float32).reshape(-1, channels).copy()
            return part

        return read


def array_reader(samples: Samples) -> Callable[[int, int], Samples]:
    """Return the function that reads samples `start:stop` of an array in memory."""

    def read(start: int, stop: int) -> Samples:
        return samples[start:stop]

    return read
