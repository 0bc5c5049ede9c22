"""What the readers share: finding and opening untrusted files, one kind of error for what is wrong with them."""

import gzip
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from edgecnn_firmware.errors import DataError, MissingDependency

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_FILES: Final = 1_000_000
MAX_TEXT_BYTES: Final = 2 << 30
"""Most bytes of one text file that is not streamed, after decompression."""
MAX_LINE_BYTES: Final = 64 << 20
MAX_LINES: Final = 10_000_000
GZIP_FREE_BYTES: Final = 64 << 20
GZIP_RATIO: Final = 200
"""A `.gz` file may unpack to `GZIP_FREE_BYTES`, or to this many times its size; recordings shrink 3 to 20 times."""


def list_files(root: Path, suffixes: Sequence[str]) -> tuple[Path, ...]:
    """Find the files under `root` (or `root` itself) whose lower-case name ends in one of `suffixes`.

    Hidden files and folders (`.x`, `._x`) and links to folders are left out; the order is that of the relative paths.

    Raises:
        DataError: `root` does not exist, or holds more files than anyone means.
    """
    if root.is_file():
        return (root,)
    check_exists(root)
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        visible = (name for name in names if not name.startswith("."))
        found += [Path(folder, name) for name in visible if name.lower().endswith(tuple(suffixes))]
        if len(found) > MAX_FILES:
            raise DataError(f"{root}: more than {MAX_FILES} files; name a smaller folder in data.path")
    return tuple(sorted((path for path in found if path.is_file()), key=lambda path: path.relative_to(root).parts))


def check_exists(path: Path) -> None:
    """Raise a `DataError` unless `path` is a file or folder."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; data.path is the folder or file of the recordings")


def relative_name(path: Path, root: Path) -> str:
    """Name a file by its path relative to the data folder, `/`-separated."""
    return path.name if path == root else path.relative_to(root).as_posix()


def bare_stem(path: Path) -> str:
    """The file's name without `.gz` and without its last suffix."""
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return name.rsplit(".", 1)[0] if "." in name[1:] else name


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, decompressing `.gz`; whatever goes wrong while it is read is a `DataError` that names it."""
    try:
        with path.open("rb") as raw:
            if path.suffix.lower() == ".gz":
                most = max(GZIP_FREE_BYTES, GZIP_RATIO * path.stat().st_size)
                with gzip.GzipFile(fileobj=raw) as file:
                    yield io.BufferedReader(_Unpacked(file, most, path))
            else:
                yield raw
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: damaged gzip file ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


class _Unpacked(io.RawIOBase):
    """What a `.gz` file unpacks to, up to a limit."""

    def __init__(self, file: gzip.GzipFile, most: int, path: Path) -> None:
        self._file = file
        self._most = most
        self._left = most
        self._path = path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        count = self._file.readinto(buffer)
        self._left -= count
        if self._left < 0:
            raise DataError(f"{self._path}: unpacks to more than {self._most} bytes, {GZIP_RATIO} times its size")
        return count


def read_whole(path: Path, most: int) -> bytes:
    """Read a file that is small.

    Raises:
        DataError: it cannot be read, or has more than `most` bytes.
    """
    with open_bytes(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise DataError(f"{path}: more than {most} bytes; expected a file of the publisher's size")
    return content


def text_lines(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> Iterator[tuple[int, str]]:
    """Give the lines of a text file with their 1-based numbers, without line ends and byte order mark.

    Raises:
        DataError: the file cannot be read, is no UTF-8 text, or is larger than `max_bytes`.
    """
    total = 0
    with open_bytes(path) as file:
        for number in range(1, MAX_LINES + 1):
            line = file.readline(MAX_LINE_BYTES)
            if not line:
                return
            total += len(line)
            if total > max_bytes or len(line) == MAX_LINE_BYTES:
                raise DataError(f"{path}: line {number}: too long or too much text (limit {max_bytes} bytes)")
            yield number, decode(line, path, number).rstrip("\r\n")
    raise DataError(f"{path}: more than {MAX_LINES} lines; expected a smaller file")


def decode(line: bytes, path: Path, row: int) -> str:
    """Decode one line of UTF-8 text; the byte order mark of the first is dropped.

    Raises:
        DataError: the bytes are no UTF-8 text.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: line {row}: not UTF-8 text (byte {error.start})") from error
    if "\0" in text:
        raise DataError(f"{path}: line {row}: holds a NUL byte; expected text")
    return text.removeprefix("\ufeff") if row == 1 else text


def need(module: str, extra: str, what: str) -> MissingDependency:
    """Make the error for an optional package that is not installed."""
    return MissingDependency(f"{what} needs the Python package '{module}': pip install 'edgecnn[{extra}]'")
