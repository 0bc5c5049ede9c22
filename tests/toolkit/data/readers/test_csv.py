"""Text tables: layouts, time, blocks, errors; pandas is the oracle."""

import contextlib
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data.readers import csv_blocks, read_dataset
from edgecnn.data.readers.csv_layout import find_layout
from edgecnn.data.recording import Dataset, Segment
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError, EdgeCnnError, SettingsError


def read(path: Path, **keys: object) -> Dataset:
    return read_dataset(DataSettings(path=path, format="csv", **keys))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def samples(dataset: Dataset, number: int = 0) -> np.ndarray:
    recording = dataset.recordings[number]
    return recording.read(0, recording.length)


def error(path: Path, **keys: object) -> str:
    with pytest.raises(DataError) as caught:
        read(path, **keys)
    assert "\n" not in str(caught.value)
    return str(caught.value)


TIMED = "t,ax,ay\n0.00,1,2\n0.01,3,4\n0.02,5,6\n"


@pytest.mark.parametrize(
    "text",
    [
        "ax,ay\n1,2\n3.5,-4\n",
        "﻿ax,ay\r\n1,2\r\n3.5,-4\r\n",
        "# made by hand\nax,ay\n1,2 # first\n3.5,-4",
        "ax\tay\n1\t2\n3.5\t-4\n",
        "ax;ay\n1;2\n3,5;-4\n",
        "ax;ay\n1.0;2\n3.5;-4\n",
        "ax ay\n1 2\n3.5   -4\n",
        '"ax","ay"\n"1","2"\n3.5,"-4"\n',
        "ax,ay\n1, 2\n3.5, -4e0\n\n\n",
    ],
)
def test_layouts_of_the_same_table(tmp_path: Path, text: str) -> None:
    dataset = read(write(tmp_path / "walk.csv", text), sample_rate_hz=10)
    assert [channel.name for channel in dataset.channels] == ["ax", "ay"]
    assert samples(dataset).tolist() == [[1, 2], [3.5, -4]]
    assert dataset.recordings[0].segments == (Segment(0, 2, "walk"),)


def test_headerless_file_keeps_its_first_row(tmp_path: Path) -> None:
    dataset = read(write(tmp_path / "a.csv", "1,2\n3,4\n"), sample_rate_hz=10)
    assert samples(dataset).tolist() == [[1, 2], [3, 4]]
    assert [channel.name for channel in dataset.channels] == ["c0", "c1"]


def test_gzip_and_plain_give_the_same(tmp_path: Path) -> None:
    write(tmp_path / "plain" / "a.csv", TIMED)
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "a.csv.gz").write_bytes(gzip.compress(TIMED.encode()))
    dataset = read(tmp_path)
    assert [item.segments[0].label for item in dataset.recordings] == ["packed", "plain"]
    np.testing.assert_array_equal(samples(dataset, 0), samples(dataset, 1))


@pytest.mark.parametrize(
    ("header", "stamps", "rate_hz"),
    [
        ("timestamp_ms", [0, 10, 20, 30], 100),
        ("time", [0.0, 0.01, 0.02, 0.03], 100),
        ("t", [0, 20, 40, 60], 50),
        ("timestamp", [1_700_000_000_000, 1_700_000_000_020, 1_700_000_000_040, 1_700_000_000_060], 50),
        ("time_us", [0, 5000, 10000, 15000], 200),
        ("ts", [0, 5000, 10000, 15000], 200),
        ("time", [f"2024-05-01T12:00:00.{ms:03d}Z" for ms in (0, 40, 80, 120)], 25),
        ("timestamp_ms", [0, 8, 17, 25, 34, 42, 50, 59, 67, 76, 84], 119),
    ],
)
def test_rate_from_time_stamps(tmp_path: Path, header: str, stamps: list[object], rate_hz: float) -> None:
    rows = "".join(f"{stamp},{number}\n" for number, stamp in enumerate(stamps))
    dataset = read(write(tmp_path / "a.csv", f"{header},ax\n{rows}"))
    assert dataset.sample_rate_hz == rate_hz
    assert [channel.name for channel in dataset.channels] == ["ax"]
    assert len(samples(dataset)) == len(stamps)


def test_label_group_and_recording_columns(tmp_path: Path) -> None:
    rows = [("p1", 1, "walk", 0), ("p1", 1, "walk", 1), ("p1", 1, "", 2), ("p1", 1, "run", 3), ("p2", 1, "run", 4),
            ("p2", 2, "run", 5)]  # fmt: skip
    text = "who,take,what,ax\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    dataset = read(
        write(tmp_path / "a.csv", text),
        label_column="what", group_column="who", recording_column="take", sample_rate_hz=10,
    )  # fmt: skip
    assert [item.name for item in dataset.recordings] == ["a.csv#0", "a.csv#1", "a.csv#2"]
    assert [item.group for item in dataset.recordings] == ["p1", "p2", "p2"]
    assert dataset.recordings[0].segments == (Segment(0, 2, "walk"), Segment(3, 4, "run"))
    assert samples(dataset, 2).tolist() == [[5]]


def test_blank_lines_and_repeated_headers_separate_recordings(tmp_path: Path) -> None:
    text = "ax,ay\n1,2\n3,4\n\n5,6\n \r\n\nax,ay\n7,8\n9,10\n\n"
    dataset = read(write(tmp_path / "a.csv", text), sample_rate_hz=10)
    assert [samples(dataset, number).tolist() for number in range(3)] == [[[1, 2], [3, 4]], [[5, 6]], [[7, 8], [9, 10]]]


def test_lines_of_dashes_separate_recordings_and_terminal_noise_is_skipped(tmp_path: Path) -> None:
    text = "Script started\x1b[0m\r\n -,-,-\r\n1,2,3\r\n4,5,6\r\n-,-,-\r\n\r\n7,8,9\r\nexit\r\n12\r\n"
    write(tmp_path / "ring" / "a.txt", text)
    write(tmp_path / "ring" / "._a.txt", "\x00\x05")
    dataset = read(tmp_path, sample_rate_hz=25)
    assert [samples(dataset, number).tolist() for number in range(2)] == [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9]]]


def test_rows_per_recording_and_what_is_left_over(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ax\n" + "".join(f"{number}\n" for number in range(6)))
    dataset = read(path, sample_rate_hz=10, rows_per_recording=3)
    assert [samples(dataset, number)[:, 0].tolist() for number in range(2)] == [[0, 1, 2], [3, 4, 5]]
    assert "row 6: 2 rows are left over" in error(path, sample_rate_hz=10, rows_per_recording=4)


def test_a_given_rate_stands_above_stamps_that_nobody_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "time,ax\n5,1\n5,2\n1,3\n")
    assert samples(read(path, sample_rate_hz=10)).tolist() == [[1], [2], [3]]


def test_uneven_stamps_are_interpolated_onto_the_grid(tmp_path: Path) -> None:
    times = np.array([0.0, 0.011, 0.018, 0.034, 0.04, 0.05])
    path = write(tmp_path / "a.csv", "time,ax\n" + "".join(f"{time},{3 * time}\n" for time in times))
    assert "uneven" in error(path)
    assert "data.resample_hz = 100" in error(path)
    dataset = read(path, resample_hz=100.0)
    grid = np.arange(6) / 100
    np.testing.assert_allclose(samples(dataset)[:, 0], 3 * grid, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(dataset.recordings[0].read(2, 4), samples(dataset)[2:4])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("t,ax\n0,1\n0.1,x\n0.2,3\n", "row 3: 'x' in column 'ax' is no number"),
        ("t,ax\n0,1\n0.1,\n0.2,3\n", "row 3, column 'ax': the value is missing"),
        ("t,ax\n0,1\n0.1,nan\n0.2,3\n", "row 3, column 'ax': the value is missing"),
        ("t,ax\n0,1\n0.1,inf\n0.2,3\n", "row 3"),
        ("t,ax\n0,1\n0.1,1e39\n0.2,3\n", "row 3, column 'ax'"),
        ("t,ax,ay\n0,1,1\n0.1,2,2\n0.2,3\n", "row 4: 2 columns; expected 3"),
        ("t,ax,ay\n0,1,1\n0.1,2,2,9\n0.2,3,3\n", "row 3: 4 columns; expected 3"),
        ("t,ax\n0,1\n0.1,2\n0.1,3\n0.2,3\n", "row 4: time repeats"),
        ("t,ax\n0,1\n0.1,2\n0.05,3\n0.2,3\n", "row 4: time goes back"),
        ("t,ax\n0,1\n0.1,2\n0.2,3\n9,3\n", "row 5: a gap of 8.8 s"),
        ("t,ax\n0,1\n,2\n0.2,3\n", "row 3: the time stamp is missing"),
        ("time,ax\n2024-05-01T00:00:00,1\nyesterday,2\n", "row 3: 'yesterday' is no time"),
        ("t,ax\n", "holds no rows"),
        ("", "holds no rows"),
        ("ax,ay\n1,2\n3,4\n", "data.sample_rate_hz"),
        ("name,word\na,b\nc,d\n", "no column of numbers"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    line = error(write(tmp_path / "a.csv", text))
    assert place in line
    assert str(tmp_path) in line


def test_missing_values_are_bridged_when_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "t,ax\n0,\n1,2\n2,\n3,4\n4,NaN\n")
    assert samples(read(path, missing="interpolate"))[:, 0].tolist() == [2, 2, 3, 4, 4]


def test_a_missing_column_is_named_with_the_closest_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", TIMED)
    assert "did you mean 'ax'?" in error(path, channels=["aX"])
    assert "columns: t, ax, ay" in error(path, label_column="activity")


def test_files_of_different_columns_are_both_named(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", TIMED)
    write(tmp_path / "b.csv", TIMED.replace("ay", "az"))
    line = error(tmp_path)
    assert "a.csv" in line
    assert "b.csv" in line
    assert "data.channels" in line
    assert [channel.name for channel in read(tmp_path, channels=["ax"]).channels] == ["ax"]


def test_pattern_takes_label_and_group_from_the_path(tmp_path: Path) -> None:
    write(tmp_path / "Ana" / "hand_wave_01.csv", TIMED)
    write(tmp_path / "Ana" / "notes.csv", "x\n")
    dataset = read(tmp_path, pattern="{group}/{label}_{take}.csv")
    assert dataset.recordings[0].group == "Ana"
    assert dataset.recordings[0].segments[0].label == "hand_wave"
    assert "notes.csv" in dataset.notes[0]
    assert "no file fits" in error(tmp_path, pattern="{label}.tsv")
    with pytest.raises(SettingsError, match="twice"):
        read(tmp_path, pattern="{label}/{label}.csv")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3), min_size=1,
             max_size=30),
    st.sampled_from([",", ";", "\t"]),
)  # fmt: skip
def test_numbers_are_those_of_pandas(rows: list[list[float]], delimiter: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        frame = pd.DataFrame(rows, columns=["ax", "ay", "az"])
        frame.to_csv(path, sep=delimiter, index=False)
        expected = pd.read_csv(path, sep=delimiter).to_numpy(np.float32)
        np.testing.assert_array_equal(samples(read(path, sample_rate_hz=1)), expected)


def test_a_file_in_small_pieces_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(5000, 3)), columns=["ax", "ay", "az"])
    frame.insert(0, "t", np.arange(5000) / 100)
    frame["label"] = np.repeat(["a", "b", "b", "c", "a"], 1000)
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False)
    whole = read(path, label_column="label")
    with path.open("rb") as file:
        layout = find_layout(b"t,ax\n0,1\n1,2\n", path)
        pieces = list(csv_blocks.chunks(file, path, 1000))
        blocks = list(csv_blocks.split_blocks(iter(pieces), layout, path))
    assert b"".join(pieces) == path.read_bytes()
    assert [block.starts for block in blocks] == [True] + [False] * (len(blocks) - 1)
    assert blocks[-1].first_row + blocks[-1].content.count(b"\n") == 5002
    original = csv_blocks.chunks
    monkeypatch.setattr("edgecnn.data.readers.csv.chunks", lambda file, path: original(file, path, 1000))
    monkeypatch.setattr("edgecnn.data.readers.store.MEMORY_BYTES", 0)
    cut = read(path, label_column="label")
    np.testing.assert_array_equal(samples(cut), samples(whole))
    assert cut.recordings[0].segments == whole.recordings[0].segments
    np.testing.assert_array_equal(samples(whole), frame[["ax", "ay", "az"]].to_numpy(np.float32))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_give_nothing_but_our_errors(data: st.DataObject) -> None:
    import tempfile

    good = bytearray(("t,ax,ay,label\n" + "".join(f"{n / 10},{n},{-n},w\n" for n in range(20))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(good) - 1))
        good[at : at + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=4))
        good = good or bytearray(b"x")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(bytes(good))
        with contextlib.suppress(EdgeCnnError):
            dataset = read(path, label_column=data.draw(st.sampled_from([None, "label"])))
            assert np.isfinite(samples(dataset)).all()


def test_damaged_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(TIMED.encode() * 100)[:-20])
    assert "damaged gzip" in error(path)


def test_nano33_matches_pandas(shared_data: Path) -> None:
    folder = shared_data / "nano33_imu_gestures" / "Diego"
    dataset = read(folder, pattern="{label}_{take}.csv.gz")
    assert len(dataset.recordings) == 60
    assert dataset.sample_rate_hz == 100
    first = dataset.recordings[0]
    expected = pd.read_csv(folder / first.name)[["ax", "ay", "az", "gx", "gy", "gz"]].to_numpy(np.float32)
    np.testing.assert_array_equal(samples(dataset), expected)


def test_arduino_files_hold_recordings_of_119_rows(shared_data: Path) -> None:
    folder = shared_data / "arduino_punch_flex"
    run_together = read(folder / "devnithw", sample_rate_hz=119, rows_per_recording=119)
    blank_lines = read(folder / "rawalc", sample_rate_hz=119)
    assert [len(item.recordings) for item in (run_together, blank_lines)] == [20, 21]
    assert {item.length for item in (*run_together.recordings, *blank_lines.recordings)} == {119}
