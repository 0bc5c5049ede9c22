"""Self-test files of small networks, and their consoles built for this machine."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.selftest import selftest_files

STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror")
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
HOST = Path(__file__).with_name("console_host.c")
GCC = ("gcc",)
ZIG = (sys.executable, "-m", "ziglang", "cc")
ZIG_CPP = (sys.executable, "-m", "ziglang", "c++")


@dataclass(frozen=True)
class Firmware:
    """All C files of one network."""

    program: Program
    model: bytes
    inputs: np.ndarray
    outputs: np.ndarray
    files: dict[str, bytes]

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.files.items():
            (folder / name).write_bytes(data)
        return folder

    def network(self, window: bytes) -> bytes:
        """The reference."""
        array = np.frombuffer(window, np.int8).reshape(self.program.graph.inputs[0].shape)
        return Oracle(self.program.graph).run(array)[0].tobytes()


def firmware(model: bytes, prefix: str, windows: int = 12, *, input_in_arena: bool = False) -> Firmware:
    """Compile a model with seeded random windows as its vectors."""
    program = compile_model(model, "model", prefix, input_in_arena=input_in_arena)
    shape = program.graph.inputs[0].shape
    inputs = np.random.default_rng(1).integers(-128, 128, (windows, *shape[1:]), dtype=np.int8)
    outputs = np.stack([Oracle(program.graph).run(window.reshape(shape))[0].reshape(-1) for window in inputs])
    files = {name: text.encode() for name, text in program.files.items()}
    files |= selftest_files(program, model, inputs, outputs)
    return Firmware(program, model, inputs, outputs, files)


def compile_c(
    folder: Path, sources: Sequence[str | Path], out: str, flags: Sequence[str], command: Sequence[str]
) -> Path:
    """Compile without a warning."""
    made = subprocess.run(
        [*command, *STRICT, *flags, *map(str, sources), "-o", out],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[:3000]
    return folder / out


def build_console(
    made: Firmware,
    folder: Path,
    *,
    clock: str = "REAL",
    ticks: bool = True,
    stack: bool = False,
    flags: Sequence[str] = ("-O1",),
    command: Sequence[str] = GCC,
) -> Path:
    """Build the console as a program over stdin and stdout."""
    prefix = made.program.prefix
    made.write(folder)
    own = (
        f'-DCONSOLE="{prefix}_console.h"',
        f"-DNAME(x)={prefix}##x",
        f"-DCLOCK={prefix.upper()}_CLOCK_{clock}",
        f"-DTICKS={int(ticks)}",
        f"-DSTACK={int(stack)}",
        f'-D{prefix.upper()}_BUILD_COMPILER="test 1%"',
        f'-D{prefix.upper()}_BUILD_FLAGS="-O1 -g"',
        "-std=gnu99",
        "-I.",
    )
    sources = [f"{prefix}.c", f"{prefix}_selftest.c", f"{prefix}_console.c", HOST]
    return compile_c(folder, sources, "console", (*own, *flags), command)


def talk(console: Path, stream: bytes) -> bytes:
    """Everything that a console answers to a stream of bytes."""
    ran = subprocess.run([console], input=stream, capture_output=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr.decode(errors="replace")[:3000]
    return ran.stdout
