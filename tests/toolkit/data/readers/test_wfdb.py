"""WFDB records written by hand: invalid samples, sizes that do not fit, signals that are not in all records."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data.readers import read_dataset
from edgecnn.data.recording import Dataset, Recording
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError, EdgeCnnError

wfdb = pytest.importorskip("wfdb")

INVALID = -32768
"""Format 16 stores it where a sample has no valid value."""


def record(
    folder: Path, name: str, stored: np.ndarray, signals: tuple[str, ...] = ("MLII",), rate_hz: int = 10
) -> None:
    stored.astype("<i2").tofile(folder / f"{name}.dat")
    lines = [f"{name} {len(signals)} {rate_hz} {len(stored)}"]
    lines += [f"{name}.dat 16 1(0)/mV 16 0 0 0 0 {signal}" for signal in signals]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wfdb.wrann(name, "atr", np.array([1, 2, 3]), ["N", "+", "V"], write_dir=str(folder))


def read(path: Path, **keys: object) -> Dataset:
    return read_dataset(DataSettings(path=path, **keys))


def whole(recording: Recording) -> np.ndarray:
    return recording.read(0, recording.length)


def ramp(length: int = 60) -> np.ndarray:
    return np.arange(length)[:, None]


def test_only_beats_become_segments(tmp_path: Path) -> None:
    record(tmp_path, "r", ramp())
    segments = read(tmp_path).recordings[0].segments
    assert [(segment.start, segment.stop, segment.label) for segment in segments] == [(1, 2, "N"), (3, 4, "V")]


def test_invalid_samples_are_named_or_bridged(tmp_path: Path) -> None:
    stored = ramp()
    stored[[0, 20, 21, 22, 59]] = INVALID
    record(tmp_path, "r", stored)
    with pytest.raises(DataError, match=r"r\.hea: record r, sample 20, signal 0: the value is missing"):
        read(tmp_path).recordings[0].read(15, 25)
    bridged = read(tmp_path, missing="interpolate").recordings[0]
    expected = np.clip(np.arange(60), 1, 58)
    np.testing.assert_allclose(whole(bridged)[:, 0], expected)
    for start in range(60):
        np.testing.assert_allclose(bridged.read(start, min(60, start + 3))[:, 0], expected[start : start + 3])


def test_a_long_gap_is_refused_wherever_one_looks(tmp_path: Path) -> None:
    stored = ramp()
    stored[20:25] = INVALID
    record(tmp_path, "r", stored)
    recording = read(tmp_path, missing="interpolate").recordings[0]
    for start in range(20, 25):
        with pytest.raises(DataError, match="5 values in a row are missing, at most 4"):
            recording.read(start, start + 1)
    wide = read(tmp_path, missing="interpolate", max_gap_s=0.6).recordings[0]
    np.testing.assert_allclose(whole(wide)[:, 0], np.arange(60))


def test_a_signal_file_that_is_too_short_is_found_at_once(tmp_path: Path) -> None:
    record(tmp_path, "r", ramp())
    header = tmp_path / "r.hea"
    header.write_text(header.read_text().replace("r 1 10 60", "r 1 10 6000000000"))
    with pytest.raises(DataError, match=r"r\.hea: 6000000000 samples need 12000000000 bytes of r\.dat, which has 120"):
        read(tmp_path)


@pytest.mark.parametrize("name", [".", "..", "../r.dat", "/etc/passwd", "missing.dat"])
def test_signal_files_elsewhere_are_not_opened(tmp_path: Path, name: str) -> None:
    record(tmp_path, "r", ramp())
    header = tmp_path / "r.hea"
    header.write_text(header.read_text().replace("r.dat", name))
    with pytest.raises(EdgeCnnError, match=r"r\.hea: "):
        read(tmp_path)


def test_signals_that_are_not_in_all_records_are_told(tmp_path: Path) -> None:
    record(tmp_path, "a", np.hstack((ramp(), 2 * ramp())), ("V5", "MLII"))
    record(tmp_path, "b", ramp())
    dataset = read(tmp_path)
    assert [channel.name for channel in dataset.channels] == ["MLII"]
    assert dataset.channels[0].unit == "mV"
    assert "only the signals that all records have are used, not V5" in dataset.notes
    np.testing.assert_allclose(whole(dataset.recordings[0])[:, 0], 2 * np.arange(60))
    with pytest.raises(DataError, match=r"b\.hea: no channel 'V5' \(channels: MLII\)"):
        read(tmp_path, channels=["V5"])


def test_records_without_annotations_of_this_kind(tmp_path: Path) -> None:
    record(tmp_path, "r", ramp())
    with pytest.raises(DataError, match=r"no record has beat annotations in a \.qrs file"):
        read(tmp_path, annotator="qrs")
