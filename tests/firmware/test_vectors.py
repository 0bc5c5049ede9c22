"""`vectors.npz` of strangers: everything but the arrays that the card describes is refused with one line."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.card import Card
from edgecnn_firmware.errors import BundleError
from edgecnn_firmware.vectors import Vectors, read_vectors, write_vectors

MakeCard = Callable[..., Card]
Arrays = dict[str, npt.NDArray[Any]]


def good() -> Arrays:
    return {
        "windows": np.arange(24, dtype=np.float32).reshape(4, 2, 3),
        "labels": np.array([0, 1, -1, 1]),
        "groups": np.array(["s1", "s1", "s2", "Ü"]),
        "inputs": np.zeros((4, 2, 3), np.int8),
        "outputs": np.zeros((4, 2), np.int8),
        "keras_outputs": np.zeros((4, 2), np.float32),
    }


def packed(arrays: Arrays, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **options, **arrays)
    return stream.getvalue()


@pytest.fixture(scope="module")
def card(make_card: MakeCard) -> Card:
    return make_card()


def refusal(data: bytes, card: Card) -> str:
    with pytest.raises(BundleError) as caught:
        read_vectors(data, "v.npz", card)
    line = str(caught.value)
    assert line.startswith("v.npz: ")
    assert "\n" not in line
    return line


def test_what_numpy_writes_is_read(card: Card) -> None:
    found = read_vectors(packed(good()), "v.npz", card)
    for name, expected in good().items():
        np.testing.assert_array_equal(getattr(found, name), expected)
    assert not found.windows.flags.writeable


def test_numpy_reads_what_is_written(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npz", Vectors(**good()))
    with np.load(tmp_path / "v.npz", allow_pickle=False) as found:
        assert sorted(found) == sorted(good())
        for name, expected in good().items():
            np.testing.assert_array_equal(found[name], expected)
            assert found[name].dtype == expected.dtype


def test_the_bytes_do_not_depend_on_memory_layout_or_width_of_text(tmp_path: Path) -> None:
    arrays = good()
    write_vectors(tmp_path / "one.npz", Vectors(**arrays))
    arrays["windows"] = np.asfortranarray(arrays["windows"].astype(">f4"))
    arrays["labels"] = arrays["labels"].astype(np.int16)
    arrays["groups"] = arrays["groups"].astype("<U40")
    write_vectors(tmp_path / "two.npz", Vectors(**arrays))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_arrays_of_different_length_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="different length"):
        write_vectors(tmp_path / "v.npz", Vectors(**{**good(), "labels": np.zeros(3, np.int64)}))


WRONG: dict[str, tuple[str, npt.NDArray[Any], str]] = {
    "float64 windows": ("windows", np.zeros((4, 2, 3)), "windows is float64"),
    "uint8 inputs": ("inputs", np.zeros((4, 2, 3), np.uint8), "inputs"),
    "int16 outputs": ("outputs", np.zeros((4, 2), np.int16), "outputs is int16"),
    "int32 labels": ("labels", np.zeros(4, np.int32), "labels is int32"),
    "bytes as groups": ("groups", np.array([b"a"] * 4), "groups"),
    "numbers as groups": ("groups", np.zeros(4), "groups is float64"),
    "long window": ("windows", np.zeros((4, 3, 3), np.float32), "by the card it is float32 (4, 2, 3)"),
    "channels": ("inputs", np.zeros((4, 2, 2), np.int8), "by the card it is int8 (4, 2, 3)"),
    "outputs": ("outputs", np.zeros((4, 3), np.int8), "by the card it is int8 (4, 2)"),
    "rows": ("groups", np.array(["a"] * 3), "groups is <U1 (3,)"),
    "no rows": ("labels", np.zeros((), np.int64), "by the card it is"),
    "big endian": ("windows", np.zeros((4, 2, 3), ">f4"), "windows"),
    "fortran order": ("windows", np.asfortranarray(np.zeros((4, 2, 3), np.float32)), "C order"),
    "label too large": ("labels", np.array([0, 1, 2, 0]), "labels holds 2; expected 0 to 1"),
    "label too small": ("labels", np.array([0, 1, -2, 0]), "labels holds -2"),
    "NaN": ("windows", np.full((4, 2, 3), np.nan, np.float32), "windows holds NaN in window 0"),
}


@pytest.mark.parametrize("case", sorted(WRONG))
def test_arrays_that_the_card_does_not_describe_are_refused(card: Card, case: str) -> None:
    name, array, expected = WRONG[case]
    assert expected in refusal(packed({**good(), name: array}), card)


def test_pickled_arrays_are_never_loaded(card: Card, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    objects = np.empty(4, object)
    objects[:] = [Bomb() for _ in range(4)]
    assert "groups" in refusal(packed({**good(), "groups": objects}, allow_pickle=True), card)
    refusal(pickle.dumps(Bomb()), card)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("missing", ["windows", "labels", "groups", "inputs", "outputs"])
def test_missing_arrays_are_refused(card: Card, missing: str) -> None:
    assert "expected windows, labels" in refusal(packed({n: a for n, a in good().items() if n != missing}), card)


def test_further_arrays_are_refused(card: Card) -> None:
    assert "expected windows, labels" in refusal(packed({**good(), "more": np.zeros(1)}), card)


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"\x93NUMPY" + bytes(100)])
def test_other_files_are_refused(card: Card, data: bytes) -> None:
    refusal(data, card)


def header(shape: str, descr: str = "<f4") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def with_member(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, array in good().items():
            with archive.open(f"{other}.npy", "w") as member:
                if other == name:
                    member.write(content)
                else:
                    np.lib.format.write_array(member, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        header("(4, 2, 3)"),
        header("(4, 2, 3)") + bytes(95),
        header("(4, 2, 3)") + bytes(97),
        header("(999999999999999999, 999999999999999999, 3)"),
        header("(4, -2, 3)") + bytes(96),
        header("(4, 2, 3)", "O") + bytes(96),
        header("(4, 2, __import__('os'))") + bytes(96),
        b"\x93NUMPY\x02\x00" + bytes(100),
        b"\x93NUMPY\x01\x00\xff\xff" + bytes(100),
        b"",
    ],
)
def test_headers_that_lie_are_refused(card: Card, content: bytes) -> None:
    assert "windows" in refusal(with_member("windows", content), card)


def test_text_beyond_unicode_is_refused(card: Card) -> None:
    assert "is not text" in refusal(with_member("groups", header("(4,)", "<U1") + b"\xff" * 16), card)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(card: Card) -> None:
    size = 64 << 20
    data = with_member("windows", header("(4, 2, 3)") + bytes(size))
    tracemalloc.start()
    try:
        refusal(data, card)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size / 8


def test_a_size_field_that_lies_is_refused_without_unpacking(card: Card) -> None:
    """The directory claims 96 bytes of numbers where 64 MB are packed."""
    head = header("(4, 2, 3)")
    size = len(head) + (64 << 20)
    data = with_member("windows", head + bytes(64 << 20))
    assert data.count(struct.pack("<I", size))
    tracemalloc.start()
    try:
        refusal(data.replace(struct.pack("<I", size), struct.pack("<I", len(head) + 96)), card)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


def test_duplicate_members_are_refused(card: Card) -> None:
    stream = io.BytesIO(packed(good()))
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("labels.npy", b"")
    refusal(stream.getvalue(), card)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 3000))
@settings(deadline=None, max_examples=300)
def test_damaged_files_only_give_bundle_errors(card: Card, changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(packed(good()))
    for place, value in changes:
        data[place % len(data)] = value
    if cut < len(data) // 4:
        del data[cut:]
    try:
        found = read_vectors(bytes(data), "v.npz", card)
    except BundleError as error:
        assert "\n" not in str(error)
    else:
        assert found.windows.shape == (4, 2, 3)
