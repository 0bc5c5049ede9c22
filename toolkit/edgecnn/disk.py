"""What a disk refuses in the middle of a file, told with the file's name."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Give `path` to errors without a file name: the system names a file that cannot be opened, but no full one.

    Raises:
        OSError: as raised inside, with a file name and a reason in words.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None and error.strerror is not None:
            raise
        # NumPy raises some write errors with a sentence of its own in place of the system's number.
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), error.filename or str(path)) from error
