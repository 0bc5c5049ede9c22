"""Text tables: `.csv`, `.tsv` and `.txt`, also as `.gz`, one file or a tree of them.

The label comes from the path (`data.pattern`, or a folder per class, or the file's name) or from `data.label_column`.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from edgecnn.data.readers.columns import Roles
from edgecnn.data.readers.csv_blocks import CHUNK_BYTES, Block, chunks, split_blocks
from edgecnn.data.readers.csv_cells import Columns, parse_block
from edgecnn.data.readers.csv_layout import Layout, find_layout, read_head
from edgecnn.data.readers.detect import TEXT_SUFFIXES
from edgecnn.data.readers.facts import path_facts
from edgecnn.data.readers.pattern import PathFacts
from edgecnn.data.readers.sources import list_files, open_bytes, relative_name
from edgecnn.data.readers.tabular import TableBuilder
from edgecnn.data.recording import Dataset
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

FORMAT: Final = "csv"
_PROSE = re.compile(r"(readme|license|licence|notes?|sources?|requirements|changelog|sha256sums)\b.*", re.IGNORECASE)
_BOM: Final = b"\xef\xbb\xbf"


def read(settings: DataSettings) -> Dataset:
    """Read every table under the data folder.

    Raises:
        DataError: naming file, row and column of what cannot be used.
        SettingsError: a wrong pattern.
    """
    files = table_files(settings.path)
    if not files:
        raise DataError(f"{settings.path}: no .csv, .tsv or .txt files")
    chosen, notes = path_facts(files, settings)
    builder = TableBuilder(settings)
    for path, facts in chosen.items():
        with open_bytes(path) as file:
            _read_file(file, path, relative_name(path, settings.path), facts, builder)
    recordings, more = builder.recordings()
    return Dataset(settings.path.resolve().name, FORMAT, recordings, tuple(chosen), (*notes, *more))


def table_files(root: Path) -> tuple[Path, ...]:
    """The text tables under `root`; `.txt` files count where there is no `.csv` or `.tsv`."""
    found = list_files(root, TEXT_SUFFIXES)
    tables = tuple(path for path in found if not path.name.lower().removesuffix(".gz").endswith(".txt"))
    return tables or tuple(path for path in found if not _PROSE.match(path.name) or path == root)


def sniff(path: Path) -> Layout:
    """Find out how a file is written.

    Raises:
        DataError: it is no text table.
    """
    with open_bytes(path) as file:
        return find_layout(read_head(file.read(CHUNK_BYTES // 16)), path)


def _read_file(file: IO[bytes], path: Path, name: str, facts: PathFacts, builder: TableBuilder) -> None:
    pieces = chunks(file, path)
    first = next(pieces, b"").removeprefix(_BOM)
    layout = find_layout(read_head(first), path)
    roles = builder.roles(layout.names, layout.numeric, path)
    blocks = split_blocks(_again(first, pieces), layout, path)
    builder.add_file(name, str(path), roles, facts, _tables(blocks, layout, roles, path))


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _tables(blocks: Iterator[Block], layout: Layout, roles: Roles, path: Path) -> Iterator[tuple[Columns, bool]]:
    starts = False
    for block in blocks:
        starts |= block.starts
        body = _without_header(block, layout)
        if not body.content.strip():
            continue
        columns = parse_block(body, layout, roles.numeric, roles.textual, path)
        if len(columns.rows):
            yield columns, starts
            starts = False


def _without_header(block: Block, layout: Layout) -> Block:
    """Drop comments and the header at the start of a recording; it may be repeated there."""
    content, row = block.content, block.first_row
    while block.starts and layout.header is not None and content:
        end = content.find(b"\n") + 1 or len(content)
        line = content[:end].decode("utf-8", "replace").strip()
        is_header = layout.cells(line)[: layout.columns] == _written(layout)
        if not is_header and not line.startswith("#"):
            break
        content, row = content[end:], row + 1
        if is_header:
            break
    return replace(block, content=content, first_row=row)


def _written(layout: Layout) -> list[str]:
    """The header's cells as they are in the file."""
    header = layout.header or ()
    return ["" if name == f"column {number}" else name for number, name in enumerate(header, start=1)]
