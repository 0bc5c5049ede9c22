"""A folder that is filled beside its place and then put there whole, in place of an older one.

At every moment the older folder or the new one exists whole: the older is renamed aside, the new one into its place,
and only then is the older removed. A run that dies between the two renames leaves the older one aside; `recover` puts
it back.
"""

import contextlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Final

if sys.platform != "win32":
    import fcntl

_LOCK: Final = ".lock"
"""Held by the run that fills a folder, so that others can tell the folders of dead runs; removed before the swap."""

_STARTING_S: Final = 60
"""A folder this young may belong to a run that does not hold its lock yet."""
_ABANDONED_S: Final = 24 * 3600
"""A folder without a lock, or on a system without locks, is removed at this age."""


class Replacement:
    """A folder beside `target`, held by this run until it is swapped in or discarded.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self._target = target
        self._lock: IO[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.new.", dir=target.parent))
        try:
            self.folder.chmod(0o755)
            self._lock = (self.folder / _LOCK).open("wb")
            _try_lock(self._lock)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove the folder, if it still is where it was filled."""
        self._unlock()
        shutil.rmtree(self.folder, ignore_errors=True)

    def swap_in(self) -> None:
        """Put the folder in the place of `target`.

        Raises:
            OSError: the system refuses; an older `target` is then still there.
        """
        self._unlock()
        (self.folder / _LOCK).unlink()
        _flush(self.folder)
        aside = _aside(self._target)
        try:
            if os.path.lexists(self._target):
                self._target.rename(aside)
            self.folder.rename(self._target)
        except BaseException:
            if os.path.lexists(aside) and not os.path.lexists(self._target):
                aside.rename(self._target)
            raise
        _flush(self._target.parent)
        shutil.rmtree(aside, ignore_errors=True)

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def recover(target: Path) -> None:
    """Put a folder back that a dead run left aside, and remove the folders of dead runs.

    Raises:
        OSError: the folder cannot be renamed.
    """
    aside = _aside(target)
    if os.path.lexists(aside):
        if not os.path.lexists(target):
            aside.rename(target)
        shutil.rmtree(aside, ignore_errors=True)
    for folder in sorted(target.parent.glob(f".{target.name}.new.*")):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _flush(folder: Path) -> None:
    """Wait until the disk has the folder's names, where the system can."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _try_lock(stream: IO[bytes]) -> bool:
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_abandoned(folder: Path) -> bool:
    try:
        age_s = time.time() - folder.stat().st_mtime
    except OSError:
        return False
    if age_s < _STARTING_S or age_s > _ABANDONED_S:
        return age_s > _ABANDONED_S
    try:
        with (folder / _LOCK).open("rb") as stream:
            return _try_lock(stream)
    except OSError:
        return False
