"""A sensor of Linux's IIO subsystem, its channels polled through sysfs at the sample rate."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecnn_firmware.errors import DataError, SettingsError
from edgecnn_firmware.live.feed import Feed
from edgecnn_firmware.live.sources import SourceSettings

_STANDARD_GRAVITY: Final = 9.80665
_MOST_CHARACTERS: Final = 64
# From the units of IIO's ABI to those that people also use: kind of channel, the card's unit -> factor.
_FACTORS: Final = {
    ("accel", "g"): 1 / _STANDARD_GRAVITY,
    ("anglvel", "deg/s"): 180 / math.pi,
    ("anglvel", "°/s"): 180 / math.pi,
    ("anglvel", "dps"): 180 / math.pi,
}


@dataclass(frozen=True)
class IioChannel:
    """One channel: `(raw + offset) * scale` is its value in the card's unit."""

    name: str
    """As in `in_NAME_raw`."""
    raw: Path
    offset: float
    scale: float

    def value(self, raw: float) -> float:
        """Of a raw number."""
        return (raw + self.offset) * self.scale

    def read(self) -> float:
        """Poll it.

        Raises:
            OSError: the device does not answer.
            ValueError: what it says is no number.
        """
        return self.value(read_number(self.raw))


class IioSource:
    """A device's channels in the order of the card's."""

    waits = False

    def __init__(self, channels: tuple[IioChannel, ...], rate_hz: float) -> None:
        self._channels = channels
        self._period_s = 1.0 / rate_hz

    def run(self, feed: Feed) -> None:
        """Poll until stopped; periods that were slept through count as dropped samples, failed reads as NaN."""
        due_s = time.monotonic()
        while not feed.stopped:
            feed.pause(due_s - time.monotonic())
            missed = int((time.monotonic() - due_s) / self._period_s)
            if missed > 0:
                feed.lost(missed)
                due_s += missed * self._period_s
            due_s += self._period_s
            if feed.stopped:
                return
            try:
                feed.put(tuple(channel.read() for channel in self._channels))
            except (OSError, ValueError) as error:
                if not self._channels[0].raw.exists():
                    raise DataError(f"{self._channels[0].raw.parent}: the device is gone") from None
                feed.bad(f"{self._channels[0].raw.parent}: {error}")
                feed.put((math.nan,) * len(self._channels))


def open_iio(word: str, settings: SourceSettings) -> IioSource:
    """Find `iio:DEVICE`: a number, a folder such as `iio:device0`, or the name that the driver gives it.

    Raises:
        SettingsError: no sample rate is known.
        DataError: no such device, or it has not the channels; the line lists what there is.
    """
    if settings.rate_hz is None:
        raise SettingsError(f"--from {word}: the bundle does not know the sample rate; give it with --rate")
    return IioSource(find_channels(word.removeprefix("iio:"), settings)[1], settings.rate_hz)


def find_channels(device: str, settings: SourceSettings) -> tuple[Path, tuple[IioChannel, ...]]:
    """A device's folder, and its channels in the order of the card's.

    A card's channel `accel_x` is the file `in_accel_x_raw`. Where no channel has such a file, a device with exactly as
    many channels is taken in the order of their names.

    Raises:
        DataError: no such device, or it has not the channels; the line lists what there is.
    """
    folder = _device(device, settings.iio_root)
    there = sorted(path.name[len("in_") : -len("_raw")] for path in folder.glob("in_*_raw"))
    names = settings.columns
    if not set(names) & set(there) and len(there) == len(names) and not settings.columns_given:
        names = tuple(there)
    missing = [name for name in names if name not in there]
    if missing:
        shown = ",".join(there) or "none"
        raise DataError(f"{folder}: no channel '{missing[0]}'; choose {len(names)} of {shown} with --columns")
    units = dict(zip(names, settings.units, strict=True))
    return folder, tuple(_channel(folder, name, units[name]) for name in names)


def _device(word: str, root: Path) -> Path:
    folders = sorted(root.glob("iio:device*")) if root.is_dir() else []
    for folder in folders:
        number = folder.name.removeprefix("iio:device")
        if word in {number, f"device{number}", folder.name, read_text(folder / "name")}:
            return folder
    found = ", ".join(f"{folder.name} ({read_text(folder / 'name') or 'no name'})" for folder in folders) or "none"
    raise DataError(f"iio: no device '{word}'; there are: {found}")


def _channel(folder: Path, name: str, unit: str) -> IioChannel:
    kind = name.partition("_")[0]
    offset, scale = (
        _attribute(folder, name, kind, what, default) for what, default in (("offset", 0.0), ("scale", 1.0))
    )
    # voltage0 is of kind voltage; only kinds with a factor matter here.
    return IioChannel(name, folder / f"in_{name}_raw", offset, scale * _FACTORS.get((kind, unit.strip().lower()), 1.0))


def _attribute(folder: Path, name: str, kind: str, what: str, default: float) -> float:
    """Of the channel, else shared by all channels of its kind."""
    for owner in (name, kind, kind.rstrip("0123456789")):
        path = folder / f"in_{owner}_{what}"
        if path.exists():
            try:
                return read_number(path)
            except ValueError:
                raise DataError(f"{path}: '{read_text(path)}'; expected a number") from None
    return default


def read_number(path: Path) -> float:
    """A number in a file of sysfs.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else.
    """
    return float(read_text(path, missing_is_empty=False))


def read_text(path: Path, *, missing_is_empty: bool = True) -> str:
    """What a file of sysfs holds, without white space around it."""
    try:
        with path.open(encoding="ascii", errors="replace") as stream:
            return stream.read(_MOST_CHARACTERS).strip()
    except OSError:
        if missing_is_empty:
            return ""
        raise
