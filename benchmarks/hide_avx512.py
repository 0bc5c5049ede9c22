"""LiteRT as it runs on a processor without AVX-512, on one that has it, and what proves it.

XNNPACK chooses its kernels by what CPUID says when the first interpreter is made. `hide()` replaces the CPUID instructions of
the mapped library before that (hide_avx512.c), and `kernels_of` samples which of its functions then run.
"""

import bisect
import ctypes
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edgecnn_firmware.errors import EdgeCnnError

_LIBRARY: Final = "libpywrap_litert_common.so"
_SAMPLED_SECONDS: Final = 0.4
_SECONDS: Final = 120
"""An `objdump` or `nm` that takes longer is stuck."""
_WIDE: Final = re.compile(r"avx512|avx10|avx256|amx", re.IGNORECASE)
"""In the names of XNNPACK's kernels, what needs AVX-512; `avx256skx` is AVX-512VL on 256 bits."""
HIDDEN_FROM_GLIBC: Final = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD"}
"""Environment in which the C library chooses its copies without AVX-512 too."""


class Hidden:
    """The library whose CPUID instructions are replaced."""

    def __init__(self, work: Path) -> None:
        """Replace them.

        Args:
            work: folder for hide_avx512.so.

        Raises:
            EdgeCnnError: `gcc`, `objdump` or `nm` is missing, or the library is not as expected.
        """
        missing = [name for name in ("gcc", "objdump", "nm") if shutil.which(name) is None]
        if missing:
            raise EdgeCnnError(f"hiding AVX-512 needs {', '.join(missing)}")
        # Imported: it is mapped, and no interpreter has asked for CPUID yet.
        from ai_edge_litert import interpreter  # noqa: F401

        self.path, self.base = _mapped()
        self.helper = _build(work)
        addresses = _cpuid_addresses(self.path)
        array = (ctypes.c_uint64 * len(addresses))(*(self.base + address for address in addresses))
        self.replaced = int(self.helper.hide_avx512(array, len(addresses)))
        if self.replaced != len(addresses) or not addresses:
            raise EdgeCnnError(f"{self.path.name}: {len(addresses)} CPUID instructions, {self.replaced} replaced")

    @property
    def answered(self) -> int:
        """CPUID instructions that were answered so far."""
        return int(self.helper.answered())

    def kernels_of(self, run_it: Callable[[], object]) -> dict[str, int]:
        """XNNPACK's kernels that run, with how often each was met in samples a millisecond apart.

        Raises:
            EdgeCnnError: one needs AVX-512, or nothing was sampled.
        """
        self.helper.sample_each_ms(1)
        end = time.perf_counter() + _SAMPLED_SECONDS
        while time.perf_counter() < end:
            run_it()
        self.helper.sample_each_ms(0)
        count = ctypes.c_int()
        found = self.helper.sampled(ctypes.byref(count))
        names = Counter(self._symbols(found[: count.value]))
        kernels = {name: names[name] for name in sorted(names) if name.startswith("xnn_") and "ukernel" in name}
        wide = [name for name in kernels if _WIDE.search(name)]
        if wide or not kernels:
            raise EdgeCnnError(f"AVX-512 is not hidden: {', '.join(wide) or 'no kernel was sampled'}")
        return kernels

    def _symbols(self, addresses: list[int]) -> list[str]:
        lines = _run("nm", "--defined-only", "--numeric-sort", str(self.path)).splitlines()
        parts = [line.split() for line in lines]
        table = [(int(part[0], 16), part[2]) for part in parts if len(part) == 3 and part[1] in "tTwW"]
        starts = [start for start, _ in table]
        places = [bisect.bisect_right(starts, address - self.base) - 1 for address in addresses]
        return [table[place][1] for place in places if 0 <= place < len(table) - 1]


def _mapped() -> tuple[Path, int]:
    """Path of the library and the address of its first byte."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        parts = line.split()
        if parts[-1].endswith(_LIBRARY) and int(parts[2], 16) == 0:
            return Path(parts[-1]), int(parts[0].split("-")[0], 16)
    raise EdgeCnnError(f"{_LIBRARY} is not mapped: another version of ai-edge-litert")


def _cpuid_addresses(library: Path) -> list[int]:
    """Where its CPUID instructions are, from the library's first byte: a disassembly, not a search for bytes."""
    found = re.findall(
        r"^\s*([0-9a-f]+):\s+cpuid\s*$", _run("objdump", "-d", "--no-show-raw-insn", str(library)), re.MULTILINE
    )
    return [int(address, 16) for address in found]


def _build(work: Path) -> ctypes.CDLL:
    library = work.resolve() / "hide_avx512.so"
    source = Path(__file__).with_name("hide_avx512.c")
    _run("gcc", "-O2", "-shared", "-fPIC", str(source), "-o", str(library))
    helper = ctypes.CDLL(str(library))
    helper.sampled.restype = ctypes.POINTER(ctypes.c_uint64)
    return helper


def _run(*command: str) -> str:
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS)  # noqa: S603
    return made.stdout
