"""The fingerprint: the same wherever the folder lies, another one for any change."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data.fingerprint import dataset_fingerprint, fingerprint
from edgecnn.data.recording import Dataset, Recording


def write(folder: Path, files: dict[str, bytes]) -> list[Path]:
    paths = [folder / name for name in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return paths


FILES = {"b.csv": b"1\n", "a/c.csv": b"", "a/é.csv": b"x" * 3_000_000}


def test_the_definition(tmp_path: Path) -> None:
    paths = write(tmp_path, FILES)
    expected = hashlib.sha256()
    for name in sorted(FILES):
        expected.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(FILES[name]).digest())
    assert fingerprint(paths, tmp_path) == expected.hexdigest()
    assert fingerprint(paths[::-1], tmp_path) == expected.hexdigest()


@pytest.mark.parametrize(
    "changed",
    [
        {**FILES, "b.csv": b"2\n"},
        {**FILES, "d.csv": b""},
        {"b.csv": b"1\n", "a/c.csv": b""},
        {"b2.csv": b"1\n", "a/c.csv": b"", "a/é.csv": b"x" * 3_000_000},
        {"b.csv": b"", "a/c.csv": b"1\n", "a/é.csv": b"x" * 3_000_000},
    ],
)
def test_any_change_is_another_fingerprint(tmp_path: Path, changed: dict[str, bytes]) -> None:
    before = fingerprint(write(tmp_path / "before", FILES), tmp_path / "before")
    assert fingerprint(write(tmp_path / "elsewhere", FILES), tmp_path / "elsewhere") == before
    assert fingerprint(write(tmp_path / "after", changed), tmp_path / "after") != before


def test_a_data_set_is_its_files_wherever_they_lie(
    tmp_path: Path, make_recording: Callable[..., Recording], make_dataset: Callable[..., Dataset]
) -> None:
    dataset = make_dataset(make_recording(10))
    one = replace(dataset, files=tuple(write(tmp_path / "one", FILES)))
    two = replace(dataset, files=tuple(write(tmp_path / "two", FILES)))
    assert dataset_fingerprint(one) == dataset_fingerprint(two) == fingerprint(one.files, tmp_path / "one")


def test_a_data_set_without_files_is_its_description(
    make_recording: Callable[..., Recording], make_dataset: Callable[..., Dataset]
) -> None:
    samples = np.zeros((10, 2), np.float32)
    dataset = make_dataset(make_recording(samples, [(0, 5, "a")]))
    assert dataset_fingerprint(dataset) == dataset_fingerprint(make_dataset(make_recording(samples, [(0, 5, "a")])))
    others = [
        make_dataset(make_recording(samples, [(0, 6, "a")])),
        make_dataset(make_recording(samples, [(0, 5, "b")])),
        make_dataset(make_recording(samples, [(0, 5, "a")], group="g")),
        make_dataset(make_recording(samples, [(0, 5, "a")], rate=50.0)),
        replace(dataset, notes=("seed 1",)),
    ]
    assert len({dataset_fingerprint(other) for other in (dataset, *others)}) == 6
