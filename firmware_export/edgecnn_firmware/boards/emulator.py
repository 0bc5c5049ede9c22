"""Which emulator a target runs on, as it names itself."""

import shutil
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from edgecnn_firmware.boards.process import finish
from edgecnn_firmware.boards.targets import Target

QEMU: Final = "qemu-system-arm"
_LIMIT_S: Final = 60.0


def emulator_version(target: Target) -> str:
    """Name and version of the emulator that runs a target; the name alone where no version is known.

    Raises:
        BoardError: The emulator does not run.
    """
    if target.emulator == "qemu":
        return _qemu_version(shutil.which(QEMU) or "")
    try:
        return f"unicorn {version('unicorn')}"
    except PackageNotFoundError:
        return "unicorn"


@cache
def _qemu_version(program: str) -> str:
    if not program:
        return QEMU
    said = finish((program, "--version"), folder=Path.cwd(), limit_s=_LIMIT_S, doing=f"asking {QEMU}")
    return said.partition("\n")[0].strip() or QEMU
