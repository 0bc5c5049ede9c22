"""Series a row with the label in front: UCR's `.tsv` and `.txt`, and arrays of the same layout."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn.data.readers.npy import open_npy
from edgecnn.data.readers.sources import text_lines
from edgecnn_firmware.errors import DataError

Float64 = npt.NDArray[np.float64]

_NUMBER = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)
_MISSING: Final = {"?", "nan", ""}


@dataclass(frozen=True, eq=False)
class Row:
    """One series: `values (length, channels)`, NaN where missing; `label` is empty where there is none."""

    line: int
    values: Float64
    label: str


def plain_rows(path: Path) -> Iterator[Row]:
    """Read `.tsv` or `.txt`: label first, then values, separated by tab, comma or blanks.

    Raises:
        DataError: a cell is no number.
    """
    for line, text in text_lines(path):
        stripped = text.strip()
        if not stripped or stripped.startswith("#"):
            continue
        cells = stripped.split("\t") if "\t" in stripped else stripped.replace(",", " ").split()
        if len(cells) < 2:
            raise DataError(f"{path}: line {line}: one value; expected a label and the values of a series")
        values = parse_values(cells[1:], path, line)[:, None]
        yield Row(line, without_padding(values, path, line), normal_label(cells[0]))


def npy_rows(path: Path) -> Iterator[Row]:
    """Read a 2-D array `(series, 1 + length)` with the label in column 0.

    Raises:
        DataError: the file is no such array.
    """
    array = open_npy(path)
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "iuf":
        raise DataError(
            f"{path}: {array.dtype} {array.shape}; expected numbers (series, 1 + length), the label in column 0"
        )
    for number, series in enumerate(array, start=1):
        with np.errstate(invalid="ignore"):
            values = np.asarray(series[1:], dtype=np.float64)[:, None]
        yield Row(number, without_padding(values, path, number), normal_label(repr(float(series[0]))))


def parse_values(cells: list[str], path: Path, line: int) -> Float64:
    """Parse cells as numbers, NaN where missing.

    Raises:
        DataError: a cell is no number.
    """
    joined = "".join(cells)
    # float() takes more than files mean by a number: 1_000, and the digits of other scripts.
    if joined.isascii() and "_" not in joined:
        try:
            return np.array([float(cell) for cell in cells])
        except ValueError:
            pass
    return np.array([_parse(cell, path, line) for cell in cells])


def _parse(cell: str, path: Path, line: int) -> float:
    text = cell.strip()
    if text.lower() in _MISSING:
        return float("nan")
    if not _NUMBER.fullmatch(text):
        raise DataError(f"{path}: line {line}: '{text[:40]}' is no number")
    return float(text)


def without_padding(values: Float64, path: Path, line: int) -> Float64:
    """Drop missing values at the end, with which these formats fill up shorter series.

    Raises:
        DataError: nothing is left.
    """
    known = np.flatnonzero(~np.isnan(values).all(axis=1))
    if not len(known):
        raise DataError(f"{path}: line {line}: the series has no values")
    return values[: known[-1] + 1]


def normal_label(text: str) -> str:
    """Write a label the same way whatever file it comes from: `1.0000000e+00` is `1`; a missing one is empty."""
    label = text.strip().strip("'\"").strip()
    if label.lower() in _MISSING:
        return ""
    if not _NUMBER.fullmatch(label):
        return label
    value = float(label)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
