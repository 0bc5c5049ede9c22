"""Between the thread that reads and the one that classifies: a bounded queue that counts what it must drop."""

import time
from collections import deque
from dataclasses import dataclass
from threading import Condition
from typing import Final

from edgecnn_firmware.live.lines import Values

_STOP_CHECK_S: Final = 0.2


@dataclass(frozen=True)
class Item:
    """A sample as it left the queue."""

    values: Values
    unix_s: float
    """When it came in."""
    monotonic_s: float
    dropped: int
    """Samples that are missing between the one before and this one."""


@dataclass
class Counts:
    """What came in, for the summary."""

    samples: int = 0
    dropped: int = 0
    """Among the samples, and those that a source says it lost."""
    bad: int = 0
    latest_bad: str = ""


class Feed:
    """The queue.

    When it is full, `wait` makes the reader wait (nothing is lost, as for a file); otherwise the older half is dropped at
    once, so that what follows is long enough to fill windows again.
    """

    def __init__(self, capacity: int, *, wait: bool = False) -> None:
        """`capacity`: samples, at least 2."""
        self._capacity = max(2, capacity)
        self._wait = wait
        self._items: deque[Item] = deque()
        self._dropped = 0
        """Dropped before the queue's first sample."""
        self._lost = 0
        """Lost behind the queue's last sample."""
        self._changed = Condition()
        self._closed = False
        self._stopped = False
        self.error: Exception | None = None
        self.counts = Counts()
        self.notes: deque[str] = deque(maxlen=16)

    # The reader's side.

    @property
    def stopped(self) -> bool:
        """Whether the reader should end."""
        return self._stopped

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond a stop."""
        until = time.monotonic() + seconds
        with self._changed:
            while not self._stopped and (left := until - time.monotonic()) > 0:
                self._changed.wait(min(left, _STOP_CHECK_S))

    def put(self, values: Values) -> None:
        """Add a sample."""
        unix_s, monotonic_s = time.time(), time.monotonic()
        with self._changed:
            while len(self._items) >= self._capacity and not self._stopped:
                if not self._wait:
                    self._drop_older_half()
                    break
                self._changed.wait(_STOP_CHECK_S)
            self._items.append(Item(values, unix_s, monotonic_s, self._lost))
            self._lost = 0
            self.counts.samples += 1
            self._changed.notify_all()

    def lost(self, samples: int) -> None:
        """Say that samples are missing before the next one."""
        with self._changed:
            self._lost += samples
            self.counts.samples += samples
            self.counts.dropped += samples

    def bad(self, why: str) -> None:
        """Count something that is no sample."""
        with self._changed:
            self.counts.bad += 1
            self.counts.latest_bad = why

    def close(self, error: Exception | None = None) -> None:
        """Say that no more comes, and why where it is an error."""
        with self._changed:
            self._closed = True
            self.error = error
            self._changed.notify_all()

    def _drop_older_half(self) -> None:
        gone = len(self._items) // 2
        for _ in range(gone):
            self._dropped += self._items.popleft().dropped
        self._dropped += gone
        self.counts.dropped += gone

    # The classifier's side.

    def get(self, limit_s: float) -> Item | None:
        """The oldest sample; None when none comes within `limit_s` or ever."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(limit_s)
            if not self._items:
                return None
            item = self._items.popleft()
            if self._dropped:
                item = Item(item.values, item.unix_s, item.monotonic_s, item.dropped + self._dropped)
                self._dropped = 0
            self._changed.notify_all()
            return item

    @property
    def ended(self) -> bool:
        """Whether everything has been taken and nothing more comes."""
        with self._changed:
            return self._closed and not self._items

    def stop(self) -> None:
        """Make the reader end."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
