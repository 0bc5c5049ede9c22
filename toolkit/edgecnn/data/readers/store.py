"""Samples of many recordings: in memory while they are small, in a temporary file beyond."""

import tempfile
import weakref
from collections.abc import Callable
from typing import IO, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn.data.recording import Samples

Reader: TypeAlias = Callable[[int, int], Samples]

MEMORY_BYTES: Final = 256 << 20


class SampleStore:
    """Keeps `(length, channels)` float32 arrays; what exceeds `memory_bytes` in total goes to one temporary file.

    The file has no name on systems that allow it and goes away with the last recording that reads from it.
    """

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._left = memory_bytes
        self._spill: Spill | None = None

    def add(self, samples: npt.NDArray[np.floating[Any]]) -> Reader:
        """Keep `samples` and return the function that reads samples `start:stop` of them."""
        growing = self.begin(samples.shape[1])
        growing.append(samples)
        return growing.finish()

    def begin(self, channels: int) -> "Growing":
        """Start an array that grows; one at a time."""
        return Growing(self, channels)

    def take(self, count: int) -> bool:
        """Claim memory; False if there is not enough left."""
        if count > self._left:
            self._left = 0
            return False
        self._left -= count
        return True

    def spill(self) -> "Spill":
        """The temporary file."""
        self._spill = self._spill or Spill()
        return self._spill


class Spill:
    """A temporary file of float32 values that is closed when nothing refers to it anymore."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="edgecnn-")  # noqa: SIM115
        weakref.finalize(self, self._file.close)

    def append(self, samples: Samples) -> int:
        """Write `samples` at the end and return the position of their first byte."""
        begin = self._file.seek(0, 2)
        self._file.write(samples.tobytes())
        return begin

    def read(self, begin: int, values: int) -> Samples:
        """Read `values` values from byte `begin`."""
        self._file.seek(begin)
        found: Samples = np.frombuffer(self._file.read(values * 4), dtype=np.float32).copy()
        return found


class Growing:
    """An array of a `SampleStore` that is given piece by piece."""

    def __init__(self, store: SampleStore, channels: int) -> None:
        self._store = store
        self._channels = channels
        self._pieces: list[Samples] = []
        self._begin: int | None = None
        self.length = 0

    def append(self, samples: npt.NDArray[np.floating[Any]]) -> None:
        """Add `samples (length, channels)`."""
        kept: Samples = np.array(samples, dtype=np.float32, order="C")
        self.length += len(kept)
        if self._begin is None and self._store.take(kept.nbytes):
            self._pieces.append(kept)
            return
        for piece in [*self._pieces, kept]:
            begin = self._store.spill().append(piece)
            self._begin = begin if self._begin is None else self._begin
        self._pieces = []

    def finish(self) -> Reader:
        """Return the function that reads samples `start:stop`."""
        if self._begin is None:
            empty = np.zeros((0, self._channels), dtype=np.float32)
            return array_reader(self._pieces[0] if len(self._pieces) == 1 else np.concatenate([empty, *self._pieces]))
        spill, begin, length, channels = self._store.spill(), self._begin, self.length, self._channels

        def read(start: int, stop: int) -> Samples:
            first, last, _ = slice(start, stop).indices(length)
            values = spill.read(begin + first * channels * 4, max(0, last - first) * channels)
            return values.reshape(-1, channels)

        return read


def array_reader(samples: Samples) -> Reader:
    """Return the function that reads samples `start:stop` of an array in memory."""

    def read(start: int, stop: int) -> Samples:
        return samples[start:stop]

    return read
