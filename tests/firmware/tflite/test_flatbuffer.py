"""Files made to break a reader: only `ModelError` comes out, after little work, in little memory."""

import contextlib
import random
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.flatbuffer import Buffer
from edgecnn_firmware.tflite.inspect import summarize
from edgecnn_firmware.tflite.reader import read_model

EXTREMES = [0, 1, 2, 3, 4, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1]

MODEL_VTABLE = struct.pack("<HHHHH", 10, 12, 4, 0, 8) + b"\0\0"
"""Version and subgraphs."""
SUBGRAPHS_VECTOR = 8 + len(MODEL_VTABLE) + 12


def of_one_table(entries: int, body: bytes, table: int) -> bytes:
    """A file whose vector of subgraphs has entries that all point to byte `table` of `body`."""
    root = 8 + len(MODEL_VTABLE)
    first = SUBGRAPHS_VECTOR + 4
    target = first + 4 * entries + table
    vector = struct.pack(f"<{entries + 1}I", entries, *(target - (first + 4 * i) for i in range(entries)))
    return (
        struct.pack("<I", root) + b"TFL3" + MODEL_VTABLE + struct.pack("<iII", len(MODEL_VTABLE), 3, 4) + vector + body
    )


def subgraph_of_one_tensor(tensors: int, name_bytes: int) -> bytes:
    """A vtable, a `SubGraph` at byte 8, and its tensors, which are all one table with a long name."""
    graph = struct.pack("<HHHH", 6, 8, 4, 0) + struct.pack("<iI", 8, 4)
    vtable = struct.pack("<HHHHHH", 12, 8, 0, 0, 0, 4)
    offsets = [4 * (tensors - index) + len(vtable) for index in range(tensors)]
    tensor = vtable + struct.pack("<iI", len(vtable), 4) + struct.pack("<I", name_bytes) + b"n" * name_bytes
    return graph + struct.pack(f"<{tensors + 1}I", tensors, *offsets) + tensor


def require_bounded(data: bytes) -> None:
    """Reading gives a model or `ModelError`, in memory in proportion to the file."""
    tracemalloc.start()
    try:
        with contextlib.suppress(ModelError):
            summarize(read_model(data, "x"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * len(data) + (16 << 20)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x1c\0\0\0TFL2" + bytes(100), b"GIF89a" + bytes(50), bytes(8)])
def test_other_files_are_refused_by_their_first_bytes(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"^x: not a .tflite file: bytes 4 to 7 are"):
        read_model(data, "x")


@pytest.mark.parametrize("root", [0, 1, 4, 8, 12, 15, 16, 2**31, 2**32 - 1])
def test_a_root_anywhere_else_is_refused(root: int) -> None:
    with pytest.raises(ModelError, match=r"^x: not a usable .tflite file: "):
        read_model(struct.pack("<I", root) + b"TFL3" + bytes(8), "x")


def test_hand_made_tables_are_read() -> None:
    model = read_model(of_one_table(1, subgraph_of_one_tensor(3, 5), 8), "x")
    assert [tensor.name for tensor in model.main.tensors] == ["nnnnn"] * 3


@pytest.mark.parametrize("soffset", [0, 1, -1, 4, 2**31 - 1, -(2**31)])
def test_a_table_with_its_vtable_anywhere_is_refused_or_empty(soffset: int) -> None:
    body = bytearray(subgraph_of_one_tensor(3, 5))
    struct.pack_into("<i", body, 8, soffset)
    with contextlib.suppress(ModelError):
        assert not read_model(of_one_table(1, bytes(body), 8), "x").main.operators


def test_a_table_inside_itself_ends() -> None:
    # Every byte says 4: tables, vtables and vectors that lead into each other.
    for word in (4, 8, 12):
        data = struct.pack("<I", 8) + b"TFL3" + struct.pack("<I", word) * 64
        with pytest.raises(ModelError):
            read_model(data, "x")


@pytest.mark.parametrize("count", [200, 2**16, 2**30, 2**31, 2**32 - 1])
def test_a_vector_of_more_elements_than_bytes_is_refused(count: int) -> None:
    data = bytearray(of_one_table(1, subgraph_of_one_tensor(3, 5), 8))
    struct.pack_into("<I", data, SUBGRAPHS_VECTOR, count)
    with pytest.raises(ModelError, match=rf"vector of {count} elements at byte {SUBGRAPHS_VECTOR} runs past its end"):
        read_model(bytes(data), "x")


def test_many_offsets_to_one_big_subgraph_are_refused_early() -> None:
    data = of_one_table(1000, subgraph_of_one_tensor(5000, 1000), 8)
    with pytest.raises(ModelError, match="more than a network of its size holds"):
        read_model(data, "x")
    require_bounded(data)


def test_many_offsets_to_empty_tables_are_refused_early() -> None:
    data = of_one_table(1000, subgraph_of_one_tensor(5000, 0), 8)
    with pytest.raises(ModelError, match="more than a network of its size holds"):
        read_model(data, "x")
    require_bounded(data)


@pytest.mark.parametrize("missing", [1, 2, 3, 4])
def test_a_vector_that_is_cut_by_a_few_bytes_is_refused(missing: int) -> None:
    data = of_one_table(1, subgraph_of_one_tensor(1, 5), 8)
    assert read_model(data, "x").main.tensors[0].name == "nnnnn"
    with pytest.raises(ModelError, match=r"the vector of 5 elements at byte .* runs past its end"):
        read_model(data[:-missing], "x")


@pytest.mark.parametrize("table_bytes", [4, 5, 7])
def test_a_field_outside_its_table_is_refused(table_bytes: int) -> None:
    body = bytearray(subgraph_of_one_tensor(1, 5))
    struct.pack_into("<H", body, 2, table_bytes)
    with pytest.raises(ModelError, match=r"field 0 of the table at byte .* lies outside the table"):
        read_model(of_one_table(1, bytes(body), 8), "x")


def test_many_offsets_to_one_long_name_are_refused_early() -> None:
    data = of_one_table(1, subgraph_of_one_tensor(60_000, 60_000), 8)
    with pytest.raises(ModelError, match="more than a network of its size holds"):
        read_model(data, "x")
    require_bounded(data)


def test_the_budget_is_spent_by_what_is_visited() -> None:
    buffer = Buffer(bytes(100), "x")
    buffer.visit(100)
    with pytest.raises(ModelError, match="refers to over"):
        buffer.visit(1 << 20)


def mutants(seeds: list[bytes], count: int) -> Iterator[bytes]:
    """Damaged files, the same in every run: wrong bytes, cuts, splices, and words of extreme value."""
    dice = random.Random(7)  # noqa: S311 - not for secrets
    for _ in range(count):
        data = bytearray(dice.choice(seeds))
        kind = dice.randrange(6)
        if kind == 0:
            for _ in range(dice.randint(1, 12)):
                data[dice.randrange(len(data))] = dice.randrange(256)
        elif kind == 1:
            del data[dice.randrange(len(data)) :]
        elif kind == 2:
            other = dice.choice(seeds)
            start, place, size = dice.randrange(len(other)), dice.randrange(len(data)), dice.randint(1, 400)
            data[place : place + size] = other[start : start + size]
        else:
            for _ in range(dice.randint(1, 4)):
                # Tables lie at both ends of a file; the constants between them say little.
                near = dice.choice([0, 4096, max(0, len(data) - 8192)])
                place = min(near + dice.randrange(8192), len(data) - 4) // 4 * 4
                struct.pack_into("<I", data, place, dice.choice([*EXTREMES, dice.randrange(len(data))]))
        yield bytes(data)


def count_outcomes(seeds: list[bytes], count: int) -> tuple[int, int]:
    """How many damaged files were read and how many refused, each with one line; anything else fails."""
    read = refused = 0
    for data in mutants(seeds, count):
        try:
            summarize(read_model(data, "mutant"))
        except ModelError as error:
            refused += str(error).startswith("mutant: ") and "\n" not in str(error)
        else:
            read += 1
    return read, refused


def test_damaged_tiny_models_only_give_model_errors(tiny: bytes) -> None:
    read, refused = count_outcomes([tiny], 6000)
    assert read + refused == 6000
    assert min(read, refused) > 500


def test_damaged_real_models_only_give_model_errors(model_files: list[Path]) -> None:
    read, refused = count_outcomes([path.read_bytes() for path in model_files], 3000)
    assert read + refused == 3000
    assert min(read, refused) > 300


def test_damaged_models_take_bounded_memory(tiny: bytes, model_files: list[Path]) -> None:
    for data in mutants([tiny, *(path.read_bytes() for path in model_files if path.stat().st_size < 40_000)], 150):
        require_bounded(data)


words = st.tuples(st.integers(0, 10**6), st.sampled_from(EXTREMES))


@given(st.lists(words, min_size=1, max_size=3))
@settings(deadline=None, max_examples=400)
def test_any_words_of_a_model_may_be_wrong(tiny: bytes, wrong: list[tuple[int, int]]) -> None:
    data = bytearray(tiny)
    for place, value in wrong:
        struct.pack_into("<I", data, place % (len(data) // 4) * 4, value)
    try:
        summarize(read_model(bytes(data), "x"))
    except ModelError as error:
        assert "\n" not in str(error)
