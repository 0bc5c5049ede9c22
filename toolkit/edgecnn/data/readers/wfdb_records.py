"""WFDB, the format of PhysioNet: `.hea` header, `.dat` signals, annotations such as `.atr`.

Beat annotations become segments of one sample with the annotation's symbol; samples are read when they are asked for.
"""

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
    notes += ["each record is its own group", *note]
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
        if not _SAFE_NAME.fullmatch(name) or not path.with_name(name).is_file():
            raise DataError(f"{path}: its signal file '{name[:60]}' is not in the same folder")
    if len(header.sig_name) != len(signals) or len(header.units) != len(signals):
        raise DataError(f"{path}: {len(signals)} signals, {len(header.sig_name)} names")
    return header


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
        read=_reader(path, name, columns),
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


def _reader(path: Path, name: str, columns: list[int]) -> Callable[[int, int], Samples]:
    wfdb = _wfdb()

    def read_samples(start: int, stop: int) -> Samples:
        if stop <= start:
            return np.zeros((0, len(columns)), dtype=np.float32)
        try:
            with _quiet():
                stem = str(path.with_suffix(""))
                record = wfdb.rdrecord(stem, sampfrom=start, sampto=stop, channels=columns, return_res=32)
            samples: Samples = np.ascontiguousarray(record.p_signal, dtype=np.float32)
        except _DAMAGE as error:
            raise DataError(f"{path}: samples {start} to {stop} cannot be read ({_short(error)})") from error
        if samples.shape != (stop - start, len(columns)):
            raise DataError(f"{path}: samples {start} to {stop}: the signal file is shorter than its header says")
        missing = np.argwhere(~np.isfinite(samples))
        if len(missing):
            raise DataError(f"{path}: record {name}, sample {start + missing[0][0]}: no valid value")
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
