"""How a text table is written: delimiter, decimal sign, header, from its first lines."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecnn_firmware.errors import DataError

MAX_COLUMNS: Final = 4096
HEAD_LINES: Final = 200
_HEAD_BYTES: Final = 1 << 20

NUMBER: Final = re.compile(r"[+-]?(\d{1,60}\.?\d{0,60}|\.\d{1,60})([eE][+-]?\d{1,4})?", re.ASCII)
MISSING: Final = frozenset(("", "nan", "na", "n/a", "null", "none", "?"))
MARKER: Final = re.compile(rb"[ \t]*-(?:[ \t]*,[ \t]*-){0,63}[ \t]*\r*")
"""A line of dashes, `-,-,-`, which heads each recording in the text format of TFLite Micro's magic wand."""


@dataclass(frozen=True)
class Layout:
    """How to read the lines of a file. `delimiter` is None for blanks; `header` is None where the first row is data."""

    delimiter: str | None
    decimal: str
    header: tuple[str, ...] | None
    columns: int
    numeric: tuple[bool, ...]
    """Whether the first rows hold numbers in each column."""
    marked: bool = False
    """Whether lines of dashes head the recordings."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names: those of the header, or `c0`, `c1`, ..."""
        return self.header or tuple(f"c{number}" for number in range(self.columns))

    def cells(self, line: str) -> list[str]:
        """Split one line."""
        if self.delimiter is None:
            return line.split()
        if '"' not in line:
            return [cell.strip() for cell in line.split(self.delimiter)]
        try:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=self.delimiter), [])]
        except csv.Error:
            return [line]

    def is_number(self, cell: str) -> bool:
        """Whether a cell is a number as this file writes it."""
        return NUMBER.fullmatch(cell.replace(",", ".") if self.decimal == "," else cell) is not None


def find_layout(head: bytes, path: Path) -> Layout:
    """Look at the first bytes of a file (whole lines).

    Raises:
        DataError: the bytes are no text table.
    """
    raw = head.removeprefix(b"\xef\xbb\xbf").splitlines()
    marker = next((line for line in raw[:2000] if b"," in line and MARKER.fullmatch(line)), None)
    if marker is not None:
        columns = marker.count(b",") + 1
        return Layout(",", ".", None, columns, (True,) * columns, marked=True)
    try:
        text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start})") from error
    if "\0" in text:
        raise DataError(f"{path}: holds NUL bytes; expected a text table")
    bare = (line.split("#", 1)[0] for line in text.splitlines())
    lines = [line for line in bare if line.strip()][:HEAD_LINES]
    if not lines:
        raise DataError(f"{path}: holds no rows")
    return _layout(lines, path)


def _layout(lines: list[str], path: Path) -> Layout:
    delimiter = _delimiter(lines)
    plain = Layout(delimiter, ".", None, 0, ())
    rows = [plain.cells(line) for line in lines]
    columns = len(rows[0])
    if columns > MAX_COLUMNS:
        raise DataError(f"{path}: {columns} columns; at most {MAX_COLUMNS}")
    body = [row for row in rows[1:] if len(row) == columns]
    decimal = "," if delimiter == ";" and _has_decimal_comma(rows) else "."
    draft = Layout(delimiter, decimal, None, columns, ())
    numeric = tuple(_is_numeric([row[column] for row in body], draft) for column in range(columns))
    first = [draft.is_number(cell) for cell in rows[0]]
    named = any(
        column and not number and cell.lower() not in MISSING
        for column, number, cell in zip(numeric, first, rows[0], strict=True)
    )
    if named or not (body or any(first)):
        header = tuple(name or f"column {number}" for number, name in enumerate(rows[0], start=1))
        numeric = tuple(
            column and (bool(name) or not _says_nothing([row[number] for row in body]))
            for number, (name, column) in enumerate(zip(rows[0], numeric, strict=True))
        )
        return Layout(delimiter, decimal, header, columns, numeric)
    numeric = tuple(_is_numeric([row[column] for row in [rows[0], *body]], draft) for column in range(columns))
    if columns > 1 and all(row[-1] == "" for row in [rows[0], *body]):
        numeric = (*numeric[:-1], False)
    return Layout(delimiter, decimal, None, columns, numeric)


def _says_nothing(cells: list[str]) -> bool:
    """Whether a column without a name is empty (a delimiter at the end of each line) or counts the rows."""
    first = int(cells[0]) if cells and cells[0].isdecimal() and len(cells[0]) < 16 else 0
    return not any(cells) or cells == [str(first + number) for number in range(len(cells))]


def _delimiter(lines: list[str]) -> str | None:
    """The delimiter that most lines have equally often; None for blanks (or a single column)."""
    best, most = None, 0
    for delimiter in ("\t", ";", ","):
        counts = [line.count(delimiter) for line in lines]
        typical = max(set(counts), key=lambda count: (counts.count(count), count))
        if typical and counts.count(typical) > most:
            best, most = delimiter, counts.count(typical)
    return best


def _has_decimal_comma(rows: list[list[str]]) -> bool:
    cells = [cell for row in rows for cell in row]
    return any("," in cell and NUMBER.fullmatch(cell.replace(",", ".", 1)) for cell in cells)


def _is_numeric(cells: list[str], layout: Layout) -> bool:
    """Whether any cell is a number; a column of nothing but missing values counts as numeric."""
    present = [cell for cell in cells if cell.lower() not in MISSING]
    return not present or any(layout.is_number(cell) for cell in present)


def read_head(chunk: bytes) -> bytes:
    """The whole lines at the start of a file's first bytes."""
    head = chunk[:_HEAD_BYTES]
    end = head.rfind(b"\n")
    return head if len(head) == len(chunk) < _HEAD_BYTES or end < 0 else head[: end + 1]
