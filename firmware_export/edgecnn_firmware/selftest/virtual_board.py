"""A whole firmware with the console, on a board that QEMU plays; its serial port is a pseudo-terminal.

Its ticks are what the emulator makes up: they are not the time of any real board, and the firmware says so.
"""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Final

from edgecnn_firmware.boards.process import BoardError, finish
from edgecnn_firmware.boards.targets import target_named
from edgecnn_firmware.boards.toolchain import Prefer, find_toolchain
from edgecnn_firmware.errors import MissingDependency

_QEMU: Final = "qemu-system-arm"
_MACHINE: Final = "mps2-an386"
_CORE: Final = "cortex-m4"
_SUPPORT: Final = Path(__file__).resolve().parent / "support"
_BOARDS_SUPPORT: Final = _SUPPORT.parents[1] / "boards" / "support"
_COMMON: Final = ("-std=gnu99", "-O2", "-ffunction-sections", "-fdata-sections", "-fno-stack-protector")
_ZIG: Final = ("-fno-sanitize=all", "-fno-PIC", "-g0", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables")
_LIMIT_S: Final = 120.0
_STARTING_S: Final = 20.0
_TERMINAL: Final = re.compile(rb"redirected to (\S+)")


def build_console_image(files: Mapping[str, bytes], prefix: str, work: Path, *, prefer: Prefer = "auto") -> Path:
    """Compile and link a compiled network and its console for the virtual board.

    Args:
        files: the sources by name: what `selftest_files` gives, and the compiled network beside it.
        prefix: the network's C prefix.
        work: an existing folder.
        prefer: which compiler.

    Returns:
        The ELF file.

    Raises:
        BoardError: it does not compile.
        MissingDependency: there is no compiler for the core.
    """
    target = target_named(_CORE)
    toolchain = find_toolchain(target, prefer)
    work = work.resolve()
    for name, data in files.items():
        (work / name).write_bytes(data)
    flags = [*_COMMON, *(_ZIG if toolchain.kind == "zig" else ()), f'-D{prefix.upper()}_BUILD_FLAGS="-O2"', "-I", "."]
    if not toolchain.has_libc:
        flags += ["-isystem", str(_BOARDS_SUPPORT / "include")]
    port = (
        f'-DEDGECNN_CONSOLE="{prefix}_console.h"',
        f"-DEDGECNN_NAME(x)={prefix}##x",
        f"-DEDGECNN_MACRO(x)={prefix.upper()}##x",
    )
    sources: list[tuple[Path, tuple[str, ...]]] = [(_SUPPORT / "mps2_an386.c", port)]
    sources += [(work / f"{prefix}{part}.c", ()) for part in ("", "_selftest", "_console")]
    if not toolchain.has_libc:
        sources.append((_BOARDS_SUPPORT / "memory.c", ("-fno-builtin",)))
    objects = []
    for source, own in sources:
        objects.append(f"{source.stem}.o")
        command = (*toolchain.command, *toolchain.flags, *flags, *own, "-c", str(source), "-o", objects[-1])
        finish(command, folder=work, limit_s=_LIMIT_S, doing=f"compiling {source.name} for {_MACHINE}")
    libraries = ("--specs=nano.specs", "-lm") if toolchain.has_libc else ()
    script = f"-Wl,--gc-sections,--build-id=none,-T,{_SUPPORT / 'mps2_an386.ld'}"
    command = (*toolchain.command, *toolchain.link_flags, *objects, "-nostartfiles", "-static", script, *libraries)
    finish((*command, "-o", "console.elf"), folder=work, limit_s=_LIMIT_S, doing=f"linking for {_MACHINE}")
    return work / "console.elf"


@contextmanager
def virtual_board(image: Path) -> Iterator[str]:
    """Run an image of `build_console_image`; gives the path of its serial port, and ends the board at the end.

    Raises:
        BoardError: the image is none, or QEMU does not start.
        MissingDependency: QEMU is not installed.
    """
    program = shutil.which(_QEMU)
    if program is None:
        raise MissingDependency(f"virtual board: {_QEMU} is not on PATH; install QEMU's Arm system emulator")
    if not image.is_file() or image.read_bytes()[:4] != b"\x7fELF":
        raise BoardError(f"virtual board: {image} is no image (an ELF file)")
    quiet = ("-display", "none", "-monitor", "none", "-nodefaults")
    command = (program, "-M", _MACHINE, *quiet, "-serial", "pty", "-kernel", str(image.resolve()))
    process = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    with process:
        try:
            yield _terminal_of(process)
        finally:
            process.kill()


def _terminal_of(process: "subprocess.Popen[bytes]") -> str:
    """The pseudo-terminal that QEMU names in its first lines."""
    lines: Queue[bytes] = Queue()
    if process.stdout is not None:
        threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True).start()
    said = b""
    while True:
        try:
            line = lines.get(timeout=_STARTING_S)
        except Empty:
            line = b""
        said += line
        if match := _TERMINAL.search(line):
            return match[1].decode()
        if not line:
            text = " ".join(said.decode(errors="replace").split())[:300] or "no message"
            raise BoardError(f"virtual board: QEMU opened no serial port: {text}")


def _read_lines(stream: IO[bytes], lines: "Queue[bytes]") -> None:
    for line in stream:
        lines.put(line)
    lines.put(b"")
