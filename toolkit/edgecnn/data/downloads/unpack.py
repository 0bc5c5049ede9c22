"""Unpack an untrusted zip archive: nothing outside its folder, nothing but plain files, nothing without limits."""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from edgecnn_firmware.errors import DataError
from edgecnn_firmware.progress import Progress, silent

MAX_FILES: Final = 20_000
_MAX_PATH: Final = 240
_MAX_DEPTH: Final = 16
_BLOCK_BYTES: Final = 1 << 20
_ENCRYPTED: Final = 0x1
# What Windows would take for a drive, a stream or a device, and what no terminal should print.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
# All that zipfile raises for archives that are damaged, or made to seem so.
_READ_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
_LITTER: Final = ("__MACOSX", ".DS_Store")


def unpack(archive: Path, folder: Path, *, max_bytes: int, progress: Progress = silent) -> int:
    """Unpack all files of `archive` into the existing `folder` and return how many bytes they hold.

    What macOS adds to archives is left out. On an error, files may already be in the folder; the caller removes it.

    Raises:
        DataError: the archive is damaged or encrypted, holds links or paths that leave the folder, two files of one
            name, more than `MAX_FILES` files, or more than `max_bytes` bytes.
    """
    try:
        opened = zipfile.ZipFile(archive)
    except _READ_ERRORS as error:
        raise DataError(f"{archive.name}: not a zip archive that can be read ({error})") from error
    with opened:
        return _unpack(opened, archive.name, folder, max_bytes, progress)


def _unpack(opened: zipfile.ZipFile, name: str, folder: Path, max_bytes: int, progress: Progress) -> int:
    entries = opened.infolist()
    if len(entries) > MAX_FILES:
        raise DataError(f"{name}: {len(entries)} entries; at most {MAX_FILES}")
    targets = {}
    for entry in entries:
        path = _checked_path(entry, name)
        if entry.is_dir() or path.name in _LITTER or path.parts[0] in _LITTER:
            continue
        key = str(path).casefold()
        if key in targets:
            raise DataError(f"{name}: two entries are named '{path}'")
        targets[key] = (entry, path)
    written = 0
    for number, (entry, path) in enumerate(targets.values(), start=1):
        written += _write(opened, entry, folder / path, max_bytes - written, name)
        progress(f"unpack {name}", number, len(targets))
    return written


def _checked_path(entry: zipfile.ZipInfo, name: str) -> PurePosixPath:
    # zipfile cuts names at a NUL byte; the name as stored is what is judged.
    shown = entry.orig_filename[:80]
    path = PurePosixPath(entry.orig_filename)
    outside = path.is_absolute() or ".." in path.parts or not path.parts
    if outside or _FORBIDDEN.search(entry.orig_filename) or any(_DEVICE.fullmatch(part) for part in path.parts):
        raise DataError(f"{name}: entry {shown!r} has a path that may leave the folder or cannot be a file name")
    if len(str(path)) > _MAX_PATH or len(path.parts) > _MAX_DEPTH:
        raise DataError(
            f"{name}: entry {shown!r} has a path of more than {_MAX_PATH} characters or {_MAX_DEPTH} folders"
        )
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DataError(f"{name}: entry {shown!r} is a link or device; only files and folders are unpacked")
    if entry.flag_bits & _ENCRYPTED:
        raise DataError(f"{name}: entry {shown!r} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(
            f"{name}: entry {shown!r} is compressed by method {entry.compress_type}; only deflate is unpacked"
        )
    return path


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left_bytes: int, name: str) -> int:
    written = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Counted while unpacking: an archive may state any size.
        with target.open("xb") as file:
            for block in _blocks(opened, entry, name):
                written += len(block)
                if written > left_bytes:
                    raise DataError(f"{name}: unpacks to more than is allowed; last at '{entry.filename}'")
                file.write(block)
    except (FileExistsError, NotADirectoryError) as error:
        raise DataError(f"{name}: '{entry.filename}' is a file and a folder at once") from error
    return written


def _blocks(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> Iterator[bytes]:
    try:
        with opened.open(entry) as source:
            while block := source.read(_BLOCK_BYTES):
                yield block
    except _READ_ERRORS as error:
        raise DataError(f"{name}: '{entry.filename}' cannot be unpacked ({error})") from error
