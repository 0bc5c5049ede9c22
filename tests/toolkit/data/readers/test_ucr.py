"""The archive's formats say the same; the counts are those of its papers."""

import contextlib
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data.readers import read_dataset
from edgecnn.data.recording import Dataset
from edgecnn.data.windows import rate_is_known
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError, EdgeCnnError


def read(path: Path, **keys: object) -> Dataset:
    return read_dataset(DataSettings(path=path, format="ucr", **keys))


def content(dataset: Dataset) -> list[tuple[str, np.ndarray]]:
    return [(item.segments[0].label, item.read(0, item.length)) for item in dataset.recordings]


@pytest.mark.parametrize(
    ("folder", "stem", "suffixes"),
    [
        ("ecg5000", "ECG5000_TRAIN", (".ts", ".txt", ".arff")),
        ("ucr_uea/GunPoint", "GunPoint_TRAIN", (".ts", ".tsv", ".arff")),
        ("ucr_uea/GunPoint", "GunPoint_TEST", (".ts", ".tsv")),
        ("ucr_uea/ArrowHead", "ArrowHead_TRAIN", (".ts", ".tsv")),
        ("ucr_uea/ECG200", "ECG200_TEST", (".ts", ".txt")),
        ("ucr_uea/BasicMotions", "BasicMotions_TRAIN", (".ts", ".arff")),
        ("ucr_uea/BasicMotions", "BasicMotions_TEST", (".ts", ".arff")),
    ],
)
def test_copies_in_other_formats_hold_the_same(
    shared_data: Path, folder: str, stem: str, suffixes: tuple[str, ...]
) -> None:
    first, *others = [content(read(shared_data / folder / f"{stem}{suffix}")) for suffix in suffixes]
    for other in others:
        assert [label for label, _ in other] == [label for label, _ in first]
        for (_, left), (_, right) in zip(first, other, strict=True):
            np.testing.assert_allclose(left, right, rtol=2e-6, atol=2e-6)


def test_ecg5000_mixes_formats_of_its_parts(shared_data: Path) -> None:
    dataset = read(shared_data / "ecg5000")
    parts = Counter((item.part, item.segments[0].label) for item in dataset.recordings)
    assert [parts["train", label] for label in "12345"] == [292, 177, 10, 19, 2]
    assert [parts["test", label] for label in "12345"] == [2626, 1590, 86, 175, 22]
    assert {item.length for item in dataset.recordings} == {140}
    assert [path.name for path in dataset.files] == ["ECG5000_TRAIN.ts", "ECG5000_TEST.npy"]
    assert not rate_is_known(dataset)
    expected = np.load(shared_data / "ecg5000" / "ECG5000_TEST.npy")
    tests = [item for item in dataset.recordings if item.part == "test"]
    np.testing.assert_array_equal(tests[7].read(0, 140)[:, 0], expected[7, 1:])


def test_unequal_lengths_many_channels_and_padded_copies(shared_data: Path) -> None:
    dataset = read(shared_data / "ucr_uea" / "JapaneseVowels")
    lengths = [item.length for item in dataset.recordings]
    assert (len(lengths), min(lengths), max(lengths), len(dataset.channels)) == (640, 7, 29, 12)
    assert [path.name for path in dataset.files] == ["JapaneseVowels_TRAIN.ts", "JapaneseVowels_TEST.ts"]
    pickup = [item.length for item in read(shared_data / "ucr_uea" / "PickupGestureWiimoteZ").recordings]
    assert (len(pickup), min(pickup), max(pickup)) == (100, 29, 361)


def test_a_folder_of_several_data_sets_is_refused(shared_data: Path) -> None:
    with pytest.raises(DataError, match="several data sets"):
        read(shared_data / "ucr_uea")


def test_missing_values_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "A_TRAIN.ts"
    path.write_text("# c\n@problemName A\n@classLabel true a b\n@data\n1,?,3:a\n4,5:'b'\n")
    with pytest.raises(DataError, match=r"line 5: value 2, channel 0: the value is missing"):
        read(path)
    dataset = read(path, missing="interpolate", sample_rate_hz=10)
    assert [values[:, 0].tolist() for _, values in content(dataset)] == [[1, 2, 3], [4, 5]]
    assert [label for label, _ in content(dataset)] == ["a", "b"]
    assert rate_is_known(dataset)


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("A_TRAIN.ts", "@classLabel true a\n@data\n1,2:3,4,5:a\n", "line 3: channels of 2 to 3 values"),
        ("A_TRAIN.ts", "@classLabel true a\n@data\n1,2:3,4:a\n1,2:a\n", "line 4: 1 channels; line 3 has 2"),
        ("A_TRAIN.ts", "@classLabel true a\n@data\n1,x:a\n", "line 3: 'x' is no number"),
        ("A_TRAIN.ts", "@timeStamps true\n@data\n", "time stamps"),
        ("A_TRAIN.ts", "@problemName A\n", "no @data"),
        ("A_TRAIN.ts", "@data\n", "holds no series"),
        ("A_TRAIN.tsv", "1\t2\n1\tx\n", "line 2: 'x' is no number"),
        ("A_TRAIN.txt", "1\n", "line 1: one value"),
        ("A_TRAIN.arff", "@attribute a numeric\n@attribute c {1}\n@data\n1,2,1\n", "line 4: 3 values"),
        ("A_TRAIN.npy", "junk", "no readable .npy"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, name: str, text: str, place: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert place in str(caught.value)
    assert name in str(caught.value)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_bytes_give_nothing_but_our_errors(data: st.DataObject) -> None:
    import tempfile

    texts = {
        "A_TRAIN.ts": b"#c\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n1,2,3:4,5,6:b\n",
        "A_TRAIN.arff": b"@relation r\n@attribute s relational\n@attribute x numeric\n@end s\n"
        b"@attribute c {a}\n@data\n'1,2\\n3,4',a\n",
        "A_TRAIN.tsv": b"1\t2\t3\n2\t4\t5\n",
    }
    name = data.draw(st.sampled_from(sorted(texts)))
    good = bytearray(texts[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(good)))
        good[at : at + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=4))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(bytes(good))
        with contextlib.suppress(EdgeCnnError):
            for item in read(Path(folder)).recordings:
                assert np.isfinite(item.read(0, item.length)).all()


def test_copies_prefer_ts(shared_data: Path, tmp_path: Path) -> None:
    for suffix in (".ts", ".tsv", ".arff"):
        shutil.copy(shared_data / "ucr_uea" / "GunPoint" / f"GunPoint_TRAIN{suffix}", tmp_path)
    dataset = read(tmp_path)
    assert [path.name for path in dataset.files] == ["GunPoint_TRAIN.ts"]
    assert not dataset.has_official_split
    assert any(".tsv, .arff are not used" in note for note in dataset.notes)
