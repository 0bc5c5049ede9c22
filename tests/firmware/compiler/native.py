"""Compiled programs, built as shared objects for this machine and called through ctypes."""

import ctypes
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.compiler.emit.program import Program, in_arena

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror")
NUMPY = {"int8": np.int8, "uint8": np.uint8, "int32": np.int32, "int64": np.int64, "float32": np.float32}


def compilers() -> dict[str, list[str]]:
    """Compilers for this machine by name."""
    found = {name: [name] for name in ("gcc", "clang") if shutil.which(name)}
    return found or {"zig": [sys.executable, "-m", "ziglang", "cc"]}


class Native:
    """A program as a callable; its state, if it has one, lives from call to call."""

    def __init__(self, program: Program, folder: Path, flags: Sequence[str] = ("-O1",), compiler: str = "gcc") -> None:
        if compiler not in compilers():
            pytest.skip(f"{compiler} is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in program.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        key = hashlib.sha256(" ".join([compiler, *flags]).encode()).hexdigest()[:8]
        library = folder / f"{program.prefix}_{key}.so"
        command = [*compilers()[compiler], *STRICT, *flags, "-shared", "-fPIC", program.source, "-o", library.name]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if made.returncode:
            raise AssertionError(f"{' '.join(command)}\n{made.stderr}")
        self.program = program
        self.library = ctypes.CDLL(str(library))
        self.invoke = getattr(self.library, f"{program.prefix}_invoke")
        self.invoke.restype = None
        self.state = None
        if program.state_bytes:
            self.state = (ctypes.c_int8 * program.state_bytes)()
            getattr(self.library, f"{program.prefix}_init")(self.state)
        # Guards around the arena show writes that leave it.
        self.arena = np.full(program.arena.bytes + 128, 0x5A, np.uint8)

    def run(self, *inputs: "np.ndarray") -> "list[np.ndarray]":
        """One call."""
        graph = self.program.graph
        given = [np.ascontiguousarray(x, NUMPY[v.type]) for x, v in zip(inputs, graph.inputs, strict=True)]
        made = [np.zeros(v.shape, NUMPY[v.type]) for v in graph.outputs]
        start = -self.arena.ctypes.data % 16 + 64 - (-self.arena.ctypes.data % 16) % 4
        arena = self.arena.ctypes.data + start
        arena -= arena % 4
        self.arena[:] = 0x5A
        arguments = [self.state] if self.state is not None else []
        for value, array in zip(graph.inputs, given, strict=True):
            if in_arena(value, self.program.arena):
                offset = self.program.arena.offsets[f"value {value.storage}"]
                ctypes.memmove(arena + offset, array.ctypes.data, array.nbytes)
            else:
                arguments.append(ctypes.c_void_p(array.ctypes.data))
        arguments += [ctypes.c_void_p(x.ctypes.data) for x in made]
        self.invoke(*arguments, ctypes.c_void_p(arena))
        begin = arena - self.arena.ctypes.data
        end = begin + self.program.arena.bytes
        assert (self.arena[:begin] == 0x5A).all(), "wrote below the arena"
        assert (self.arena[end:] == 0x5A).all(), "wrote above the arena"
        return made
