"""What each column of a table is: time, label, group, recording, or a channel."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from edgecnn.data.labels import did_you_mean, listed
from edgecnn.data.readers.selection import select_channels
from edgecnn.data.readers.timing import is_time_name
from edgecnn.data.recording import Channel
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError


@dataclass(frozen=True)
class Roles:
    """Column numbers by role; `numeric` and `textual` are the columns to parse, `samples` those of the channels."""

    channels: tuple[Channel, ...]
    samples: tuple[int, ...]
    time: int | None
    time_is_text: bool
    label: int | None
    group: int | None
    recording: int | None
    unused: tuple[str, ...] = ()
    """Names of columns that have no role although the project does not choose channels."""

    @property
    def numeric(self) -> tuple[int, ...]:
        """Columns of numbers: the channels, then a numeric time."""
        return (*self.samples, self.time) if self.time is not None and not self.time_is_text else self.samples

    @property
    def textual(self) -> tuple[int, ...]:
        """Columns that are read as text."""
        texts = [self.label, self.group, self.recording, self.time if self.time_is_text else None]
        return tuple(dict.fromkeys(column for column in texts if column is not None))


def find_roles(names: Sequence[str], numeric: Sequence[bool], settings: DataSettings, where: Path | str) -> Roles:
    """Give every column of a file its role.

    Raises:
        DataError: a column that the project names is not there, or no channel is left.
    """
    time = _column(names, settings.time_column, "time_column", where)
    named = [number for number, name in enumerate(names) if is_time_name(name)]
    if time is None and named:
        time = named[0]
    label = _column(names, settings.label_column, "label_column", where)
    group = _column(names, settings.group_column, "group_column", where)
    recording = _column(names, settings.recording_column, "recording_column", where)
    taken = {time, label, group, recording, *named}
    wanted = settings.channels or ()
    free = [
        number
        for number, name in enumerate(names)
        if name in wanted or (number not in taken and numeric[number] and name)
    ]
    twice = next((name for name in wanted or [names[number] for number in free] if list(names).count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{where}: several columns are called '{twice}'; name the columns to use in data.channels")
    found = [Channel(names[number]) for number in free]
    channels, picked = select_channels(found, settings, where)
    if not channels:
        raise DataError(f"{where}: no column of numbers is left for a channel (columns: {listed(names)})")
    if settings.sample_rate_hz is not None and settings.time_column is None:
        # A given rate stands above stamps that nobody asked for.
        time = None
    return Roles(
        channels=channels,
        samples=tuple(free[number] for number in picked),
        time=time,
        time_is_text=time is not None and not numeric[time],
        label=label,
        group=group,
        recording=recording,
        unused=_unused(names, {*free, time, label, group, recording}) if settings.channels is None else (),
    )


def _unused(names: Sequence[str], used: AbstractSet[int | None]) -> tuple[str, ...]:
    return tuple(name for number, name in enumerate(names) if number not in used)


def _column(names: Sequence[str], name: str | None, key: str, where: Path | str) -> int | None:
    if name is None:
        return None
    if name not in names:
        raise DataError(
            f"{where}: no column '{name}' (data.{key}){did_you_mean(name, names)} (columns: {listed(names)})"
        )
    return list(names).index(name)
