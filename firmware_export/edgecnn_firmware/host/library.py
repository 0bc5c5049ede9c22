"""C sources as a shared library that is loaded into this process."""

import ctypes
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from edgecnn_firmware.boards.process import BoardError, finish
from edgecnn_firmware.host.recipe import Recipe

# Products and sums stay two roundings, as the reference computes them.
_FLAGS: Final = ("-std=c99", "-ffp-contract=off", "-shared")
_LIMIT_S: Final = 300.0


def build_library(
    files: Mapping[str, str], sources: Sequence[str], recipe: Recipe, *, name: str, flags: Sequence[str] = ()
) -> ctypes.CDLL:
    """Build C and load it; the files lie in a folder of their own, which is removed before this returns.

    Args:
        files: headers and sources by name.
        sources: those of them that are compiled.
        recipe: the C compiler and its flags.
        name: what is built, for errors.
        flags: further ones.

    Raises:
        BoardError: the compiler fails, or what it made cannot be loaded.
    """
    suffix = {"win32": "dll", "darwin": "dylib"}.get(sys.platform, "so")
    position, libraries = ((), ()) if sys.platform == "win32" else (("-fPIC",), ("-lm",))
    # Windows keeps the file of a loaded library; elsewhere its name can go.
    with TemporaryDirectory(prefix="edgecnn-host-", ignore_cleanup_errors=True) as folder:
        for file, text in files.items():
            (Path(folder) / file).write_text(text, encoding="utf-8", newline="\n")
        library = f"network.{suffix}"
        command = (*recipe.compiler.command, *_FLAGS, *flags, *recipe.flags, *position, *sources, "-o", library)
        doing = f"compiling {name} for this machine"
        finish((*command, *libraries), folder=Path(folder), limit_s=_LIMIT_S, doing=doing)
        try:
            return ctypes.CDLL(str(Path(folder) / library))
        except OSError as error:
            said = str(error).replace(folder, "").strip()
            raise BoardError(f"{name}: built for this machine, but not loaded: {said}") from None
