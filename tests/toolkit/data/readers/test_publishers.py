"""WFDB records and the two UCI folders: counts of the publishers, the wfdb package as oracle, damaged copies."""

import contextlib
import shutil
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data.readers import read_dataset
from edgecnn.data.recording import Dataset, Segment
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError, EdgeCnnError


def read(path: Path, **keys: object) -> Dataset:
    return read_dataset(DataSettings(path=path, **keys))


@pytest.fixture
def one_record(shared_data: Path, tmp_path: Path) -> Path:
    for suffix in ("hea", "dat", "atr"):
        shutil.copyfile(shared_data / "mitdb" / f"100.{suffix}", tmp_path / f"100.{suffix}")
    return tmp_path


def test_mitdb_counts(shared_data: Path) -> None:
    dataset = read(shared_data / "mitdb")
    counts = Counter(segment.label for item in dataset.recordings for segment in item.segments)
    assert {symbol: counts[symbol] for symbol in "NVLAF"} == {"N": 26867, "V": 5419, "L": 2003, "A": 528, "F": 412}
    assert (dataset.format, len(dataset.recordings), dataset.sample_rate_hz) == ("wfdb", 14, 360.0)
    assert {item.length for item in dataset.recordings} == {650_000}
    assert {item.group for item in dataset.recordings} == {item.name for item in dataset.recordings}


def test_samples_are_those_of_wfdb(shared_data: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = wfdb.rdrecord(str(shared_data / "mitdb" / "203")).p_signal
    item = next(item for item in read(shared_data / "mitdb", channels=["MLII"]).recordings if item.name == "203")
    for start in (0, 1, 123_457, 649_000):
        np.testing.assert_allclose(item.read(start, start + 1000)[:, 0], expected[start : start + 1000, 0], atol=1e-6)


def test_records_of_one_subject_share_a_group(one_record: Path) -> None:
    for name in ("201", "202"):
        for suffix in ("hea", "dat", "atr"):
            text = (one_record / f"100.{suffix}").read_bytes()
            (one_record / f"{name}.{suffix}").write_bytes(
                text.replace(b"100", name.encode()) if suffix == "hea" else text
            )
    assert [item.group for item in read(one_record).recordings] == ["100", "201", "201"]


def test_a_missing_signal_names_the_others(one_record: Path) -> None:
    with pytest.raises(DataError, match="no channel 'mlii'; did you mean 'MLII'"):
        read(one_record, channels=["mlii"])


@pytest.mark.parametrize("suffix", ["hea", "atr"])
def test_damaged_wfdb_files_give_nothing_but_our_errors(one_record: Path, suffix: str) -> None:
    path = one_record / f"100.{suffix}"
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        bad = bytearray(good)
        for at in rng.integers(0, min(len(bad), 200), size=3):
            bad[at] = rng.integers(256)
        path.write_bytes(bytes(bad[: int(rng.integers(1, len(bad)))]))
        with contextlib.suppress(EdgeCnnError):
            dataset = read(one_record)
            assert dataset.recordings[0].read(0, 100).shape == (100, len(dataset.channels))


def test_a_cut_off_signal_file_is_named(one_record: Path) -> None:
    path = one_record / "100.dat"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"100\.hea"):
        read(one_record).recordings[0].read(10_000, 11_000)


def test_hapt_counts_and_official_parts(shared_data: Path) -> None:
    dataset = read(shared_data / "hapt")
    assert (dataset.format, len(dataset.recordings), dataset.sample_rate_hz) == ("uci-hapt", 61, 50.0)
    assert sum(item.length for item in dataset.recordings) == 1_122_772
    assert sum(len(item.segments) for item in dataset.recordings) == 1_214
    tests = {item.group for item in dataset.recordings if item.part == "test"}
    assert tests == {f"user {number:02d}" for number in (2, 4, 9, 10, 12, 13, 18, 20, 24)}
    first = dataset.recordings[0]
    assert (first.name, first.segments[0]) == ("exp01_user01", Segment(249, 1232, "STANDING"))
    expected = np.loadtxt(shared_data / "hapt" / "RawData" / "gyro_exp01_user01.txt.gz", dtype=np.float32)
    np.testing.assert_array_equal(first.read(0, first.length)[:, 3:], expected)


def hapt_folder(folder: Path) -> Path:
    raw = folder / "RawData"
    raw.mkdir(parents=True)
    (raw / "acc_exp01_user01.txt").write_text("1 2 3\n4 5 6\n")
    (raw / "gyro_exp01_user01.txt").write_text("7 8 9\n1 1 1\n")
    (raw / "labels.txt").write_text("1 1 1 1 2\n")
    (folder / "activity_labels.txt").write_text("1 WALKING\n")
    return folder


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("acc_exp01_user01.txt", "1 2\n3 4 5\n", "5 values in 2 lines"),
        ("acc_exp01_user01.txt", "1 2 x\n", "acc_exp01_user01.txt"),
        ("gyro_exp01_user01.txt", "1 2 3\n", "has 1"),
        ("labels.txt", "1 1 9 1 2\n", "line 1"),
        ("labels.txt", "1 1 1 1 3\n", "labels more"),
        ("labels.txt", "2 1 1 1 2\n", "no acc_ file"),
        ("labels.txt", "1 1 1\n", "3 values"),
    ],
)
def test_wrong_hapt_files_are_named(tmp_path: Path, file: str, text: str, place: str) -> None:
    folder = hapt_folder(tmp_path / "hapt")
    assert read(folder).recordings[0].read(0, 2).tolist() == [[1, 2, 3, 7, 8, 9], [4, 5, 6, 1, 1, 1]]
    (folder / "RawData" / file).write_text(text)
    with pytest.raises(DataError, match=place):
        read(folder)


def har_folder(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for part, count in (("train", 3), ("test", 2)):
        signals = folder / part / "Inertial Signals"
        signals.mkdir(parents=True)
        for signal in ("total_acc", "body_acc", "body_gyro"):
            for axis in "xyz":
                np.savetxt(signals / f"{signal}_{axis}_{part}.txt", rng.normal(size=(count, 128)))
        (folder / part / f"y_{part}.txt").write_text("1\n" * count)
        (folder / part / f"subject_{part}.txt").write_text("7\n" * count)
    (folder / "activity_labels.txt").write_text("1 WALKING\n")
    return folder


def test_har_rows_are_recordings_also_in_a_nested_folder(tmp_path: Path) -> None:
    inner = har_folder(tmp_path / "outer" / "UCI HAR Dataset")
    dataset = read(tmp_path / "outer")
    assert (dataset.format, dataset.sample_rate_hz, len(dataset.channels)) == ("uci-har", 50.0, 9)
    assert [item.name for item in dataset.recordings] == [
        *(f"train/000{n}" for n in (1, 2, 3)),
        "test/0001",
        "test/0002",
    ]
    assert {item.group for item in dataset.recordings} == {"subject 07"}
    expected = np.loadtxt(inner / "train" / "Inertial Signals" / "body_acc_y_train.txt", dtype=np.float32)
    np.testing.assert_array_equal(dataset.recordings[2].read(0, 128)[:, 4], expected[2])
    (inner / "test" / "y_test.txt").write_text("1\n")
    with pytest.raises(DataError, match="256 values for 1 rows"):
        read(tmp_path / "outer")


def test_a_path_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no recordings found"):
        read(tmp_path)
