"""The network as C on another machine: compiled here for that machine's processor, and sent as a shared library.

The compiler is the clang of the package ziglang, which brings the C libraries of other machines with it.
"""

import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from edgecnn_bench.engines.protocol import Precision
from edgecnn_bench.places.engines import LoadedPlace, Request, ends
from edgecnn_bench.places.protocol import PlaceError
from edgecnn_bench.places.session import Hello, Session
from edgecnn_firmware.boards.extras import INSTALL
from edgecnn_firmware.boards.process import finish
from edgecnn_firmware.bundle import MODEL, Bundle
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.errors import MissingDependency
from edgecnn_firmware.host.source import ONCE, host_source, room_of

_PREFIX: Final = "network"
_SOURCE: Final = "edgecnn_host.c"
_LIBRARY: Final = "network.so"
_LIMIT_S: Final = 300.0
_GLIBC: Final = "2.17"
"""Oldest C library that the result runs with."""
# Products and sums stay two roundings, as the reference computes them.
_FLAGS: Final = ("-std=c99", "-ffp-contract=off", "-fvisibility=hidden", "-fPIC", "-shared", "-fno-sanitize=all")

# Of the levels that a processor's extensions reach, the best first; as the kernels' own headers ask, and as the names
# of the system's kernel say it.
_V3: Final = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"})
_V4: Final = _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


@dataclass(frozen=True)
class CrossRecipe:
    """How to compile for another machine.

    Attributes:
        target: Kernels: one of the compiler's `targets.TARGETS`.
        triple: The machine, as zig names it.
        flags: The processor, and how much to optimize.
    """

    target: str
    triple: str
    flags: tuple[str, ...]

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.target} kernels, zig {_zig_version()} {' '.join(self.flags)}"


@dataclass(frozen=True)
class PlaceCompiledEngine:
    """The network as C at a place, through ctypes."""

    key: str
    session: Session
    native: bool
    """With that processor's kernels; else plain C for any processor of its architecture."""

    precision: Precision = "int8"
    file: str = MODEL
    needs_trial: bool = False

    @property
    def title(self) -> str:
        """Kernels and flags."""
        recipe = cross_recipe(self.session.hello, native=self.native)
        kind = "this processor's" if self.native else "portable"
        how = f"{kind} kernels" if isinstance(recipe, str) else recipe.text
        return f"Compiled C, int8, {how}, 1 thread"

    def concerns(self, bundle: Bundle) -> bool:
        """Always: the report says why it did not run."""
        return True

    def available(self, bundle: Bundle) -> str | None:
        """Whether the machine is one that can be compiled for, here."""
        recipe = cross_recipe(self.session.hello, native=self.native)
        if isinstance(recipe, str):
            return recipe
        return None if find_spec("ziglang") else f"nothing here compiles for {recipe.triple}: {INSTALL}"

    def load(self, bundle: Bundle) -> LoadedPlace:
        """Compile, build and send; see `Engine.load`."""
        recipe = cross_recipe(self.session.hello, native=self.native)
        if isinstance(recipe, str):
            raise PlaceError(f"{self.session.name}: {recipe}")
        program = compile_model(bundle.model_bytes, MODEL, _PREFIX, target=recipe.target)
        header = {
            "command": "load",
            "kind": "library",
            "function": ONCE,
            "room_bytes": room_of(program).bytes,
            "input": _tensor(program.graph.inputs[0]),
            "output": _tensor(program.graph.outputs[0]),
            "ends": ends(bundle.card),
        }
        return LoadedPlace(self.key, self.session, Request(header, build(program, recipe)), bundle.card)


def compiled_engines(place: str, session: Session) -> tuple[PlaceCompiledEngine, ...]:
    """The compiled network at a place, with its processor's kernels and without."""
    return (
        PlaceCompiledEngine(f"{place}/compiled", session, native=True),
        PlaceCompiledEngine(f"{place}/compiled-portable", session, native=False),
    )


def cross_recipe(hello: Hello, *, native: bool) -> CrossRecipe | str:
    """How to compile for a machine, or why that is not possible."""
    if hello.libc != "glibc":
        return (
            f"compiled C is sent to Linux with glibc; this is {hello.system} with {hello.libc or 'another C library'}"
        )
    machine, has = hello.machine.lower(), frozenset(hello.features)
    wide = hello.pointer_bits == 64
    if machine in ("x86_64", "amd64") and wide:
        return _recipe("x86_64-linux-gnu", *_x86(has)) if native else _portable("x86_64-linux-gnu")
    if machine in ("aarch64", "arm64") and wide:
        processor = "generic+dotprod" if "asimddp" in has else "generic"
        return _recipe("aarch64-linux-gnu", "aarch64", processor) if native else _portable("aarch64-linux-gnu")
    # A 64-bit kernel often runs a 32-bit system.
    if machine in ("armv6l", "armv7l", "armv8l", "aarch64", "arm64"):
        oldest = "arm1176jzf_s" if machine == "armv6l" else "generic+v7a+vfp3d16"
        triple = "arm-linux-gnueabihf"
        best = "cortex_a7" if machine != "armv6l" and has >= {"neon", "vfpv4", "idiva"} else oldest
        return _recipe(triple, "portable", best) if native else _portable(triple, oldest)
    return f"compiled C is sent to x86-64 and Arm machines; this one is {hello.machine}"


def build(program: Program, recipe: CrossRecipe) -> bytes:
    """The shared library.

    Raises:
        MissingDependency: ziglang is not installed.
        BoardError: it fails.
    """
    if find_spec("ziglang") is None:
        raise MissingDependency(f"nothing here compiles for {recipe.triple}: {INSTALL}")
    triple = f"{recipe.triple}.{_GLIBC}"
    # The network's C code is in its own files; -s leaves out symbols for debuggers, which hold the folder's name.
    command = (sys.executable, "-m", "ziglang", "cc", "-target", triple, *recipe.flags, *_FLAGS, "-s")
    with TemporaryDirectory(prefix="edgecnn-cross-", ignore_cleanup_errors=True) as folder:
        for name, text in {**program.files, _SOURCE: host_source(program)}.items():
            (Path(folder) / name).write_text(text, encoding="utf-8", newline="\n")
        whole = (*command, program.source, _SOURCE, "-o", _LIBRARY, "-lm")
        finish(whole, folder=Path(folder), limit_s=_LIMIT_S, doing=f"compiling {program.source} for {recipe.triple}")
        return (Path(folder) / _LIBRARY).read_bytes()


def _x86(has: frozenset[str]) -> tuple[str, str]:
    if has >= _V4 | {"avx512_vnni"}:
        return "x86-64-vnni", "x86_64_v4+avx512vnni"
    return ("x86-64-avx2", "x86_64_v3") if has >= _V3 else ("portable", "baseline")


def _recipe(triple: str, target: str, processor: str) -> CrossRecipe:
    return CrossRecipe(target, triple, ("-O3", f"-mcpu={processor}"))


def _portable(triple: str, processor: str = "baseline") -> CrossRecipe:
    return CrossRecipe("portable", triple, ("-O2", f"-mcpu={processor}"))


def _tensor(value: Value) -> dict[str, Any]:
    return {
        "dtype": value.type,
        "shape": list(value.shape),
        "scale": float(value.affine.scale),
        "zero_point": int(value.affine.zero_point),
    }


@cache
def _zig_version() -> str:
    try:
        return version("ziglang")
    except PackageNotFoundError:
        return "clang"
