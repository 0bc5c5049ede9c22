"""Files -> `Dataset`: one reader a file, found by format.

A reader module has `FORMAT` and `read(settings) -> Dataset`; `read_dataset` finds the format where the project leaves
it open, and checks what no reader can get wrong alone: that recordings share channels and rate.
"""

import importlib
from dataclasses import replace
from typing import Final

from edgecnn.data.labels import listed
from edgecnn.data.readers.detect import detect_format
from edgecnn.data.readers.sources import check_exists
from edgecnn.data.recording import Dataset, Recording
from edgecnn.data.resample import resample_recording
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

_MODULES: Final = {
    "csv": "csv",
    "npz": "npz",
    "parquet": "parquet",
    "wav": "wav",
    "ucr": "ucr",
    "wfdb": "wfdb_records",
    "uci-har": "uci_har",
    "uci-hapt": "uci_hapt",
}


def read_dataset(settings: DataSettings) -> Dataset:
    """Read the recordings that `settings` describe; samples are read when they are asked for, where files allow it.

    Raises:
        DataError: naming file, place and value, and what would be accepted.
        SettingsError: settings that contradict each other.
        MissingDependency: the format needs a package that is not installed.
    """
    if settings.format == "demo":
        from edgecnn.data.demo import demo_dataset

        return demo_dataset()
    check_exists(settings.path)
    name = detect_format(settings.path) if settings.format == "auto" else settings.format
    module = importlib.import_module(f"edgecnn.data.readers.{_MODULES[name]}")
    dataset: Dataset = module.read(settings)
    if not dataset.recordings:
        raise DataError(f"{settings.path}: holds no recordings of format '{name}'")
    dataset = _resampled(dataset, settings)
    _check_shared(dataset)
    return dataset


def _resampled(dataset: Dataset, settings: DataSettings) -> Dataset:
    rate_hz = settings.resample_hz
    if rate_hz is None or (dataset.format == "ucr" and settings.sample_rate_hz is None):
        return dataset
    rates = sorted({recording.sample_rate_hz for recording in dataset.recordings} - {rate_hz})
    recordings = tuple(resample_recording(recording, rate_hz) for recording in dataset.recordings)
    note = f"resampled to {rate_hz:g} Hz by linear interpolation"
    if rates:
        note += f" from {listed([f'{rate:g} Hz' for rate in rates], 5)}"
    return replace(dataset, recordings=recordings, notes=(*dataset.notes, note))


def _check_shared(dataset: Dataset) -> None:
    first = dataset.recordings[0]
    for other in dataset.recordings[1:]:
        if other.channels != first.channels:
            raise DataError(
                f"{dataset.name}: '{first.name}' has channels {_channels(first)}, '{other.name}' has {_channels(other)}"
                "; name the channels to use in data.channels"
            )
        if other.sample_rate_hz != first.sample_rate_hz:
            raise DataError(
                f"{dataset.name}: '{first.name}' has {first.sample_rate_hz:g} Hz, '{other.name}' has "
                f"{other.sample_rate_hz:g} Hz; set data.resample_hz"
            )


def _channels(recording: Recording) -> str:
    names = [f"{channel.name} ({channel.unit})" if channel.unit else channel.name for channel in recording.channels]
    return listed(names, 12)
