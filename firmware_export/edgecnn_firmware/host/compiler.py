"""The C compiler of this machine, and what it says of the processor that it compiles for."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from edgecnn_firmware.boards.extras import INSTALL
from edgecnn_firmware.boards.process import BoardError, finish
from edgecnn_firmware.errors import MissingDependency

_NAMES: Final = ("cc", "gcc", "clang")
_LIMIT_S: Final = 120.0
"""The first call of zig unpacks its libraries."""


@dataclass(frozen=True)
class HostCompiler:
    """A C compiler that works.

    Attributes:
        command: Program and fixed arguments; without more it compiles for any processor of this machine's architecture.
        native: The flag that makes it compile for this very processor.
        name: Family and version, such as `gcc 12.2.0`.
    """

    command: tuple[str, ...]
    native: str
    name: str

    def macros(self, flags: Sequence[str] = ()) -> Mapping[str, str]:
        """What is defined before the first line of a file that is compiled with these flags.

        Raises:
            BoardError: The compiler refuses the flags.
        """
        return _macros((*self.command, *flags))


def find_compiler() -> HostCompiler:
    """Find a C compiler: `cc`, `gcc` or `clang` on PATH, else the clang of the package ziglang.

    One that is there but does not run is passed over.

    Raises:
        MissingDependency: There is none, or none that runs; the line tells how to install one.
    """
    return _find(os.environ.get("PATH", ""), has_zig=find_spec("ziglang") is not None)


def forget() -> None:
    """Look for compilers anew; what was found before may have changed."""
    _find.cache_clear()
    _macros.cache_clear()


@cache
def _find(path: str, *, has_zig: bool) -> HostCompiler:
    # By the full path: the one that was looked at is the one that is called, wherever that happens.
    programs = [program for name in _NAMES if (program := shutil.which(name, path=path))]
    # One that several names lead to is looked at once.
    commands: list[tuple[str, ...]] = [(program,) for program in {os.path.realpath(p): p for p in programs}.values()]
    if has_zig:
        commands.append((sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline", "-fno-sanitize=all"))
    broken = []
    for command in commands:
        try:
            return _described(command)
        except (BoardError, MissingDependency, OSError) as error:
            broken.append(str(error))
    why = f"no C compiler that runs ({broken[0]})" if broken else "no C compiler (cc, gcc or clang on PATH)"
    raise MissingDependency(f"{why}; install one, or run: {INSTALL}")


def _described(command: tuple[str, ...]) -> HostCompiler:
    macros = _macros(command)
    if "__clang__" in macros:
        name = _version("clang", macros, "__clang_major__", "__clang_minor__", "__clang_patchlevel__")
    elif "__GNUC__" in macros:
        name = _version("gcc", macros, "__GNUC__", "__GNUC_MINOR__", "__GNUC_PATCHLEVEL__")
    else:
        raise BoardError(f"{Path(command[0]).name}: neither gcc nor clang")
    is_arm = "__aarch64__" in macros or "__arm__" in macros
    # On Arm -march is the architecture alone, without the processor's extensions.
    return HostCompiler(command, "-mcpu=native" if is_arm else "-march=native", name)


def _version(family: str, macros: Mapping[str, str], *parts: str) -> str:
    return f"{family} {'.'.join(macros.get(part, '0') for part in parts)}"


@cache
def _macros(command: tuple[str, ...]) -> Mapping[str, str]:
    doing = f"asking {Path(command[0]).name}"
    text = finish((*command, "-dM", "-E", "-x", "c", "-"), folder=Path.cwd(), limit_s=_LIMIT_S, doing=doing)
    found = {}
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "#define":
            name, _, value = rest.partition(" ")
            found[name] = value
    return found
