"""Which columns of real files are channels, and what else they hold."""

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from edgecnn.data.readers import read_dataset
from edgecnn.data.recording import Dataset, Segment
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError


def read(path: Path, **keys: object) -> Dataset:
    return read_dataset(DataSettings(path=path, format="csv", **{"sample_rate_hz": 50, **keys}))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def names(dataset: Dataset) -> list[str]:
    return [channel.name for channel in dataset.channels]


def samples(dataset: Dataset, number: int = 0) -> list[list[float]]:
    recording = dataset.recordings[number]
    rows: list[list[float]] = recording.read(0, recording.length).tolist()
    return rows


def test_the_row_numbers_that_pandas_writes_are_no_channel(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ax": [5.0, 3.0, 4.0], "ay": [1.0, 1.0, 2.0]})
    frame.to_csv(tmp_path / "walk.csv")
    dataset = read(tmp_path)
    assert names(dataset) == ["ax", "ay"]
    assert "not used: column 1" in " ".join(dataset.notes)


def test_a_nameless_column_that_does_not_count_rows_is_a_channel(tmp_path: Path) -> None:
    assert names(read(write(tmp_path / "walk.csv", ",ax\n0.5,1\n1,2\n4,3\n"))) == ["column 1", "ax"]


@pytest.mark.parametrize("text", ["ax,ay,\n1,2,\n3,4,\n", "1,2,\n3,4,\n"])
def test_a_delimiter_at_the_end_of_each_line_is_no_channel(tmp_path: Path, text: str) -> None:
    assert samples(read(write(tmp_path / "walk.csv", text))) == [[1, 2], [3, 4]]


def test_columns_that_are_left_out_are_told(tmp_path: Path) -> None:
    dataset = read(write(tmp_path / "walk.csv", "t,ax,remark\n7,1,good\n7,2,bad\n"))
    assert names(dataset) == ["ax"]
    assert "columns that are not used: t, remark" in dataset.notes


def test_channels_are_in_the_order_of_the_first_file(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "ax,ay\n1,2\n")
    write(tmp_path / "b.csv", "ay,ax\n2,1\n")
    dataset = read(tmp_path)
    assert names(dataset) == ["ax", "ay"]
    assert samples(dataset, 1) == [[1, 2]]


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "walk.csv", "ax,ax,ay\n1,2,3\n")
    with pytest.raises(DataError, match=r"walk\.csv: several columns are called 'ax'"):
        read(path)
    assert names(read(path, channels=["ay"])) == ["ay"]


def test_whole_numbers_that_were_written_as_floats_are_the_same_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ax,what\n1,1.0\n2,1\n3,\n4,2.0\n5,2.5\n")
    assert read(path, label_column="what").recordings[0].segments == (
        Segment(0, 2, "1"),
        Segment(3, 4, "2"),
        Segment(4, 5, "2.5"),
    )


def test_a_recording_that_goes_on_after_another_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ax,take\n1,x\n2,y\n3,x\n")
    with pytest.raises(DataError, match=r"a\.csv: row 4: recording 'x' goes on after another one; sort the rows"):
        read(path, recording_column="take", label_column="take")


@pytest.mark.parametrize("text", ["1_000", "٣", "0x10", "1,5", "--1", "1e"])
def test_what_python_takes_for_a_number_but_no_file_means(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "a.tsv", f"ax\tay\n1\t2\n{text}\t2\n3\t4\n")
    with pytest.raises(DataError, match=r"a\.tsv: row 3: '.*' in column 'ax' is no number"):
        read(path)


def test_carriage_returns_alone_end_lines(tmp_path: Path) -> None:
    assert samples(read(write(tmp_path / "a.csv", "ax,ay\r1,2\r3,4\r"))) == [[1, 2], [3, 4]]
    with pytest.raises(DataError, match="row 3: 3 columns; expected 2"):
        read(write(tmp_path / "a.csv", "ax,ay\n1,2\n3,4,\r5,6\n"))


def test_the_label_of_files_without_folders_is_their_name_without_the_number(tmp_path: Path) -> None:
    for name in ("walk_01", "walk_2", "run(3)", "hand-wave 4", "5"):
        write(tmp_path / f"{name}.csv", "ax\n1\n")
    labels = [item.segments[0].label for item in read(tmp_path).recordings]
    assert sorted(labels) == ["5", "hand-wave", "run", "walk", "walk"]


def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecnn.data.readers.sources.GZIP_FREE_BYTES", 1000)
    rows = "ax,ay\n" + "0,0\n" * 100_000
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(rows.encode()))
    with pytest.raises(DataError, match=r"a\.csv\.gz: unpacks to more than"):
        read(tmp_path)
    noise = np.random.default_rng(0).integers(0, 1 << 40, size=20_000)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(("ax\n" + "\n".join(map(str, noise))).encode()))
    assert len(samples(read(tmp_path))) == 20_000


def test_missing_values_are_bridged_across_pieces_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgecnn.data.readers import csv_blocks

    values = np.arange(2000.0)
    values[np.random.default_rng(0).random(2000) < 0.3] = np.nan
    rows = "".join(f"{number / 50:.2f},{'' if np.isnan(value) else value}\n" for number, value in enumerate(values))
    path = write(tmp_path / "a.csv", f"t,ax\n{rows}")
    original = csv_blocks.chunks
    monkeypatch.setattr("edgecnn.data.readers.csv.chunks", lambda file, path: original(file, path, 97))
    dataset = read(path, sample_rate_hz=None, missing="interpolate", max_gap_s=1.0)
    expected = pd.Series(values).interpolate(limit_direction="both").to_numpy(np.float32)
    np.testing.assert_allclose(dataset.recordings[0].read(0, 2000)[:, 0], expected, rtol=1e-6)
    gap = "".join(f"{number / 50:.2f},{'' if 500 <= number < 560 else number}\n" for number in range(2000))
    write(path, f"t,ax\n{gap}")
    with pytest.raises(DataError, match=r"a\.csv: row 502, column 'ax': .* values in a row are missing, at most 49"):
        read(path, sample_rate_hz=None, missing="interpolate", max_gap_s=1.0)


@pytest.mark.parametrize("text", ["# by hand\n1,2", "1,2", "ax,ay\n1,2", "\n\n1,2", "ax,ay\n\n1,2"])
def test_one_row_without_a_line_end(tmp_path: Path, text: str) -> None:
    assert samples(read(write(tmp_path / "a.csv", text))) == [[1, 2]]


def test_a_damaged_row_under_dashes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "-,-,-\n\\-1,2,3\n4,5,6\n7,8,9\n\nover, and, out\n-,-,-\n1,1,1\n")
    dataset = read(path)
    assert [samples(dataset, number) for number in range(2)] == [[[4, 5, 6], [7, 8, 9]], [[1, 1, 1]]]
    with pytest.raises(DataError, match=r"a\.txt: row 3: '\\4,5,6' is no row of numbers"):
        read(write(path, "-,-,-\n1,2,3\n\\4,5,6\n7,8,9\n"))
    with pytest.raises(DataError, match=r"a\.txt: row 5, column 'c1': 1e\+99 is infinite or too large"):
        read(write(path, "-,-,-\n\n\n1,2,3\n4,1e99,6\n"))


def test_magic_wand_counts(shared_data: Path) -> None:
    dataset = read(shared_data / "magic_wand", sample_rate_hz=25)
    counts = Counter(item.segments[0].label for item in dataset.recordings)
    assert {label: counts[label] for label in ("ring", "slope", "wing")} == {"ring": 83, "slope": 89, "wing": 81}
    lengths = [item.length for item in dataset.recordings if item.segments[0].label != "negative"]
    assert (min(lengths), max(lengths)) == (44, 133)
