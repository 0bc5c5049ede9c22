"""Lines to samples."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn_firmware.errors import DataError
from edgecnn_firmware.live.lines import BadLine, LineParser, LineSplitter


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([b"1,2", b" 3 , 4e-1 \r"], [(1, 2), (3, 0.4)]),
        ([b"1;2", b"1,5;-2,5"], [(1, 2), (1.5, -2.5)]),
        ([b"1\t2", b"1,5\t2.5"], [(1, 2), (1.5, 2.5)]),
        ([b"1 2", b"  3   4  "], [(1, 2), (3, 4)]),
        ([b"time,gyro,ax", b"9,2,1", b"gyro,ax", b"4,3"], [(1, 2), (3, 4)]),
        ([b"\xef\xbb\xbf\"AX\" ; \"Gyro\"", b"1;2"], [(1, 2)]),
        ([b"", b"# made by a board", b"1,2", b"   "], [(1, 2)]),
        ([b"inf,-inf", b"1e999,2"], [(math.inf, -math.inf), (math.inf, 2)]),
    ],
)  # fmt: skip
def test_samples(lines: list[bytes], wanted: list[tuple[float, ...]]) -> None:
    parser = LineParser(["ax", "gyro"])
    assert [values for line in lines if (values := parser.parse(line)) is not None] == wanted
    assert parser.line == len(lines)


def test_missing_values_are_nan() -> None:
    parser = LineParser(["ax", "gyro"])
    for line in (b"1,", b"1,nan", b"1, NaN "):
        values = parser.parse(line)
        assert values is not None
        assert values[0] == 1
        assert math.isnan(values[1])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"1,2,3", "3 columns; expected 2 (ax,gyro)"),
        (b"1", "1 columns; expected 2 (ax,gyro)"),
        (b"1,x", "'1,x'; expected 2 numbers"),
        (b"ready", "'ready'; expected 2 numbers"),
        (b"1_0,2", "'1_0,2'; expected 2 numbers"),
        ("١,2".encode(), "'١,2'; expected 2 numbers"),
        (b"\x1b[31m\x00" + b"q" * 100, "'?[31m?" + "q" * 31 + "...'; expected 2 numbers"),
    ],
)
def test_bad_lines(line: bytes, why: str) -> None:
    parser = LineParser(["ax", "gyro"])
    with pytest.raises(BadLine) as found:
        parser.parse(line)
    assert str(found.value) == why
    assert parser.parse(b"1,2") == (1, 2)


def test_headers() -> None:
    with pytest.raises(DataError, match="line 1: a header without 'gyro'; expected ax,gyro"):
        LineParser(["ax", "gyro"]).parse(b"ax,gx,gy")
    foreign = LineParser(["ax", "gyro"])
    assert foreign.parse(b"x,y") is None
    assert "names none of the channels" in foreign.note
    assert foreign.parse(b"1,2") == (1, 2)
    with pytest.raises(BadLine):
        foreign.parse(b"x,y")
    wide = LineParser(["ax"])
    wide.parse(b"t,ax")
    with pytest.raises(BadLine, match="1 columns; the header has 2"):
        wide.parse(b"1")


@given(st.lists(st.binary(max_size=300), max_size=20), st.lists(st.integers(1, 50), max_size=40))
def test_splitting_does_not_depend_on_the_pieces(lines: list[bytes], cuts: list[int]) -> None:
    whole = b"\n".join(lines)
    splitter = LineSplitter(2)
    found, start = [], 0
    for cut in cuts:
        found += splitter.split(whole[start : start + cut])
        start += cut
    found += splitter.split(whole[start:])
    found += splitter.last()
    wanted = whole.split(b"\n")
    assert found == wanted[:-1] + ([wanted[-1]] if wanted[-1] else [])


@given(st.binary(max_size=60))
def test_nothing_but_bad_lines_comes_of_noise(line: bytes) -> None:
    parser = LineParser(["ax", "gyro"])
    try:
        values = parser.parse(line)
    except (BadLine, DataError):
        return
    assert values is None or len(values) == 2


def test_a_line_without_end_takes_no_memory() -> None:
    splitter = LineSplitter(2)
    found = [line for _ in range(50) for line in splitter.split(b"1" * 10_000)]
    assert len(found) == 1
    assert len(found[0]) <= 66_000
    assert list(splitter.split(b"1\n3,4\n")) == [b"3,4"]
