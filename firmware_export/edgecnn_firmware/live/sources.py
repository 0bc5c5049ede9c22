"""Where samples come from: one word for each source, opened before the first sample is asked for."""

import os
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from edgecnn_firmware.card import Card
from edgecnn_firmware.errors import SettingsError
from edgecnn_firmware.live.feed import Feed
from edgecnn_firmware.live.lines import BadLine, LineParser, LineSplitter

ACCEPTED: Final = "-, FILE.csv, udp://HOST:PORT, serial:PORT[@BAUD], iio:DEVICE or iio+buffer:DEVICE"
IIO_ROOT: Final = Path("/sys/bus/iio/devices")
DEVICE_ROOT: Final = Path("/dev")

_READ_BYTES: Final = 1 << 16


class Source(Protocol):
    """A stream of samples."""

    waits: bool
    """Whether it can wait for the classifier without losing anything."""

    def run(self, feed: Feed) -> None:
        """Put samples into the feed until they end or the feed is stopped.

        Raises:
            EdgeCnnError: the source fails.
            OSError: likewise.
        """


@dataclass(frozen=True)
class SourceSettings:
    """What a source needs to know."""

    channels: tuple[str, ...]
    units: tuple[str, ...]
    columns: tuple[str, ...]
    """The source's names for the channels."""
    columns_given: bool
    rate_hz: float | None
    """None where nobody knows."""
    realtime: bool = False
    iio_root: Path = IIO_ROOT
    device_root: Path = DEVICE_ROOT


def source_settings(
    card: Card,
    columns: Sequence[str] = (),
    rate_hz: float | None = None,
    *,
    realtime: bool = False,
    iio_root: Path = IIO_ROOT,
) -> SourceSettings:
    """Fill in from the card what the user left open.

    Raises:
        SettingsError: another number of columns than channels, or no rate to pace a file by.
    """
    names = tuple(channel.name for channel in card.input.channels)
    if columns and len(columns) != len(names):
        raise SettingsError(f"--columns names {len(columns)}; expected one for each of the {len(names)} channels")
    known = rate_hz or (card.input.sample_rate_hz if card.input.rate_known else None)
    if realtime and known is None:
        raise SettingsError("--realtime: the bundle does not know the sample rate; give it with --rate")
    units = tuple(channel.unit for channel in card.input.channels)
    return SourceSettings(names, units, tuple(columns) or names, bool(columns), known, realtime, iio_root)


def open_source(word: str, settings: SourceSettings) -> Source:
    """Open what `--from` names.

    Raises:
        SettingsError: the word is not understood, or options do not go with it.
        DataError: the source is not there, or has not the channels.
        MissingDependency: a serial port without pyserial.
        OSError: the file or the socket cannot be opened.
    """
    if word.startswith(("udp://", "udp+csv://", "udp+float32://")):
        from edgecnn_firmware.live.udp import open_udp

        return open_udp(word, settings)
    if word.startswith("serial:"):
        from edgecnn_firmware.live.serial_port import open_serial

        return open_serial(word, settings)
    if word.startswith("iio:"):
        from edgecnn_firmware.live.iio import open_iio

        return open_iio(word, settings)
    if word.startswith("iio+buffer:"):
        from edgecnn_firmware.live.iio_buffer import open_iio_buffer

        return open_iio_buffer(word, settings)
    if word == "-":
        return TextSource(sys.stdin.fileno(), settings)
    if "://" in word:
        raise SettingsError(f"--from {word}: unknown kind of source; accepted: {ACCEPTED}")
    return TextSource(os.open(word, os.O_RDONLY | getattr(os, "O_BINARY", 0)), settings)


class TextFeeder:
    """Bytes of CSV into a feed, the bad lines counted."""

    def __init__(self, settings: SourceSettings) -> None:
        self._splitter = LineSplitter(len(settings.channels))
        self._parser = LineParser(settings.columns)
        self._period_s = 1.0 / settings.rate_hz if settings.realtime and settings.rate_hz else 0.0
        self._next_s = 0.0

    def take(self, data: bytes, feed: Feed) -> None:
        """Take the next bytes of a stream."""
        for line in self._splitter.split(data):
            self._line(line, feed)

    def end(self, feed: Feed) -> None:
        """Take what is left as a line."""
        for line in self._splitter.last():
            self._line(line, feed)

    def _line(self, line: bytes, feed: Feed) -> None:
        if feed.stopped:
            return
        try:
            values = self._parser.parse(line)
        except BadLine as error:
            feed.bad(f"line {self._parser.line}: {error}")
            return
        if self._parser.note:
            feed.notes.append(self._parser.note)
            self._parser.note = ""
        if values is not None:
            if self._period_s:
                self._pace(feed)
            feed.put(values)

    def _pace(self, feed: Feed) -> None:
        now = time.monotonic()
        self._next_s = (self._next_s or now) + self._period_s
        if self._next_s > now:
            feed.pause(self._next_s - now)


class TextSource:
    """Standard input or a file."""

    def __init__(self, descriptor: int, settings: SourceSettings) -> None:
        self._descriptor = descriptor
        self._feeder = TextFeeder(settings)
        self.waits = stat.S_ISREG(os.fstat(descriptor).st_mode) and not settings.realtime

    def run(self, feed: Feed) -> None:
        """Read to the end."""
        # Not through a Python file: its lock would be held by a thread that may never come back.
        while not feed.stopped and (data := os.read(self._descriptor, _READ_BYTES)):
            self._feeder.take(data, feed)
        self._feeder.end(feed)
