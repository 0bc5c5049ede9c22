"""A sensor of Linux's IIO subsystem through its buffer: the driver's own clock, and lost scans told by their time stamps."""

import contextlib
import os
import re
import select
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecnn_firmware.errors import DataError
from edgecnn_firmware.live.feed import Feed
from edgecnn_firmware.live.iio import IioChannel, find_channels, read_number, read_text
from edgecnn_firmware.live.sources import SourceSettings

_STOP_CHECK_MS: Final = 200
_READ_SCANS: Final = 256
_BUFFER_S: Final = 2.0
_FEWEST_SCANS: Final = 128
# As `in_accel_x_type` gives it: endianness, sign, bits that count, bits of storage, repeats, shift to the right.
_TYPE: Final = re.compile(r"(be|le):([su])(\d+)/(8|16|32|64)(?:X1)?>>(\d+)")
_TIME: Final = "timestamp"
_NS: Final = 1e9
_GAP_PERIODS: Final = 1.5
_OFF_RATE: Final = 0.05
_FORMATS: Final = {8: "B", 16: "H", 32: "I", 64: "Q"}


@dataclass(frozen=True)
class ScanElement:
    """Where one channel lies in a scan and how its bits are read."""

    offset: int
    layout: struct.Struct
    bits: int
    shift: int
    signed: bool

    def read(self, scan: bytes) -> int:
        """The raw value."""
        word: int = self.layout.unpack_from(scan, self.offset)[0]
        value = (word >> self.shift) & ((1 << self.bits) - 1)
        return value - (1 << self.bits) if self.signed and value >> (self.bits - 1) else value


class IioBufferSource:
    """An enabled buffer; it is disabled when the source ends."""

    waits = False

    def __init__(self, folder: Path, descriptor: int, channels: tuple[IioChannel, ...], layout: "Layout") -> None:
        self._folder, self._descriptor = folder, descriptor
        self._channels, self._layout = channels, layout
        self._latest_ns: int | None = None
        self.rate_hz: float | None = None
        """Scans a second; where it is known, and scans have time stamps, lost ones are counted."""
        self.note = ""
        """What a user should know; empty where there is nothing."""

    def run(self, feed: Feed) -> None:
        """Read scans until stopped.

        Raises:
            DataError: the device is gone.
        """
        if self.note:
            feed.notes.append(self.note)
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        rest = b""
        try:
            while not feed.stopped:
                if not poll.poll(_STOP_CHECK_MS):
                    continue
                try:
                    data = os.read(self._descriptor, _READ_SCANS * self._layout.scan_bytes)
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise DataError(f"{self._folder}: {error.strerror}") from None
                if not data:
                    raise DataError(f"{self._folder}: the device is gone")
                rest = self._take(rest + data, feed)
        finally:
            os.close(self._descriptor)
            with contextlib.suppress(OSError):
                (self._folder / "buffer/enable").write_text("0")

    def _take(self, data: bytes, feed: Feed) -> bytes:
        size = self._layout.scan_bytes
        whole = len(data) - len(data) % size
        for start in range(0, whole, size):
            scan = data[start : start + size]
            self._count_lost(scan, feed)
            pairs = zip(self._channels, self._layout.elements, strict=True)
            feed.put(tuple(channel.value(element.read(scan)) for channel, element in pairs))
        return data[whole:]

    def _count_lost(self, scan: bytes, feed: Feed) -> None:
        if self._layout.time is None or self.rate_hz is None:
            return
        now_ns = self._layout.time.read(scan)
        if self._latest_ns is not None:
            periods = (now_ns - self._latest_ns) / _NS * self.rate_hz
            if periods > _GAP_PERIODS:
                feed.lost(round(periods) - 1)
        self._latest_ns = now_ns


@dataclass(frozen=True)
class Layout:
    """A scan: its channels in the order of the card's, its time stamp where it has one, its size."""

    elements: tuple[ScanElement, ...]
    time: ScanElement | None
    scan_bytes: int


def open_iio_buffer(word: str, settings: SourceSettings) -> IioBufferSource:
    """Enable the buffer of `iio+buffer:DEVICE` for the channels and open its device file.

    The driver, or the trigger that somebody has set, says when a scan is taken; the device's own sampling frequency is
    left as it is.

    Raises:
        DataError: no such device or channels, no buffer, no right to it, or a layout that is not understood.
    """
    folder, channels = find_channels(word.removeprefix("iio+buffer:"), settings)
    elements = folder / "scan_elements"
    if not elements.is_dir():
        raise DataError(f"{folder}: the device has no buffer; use iio: to poll it")
    names = [channel.name for channel in channels]
    timed = (elements / f"in_{_TIME}_en").exists()
    wanted = {f"in_{name}_en" for name in (*names, *([_TIME] if timed else []))}
    try:
        _write(folder / "buffer/enable", "0")
        for path in sorted(elements.glob("*_en")):
            _write(path, "1" if path.name in wanted else "0")
        _write(folder / "buffer/length", str(max(_FEWEST_SCANS, int(_BUFFER_S * (settings.rate_hz or 0.0)))))
        layout = scan_layout(elements, names, timed=timed)
        _write(folder / "buffer/enable", "1")
    except OSError as error:
        raise DataError(f"{error.filename or folder}: {error.strerror}; a buffer needs its trigger and root") from None
    device = settings.device_root / folder.name
    try:
        descriptor = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        with contextlib.suppress(OSError):
            _write(folder / "buffer/enable", "0")
        raise DataError(f"{device}: {error.strerror}") from None
    source = IioBufferSource(folder, descriptor, channels, layout)
    source.rate_hz = _device_rate(folder) or settings.rate_hz
    if source.rate_hz and settings.rate_hz and abs(source.rate_hz / settings.rate_hz - 1) > _OFF_RATE:
        source.note = f"{folder.name} samples at {source.rate_hz:g} Hz; the bundle expects {settings.rate_hz:g} Hz"
    return source


def _device_rate(folder: Path) -> float | None:
    # Of the device, or of a kind of channel; several kinds in one buffer share a rate.
    for path in (folder / "sampling_frequency", *sorted(folder.glob("in_*_sampling_frequency"))):
        with contextlib.suppress(OSError, ValueError):
            if (found := read_number(path)) > 0:
                return found
    return None


def scan_layout(elements: Path, names: Sequence[str], *, timed: bool) -> Layout:
    """Where the channels lie in a scan.

    The kernel lays the enabled elements out by their index, each at a multiple of its own size, and the whole at a
    multiple of the largest.

    Args:
        elements: the folder `scan_elements`.
        names: of the channels.
        timed: whether the time stamp is enabled too.

    Raises:
        DataError: a channel has no place in the buffer, or is of a type that is not understood.
    """
    numbered = []
    for name in (*names, *([_TIME] if timed else [])):
        index, kind = (read_text(elements / f"in_{name}_{what}") for what in ("index", "type"))
        matched = _TYPE.fullmatch(kind)
        if matched is None or not index.isdecimal() or not 1 <= int(matched[3]) + int(matched[5]) <= int(matched[4]):
            raise DataError(f"{elements}/in_{name}_type: '{kind}' at '{index}'; expected such as le:s16/16>>0")
        numbered.append((int(index), name, matched))
    at, largest = 0, 1
    found: dict[str, ScanElement] = {}
    for _, name, matched in sorted(numbered, key=lambda entry: entry[0]):
        size = int(matched[4]) // 8
        at = -(-at // size) * size
        layout = struct.Struct((">" if matched[1] == "be" else "<") + _FORMATS[int(matched[4])])
        found[name] = ScanElement(at, layout, int(matched[3]), int(matched[5]), matched[2] == "s")
        at, largest = at + size, max(largest, size)
    return Layout(tuple(found[name] for name in names), found.get(_TIME), -(-at // largest) * largest)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="ascii") as stream:
        stream.write(text)
