"""Keeps chatter of native libraries off the terminal: they write to the file descriptors, past `sys.stderr`."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Final

_STDERR: Final = 2
_CHATTER: Final = re.compile(
    rb"INFO: "  # TensorFlow Lite
    rb"|[IW]\d{4} "  # absl
    rb"|WARNING: All log messages before absl"
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] "  # TensorFlow
    rb"|To enable the following instructions: "
    rb"|Could not find |E\d{4} .*cuInit"  # TensorFlow: no accelerator on this machine
)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to descriptor 2 meanwhile, then write what is no chatter: errors are not lost.

    Process-wide, so for short single-threaded stretches such as loading a model.
    """
    try:
        saved = os.dup(_STDERR)
    except OSError:  # no stderr at all, so nothing to keep quiet
        yield
        return
    with tempfile.TemporaryFile() as held:
        _flush()
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        finally:
            _flush()
            os.dup2(saved, _STDERR)
            os.close(saved)
            held.seek(0)
            for line in held:
                if line.strip() and not _CHATTER.match(line):
                    os.write(_STDERR, line)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
