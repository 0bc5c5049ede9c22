"""Running a compiler or an emulator: argument lists, time limits, one clear line on failure."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgecnn_firmware.errors import EdgeCnnError, MissingDependency

_SHOWN_CHARACTERS = 600


class BoardError(EdgeCnnError):
    """C cannot be compiled, linked or run for a board; the line says what the tool said."""


def finish(command: Sequence[str], *, folder: Path, limit_s: float, doing: str) -> str:
    """Run a command in a folder and return its standard output.

    Args:
        command: Program and arguments; no shell sees them.
        folder: Working folder.
        limit_s: Seconds after which the command is ended.
        doing: The words that open the error's line, such as `compiling net.c for cortex-m4`.

    Raises:
        BoardError: The command fails or takes longer than `limit_s`.
        MissingDependency: There is no such program.
    """
    try:
        done = subprocess.run(  # noqa: S603
            list(command),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except FileNotFoundError:
        raise MissingDependency(f"{doing}: there is no program {command[0]!r}") from None
    except subprocess.TimeoutExpired:
        raise BoardError(f"{doing}: not finished after {limit_s:g} s") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no message")[:_SHOWN_CHARACTERS]
        raise BoardError(f"{doing}: exit code {done.returncode}: {said}")
    return done.stdout
