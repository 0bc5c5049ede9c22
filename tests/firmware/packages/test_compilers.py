"""The C of packages with gcc and clang, as every C since C99, and from every C++ since C++11, without a warning."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from edgecnn_firmware.packages.layout import example_window, render
from edgecnn_firmware.packages.product import Product

# The last one is for zig, which adds arguments of its own.
WARNINGS = (
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
    "-Wpedantic",
    "-Werror",
    "-Wno-unused-command-line-argument",
)
C = ("c99", "c11", "c17")
CPP = ("c++11", "c++14", "c++17", "c++20")
COMPILERS = ("gcc", "clang")
CALLS_ALL = """\
#include "wrist.h"
#include "wrist_network.h"
#include "wrist_network_selftest.h"
#include "example_window.h"

static_assert(WRIST_WINDOW_SAMPLES == 4 && WRIST_CHANNELS == 2, "as exported");

int main() {
    wrist_result result;
    wrist_drift drift;
    const int16_t counts[WRIST_WINDOW_SAMPLES * WRIST_CHANNELS] = {};
    const int8_t inputs[WRIST_WINDOW_SAMPLES * WRIST_CHANNELS] = {};
    bool fine = wrist_init() == WRIST_OK && wrist_check() == WRIST_OK && wrist_selftest() == WRIST_OK;
    fine = fine && wrist_classify_counts(counts, &result) == WRIST_OK && wrist_classify_q(inputs, &result) == WRIST_OK;
    for (int sample = 0; sample < WRIST_WINDOW_SAMPLES; ++sample)
        fine = fine && wrist_push(example_window + sample * WRIST_CHANNELS, &result) >= 0;
    fine = fine && wrist_push_q(inputs, &result) == WRIST_OK && wrist_push_counts(counts, &result) == WRIST_NEW_RESULT;
    fine = fine && wrist_monitor(&drift) == WRIST_OK && wrist_labels[0] != nullptr;
    fine = fine && wrist_network_crc32() == WRIST_CRC32 && wrist_network_selftest() == 0;
    fine = fine && wrist_classify(example_window, &result) == WRIST_OK && result.label == EXAMPLE_LABEL;
    return fine ? 0 : 1;
}
"""


def command_of(compiler: str, *, cpp: bool) -> list[str]:
    """gcc, or clang: as installed or as packaged by ziglang."""
    program = {"gcc": "g++", "clang": "clang++"}[compiler] if cpp else compiler
    if shutil.which(program):
        return [program]
    if compiler == "clang" and find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "c++" if cpp else "cc"]
    pytest.skip(f"{program} is not installed")


def compile_(command: list[str], *arguments: str, folder: Path) -> None:
    """Run a compiler that must succeed and say nothing."""
    made = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, ""), made.stderr[-3000:]


def check(command: list[str], standard: str, *names: str, sources: Path, out: Path) -> None:
    """Compile files that must give no warning; zig knows no `-fsyntax-only`, and takes one file with `-o`."""
    arguments = (f"-std={standard}", *WARNINGS, f"-I{sources}")
    if command[0] != sys.executable:
        compile_(command, *arguments, "-fsyntax-only", *names, folder=sources)
        return
    for name in names:
        compile_(command, *arguments, "-c", name, "-o", str(out / f"{name}.o"), folder=sources)


@pytest.fixture(scope="module")
def sources(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of every package, with the example in C and one in C++ that calls everything."""
    folder = tmp_path_factory.mktemp("sources")
    for name, text in product.classifier.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "main.c").write_bytes(render("common/main.c", product))
    (folder / "example_window.h").write_bytes(example_window(product))
    (folder / "calls.cpp").write_text(CALLS_ALL, encoding="utf-8")
    return folder


@pytest.mark.parametrize("standard", C)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_c(compiler: str, standard: str, product: Product, sources: Path, tmp_path: Path) -> None:
    command = command_of(compiler, cpp=False)
    check(command, standard, *product.sources, "main.c", sources=sources, out=tmp_path)


@pytest.mark.parametrize("standard", CPP)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_headers_from_cpp(compiler: str, standard: str, sources: Path, tmp_path: Path) -> None:
    check(command_of(compiler, cpp=True), standard, "calls.cpp", sources=sources, out=tmp_path)


@pytest.mark.parametrize("header", ["wrist.h", "wrist_network.h", "wrist_network_selftest.h"])
def test_a_header_needs_no_other_before_it(header: str, sources: Path, tmp_path: Path) -> None:
    for cpp, name, standard in ((False, "alone.c", "c99"), (True, "alone.cpp", "c++11")):
        (tmp_path / name).write_text(f'#include "{header}"\n#include "{header}"\nint used;\n', encoding="utf-8")
        arguments = (f"-std={standard}", *WARNINGS, "-fsyntax-only", f"-I{sources}", name)
        compile_(command_of("gcc", cpp=cpp), *arguments, folder=tmp_path)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_cpp_links_the_c_objects_and_runs(compiler: str, product: Product, sources: Path, tmp_path: Path) -> None:
    c, cpp = command_of(compiler, cpp=False), command_of(compiler, cpp=True)
    objects = [f"{name}.o" for name in product.sources]
    for name in product.sources:
        compile_(c, "-std=c99", *WARNINGS, "-c", str(sources / name), "-o", f"{name}.o", folder=tmp_path)
    calls = str(sources / "calls.cpp")
    compile_(cpp, "-std=c++11", *WARNINGS, f"-I{sources}", calls, *objects, "-o", "calls", folder=tmp_path)
    assert subprocess.run([str(tmp_path / "calls")], check=False).returncode == 0


def test_a_warning_would_be_seen(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "warns.c").write_text('#include "wrist.h"\nint f(long x);\nint f(long x) { return x; }\n')
    with pytest.raises(AssertionError, match="conversion"):
        arguments = ("-std=c99", *WARNINGS, "-fsyntax-only", f"-I{sources}", "warns.c")
        compile_(command_of("gcc", cpp=False), *arguments, folder=tmp_path)
