"""Text tables in blocks of whole lines: several recordings in a file, and files larger than memory."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from edgecnn.data.readers.csv_layout import MARKER, Layout
from edgecnn_firmware.errors import DataError

CHUNK_BYTES: Final = 32 << 20

_BLANK_LINES = re.compile(rb"(?:^|(?<=\n))(?:[ \t]*\r*\n)+")
_CARRIAGE_RETURNS = re.compile(rb"\r+\n|\r")
_DATA_LIKE = re.compile(rb"[-+0-9.,eE \t]+")


@dataclass(frozen=True)
class Block:
    """Lines of one recording, as they are in the file; `first_row` is the number of the first one.

    `starts` says whether a recording begins here; without it the block continues the one before.
    """

    content: bytes
    first_row: int
    starts: bool


def chunks(file: IO[bytes], path: Path, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Read a file in pieces that end at line ends.

    Raises:
        DataError: a line is longer than a piece.
    """
    rest = b""
    while piece := file.read(chunk_bytes):
        whole = rest + piece
        if len(piece) < chunk_bytes:
            # The end of the file: its last line stays with the ones before, for a layout is found in the first piece.
            rest = whole
            break
        end = whole.rfind(b"\n") + 1
        if end == 0 and len(whole) > chunk_bytes:
            raise DataError(f"{path}: a line of more than {chunk_bytes} bytes; expected a text table")
        rest = whole[end:]
        if end:
            yield _plain_line_ends(whole[:end])
    if rest:
        yield _plain_line_ends(rest)


def _plain_line_ends(piece: bytes) -> bytes:
    """Write every line end as a line feed, as pandas and we count them alike only then."""
    return _CARRIAGE_RETURNS.sub(b"\n", piece) if b"\r" in piece else piece


def split_blocks(pieces: Iterator[bytes], layout: Layout, path: Path) -> Iterator[Block]:
    """Cut pieces at blank lines, or at lines of dashes where those head the recordings.

    Raises:
        DataError: a recording under a line of dashes holds a line that is no row.
    """
    if layout.marked:
        yield from _marked_blocks(pieces, layout.columns, path)
        return
    row, starts = 1, True
    for piece in pieces:
        at = 0
        for gap in _BLANK_LINES.finditer(piece):
            if gap.start() > at:
                yield Block(piece[at : gap.start()], row, starts)
                row += piece.count(b"\n", at, gap.start())
            row += piece.count(b"\n", gap.start(), gap.end())
            starts, at = True, gap.end()
        if at < len(piece):
            yield Block(piece[at:], row, starts)
            row += piece.count(b"\n", at)
            starts = False


def _marked_blocks(pieces: Iterator[bytes], columns: int, path: Path) -> Iterator[Block]:
    """Cut at `-,-,-`; what a terminal wrote before, between and after the recordings is skipped.

    So is a first row that the terminal damaged; a damaged row further on is an error, for skipping it would shift time.
    """
    lines: list[bytes] = []
    first, is_open, row, last = 0, False, 0, 0
    for piece in pieces:
        for line in piece.split(b"\n"):
            row += 1
            text = line.strip()
            if b"," in text and MARKER.fullmatch(text):
                if lines:
                    yield Block(b"\n".join(lines) + b"\n", first, starts=True)
                lines, is_open = [], True
            elif text and is_open:
                fits = text.count(b",") == columns - 1
                if _DATA_LIKE.fullmatch(text) and fits:
                    first = first if lines else row
                    lines.append(text)
                    last = row
                elif fits and lines and last == row - 1:
                    raise DataError(f"{path}: row {row}: '{text[:40].decode('utf-8', 'replace')}' is no row of numbers")
                elif _DATA_LIKE.fullmatch(text) and b"," in text:
                    raise DataError(
                        f"{path}: row {row}: {text.count(b',') + 1} values; the line of dashes has {columns}"
                    )
                elif lines or not fits:
                    is_open = False
        row -= 1
    if lines:
        yield Block(b"\n".join(lines) + b"\n", first, starts=True)
