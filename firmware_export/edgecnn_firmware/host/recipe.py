"""How a network is built for this machine: the kernels and the flags."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from edgecnn_firmware.compiler.targets import TARGETS
from edgecnn_firmware.host.compiler import HostCompiler

_AVX512: Final = frozenset({"__AVX512F__", "__AVX512BW__", "__AVX512VL__", "__AVX512VNNI__"})

# As the kernels' own headers ask, the best first.
_NEEDS: Final[tuple[tuple[str, Callable[[Mapping[str, str]], bool]], ...]] = (
    ("x86-64-vnni", lambda macros: macros.keys() >= _AVX512),
    ("x86-64-avx2", lambda macros: "__AVX2__" in macros),
    ("aarch64", lambda macros: macros.keys() >= {"__aarch64__", "__ARM_NEON"} and "__AARCH64EB__" not in macros),
)


@dataclass(frozen=True)
class Recipe:
    """Kernels and flags.

    Attributes:
        target: One of the compiler's `targets.TARGETS`.
        compiler: The C compiler.
        flags: For it.
    """

    target: str
    compiler: HostCompiler
    flags: tuple[str, ...]

    @property
    def text(self) -> str:
        """For people: `x86-64-vnni kernels, gcc 12.2.0 -O3 -march=native`."""
        return f"{self.target} kernels, {self.compiler.name} {' '.join(self.flags)}"


def native_recipe(compiler: HostCompiler) -> Recipe:
    """The best kernels that this processor has, compiled for it.

    Raises:
        BoardError: The compiler refuses the flags.
    """
    flags = ("-O3", compiler.native)
    macros = compiler.macros(flags)
    names = (name for name, suits in _NEEDS if name in TARGETS and suits(macros))
    return Recipe(next(names, "portable"), compiler, flags)


def portable_recipe(compiler: HostCompiler) -> Recipe:
    """Plain C for any processor of this architecture."""
    return Recipe("portable", compiler, ("-O2",))
