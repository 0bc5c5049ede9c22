"""WFDB, the format of PhysioNet: `.hea` header, `.dat` signals, annotations such as `.atr`.

Beat annotations become segments of one sample with the annotation's symbol; samples are read when they are asked for.
"""

import math
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecnn.data.labels import listed
from edgecnn.data.readers.missing import bridge_missing, longest_run
from edgecnn.data.readers.selection import select_channels
from edgecnn.data.readers.sources import bare_stem, list_files, need, relative_name
from edgecnn.data.recording import Channel, Dataset, Recording, Samples, Segment
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

FORMAT: Final = "wfdb"

BEATS: Final = frozenset("NLRBAaJSVrFejnE/fQ?")
"""Symbols of beats; the others mark rhythm, noise, waves and comments (WFDB Applications Guide, annotation codes)."""

MITDB_SAME_SUBJECT: Final = ("201", "202")
"""The two records that MIT-BIH's documentation says are of one subject."""

_DAMAGE: Final = (
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OSError,
    OverflowError,
    ZeroDivisionError,
    MemoryError,
    EOFError,
    struct.error,
    UnboundLocalError,
)
"""What the wfdb package raises on damaged files."""

_SAMPLE_BYTES: Final = {
    **dict.fromkeys(("8", "80"), 1.0),
    **dict.fromkeys(("16", "61", "160"), 2.0),
    **dict.fromkeys(("310", "311"), 4 / 3),
    "24": 3.0,
    "32": 4.0,
    "212": 1.5,
}
"""Bytes of a sample by signal format; the others are compressed."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9_\-~. ]{1,200}")


def read(settings: DataSettings) -> Dataset:
    """Read all records under the data folder.

    Raises:
        DataError: a record is damaged, or no signal is in all of them.
        MissingDependency: the wfdb package is not installed.
    """
    root = settings.path
    paths = list_files(root, (".hea",))
    if not paths:
        raise DataError(f"{root}: no .hea files")
    headers = {path: _header(path) for path in paths}
    names = _signals(headers, settings, root)
    recordings, files, notes = [], [], []
    for path, header in headers.items():
        recording, own = _recording(path, header, names, settings)
        recordings.append(recording)
        files += own
    unmarked = [recording.name for recording in recordings if not recording.segments]
    if len(unmarked) == len(recordings):
        raise DataError(f"{root}: no record has beat annotations in a .{settings.annotator} file; set data.annotator")
    if unmarked:
        notes.append(f"records without beat annotations: {listed(unmarked)}")
    recordings, note = _join_same_subject(recordings)
    notes += [*_left_out(headers, names, settings), "each record is its own group", *note]
    return Dataset(root.resolve().name, FORMAT, tuple(recordings), tuple(files), tuple(notes))


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the wfdb package, which calls what newer pandas deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _wfdb() -> Any:
    try:
        with _quiet():
            import wfdb
    except ImportError as error:
        raise need("wfdb", "wfdb", "reading WFDB records") from error
    return wfdb


def _header(path: Path) -> Any:
    wfdb = _wfdb()
    try:
        with _quiet():
            header = wfdb.rdheader(str(path.with_suffix("")))
        signals = getattr(header, "file_name", None)
        facts = (header.sig_len, header.fs, header.sig_name, header.units)
    except _DAMAGE as error:
        raise DataError(f"{path}: no readable WFDB header ({_short(error)})") from error
    if not signals or any(fact is None for fact in facts) or not header.sig_len > 0 or not 0 < header.fs <= 1e7:
        raise DataError(f"{path}: not a single-segment header with signals, a length and a rate")
    for name in signals:
        if not _SAFE_NAME.fullmatch(name) or not (path.parent / name).is_file():
            raise DataError(f"{path}: its signal file '{name[:60]}' is not in the same folder")
    if len(header.sig_name) != len(signals) or len(header.units) != len(signals):
        raise DataError(f"{path}: {len(signals)} signals, {len(header.sig_name)} names")
    _check_sizes(path, header)
    return header


def _check_sizes(path: Path, header: Any) -> None:
    """Compare the signal files with the length that the header states, as far as their formats have a fixed size."""
    needed: dict[str, float] = {}
    for number, name in enumerate(header.file_name):
        width = _SAMPLE_BYTES.get(str(header.fmt[number]), 0.0)
        needed[name] = needed.get(name, 0.0) + header.sig_len * width * (header.samps_per_frame[number] or 1)
    for name, least in needed.items():
        found = (path.parent / name).stat().st_size
        # The packed formats may leave out what is unused of their last group of bytes.
        if found < least - 4:
            raise DataError(
                f"{path}: {header.sig_len} samples need {math.ceil(least)} bytes of {name}, which has {found}: cut off?"
            )


def _signals(headers: dict[Path, Any], settings: DataSettings, root: Path) -> tuple[str, ...]:
    """The names of the signals to read: those asked for, or those that every record has."""
    if settings.channels is not None:
        return settings.channels
    first, *others = headers.values()
    shared = tuple(dict.fromkeys(name for name in first.sig_name if all(name in other.sig_name for other in others)))
    if not shared:
        every = sorted({name for header in headers.values() for name in header.sig_name})
        raise DataError(f"{root}: no signal is in all records (signals: {listed(every)}); name one in data.channels")
    return shared


def _left_out(headers: dict[Path, Any], names: tuple[str, ...], settings: DataSettings) -> list[str]:
    others = sorted({name for header in headers.values() for name in header.sig_name} - set(names))
    if settings.channels is not None or not others:
        return []
    return [f"only the signals that all records have are used, not {listed(others)}"]


def _recording(path: Path, header: Any, names: tuple[str, ...], settings: DataSettings) -> tuple[Recording, list[Path]]:
    found = [Channel(name, unit) for name, unit in zip(header.sig_name, header.units, strict=True)]
    chosen = settings.model_copy(update={"channels": names})
    channels, columns = select_channels(found, chosen, path)
    name = relative_name(path, settings.path).removesuffix(".hea")
    annotations = path.with_suffix(f".{settings.annotator}")
    segments = _beats(path, header, settings.annotator) if annotations.is_file() else ()
    recording = Recording(
        name=name,
        channels=channels,
        sample_rate_hz=float(header.fs),
        length=int(header.sig_len),
        segments=segments,
        group=bare_stem(path),
        read=_reader(path, name, columns, int(header.sig_len), float(header.fs), settings),
    )
    files = [path, *dict.fromkeys(path.with_name(header.file_name[column]) for column in columns)]
    return recording, files + ([annotations] if segments else [])


def _beats(path: Path, header: Any, annotator: str) -> tuple[Segment, ...]:
    wfdb = _wfdb()
    try:
        with _quiet():
            marks = wfdb.rdann(str(path.with_suffix("")), annotator)
        pairs = sorted(zip(marks.sample.tolist(), marks.symbol, strict=True))
    except _DAMAGE as error:
        raise DataError(f"{path.with_suffix(f'.{annotator}')}: no readable annotations ({_short(error)})") from error
    beats = [(sample, symbol) for sample, symbol in pairs if symbol in BEATS]
    for sample, symbol in beats:
        if not 0 <= sample < header.sig_len:
            raise DataError(
                f"{path.with_suffix(f'.{annotator}')}: beat '{symbol}' at sample {sample}; "
                f"the record has {header.sig_len} samples"
            )
    return tuple(Segment(sample, sample + 1, symbol) for sample, symbol in beats)


def _reader(
    path: Path, name: str, columns: list[int], length: int, rate_hz: float, settings: DataSettings
) -> Callable[[int, int], Samples]:
    read_stored = _stored_reader(path, columns)
    around = longest_run(settings, rate_hz) + 1

    def read_samples(start: int, stop: int) -> Samples:
        if stop <= start:
            return np.zeros((0, len(columns)), dtype=np.float32)
        samples = read_stored(start, stop)
        if np.isfinite(samples).all():
            return samples
        # Every gap that may be bridged ends within `around` samples, so that any part reads as the whole does.
        first = max(0, start - around)
        wide = read_stored(first, min(length, stop + around)).astype(np.float64)
        bridged = bridge_missing(
            wide,
            settings,
            rate_hz,
            lambda row, channel: f"{path}: record {name}, sample {first + row}, signal {channel}",
        )
        return np.ascontiguousarray(bridged[start - first : stop - first], dtype=np.float32)

    return read_samples


def _stored_reader(path: Path, columns: list[int]) -> Callable[[int, int], Samples]:
    """Return the function that reads samples in physical units, NaN where the file says there is no valid value."""
    wfdb = _wfdb()

    def read_samples(start: int, stop: int) -> Samples:
        try:
            with _quiet():
                stem = str(path.with_suffix(""))
                record = wfdb.rdrecord(stem, sampfrom=start, sampto=stop, channels=columns, return_res=32)
            samples: Samples = np.ascontiguousarray(record.p_signal, dtype=np.float32)
        except _DAMAGE as error:
            raise DataError(f"{path}: samples {start} to {stop} cannot be read ({_short(error)})") from error
        if samples.shape != (stop - start, len(columns)):
            raise DataError(f"{path}: samples {start} to {stop}: the signal file is shorter than its header says")
        return samples

    return read_samples


def _join_same_subject(recordings: list[Recording]) -> tuple[list[Recording], list[str]]:
    first, second = MITDB_SAME_SUBJECT
    mitdb = {recording.group for recording in recordings if recording.sample_rate_hz == 360.0}
    if not {first, second} <= mitdb:
        return recordings, []
    joined = [replace(item, group=first) if item.group == second else item for item in recordings]
    return joined, [f"records {first} and {second} are of one subject: both are group '{first}'"]


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
