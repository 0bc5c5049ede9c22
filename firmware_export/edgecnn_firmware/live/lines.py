"""Bytes of a stream to lines, and lines of numbers to samples; whatever comes in, nothing worse than a bad line comes out."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from edgecnn_firmware.errors import DataError

Values: TypeAlias = tuple[float, ...]
"""One sample: a value for each channel, in physical units."""

_SHOWN_CHARACTERS: Final = 40
_MOST_COLUMNS: Final = 1 << 16
_SPARE_BYTES: Final = 1 << 16
_VALUE_BYTES: Final = 64


class BadLine(ValueError):
    """A line that is no sample; the text says why."""


class LineSplitter:
    """Cuts a stream of bytes at line ends; a line beyond all measure is cut off rather than kept."""

    def __init__(self, channels: int) -> None:
        self._most_bytes = _SPARE_BYTES + _VALUE_BYTES * channels
        self._rest = b""
        self._skipping = False

    def split(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes and give the lines that they end; of an overlong line only its beginning."""
        pieces = (self._rest + data).split(b"\n")
        self._rest = pieces.pop()
        for piece in pieces:
            if self._skipping:
                self._skipping = False
            else:
                yield piece[: self._most_bytes]
        if len(self._rest) > self._most_bytes:
            if not self._skipping:
                self._skipping = True
                yield self._rest[: self._most_bytes]
            self._rest = b""

    def last(self) -> Iterator[bytes]:
        """What came after the last line end."""
        if self._rest and not self._skipping:
            yield self._rest
        self._rest = b""


class LineParser:
    """Lines of numbers to samples.

    Columns are parted by `;`, tab, `,` or spaces; beside `;` and tab a decimal comma is read too. A line of names that
    holds all the wanted ones tells which columns are taken, wherever it comes; without one, columns are taken in order.
    An empty cell and `nan` are NaN.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        """`columns`: the wanted names, one for each channel."""
        self._columns = tuple(columns)
        self._wanted = tuple(name.strip().lower() for name in columns)
        self._places: tuple[int, ...] | None = None
        self._width = 0
        self.line = 0
        """Number of the latest line, from 1."""
        self.note = ""
        """What a user should know about the header; empty where there is nothing."""

    def parse(self, raw: bytes) -> Values | None:
        """A sample; None for a header or an empty line.

        Raises:
            BadLine: it is neither.
            DataError: the header has some of the channels but not all.
        """
        self.line += 1
        text = raw.decode("utf-8", "replace").lstrip("\ufeff").strip("\r\n\v\f ")
        if not text or text.startswith("#"):
            return None
        cells = _cells(text)
        values = [_number(cell) for cell in cells]
        if any(value is None for value in values):
            self._header(cells, has_numbers=any(value is not None for value in values))
            return None
        if self._places is None:
            if len(cells) != len(self._wanted):
                raise BadLine(f"{len(cells)} columns; expected {len(self._wanted)} ({_shown(','.join(self._columns))})")
            return tuple(value for value in values if value is not None)
        if len(cells) != self._width:
            raise BadLine(f"{len(cells)} columns; the header has {self._width}")
        return tuple(value for place in self._places if (value := values[place]) is not None)

    def _header(self, cells: list[str], *, has_numbers: bool) -> None:
        names = [cell.strip().strip('"').strip().lower() for cell in cells]
        missing = [name for name, key in zip(self._columns, self._wanted, strict=True) if key not in names]
        if not missing:
            self._places, self._width = tuple(names.index(key) for key in self._wanted), len(names)
            return
        if self._places is None and not has_numbers:
            if len(missing) < len(self._wanted):
                raise DataError(
                    f"line {self.line}: a header without '{_shown(missing[0])}'; expected {_shown(','.join(self._columns))}"
                )
            if self.line == 1 and len(names) == len(self._wanted):
                self.note = (
                    f"the header '{_shown(','.join(cells))}' names none of the channels; columns are taken in order"
                )
                return
        raise BadLine(f"'{_shown(','.join(cells))}'; expected {len(self._wanted)} numbers")


def _cells(text: str) -> list[str]:
    for separator in (";", "\t"):
        if separator in text:
            cells = text.split(separator, _MOST_COLUMNS)
            # A comma between digits is a decimal comma here.
            return [cell.replace(",", ".") if _number(cell) is None else cell for cell in cells]
    return text.split(",", _MOST_COLUMNS) if "," in text else text.split(None, _MOST_COLUMNS)


def _number(cell: str) -> float | None:
    cell = cell.strip()
    if not cell:
        return float("nan")
    if not cell.isascii() or "_" in cell:
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _shown(text: str) -> str:
    clean = "".join(character if character.isprintable() else "?" for character in text)
    return clean if len(clean) <= _SHOWN_CHARACTERS else clean[: _SHOWN_CHARACTERS - 3] + "..."
