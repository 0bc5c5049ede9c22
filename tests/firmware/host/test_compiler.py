"""Which C compiler is found, and what is said where there is none."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from edgecnn_firmware.boards.process import BoardError
from edgecnn_firmware.errors import MissingDependency
from edgecnn_firmware.host import compiler as module
from edgecnn_firmware.host.compiler import HostCompiler, find_compiler
from edgecnn_firmware.host.recipe import native_recipe, portable_recipe

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="compilers that are shell scripts")

GCC = "#define __GNUC__ 13\n#define __GNUC_MINOR__ 2\n#define __GNUC_PATCHLEVEL__ 0\n"
CLANG = "#define __GNUC__ 4\n#define __clang__ 1\n#define __clang_major__ 19\n#define __clang_minor__ 1\n"


def fake(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def says(text: str) -> str:
    return f"/bin/cat <<'END'\n{text}END"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH; there is no ziglang."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    return folder


def test_the_first_that_runs_is_taken(place: Path) -> None:
    fake(place, "clang", says(CLANG))
    assert find_compiler().name == "clang 19.1.0"
    # What was found for one PATH is kept.
    fake(place, "gcc", says(GCC))
    assert find_compiler().name == "clang 19.1.0"
    module.forget()
    found = find_compiler()
    assert (found.name, found.command, found.native) == ("gcc 13.2.0", (str(place / "gcc"),), "-march=native")
    module.forget()
    fake(place, "cc", "echo the licence has run out >&2; exit 3")
    assert find_compiler().command == (str(place / "gcc"),)


def test_without_one_the_line_says_what_is_wrong_and_how_to_get_one(place: Path) -> None:
    with pytest.raises(MissingDependency, match=r"^no C compiler \(cc, gcc or clang on PATH\); .*'edgecnn\[boards\]'"):
        find_compiler()
    fake(place, "cc", "echo the licence has run out >&2; exit 3")
    module.forget()
    with pytest.raises(MissingDependency, match=r"asking cc: exit code 3: the licence has run out\); install one"):
        find_compiler()
    fake(place, "cc", "echo '#define __TINYC__ 1'")
    module.forget()
    with pytest.raises(MissingDependency, match=r"cc: neither gcc nor clang"):
        find_compiler()


def test_zig_stands_in_and_is_not_native_by_itself(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    monkeypatch.setattr(module, "find_spec", importlib.util.find_spec)
    # It asks the system for the linker of this machine.
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(module, "_NAMES", ())
    module.forget()
    found = find_compiler()
    module.forget()
    assert found.name.startswith("clang ")
    assert "__AVX2__" not in found.macros(("-O2",))
    assert "__OPTIMIZE__" in found.macros(("-O2",))
    assert portable_recipe(found).target == "portable"


def test_flags_that_the_compiler_refuses(place: Path) -> None:
    fake(place, "cc", f'case "$*" in *native*) echo what is native >&2; exit 1;; esac\n{says(GCC)}')
    module.forget()
    with pytest.raises(BoardError, match="asking cc: exit code 1: what is native"):
        native_recipe(find_compiler())


class Described(HostCompiler):
    """A compiler that says what it is told to."""

    defined: "tuple[str, ...]" = ()

    def macros(self, flags: "tuple[str, ...]" = ()) -> "dict[str, str]":
        assert flags == ("-O3", self.native)
        return dict.fromkeys(self.defined, "1")


@pytest.mark.parametrize(
    ("target", "defined"),
    [
        ("portable", ()),
        ("portable", ("__SSE4_2__",)),
        ("x86-64-avx2", ("__AVX2__",)),
        ("x86-64-avx2", ("__AVX2__", "__AVX512F__", "__AVX512BW__", "__AVX512VL__")),
        ("x86-64-vnni", ("__AVX2__", "__AVX512F__", "__AVX512BW__", "__AVX512VL__", "__AVX512VNNI__")),
        ("aarch64", ("__aarch64__", "__ARM_NEON")),
        ("portable", ("__aarch64__", "__ARM_NEON", "__AARCH64EB__")),
        ("portable", ("__arm__", "__ARM_NEON")),
    ],
)
def test_the_best_kernels_of_the_processor(target: str, defined: "tuple[str, ...]") -> None:
    compiler = Described(("cc",), "-march=native", "gcc 13.2.0")
    object.__setattr__(compiler, "defined", defined)
    recipe = native_recipe(compiler)
    assert recipe.target == target
    assert recipe.text == f"{target} kernels, gcc 13.2.0 -O3 -march=native"


def test_this_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no cc on PATH")
    module.forget()
    found = find_compiler()
    assert Path(found.command[0]).is_absolute()
    machine = importlib.import_module("platform").machine()
    macros = found.macros(("-O2",))
    assert ("__x86_64__" in macros) == (machine == "x86_64")
    assert found.native == ("-mcpu=native" if machine == "aarch64" else "-march=native")
