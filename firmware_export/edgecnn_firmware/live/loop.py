"""The loop: one thread reads, this one classifies and writes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from typing import Final

from edgecnn_firmware.card import Card
from edgecnn_firmware.live.engine import Engine
from edgecnn_firmware.live.feed import Counts, Feed
from edgecnn_firmware.live.records import Records
from edgecnn_firmware.live.sources import Source

_STOP_CHECK_S: Final = 0.1
_REPORT_S: Final = 1.0
_JOIN_S: Final = 1.0
_QUEUE_S: Final = 10.0
_QUEUE_WINDOWS: Final = 8


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    samples: int
    """That came in, dropped ones included."""
    results: int
    dropped: int
    bad: int
    """Lines and datagrams that could not be used."""

    @property
    def text(self) -> str:
        """For people, on one line."""
        parts = [f"{self.samples} samples", f"{self.results} results", f"{self.dropped} dropped"]
        return ", ".join([*parts, f"{self.bad} bad lines"] if self.bad else parts)


def queue_samples(card: Card) -> int:
    """How many samples wait by default: some windows, and some seconds."""
    return max(_QUEUE_WINDOWS * card.input.window_samples, int(_QUEUE_S * card.input.sample_rate_hz))


class Live:
    """One run of a source through an engine."""

    def __init__(
        self,
        source: Source,
        engine: Engine,
        feed: Feed,
        records: Records,
        write: Callable[[str], None],
        note: Callable[[str], None],
        monitor_every: int = 0,
    ) -> None:
        """Nothing runs yet.

        Args:
            source: open.
            engine: fresh.
            feed: empty.
            records: writes the lines.
            write: takes each line without its end.
            note: takes remarks for people, at most one a second.
            monitor_every: results from one set of drift figures to the next; 0 for none.
        """
        self._source, self._engine, self._feed, self._records = source, engine, feed, records
        self._write, self._note, self._monitor_every = write, note, monitor_every
        self._stopping = False
        self._results = self._taken = self._unsaid = self._bad_said = 0
        self._reported_s = float("-inf")

    def stop(self) -> None:
        """End soon; fit for a signal handler."""
        self._stopping = True

    def run(self) -> Summary:
        """Until the input ends or `stop`; whatever ends it, the reader is told to end too.

        Raises:
            EdgeCnnError: the source failed; what came before was classified.
            OSError: likewise, or `write` failed.
        """
        reader = Thread(target=self._read, name="edgecnn-reader", daemon=True)
        reader.start()
        try:
            while not self._stopping and not self._feed.ended:
                self._step()
                self._report(final=False)
        finally:
            self._feed.stop()
            reader.join(_JOIN_S)
            self._report(final=True)
        if self._feed.error is not None and not self._stopping:
            raise self._feed.error
        return self.summary

    @property
    def summary(self) -> Summary:
        """Up to now."""
        counts: Counts = self._feed.counts
        return Summary(counts.samples, self._results, counts.dropped, counts.bad)

    def _read(self) -> None:
        try:
            self._source.run(self._feed)
        except Exception as error:  # noqa: BLE001 - it goes on in the thread that waits
            self._feed.close(error)
        else:
            self._feed.close()

    def _step(self) -> None:
        item = self._feed.get(_STOP_CHECK_S)
        if item is None:
            return
        if item.dropped:
            self._engine.restart()
            self._taken += item.dropped
            self._unsaid += item.dropped
        self._taken += 1
        result = self._engine.push(item.values)
        if result is None:
            return
        self._results += 1
        with_drift = self._monitor_every and self._results % self._monitor_every == 0
        drift = self._engine.drift() if with_drift else None
        self._write(self._records.line(item, self._taken, result, self._unsaid, drift))
        self._unsaid = 0

    def _report(self, *, final: bool) -> None:
        now = time.monotonic()
        if not final and now - self._reported_s < _REPORT_S:
            return
        counts, notes = self._feed.counts, self._feed.notes
        while notes:
            self._note(notes.popleft())
            self._reported_s = now
        if counts.bad > self._bad_said:
            lines = counts.bad - self._bad_said
            self._note(f"{lines} bad line{'s' * (lines > 1)}; the latest: {counts.latest_bad}")
            self._bad_said = counts.bad
            self._reported_s = now
