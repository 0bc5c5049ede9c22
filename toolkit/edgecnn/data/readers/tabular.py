"""Rows of a table -> recordings: the same for text tables and Parquet.

A `TableBuilder` is fed the rows of one file after another. A recording ends where the file, the group column or the
recording column says so, or after `rows_per_recording` rows.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn.data.labels import listed
from edgecnn.data.readers.columns import Roles, find_roles
from edgecnn.data.readers.csv_cells import Columns
from edgecnn.data.readers.missing import Bridge
from edgecnn.data.readers.pattern import PathFacts
from edgecnn.data.readers.store import Growing, Reader, SampleStore
from edgecnn.data.readers.timing import UNIT_SECONDS, Pace, pace_of, shared_rate, unit_of
from edgecnn.data.recording import Channel, Recording, Segment
from edgecnn.data.resample import uneven_reader
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]

_MAX_RECORDINGS: Final = 2_000_000
_WHOLE = re.compile(r"([+-]?[0-9]{1,15})\.0{1,15}")
"""How a column of whole numbers is written once a cell of it was empty: `1.0`."""


@dataclass
class _Open:
    """A recording that rows are still added to."""

    samples: Growing
    bridge: Bridge
    key: tuple[str, str]
    times: list[Float64] = field(default_factory=list)
    rows: list[Int64] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    first_row: int = 0
    length: int = 0


@dataclass(frozen=True)
class _Finished:
    """A recording without its rate."""

    name: str
    channels: tuple[Channel, ...]
    group: str
    segments: tuple[Segment, ...]
    length: int
    read: Reader
    times_s: Float64 | None
    pace: Pace | None


class TableBuilder:
    """Collects recordings from the rows of tables."""

    def __init__(self, settings: DataSettings) -> None:
        self._settings = settings
        self._store = SampleStore()
        self._finished: list[_Finished] = []
        self._unit: str | None = None
        self._timed: bool | None = None
        self._unused: dict[str, None] = {}

    def roles(self, names: Sequence[str], numeric: Sequence[bool], where: Path) -> Roles:
        """Give every column of the next file its role; channels come in the order of the first file.

        Raises:
            DataError: as `find_roles`.
        """
        roles = find_roles(names, numeric, self._settings, where)
        self.time_name = names[roles.time] if roles.time is not None else ""
        self._unused.update(dict.fromkeys(roles.unused))
        first = self._finished[0].channels if self._finished else roles.channels
        if roles.channels == first or set(roles.channels) != set(first):
            return roles
        order = [roles.channels.index(channel) for channel in first]
        return replace(roles, channels=first, samples=tuple(roles.samples[number] for number in order))

    def add_file(
        self, name: str, where: str, roles: Roles, facts: PathFacts, blocks: Iterator[tuple[Columns, bool]]
    ) -> None:
        """Read one file: `blocks` are its rows and whether a recording begins there; `where` names it in errors.

        Raises:
            DataError: a value is missing, time is not usable, or a recording is cut off.
        """
        if self._timed not in (None, roles.time is not None):
            raise DataError(
                f"{where}: {'has a' if roles.time is not None else 'no'} time column, unlike the files before it"
            )
        self._timed = roles.time is not None
        done: list[_Finished] = []
        current: _Open | None = None
        ended: set[tuple[str, str]] = set()
        for columns, starts in blocks:
            if starts and current is not None:
                done.append(self._finish(current, where, roles, facts))
                current = None
                ended = set()
            for part in self._parts(columns, roles):
                key = self._key(part, roles)
                full = self._settings.rows_per_recording
                if current is not None and (key != current.key or current.length == full):
                    done.append(self._finish(current, where, roles, facts))
                    if key != current.key:
                        ended.add(current.key)
                    current = None
                if current is None:
                    first = int(part.rows[0])
                    if roles.recording is not None and key in ended:
                        raise DataError(
                            f"{where}: row {first}: recording '{key[1]}' goes on after another one; sort the rows by "
                            f"data.recording_column '{self._settings.recording_column}'"
                        )
                    current = self._open(key, first, roles, where)
                self._append(current, part, roles, facts, where)
        if current is not None:
            done.append(self._finish(current, where, roles, facts))
        if not done:
            raise DataError(f"{where}: holds no rows of data")
        if len(self._finished) + len(done) > _MAX_RECORDINGS:
            raise DataError(f"{where}: more than {_MAX_RECORDINGS} recordings")
        self._finished += _named(name, done)

    def _parts(self, columns: Columns, roles: Roles) -> Iterator[Columns]:
        """Cut rows where group or recording changes, and every `rows_per_recording` rows."""
        count = len(columns.rows)
        cuts = {0, count}
        for column in (roles.group, roles.recording):
            if column is not None:
                cuts.update((np.flatnonzero(columns.texts[column][1:] != columns.texts[column][:-1]) + 1).tolist())
        full = self._settings.rows_per_recording
        edges = sorted(cuts)
        for begin, end in pairwise(edges):
            for first in range(begin, end, full or max(1, end - begin)):
                last = min(end, first + full) if full else end
                texts = {column: cells[first:last] for column, cells in columns.texts.items()}
                yield Columns(columns.numbers[first:last], texts, columns.rows[first:last])

    def _key(self, part: Columns, roles: Roles) -> tuple[str, str]:
        group = part.texts[roles.group][0] if roles.group is not None else ""
        recording = part.texts[roles.recording][0] if roles.recording is not None else ""
        return str(group), str(recording)

    def _append(self, current: _Open, part: Columns, roles: Roles, facts: PathFacts, where: str) -> None:
        if roles.time is not None:
            current.times.append(self._times(part, roles, where))
            current.rows.append(part.rows)
        values = part.numbers[:, : len(roles.channels)]
        settled = current.bridge.add(values, part.rows, lambda: self._rate_so_far(current, roles))
        current.samples.append(settled)
        labels = part.texts[roles.label] if roles.label is not None else None
        _add_segments(current.segments, labels, facts.label, current.length, len(values))
        current.length += len(values)

    def _open(self, key: tuple[str, str], first_row: int, roles: Roles, where: str) -> _Open:
        names = [channel.name for channel in roles.channels]
        bridge = Bridge(self._settings, lambda row, channel: f"{where}: row {row}, column '{names[channel]}'")
        return _Open(self._store.begin(len(names)), bridge, key, first_row=first_row)

    def _rate_so_far(self, current: _Open, roles: Roles) -> float | None:
        """The rate that bounds gaps of missing values: as given, or by the typical step of the stamps so far."""
        if roles.time is None:
            return self._settings.sample_rate_hz
        times = self._seconds(np.concatenate(current.times), roles)
        step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        return 1.0 / step if step > 0 else None

    def _times(self, part: Columns, roles: Roles, where: str) -> Float64:
        """Seconds of each row; of text, since 1970."""
        if roles.time_is_text:
            return _iso_seconds(part.texts[roles.textual[-1]], part.rows, where)
        raw: Float64 = part.numbers[:, -1]
        unknown = np.flatnonzero(~np.isfinite(raw))
        if len(unknown):
            raise DataError(f"{where}: row {part.rows[unknown[0]]}: the time stamp is missing or not finite")
        return raw

    def _finish(self, current: _Open, where: str, roles: Roles, facts: PathFacts) -> _Finished:
        length = current.length
        full = self._settings.rows_per_recording
        if full is not None and length != full:
            raise DataError(
                f"{where}: row {current.first_row}: {length} rows are left over; data.rows_per_recording = {full} "
                f"expects a multiple of {full}"
            )
        rest = current.bridge.finish(lambda: self._rate_so_far(current, roles))
        if rest is not None:
            current.samples.append(rest)
        times, pace = None, None
        if roles.time is not None:
            times = np.concatenate(current.times)
            times = self._seconds(times, roles)
            if length > 1:
                pace = pace_of(times, np.concatenate(current.rows), self._settings, where)
            if self._settings.resample_hz is None:
                times = None
        group = current.key[0] or facts.group or ""
        segments = tuple(current.segments)
        return _Finished("", roles.channels, group, segments, length, current.samples.finish(), times, pace)

    def _seconds(self, times: Float64, roles: Roles) -> Float64:
        if roles.time_is_text:
            elapsed: Float64 = times - times[0]
            return elapsed
        if self._unit is None:
            name = self._settings.time_column or self.time_name
            self._unit = unit_of(name, times, self._settings)
        seconds: Float64 = (times - times[0]) * UNIT_SECONDS[self._unit]
        return seconds

    time_name = ""
    """Name of the time column of the file that is being read."""

    def recordings(self) -> tuple[tuple[Recording, ...], tuple[str, ...]]:
        """Give every recording its rate: the recordings, and what was decided.

        Raises:
            DataError: no rate is known, or stamps are uneven and the project does not resample.
        """
        rate_hz = self._rate()
        notes = []
        if self._unit is not None and self._settings.time_unit == "auto":
            notes.append(f"time stamps are taken to be in {self._unit}")
        if self._unused:
            notes.append(f"columns that are not used: {listed(self._unused)}")
        if any(not item.group for item in self._finished):
            notes.append("each recording without a group is its own group, for the files do not say who was recorded")
        return tuple(self._recording(item, rate_hz) for item in self._finished), tuple(notes)

    def _rate(self) -> float:
        settings = self._settings
        if not self._timed:
            if settings.sample_rate_hz is None:
                raise DataError(
                    f"{settings.path}: no column holds the time; name it in data.time_column, or give "
                    "data.sample_rate_hz"
                )
            return settings.sample_rate_hz
        if settings.resample_hz is not None:
            return settings.resample_hz
        paces = {item.name: item.pace for item in self._finished if item.pace is not None}
        if not paces:
            raise DataError(f"{settings.path}: every recording has one row; a rate needs two")
        return shared_rate(paces, settings)

    def _recording(self, item: _Finished, rate_hz: float) -> Recording:
        length, read, segments = item.length, item.read, item.segments
        if item.times_s is not None:
            length, read = uneven_reader(item.times_s, item.read, rate_hz, item.name)
            segments = _at_times(item.segments, item.times_s, rate_hz, length)
        return Recording(item.name, item.channels, rate_hz, length, segments, item.group or item.name, read)


def _named(name: str, done: list[_Finished]) -> list[_Finished]:
    if len(done) == 1:
        return [replace(done[0], name=name)]
    return [replace(item, name=f"{name}#{number}") for number, item in enumerate(done)]


def _add_segments(segments: list[Segment], labels: Texts | None, label: str | None, start: int, count: int) -> None:
    """Add the labels of `count` rows from sample `start`; runs of equal labels are one segment."""
    if labels is None:
        runs = [(0, count, label or "")]
    else:
        edges = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), count]
        runs = [(first, last, _label(str(labels[first]))) for first, last in pairwise(edges)]
    for first, last, text in runs:
        if not text or first == last:
            continue
        if segments and segments[-1].label == text and segments[-1].stop == start + first:
            segments[-1] = Segment(segments[-1].start, start + last, text)
        else:
            segments.append(Segment(start + first, start + last, text))


def _label(text: str) -> str:
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def _at_times(segments: tuple[Segment, ...], times_s: Float64, rate_hz: float, length: int) -> tuple[Segment, ...]:
    """Move segments to the even grid: a sample has the label of the last row at or before it."""
    since = times_s - times_s[0]
    moved = []
    for segment in segments:
        start = int(np.ceil(since[segment.start] * rate_hz - 1e-6))
        stop = length if segment.stop == len(since) else int(np.ceil(since[segment.stop] * rate_hz - 1e-6))
        if min(stop, length) > start:
            moved.append(Segment(start, min(stop, length), segment.label))
    return tuple(moved)


def _iso_seconds(texts: Texts, rows: Int64, where: str) -> Float64:
    import pandas as pd

    stamps: Any = pd.to_datetime(pd.Series(texts), utc=True, format="ISO8601", errors="coerce")
    wrong = np.flatnonzero(stamps.isna().to_numpy())
    if len(wrong):
        raise DataError(
            f"{where}: row {rows[wrong[0]]}: '{str(texts[wrong[0]])[:40]}' is no time; expected a number or ISO 8601 "
            "(2024-05-01T12:00:00.010)"
        )
    nanoseconds = stamps.dt.tz_localize(None).to_numpy().astype("datetime64[ns]").astype(np.int64)
    return np.asarray(nanoseconds / 1e9, dtype=np.float64)
