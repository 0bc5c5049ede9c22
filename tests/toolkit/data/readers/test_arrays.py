"""NumPy archives, Parquet and WAV files."""

import contextlib
import wave
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from edgecnn.data.readers import read_dataset
from edgecnn.data.readers.store import SampleStore
from edgecnn.data.recording import Dataset, Segment
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError, EdgeCnnError


def read(path: Path, **keys: object) -> Dataset:
    return read_dataset(DataSettings(path=path, **keys))


X = np.arange(24, dtype=np.float64).reshape(4, 3, 2)


def test_npz_with_everything(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, X=X, y=["a", "b", "a", "b"], groups=[1, 1, 2, 2], channels=["ax", "ay"], sample_rate_hz=50)
    dataset = read(tmp_path)
    assert (dataset.format, dataset.sample_rate_hz) == ("npz", 50.0)
    assert [channel.name for channel in dataset.channels] == ["ax", "ay"]
    assert [item.group for item in dataset.recordings] == ["1", "1", "2", "2"]
    assert dataset.recordings[1].segments == (Segment(0, 3, "b"),)
    np.testing.assert_array_equal(dataset.recordings[3].read(1, 3), X[3, 1:3])
    assert [channel.name for channel in read(path, channels=["ay"]).channels] == ["ay"]


def test_npz_with_official_parts(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X_train=X[:3, :, 0], y_train=[0.0, 1.0, 0.0], X_test=X[3:, :, 0], y_test=[1])
    dataset = read(tmp_path, sample_rate_hz=10)
    assert [item.part for item in dataset.recordings] == ["train", "train", "train", "test"]
    assert [item.segments[0].label for item in dataset.recordings] == ["0", "1", "0", "1"]
    assert dataset.has_official_split


@pytest.mark.parametrize(
    ("arrays", "place"),
    [
        ({"X": X, "y": [1, 2]}, "expected one each"),
        ({"z": X}, "no array of samples"),
        ({"X": np.array(["a"])}, "expected numbers"),
        ({"X": X, "channels": ["ax"]}, "1 names in 'channels' for 2"),
        ({"X": np.where(X == 5, np.nan, X)}, "sample 2, channel 1"),
        ({"X": np.array([{}], dtype=object)}, "no readable .npz"),
    ],
)
def test_wrong_npz_is_named(tmp_path: Path, arrays: dict[str, object], place: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=place):
        read(tmp_path, sample_rate_hz=10)


def test_npz_without_rate(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=X, y=[1, 2, 3, 4])
    with pytest.raises(DataError, match=r"give data\.sample_rate_hz"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", ["npz", "parquet", "wav"])
def test_damaged_files_give_nothing_but_our_errors(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "npz":
        np.savez(path, X=X, y=[1, 2, 3, 4])
    elif suffix == "parquet":
        pd.DataFrame({"t": [0.0, 0.1, 0.2], "ax": [1.0, 2.0, 3.0]}).to_parquet(path)
    else:
        write_wav(path, np.arange(40, dtype="<i2").tobytes(), 2)
    good = path.read_bytes()
    rng = np.random.default_rng(2)
    for _ in range(120):
        bad = bytearray(good)
        for at in rng.integers(0, len(bad), size=3):
            bad[at] = rng.integers(256)
        path.write_bytes(bytes(bad[: int(rng.integers(1, len(bad) + 1))]))
        with contextlib.suppress(EdgeCnnError):
            for item in read(tmp_path, sample_rate_hz=10).recordings:
                assert np.isfinite(item.read(0, item.length)).all()


def test_parquet_is_read_like_a_text_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(200, 2)), columns=["ax", "ay"])
    frame.insert(0, "time", pd.date_range("2024-05-01", periods=200, freq="20ms"))
    frame["what"] = ["walk"] * 120 + ["run"] * 80
    (tmp_path / "p").mkdir()
    frame.to_parquet(tmp_path / "p" / "a.parquet", row_group_size=64)
    dataset = read(tmp_path / "p", label_column="what")
    assert dataset.sample_rate_hz == 50
    assert dataset.recordings[0].segments == (Segment(0, 120, "walk"), Segment(120, 200, "run"))
    np.testing.assert_array_equal(dataset.recordings[0].read(0, 200), frame[["ax", "ay"]].to_numpy(np.float32))
    (tmp_path / "c").mkdir()
    frame.to_csv(tmp_path / "c" / "a.csv", index=False)
    text = read(tmp_path / "c", label_column="what")
    assert text.recordings[0].segments == dataset.recordings[0].segments
    np.testing.assert_array_equal(text.recordings[0].read(0, 200), dataset.recordings[0].read(0, 200))


def write_wav(path: Path, frames: bytes, width: int, channels: int = 1, rate_hz: int = 16000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(frames)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_wav_widths_are_scaled_to_one(tmp_path: Path, width: int) -> None:
    full = 2 ** (8 * width - 1)
    values = [0, full // 2, -full, full - 1]
    frames = b"".join(
        bytes([value + 128]) if width == 1 else value.to_bytes(width, "little", signed=True) for value in values
    )
    write_wav(tmp_path / "yes" / "a.wav", frames, width)
    dataset = read(tmp_path)
    assert (dataset.format, dataset.sample_rate_hz, dataset.recordings[0].segments[0].label) == ("wav", 16000.0, "yes")
    got = dataset.recordings[0].read(0, 4)[:, 0]
    np.testing.assert_array_equal(got, np.array([value / full for value in values], dtype=np.float32))


def test_wav_channels_and_rates(tmp_path: Path) -> None:
    write_wav(tmp_path / "a" / "1.wav", np.arange(8, dtype="<i2").tobytes(), 2, channels=2)
    assert read(tmp_path, channels=["c1"]).recordings[0].read(1, 3)[:, 0].tolist() == [3 / 32768, 5 / 32768]
    write_wav(tmp_path / "b" / "1.wav", np.arange(8, dtype="<i2").tobytes(), 2, channels=2, rate_hz=8000)
    with pytest.raises(DataError, match=r"16000 Hz.*8000 Hz; set data\.resample_hz"):
        read(tmp_path)
    assert {item.length for item in read(tmp_path, resample_hz=8000.0).recordings} == {2, 4}


def test_a_store_gives_the_same_from_memory_and_from_its_file() -> None:
    pieces = [np.random.default_rng(number).normal(size=(50, 3)).astype(np.float32) for number in range(4)]
    for memory_bytes in (10**9, 700, 0):
        store = SampleStore(memory_bytes)
        growing = store.begin(3)
        for piece in pieces[:3]:
            growing.append(piece)
        first, second = growing.finish(), store.add(pieces[3])
        np.testing.assert_array_equal(first(10, 140), np.concatenate(pieces[:3])[10:140])
        np.testing.assert_array_equal(second(0, 50), pieces[3])
        assert first(5, 5).shape == (0, 3)
