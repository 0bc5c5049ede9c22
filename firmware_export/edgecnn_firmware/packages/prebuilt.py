"""A product's shared library for Linux machines, cross-compiled while the package is written."""

import hashlib
import platform
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from edgecnn_firmware.boards.extras import INSTALL
from edgecnn_firmware.boards.process import finish
from edgecnn_firmware.errors import MissingDependency
from edgecnn_firmware.host.compiler import find_compiler
from edgecnn_firmware.packages.product import Product

GLIBC: Final = "2.17"
"""The oldest C library that the libraries run with."""

_LIMIT_S: Final = 300.0
# Products and sums stay two roundings; no path, time or host gets into the file.
_FLAGS: Final = ("-std=c99", "-O3", "-g0", "-ffp-contract=off", "-fPIC", "-shared", "-Wl,-s", "-Wl,--build-id=none")


@dataclass(frozen=True)
class Machine:
    """A kind of Linux machine.

    Attributes:
        key: As `uname -m` has it, without letters behind the version.
        debian: Debian's name of the architecture.
        triplet: Debian's name of its library folder.
        flags: Of `zig cc`.
        title: For people.
    """

    key: str
    debian: str
    triplet: str
    flags: tuple[str, ...]
    title: str


MACHINES: Final = (
    Machine("aarch64", "arm64", "aarch64-linux-gnu", (), "64-bit Arm with NEON (Raspberry Pi 3, 4, 5, Zero 2)"),
    Machine(
        "armv7",
        "armhf",
        "arm-linux-gnueabihf",
        ("-mcpu=generic+v7a+neon+vfp3",),
        "32-bit Arm with NEON, hard float (the same under a 32-bit system)",
    ),
    Machine("x86_64", "amd64", "x86_64-linux-gnu", (), "64-bit x86"),
)


def soname(product: Product) -> str:
    """`libNAME.so.MAJOR`."""
    return f"lib{product.name}.so.{product.card.version.partition('.')[0]}"


def build_libraries(product: Product) -> Mapping[Machine, bytes]:
    """The library for every machine that a compiler is here for.

    The clang of the package ziglang builds for all of them; without it this machine's own compiler builds for this
    machine. The same sources and compiler give the same bytes, which are kept for the next call.

    Returns:
        A stripped ELF file by machine; empty where there is no compiler.

    Raises:
        BoardError: a compiler fails.
    """
    files = tuple(sorted({**product.headers, **product.sources}.items()))
    return _build_all(files, soname(product))


def why_not_all() -> str:
    """Why not every machine has a library; empty where each has."""
    return "" if _has_zig() else f"only the package ziglang compiles for all machines: {INSTALL}"


def _has_zig() -> bool:
    return find_spec("ziglang") is not None


def this_machine() -> Machine | None:
    """The machine that this is; None where it is none of them."""
    if sys.platform != "linux":
        return None
    word = platform.machine().lower()
    key = "armv7" if word in {"armv7l", "armv8l"} or (word == "aarch64" and sys.maxsize < 1 << 32) else word
    return next((machine for machine in MACHINES if machine.key == key), None)


@lru_cache(maxsize=4)
def _build_all(files: tuple[tuple[str, str], ...], name: str) -> Mapping[Machine, bytes]:
    commands = _commands()
    with TemporaryDirectory(prefix="edgecnn-package-") as folder, ThreadPoolExecutor(2) as pool:
        for file, text in files:
            (Path(folder) / file).write_text(text, encoding="utf-8", newline="\n")
        sources = [file for file, _ in files if file.endswith(".c")]

        def build(machine: Machine) -> bytes:
            made = f"{machine.key}.so"
            command = [*commands[machine], *_FLAGS, f"-Wl,-soname,{name}", *sources, "-o", made]
            finish(command, folder=Path(folder), limit_s=_LIMIT_S, doing=f"compiling {name} for {machine.key}")
            return (Path(folder) / made).read_bytes()

        return dict(zip(commands, pool.map(build, commands), strict=True))


def _commands() -> dict[Machine, tuple[str, ...]]:
    if _has_zig():
        zig = (sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=all")
        return {machine: (*zig, "-target", f"{machine.triplet}.{GLIBC}", *machine.flags) for machine in MACHINES}
    machine = this_machine()
    if machine is None:
        return {}
    try:
        return {machine: find_compiler().command}
    except MissingDependency:
        return {}


def sources_digest(product: Product) -> str:
    """Eight digits that change with any source."""
    whole = repr(sorted({**product.headers, **product.sources}.items()))
    return hashlib.sha256(whole.encode()).hexdigest()[:8]
