"""The cells of one block of text -> columns, and the exact place of a cell that cannot be used."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.data.readers.csv_blocks import Block
from edgecnn.data.readers.csv_layout import MISSING, Layout
from edgecnn.data.readers.sources import need
from edgecnn_firmware.errors import DataError

Float64 = npt.NDArray[np.float64]
Texts = npt.NDArray[np.object_]

_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Columns:
    """Some columns of consecutive rows: `numbers (rows, columns)`, NaN where missing; `texts` by column."""

    numbers: Float64
    texts: dict[int, Texts]
    rows: npt.NDArray[np.int64]
    """The line number of each row."""


def parse_block(block: Block, layout: Layout, numeric: Sequence[int], textual: Sequence[int], path: Path) -> Columns:
    """Parse the columns numbered `numeric` and `textual` of a block without its header.

    Raises:
        DataError: naming the row and the column of a cell that is no number, or a row with too few or too many cells.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise need("pandas", "train", "reading text tables") from error
    last = layout.columns - 1
    wanted = sorted({*numeric, *textual, last})
    try:
        frame = pd.read_csv(
            io.BytesIO(block.content),
            header=None,
            names=list(range(layout.columns)),
            usecols=wanted,
            index_col=False,
            dtype={column: str for column in wanted if column in textual or column not in numeric},
            sep=r"\s+" if layout.delimiter is None else layout.delimiter,
            decimal=layout.decimal,
            comment="#",
            skipinitialspace=True,
            na_values=["?", " "],
            low_memory=False,
            encoding="utf-8",
        )
    except (ValueError, pd.errors.ParserError, OverflowError) as error:
        raise _located(block, layout, numeric, path) or DataError(
            f"{path}: row {block.first_row}: cannot be read as a table ({' '.join(str(error).split())[:100]})"
        ) from error
    # Every row has the same number of delimiters, unless one is cut off or a cell is quoted.
    short = layout.delimiter is None or block.content.count(layout.delimiter.encode()) != len(frame) * last
    if short or any(frame[column].dtype.kind not in "iuf" for column in numeric):
        problem = _located(block, layout, numeric, path)
        if problem is not None:
            raise problem
    numbers = np.empty((len(frame), len(numeric)))
    for place, column in enumerate(numeric):
        numbers[:, place] = _as_float(frame[column], layout)
    texts = {column: _as_text(frame[column]) for column in textual}
    return Columns(numbers, texts, _row_numbers(block, len(frame)))


def _as_float(series: Any, layout: Layout) -> Float64:
    if series.dtype.kind in "iuf":
        return np.asarray(series, dtype=np.float64)
    cells = ("" if cell != cell else str(cell).strip() for cell in series)
    return np.array([_number(cell, layout) for cell in cells])


def _number(cell: str, layout: Layout) -> float:
    """The value of a cell, NaN where missing; `ValueError` for what `float` takes but no file means, such as 1_000."""
    if cell.lower() in MISSING:
        return float("nan")
    if layout.is_number(cell) or _INFINITE.fullmatch(cell):
        return float(cell.replace(",", ".") if layout.decimal == "," else cell)
    raise ValueError(cell)


def _as_text(series: Any) -> Texts:
    return np.array(["" if cell != cell else str(cell).strip() for cell in series], dtype=object)


def _row_numbers(block: Block, count: int) -> npt.NDArray[np.int64]:
    lines = block.content.count(b"\n") + (not block.content.endswith(b"\n"))
    if lines == count:
        return np.arange(count, dtype=np.int64) + block.first_row
    numbers = [number for number, line in _lines(block) if line]
    return np.array([*numbers, *[block.first_row] * count][:count], dtype=np.int64)


def _lines(block: Block) -> list[tuple[int, str]]:
    """The lines of a block with their numbers, without comments."""
    text = block.content.decode("utf-8", "replace")
    bare = (line.split("#", 1)[0].strip("\r\n ") for line in text.split("\n"))
    return list(enumerate(bare, start=block.first_row))


def _located(block: Block, layout: Layout, numeric: Sequence[int], path: Path) -> DataError | None:
    """Find the first row that is not as the layout says."""
    for row, line in _lines(block):
        if not line:
            continue
        cells = layout.cells(line)
        if len(cells) != layout.columns:
            return DataError(f"{path}: row {row}: {len(cells)} columns; expected {layout.columns}")
        for column in numeric:
            cell = cells[column]
            if cell.lower() not in MISSING and not _parses(cell, layout):
                name = layout.names[column]
                return DataError(f"{path}: row {row}: '{cell[:40]}' in column '{name}' is no number")
    return None


def _parses(cell: str, layout: Layout) -> bool:
    try:
        _number(cell, layout)
    except ValueError:
        return False
    return True
