"""Random tables in random dialects: what is written is what is read."""

import gzip
import tempfile
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data.readers import read_dataset
from edgecnn.data.recording import Segment
from edgecnn.project import DataSettings

_NUMBERS = st.one_of(
    st.integers(-99999, 99999).map(float),
    st.floats(-1e6, 1e6, width=32),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)


@dataclass(frozen=True)
class Dialect:
    """How a table is written."""

    delimiter: str
    decimal: str
    header: bool
    line_end: str
    last_line_end: bool
    byte_order_mark: bool
    comments: bool
    quotes: bool
    packed: bool


@st.composite
def dialects(draw: st.DrawFn) -> Dialect:
    delimiter = draw(st.sampled_from([",", ";", "\t", " "]))
    return Dialect(
        delimiter=delimiter,
        decimal="," if delimiter == ";" and draw(st.booleans()) else ".",
        header=draw(st.booleans()),
        line_end=draw(st.sampled_from(["\n", "\r\n", "\r\r\n"])),
        last_line_end=draw(st.booleans()),
        byte_order_mark=draw(st.booleans()),
        comments=draw(st.booleans()),
        quotes=delimiter != " " and draw(st.booleans()),
        packed=draw(st.booleans()),
    )


def cell(value: float, dialect: Dialect) -> str:
    text = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    text = text.replace(".", dialect.decimal)
    return f'"{text}"' if dialect.quotes else text


def written(tables: list[np.ndarray], dialect: Dialect) -> bytes:
    lines = ["# a comment"] * dialect.comments
    if dialect.header:
        lines.append(dialect.delimiter.join(f"ch{number}" for number in range(tables[0].shape[1])))
    for number, table in enumerate(tables):
        lines += [""] * (2 if number else 0)
        for row in table.tolist():
            lines.append(dialect.delimiter.join(cell(value, dialect) for value in row))
            lines += ["# another"] * (dialect.comments and row[0] == 1)
    text = dialect.line_end.join(lines) + dialect.line_end * dialect.last_line_end
    content = text.encode("utf-8-sig" if dialect.byte_order_mark else "utf-8")
    return gzip.compress(content) if dialect.packed else content


@settings(max_examples=200, deadline=None)
@given(st.data(), dialects(), st.integers(2, 5), st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_what_is_written_is_read(data: st.DataObject, dialect: Dialect, channels: int, lengths: list[int]) -> None:
    rows = st.lists(_NUMBERS, min_size=channels, max_size=channels)
    tables = [np.array(data.draw(st.lists(rows, min_size=length, max_size=length))) for length in lengths]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("walk.csv.gz" if dialect.packed else "walk.csv")
        path.write_bytes(written(tables, dialect))
        dataset = read_dataset(DataSettings(path=path, sample_rate_hz=50))
        read = [item.read(0, item.length) for item in dataset.recordings]
    assert [item.segments for item in dataset.recordings] == [(Segment(0, length, "walk"),) for length in lengths]
    prefix = "ch" if dialect.header else "c"
    assert [channel.name for channel in dataset.channels] == [f"{prefix}{number}" for number in range(channels)]
    for found, table in zip(read, tables, strict=True):
        # The nearest float32 of a decimal with its 17 digits, up to how a parser rounds twice.
        np.testing.assert_allclose(found, table.astype(np.float32), rtol=1.3e-7, atol=1e-44)


_LABELS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8).filter(
    lambda text: (
        not set(text) & set("#\"',;0123456789") and text.lower() not in {"nan", "na", "n/a", "null", "none", "?"}
    )
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(range(3)), st.integers(1, 4)), min_size=1, max_size=12), st.data())
def test_runs_of_labels_are_segments(runs: list[tuple[int, int]], data: st.DataObject) -> None:
    names = [*data.draw(st.lists(_LABELS, min_size=2, max_size=2, unique=True)), ""]
    labels = [names[number] for number, count in runs for _ in range(count)]
    if not any(labels):
        return
    expected, at = [], 0
    for label, group in groupby(labels):
        count = len(list(group))
        expected += [Segment(at, at + count, label)] if label else []
        at += count
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        rows = "".join(f"{number},{label},7\n" for number, label in enumerate(labels))
        path.write_text(f"ax,what,ay\n{rows}", encoding="utf-8")
        dataset = read_dataset(DataSettings(path=path, sample_rate_hz=50, label_column="what"))
    assert dataset.recordings[0].segments == tuple(expected)
