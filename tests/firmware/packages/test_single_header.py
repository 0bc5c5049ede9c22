"""The one header: C99 to C17 and C++11 to C++20, the same bytes as the files that it is made of."""

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.firmware.compiler.architectures import random_network

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.classifier.write import write_classifier
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.one_file import join
from edgecnn_firmware.packages.product import Product, make_product
from edgecnn_firmware.packages.single_header import parts_of
from edgecnn_firmware.packages.write import write_package

from .conftest import check_golden, run, wrist_card, write_bundle

Write = Callable[[str], Path]
STRICT = ("-O1", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror")
ZIG = (sys.executable, "-m", "ziglang")
COMPILERS = {"gcc": ("gcc",), "g++": ("g++",), "clang": (*ZIG, "cc"), "clang++": (*ZIG, "c++")}
DIALECTS = (
    *(("gcc", standard) for standard in ("c99", "c11", "c17")),
    *(("clang", standard) for standard in ("c99", "c17")),
    *(("g++", standard) for standard in ("c++11", "c++14", "c++17", "c++20")),
    *(("clang++", standard) for standard in ("c++11", "c++20")),
)

_DRIVER = """\
#include <stdio.h>
#include "wrist.h"
#define SIZE (WRIST_WINDOW_SAMPLES * WRIST_CHANNELS)
static void print(int code, const wrist_result *r) {
    int i;
    printf("%d %d %d %d %d", code, (int)r->label, (int)r->window_label, (int)r->changed, r->margin);
    for (i = 0; i < WRIST_OUTPUTS; i++) printf(" %d", r->outputs[i]);
    for (i = 0; i < WRIST_LABELS; i++) printf(" %d", r->probabilities[i]);
    printf("\\n");
}
int main(void) {
    float window[SIZE];
    int16_t counts[SIZE];
    wrist_result r = {0, 0, 0, {0}, {0}, 0};
    wrist_drift drift;
    int i;
    printf("%d %d %s\\n", wrist_init(), wrist_selftest(), wrist_labels[WRIST_LABELS - 1]);
    while (fread(window, sizeof window, 1, stdin) == 1) {
        print(wrist_classify(window, &r), &r);
        for (i = 0; i < SIZE; i++) counts[i] = (int16_t)(i * 321 - 900);
        print(wrist_classify_counts(counts, &r), &r);
        for (i = 0; i < WRIST_WINDOW_SAMPLES; i++) print(wrist_push(window + i * WRIST_CHANNELS, &r), &r);
    }
    printf("%d", wrist_monitor(&drift));
    for (i = 0; i < WRIST_CHANNELS; i++)
        printf(" %d %d %d", (int)drift.mean_shift[i], (int)drift.spread[i], (int)drift.clipped[i]);
    printf("\\n");
    return 0;
}
"""


def compiler(name: str) -> tuple[str, ...]:
    """The command, or the test is skipped."""
    if name.startswith("clang") and find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    if not name.startswith("clang") and shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return COMPILERS.get(name, (name,))


def compile_files(folder: Path, name: str, standard: str, *arguments: str) -> None:
    language = "c++" if standard.startswith("c++") else "c"
    run([*compiler(name), f"-std={standard}", *STRICT, "-I.", "-x", language, *arguments], folder)


def answer(command: Sequence[str], folder: Path, data: bytes) -> str:
    made = subprocess.run(command, cwd=folder, input=data, capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    return made.stdout.decode()


def test_golden(product: Product) -> None:
    files = find_format("single-header").files(product)
    for name in ("README.md", "example/main.c"):
        check_golden(f"single-header/{name}", files[name])
    # The parts are other files' text; what is between them belongs to this format.
    parts, frame = parts_of(product), files["wrist.h"].decode()
    for part in ("interface", "kernels", "sources", "selftest"):
        text = getattr(parts, part).strip("\n")
        assert frame.count(text) == 1
        frame = frame.replace(text, f"[{part}]")
    check_golden("single-header/frame.txt", frame.encode())


@pytest.mark.parametrize(("name", "standard"), DIALECTS)
def test_the_example_runs_in_every_dialect(name: str, standard: str, package: Write) -> None:
    folder = package("single-header")
    compile_files(folder, name, standard, "example/main.c", "-o", "example/main")
    assert run(["./example/main"], folder).startswith("self-test passed; window is ")


@pytest.mark.skipif(shutil.which("cc") is None or shutil.which("c++") is None, reason="cc and c++ are not installed")
def test_the_lines_of_the_readme(package: Write) -> None:
    folder = package("single-header")
    lines = [line.split("#")[0] for line in (folder / "README.md").read_text().splitlines() if line.startswith("    c")]
    assert len(lines) == 2
    for line in lines:
        for command in line.split("&&"):
            run(command.split(), folder)
        assert run(["./example/main"], folder).startswith("self-test passed")


@pytest.mark.parametrize(("name", "standard"), [("gcc", "c99"), ("g++", "c++11"), ("clang++", "c++20")])
def test_the_same_bytes_as_from_many_files(
    name: str, standard: str, package: Write, product: Product, bundle: Bundle, tmp_path: Path
) -> None:
    vectors = bundle.vectors()
    data = vectors.windows.astype(np.float32).tobytes()
    many = tmp_path / "many"
    many.mkdir()
    for file, text in {**product.headers, **product.sources, "driver.c": _DRIVER}.items():
        (many / file).write_text(text, encoding="utf-8")
    run([*compiler("gcc"), "-std=c99", "driver.c", *product.sources, "-o", "driver"], many)
    expected = answer(["./driver"], many, data)
    assert expected.startswith("0 0 ")
    classified = [line.split() for line in expected.splitlines()[1:-1:6]]
    assert [[int(value) for value in line[5:8]] for line in classified] == vectors.outputs.tolist()
    folder = package("single-header")
    (folder / "driver.c").write_text(f"#define WRIST_IMPLEMENTATION\n{_DRIVER}")
    compile_files(folder, name, standard, "driver.c", "-o", "driver")
    assert answer(["./driver"], folder, data) == expected


@pytest.mark.parametrize(("caller", "holder"), [("gcc", "gcc"), ("gcc", "g++"), ("g++", "gcc"), ("g++", "g++")])
def test_two_translation_units(caller: str, holder: str, package: Write) -> None:
    folder = package("single-header")
    standards = {"gcc": "c99", "g++": "c++11"}
    # The interface may be there before the implementation is asked for, and either may come twice.
    include = '#include "wrist.h"\n'
    (folder / "holder.c").write_text(f"{include}#define WRIST_IMPLEMENTATION\n{include}{include}")
    main = (folder / "example" / "main.c").read_text().removeprefix("#define WRIST_IMPLEMENTATION\n")
    (folder / "example" / "caller.c").write_text(main)
    compile_files(folder, holder, standards[holder], "-c", "holder.c", "-o", "holder.o")
    compile_files(folder, caller, standards[caller], "-c", "example/caller.c", "-o", "caller.o")
    undefined = run(["nm", "-u", "caller.o"], folder)
    assert {"wrist_classify", "wrist_selftest"} <= set(undefined.split())
    run([*compiler("g++"), "caller.o", "holder.o", "-o", "both"], folder)
    assert run(["./both"], folder).startswith("self-test passed")
    # All that others can link against bears the product's name.
    symbols = [line.split()[-1] for line in run(["nm", "-g", "--defined-only", "holder.o"], folder).splitlines()]
    assert symbols
    assert all(symbol.startswith("wrist_") for symbol in symbols)


def test_without_the_self_test(package: Write) -> None:
    folder = package("single-header")
    (folder / "holder.c").write_text('#define WRIST_IMPLEMENTATION\n#define WRIST_NO_SELFTEST\n#include "wrist.h"\n')
    compile_files(folder, "gcc", "c99", "-c", "holder.c", "-o", "holder.o")
    assert "selftest" not in run(["nm", "holder.o"], folder)


@pytest.mark.parametrize(("name", "standard"), [("gcc", "c99"), ("g++", "c++11")])
def test_a_classifier_that_has_none(name: str, standard: str, product: Product, bundle: Bundle, tmp_path: Path) -> None:
    classifier = write_classifier(bundle.model_bytes, bundle.card)
    folder = write_package(find_format("single-header"), dataclasses.replace(product, classifier=classifier), tmp_path)
    assert "NO_SELFTEST" not in (folder / "wrist.h").read_text() + (folder / "README.md").read_text()
    compile_files(folder, name, standard, "example/main.c", "-o", "example/main")
    run(["./example/main"], folder)


@pytest.mark.parametrize("name", ["arm-none-eabi-gcc", "arm-none-eabi-g++"])
@pytest.mark.parametrize("target", ["portable", "armv7e-m"])
def test_it_cross_compiles(name: str, target: str, bundle: Bundle, tmp_path: Path) -> None:
    folder = write_package(find_format("single-header"), make_product(bundle, target), tmp_path)
    standard = "c++11" if name.endswith("g++") else "c99"
    flags = ("-mcpu=cortex-m4", "-mthumb", "-ffreestanding")
    compile_files(folder, name, standard, *flags, "-c", "example/main.c", "-o", "main.o")
    assert "Tag_CPU_arch: v7E-M" in run(["arm-none-eabi-readelf", "-A", "main.o"], folder)


_CROWDED = """\
#include <algorithm>
#include <cstdio>
#include <iterator>
using namespace std;
static int arena = 1, offset = 2, gain = 3, stream = 4;
static int run(void) { return arena + offset + gain + stream; }
static int smooth(void) { return run(); }
#define WRIST_IMPLEMENTATION
#define ANKLE_IMPLEMENTATION
#include "wrist.h"
#include "ankle.h"
int main() {
    int x[3] = {1, 2, 3}, *p = x;
    advance(p, 2);
    if (*p != 3 || smooth() != 10) return 1;
    return wrist_init() || ankle_init() || wrist_selftest() || ankle_selftest();
}
"""


def test_names_of_two_products_and_of_the_user_do_not_meet(package: Write, tmp_path: Path) -> None:
    folder = package("single-header")
    card = wrist_card().model_copy(update={"name": "ankle"})
    other = make_product(write_bundle(tmp_path / "bundle", card), "armv7e-m")
    (folder / "ankle.h").write_bytes(find_format("single-header").files(other)["ankle.h"])
    (folder / "main.cpp").write_text(_CROWDED)
    run([*compiler("g++"), "-std=c++17", "-Wall", "-Wextra", "-Werror", "-I.", "main.cpp", "-o", "main"], folder)
    run(["./main"], folder)


@pytest.mark.parametrize(("name", "standard"), [("gcc", "c99"), ("g++", "c++11")])
def test_any_labels(name: str, standard: str, nasty: Product, tmp_path: Path) -> None:
    folder = write_package(find_format("single-header"), nasty, tmp_path)
    compile_files(folder, name, standard, "example/main.c", "-o", "example/main")
    run(["./example/main"], folder)


@pytest.mark.parametrize("target", ["armv7e-m", "aarch64"])
def test_random_networks_share_a_file_in_cpp(target: str, tmp_path: Path) -> None:
    """All ops and kernels as C++11; private names of all in one file."""
    text, count = "", 0
    for seed in range(6):
        try:
            program = compile_model(random_network(seed), f"seed {seed}", f"net{seed}", target=target, checksum=True)
        except ModelError:
            continue
        headers = {name: text for name, text in program.files.items() if name.endswith(".h")}
        parts = join(program.prefix, [program.header], headers, {program.source: program.files[program.source]})
        text += f'{parts.interface}{parts.kernels}extern "C" {{\n{parts.sources}}}\n'
        count += 1
    assert count > 3
    (tmp_path / "all.cpp").write_text(text)
    flags = ("-std=c++11", "-O0", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c")
    run([*compiler("g++"), *flags, "all.cpp", "-o", "all.o"], tmp_path)
    defined = run(["nm", "-g", "--defined-only", "all.o"], tmp_path)
    assert sum(line.endswith("_invoke") for line in defined.splitlines()) == count
