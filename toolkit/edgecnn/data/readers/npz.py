"""NumPy archives: windows or recordings as one array, labels beside it.

    X, x, samples or data       (recordings, length) or (recordings, length, channels), numbers
    y, Y, label or labels       (recordings,), numbers or text
    groups, channels, sample_rate_hz    optional
    X_train, y_train, X_test, y_test    instead of X and y: the publisher's parts

Sizes are compared with the file before anything is unpacked, and pickled objects are refused.
"""

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn.data.readers.missing import bridge_missing
from edgecnn.data.readers.selection import select_channels
from edgecnn.data.readers.sources import list_files, relative_name
from edgecnn.data.readers.store import SampleStore
from edgecnn.data.readers.ucr_rows import normal_label
from edgecnn.data.recording import Channel, Dataset, Part, Recording, Segment
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

FORMAT: Final = "npz"
MAX_BYTES: Final = 2 << 30
_SAMPLES: Final = ("X", "x", "samples", "data")
_LABELS: Final = ("y", "Y", "label", "labels")
_DAMAGE: Final = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    SyntaxError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
)
"""What zipfile, zlib and NumPy raise on damaged archives."""

Array = npt.NDArray[Any]


def read(settings: DataSettings) -> Dataset:
    """Read one archive, or all archives of a folder.

    Raises:
        DataError: an array is missing, has a wrong shape or type, or the archive is damaged.
    """
    files = list_files(settings.path, (".npz",))
    if not files:
        raise DataError(f"{settings.path}: no .npz files")
    store = SampleStore()
    recordings: list[Recording] = []
    for path in files:
        prefix = "" if len(files) == 1 else relative_name(path, settings.path) + "/"
        recordings += _recordings(path, prefix, settings, store)
    notes = []
    if all(recording.group == recording.name for recording in recordings):
        notes.append("each recording is its own group, for the archive holds no 'groups'")
    return Dataset(settings.path.resolve().name, FORMAT, tuple(recordings), files, tuple(notes))


def _recordings(path: Path, prefix: str, settings: DataSettings, store: SampleStore) -> Iterator[Recording]:
    arrays = _load(path)
    rate_hz = _rate(arrays, settings, path)
    parts: tuple[tuple[str, Part | None], ...] = (("", None),)
    if any(f"{name}_train" in arrays for name in _SAMPLES):
        parts = (("_train", "train"), ("_validation", "validation"), ("_val", "validation"), ("_test", "test"))
    given = [part for suffix, part in parts if _find(arrays, _SAMPLES, suffix) is not None]
    count = 0
    for suffix, part in parts:
        samples = _find(arrays, _SAMPLES, suffix)
        if samples is None:
            continue
        labels = _find(arrays, _LABELS, suffix)
        groups = _find(arrays, ("groups", "group"), suffix)
        samples = _as_samples(samples, path)
        for what, column in (("labels", labels), ("groups", groups)):
            if column is not None and column.reshape(-1).shape != (len(samples),):
                raise DataError(
                    f"{path}: {what}{suffix} {column.shape} for {len(samples)} recordings; expected one each"
                )
        channels, columns = select_channels(_channels(arrays, samples.shape[2], path), settings, path)
        texts = [normal_label(str(label)) for label in labels.reshape(-1)] if labels is not None else []
        of_group = [str(group) for group in groups.reshape(-1)] if groups is not None else []
        for number, values in enumerate(samples):
            count += 1
            name = f"{prefix}{part or 'recording'}/{number + 1:04d}"
            kept = bridge_missing(
                np.asarray(values[:, columns], dtype=np.float64),
                settings,
                rate_hz,
                lambda row, channel, name=name: f"{path}: {name}, sample {row}, channel {channel}",  # type: ignore[misc]
            )
            yield Recording(
                name=name,
                channels=channels,
                sample_rate_hz=rate_hz,
                length=len(kept),
                segments=(Segment(0, len(kept), texts[number]),) if texts and texts[number] else (),
                group=of_group[number] if of_group else name,
                read=store.add(kept),
                # One part alone is no split.
                part=part if len(given) > 1 else None,
            )
    if not count:
        raise DataError(
            f"{path}: no array of samples (arrays: {', '.join(sorted(arrays)) or 'none'}; expected X and y)"
        )


def _load(path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(item.file_size for item in archive.infolist())
        if total > MAX_BYTES:
            raise DataError(
                f"{path}: unpacks to {total} bytes; at most {MAX_BYTES}, use .csv or .parquet files instead"
            )
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except _DAMAGE as error:
        raise DataError(f"{path}: no readable .npz archive ({' '.join(str(error).split())[:120]})") from error


def _find(arrays: dict[str, Array], names: tuple[str, ...], suffix: str) -> Array | None:
    return next((arrays[name + suffix] for name in names if name + suffix in arrays), None)


def _as_samples(samples: Array, path: Path) -> Array:
    if samples.dtype.kind not in "iuf" or samples.ndim not in (2, 3) or 0 in samples.shape:
        raise DataError(
            f"{path}: samples are {samples.dtype} {samples.shape}; expected numbers (recordings, length, channels)"
        )
    return samples if samples.ndim == 3 else samples[:, :, None]


def _channels(arrays: dict[str, Array], count: int, path: Path) -> list[Channel]:
    if "channels" not in arrays:
        return [Channel("value")] if count == 1 else [Channel(f"c{number}") for number in range(count)]
    names = [str(name) for name in arrays["channels"].reshape(-1)]
    if len(names) != count or len(set(names)) != count:
        raise DataError(
            f"{path}: {len(names)} names in 'channels' for {count} channels; expected different names for all"
        )
    return [Channel(name) for name in names]


def _rate(arrays: dict[str, Array], settings: DataSettings, path: Path) -> float:
    if settings.sample_rate_hz is not None:
        return settings.sample_rate_hz
    stored = next((arrays[name] for name in ("sample_rate_hz", "sample_rate", "fs") if name in arrays), None)
    if (
        stored is None
        or stored.size != 1
        or stored.dtype.kind not in "iuf"
        or not 0 < float(stored.reshape(-1)[0]) <= 1e7
    ):
        raise DataError(f"{path}: holds no 'sample_rate_hz'; give data.sample_rate_hz")
    return float(stored.reshape(-1)[0])
