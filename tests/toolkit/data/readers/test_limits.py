"""Files that ask for more than a data set needs, and archives that promise more than they hold."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data.readers import read_dataset
from edgecnn.data.readers.sources import read_whole, text_lines
from edgecnn.data.recording import Dataset
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError


def read(path: Path, **keys: object) -> Dataset:
    return read_dataset(DataSettings(path=path, **keys))


def npy(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue()


def archive(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("X.npy", content)
    return path


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.data.readers.npz.MAX_BYTES", 1000)
    path = archive(tmp_path / "a.npz", npy((100, 10)) + bytes(4000))
    with pytest.raises(DataError, match=r"a\.npz: unpacks to \d+ bytes; at most 1000"):
        read(path)


@pytest.mark.parametrize("shape", [(10**6, 10**6), (10**12, 10**12), (5, 10)])
def test_an_array_that_promises_more_than_it_holds_is_refused(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = archive(tmp_path / "a.npz", npy(shape) + bytes(100))
    with pytest.raises(DataError, match=r"a\.npz: no readable \.npz archive"):
        read(path)


def test_one_part_alone_is_no_split(tmp_path: Path) -> None:
    data = np.zeros((4, 8), np.float32)
    np.savez(tmp_path / "a.npz", X_train=data, y_train=[0, 1, 0, 1], sample_rate_hz=10)
    assert {item.part for item in read(tmp_path).recordings} == {None}
    np.savez(
        tmp_path / "a.npz", X_train=data, y_train=[0, 1, 0, 1], X_test=data, y_test=[0, 1, 0, 1], sample_rate_hz=10
    )
    assert {item.part for item in read(tmp_path).recordings} == {"train", "test"}


@pytest.mark.parametrize("at", [10, 30, 50])
def test_a_damaged_array_header_is_named(tmp_path: Path, at: int) -> None:
    np.save(tmp_path / "X_TEST.npy", np.ones((3, 5), np.float32))
    good = (tmp_path / "X_TEST.npy").read_bytes()
    for byte in (ord("("), ord("'"), 0xC6, 0):
        (tmp_path / "X_TEST.npy").write_bytes(good[:at] + bytes([byte]) + good[at + 1 :])
        with pytest.raises(DataError, match=r"X_TEST\.npy: "):
            read(tmp_path)


def test_text_has_a_largest_number_of_bytes_and_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"1\n" * 50)
    assert len(list(text_lines(path))) == 50
    assert len(read_whole(path, 100)) == 100
    with pytest.raises(DataError, match=r"a\.txt: more than 99 bytes"):
        read_whole(path, 99)
    with pytest.raises(DataError, match=r"a\.txt: line 11: too long or too much text"):
        list(text_lines(path, 20))
    monkeypatch.setattr("edgecnn.data.readers.sources.MAX_LINES", 49)
    with pytest.raises(DataError, match=r"a\.txt: more than 49 lines"):
        list(text_lines(path))


def test_a_packed_file_of_nothing_is_not_unpacked_whole(tmp_path: Path) -> None:
    (tmp_path / "RawData").mkdir()
    for name in ("acc", "gyro"):
        (tmp_path / "RawData" / f"{name}_exp01_user01.txt.gz").write_bytes(gzip.compress(b"\n" * (65 << 20), 1))
    (tmp_path / "RawData" / "labels.txt").write_text("1 1 1 1 2\n")
    (tmp_path / "activity_labels.txt").write_text("1 WALKING\n")
    with pytest.raises(DataError, match=r"acc_exp01_user01\.txt\.gz: (more than|unpacks to more than)"):
        read(tmp_path)
