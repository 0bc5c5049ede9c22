"""Files that are whole or not there: writing, hashing, and reading in folders that nobody vouches for."""

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgecnn_firmware.errors import BundleError


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into one line that names `path`.

    Raises:
        BundleError: an `OSError` was raised inside.
    """
    try:
        yield
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror or error}") from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def write_flushed(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def write_file_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        BundleError: the disk refuses; an older file is then as it was.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        partial = Path(name)
        try:
            write_flushed(partial, data)
            partial.chmod(0o644)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def require_plain(root: Path, path: Path) -> None:
    """Refuse anything but plain files inside an untrusted folder: links could point anywhere, pipes could block.

    Raises:
        BundleError: `path`, or a folder between it and `root`, is missing or something else.
    """
    with naming(path):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise BundleError(f"{path}: is no plain file; a bundle holds plain files only")
    for folder in path.parents:
        if folder == root:
            return
        if folder.is_symlink():
            raise BundleError(f"{folder}: is a link; a bundle holds plain files only")
    raise BundleError(f"{path}: lies outside {root}")
