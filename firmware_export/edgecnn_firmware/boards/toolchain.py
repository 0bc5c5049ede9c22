"""Which compiler builds for a target: the Arm GNU toolchain where it is on PATH, else clang as packaged by ziglang."""

import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from edgecnn_firmware.boards.extras import INSTALL
from edgecnn_firmware.boards.process import finish
from edgecnn_firmware.boards.targets import Target
from edgecnn_firmware.errors import MissingDependency

Prefer = Literal["auto", "gcc", "zig"]

_GCC = "arm-none-eabi-gcc"


@dataclass(frozen=True)
class Toolchain:
    """A C compiler and the arguments that make it build for one target.

    Attributes:
        kind: Which family of options it takes.
        command: Program and fixed arguments.
        flags: Arguments that select the core.
        link_flags: The same for linking.
        version: First line of what the compiler says of itself.
        has_libc: Whether `memcpy`, `memset` and the C headers come with it.
    """

    kind: Literal["gcc", "zig"]
    command: tuple[str, ...]
    flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    version: str
    has_libc: bool


def find_toolchain(target: Target, prefer: Prefer = "auto") -> Toolchain:
    """Find a compiler for a target.

    Args:
        target: The core.
        prefer: `gcc` or `zig` accepts only that one; `auto` takes gcc where it is on PATH and knows the core.

    Raises:
        MissingDependency: The compiler is not installed; the line tells how to install one.
    """
    gcc = shutil.which(_GCC) if target.gcc_flags else None
    if gcc and prefer != "zig":
        version = _first_line((gcc, "--version"))
        return Toolchain("gcc", (gcc,), target.gcc_flags, target.gcc_flags, version, has_libc=True)
    if prefer == "gcc":
        where = f"{_GCC} is not on PATH" if target.gcc_flags else f"{_GCC} does not compile for it"
        raise MissingDependency(f"target {target.name}: {where}; use the clang of {INSTALL}")
    if find_spec("ziglang") is None:
        raise MissingDependency(f"target {target.name}: no C compiler for it: put {_GCC} on PATH or run: {INSTALL}")
    command = (sys.executable, "-m", "ziglang")
    version = f"zig {_first_line((*command, 'version'))}"
    triple = ("-target", target.zig_target)
    flags, link_flags = (*triple, *target.zig_flags), (*triple, *(target.zig_link_flags or target.zig_flags))
    return Toolchain("zig", (*command, "cc"), flags, link_flags, version, has_libc=False)


def _first_line(command: tuple[str, ...]) -> str:
    return finish(command, folder=Path.cwd(), limit_s=60, doing=f"asking {Path(command[0]).name}").partition("\n")[0]
