"""The MicroPython module over a stub of MicroPython's C API, and in MicroPython where its source is there.

EDGECNN_MICROPYTHON says where: the folder of the source, as of 1.25 or 1.26.
"""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.firmware.models import make_card

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.classifier.counts import count_lines, quantize_counts
from edgecnn_firmware.classifier.results import Result, window_result
from edgecnn_firmware.classifier.stream import Stream
from edgecnn_firmware.classifier.write import write_classifier
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product
from edgecnn_firmware.packages.write import write_package

from .conftest import check_golden, run

Write = Callable[[str], Path]
STUB = Path(__file__).parent / "micropython_stub"
STRICT = ("-Wall", "-Wextra", "-Wpointer-arith", "-Wdouble-promotion", "-Wfloat-conversion", "-Wshadow", "-Werror")
REFUSED = [
    {"ValueError": "28 bytes; expected 8 numbers of 4 bytes"},
    {"ValueError": "expected array('f') or bytes"},
    {"ValueError": "bytes not aligned to 4; copy them"},
    {"TypeError": "not a buffer"},
    {"ValueError": "18 bytes; expected 8 numbers of 2 bytes"},
    {"ValueError": "expected array('h') or bytes"},
    {"ValueError": "12 bytes; expected 2 numbers of 4 bytes"},
    {"ValueError": "length of the tuple"},
    {"TypeError": "not a tuple"},
    {"ValueError": "a count is beyond 16 bits"},
    {"ValueError": "a value of the window is NaN"},
]
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def test_golden(product: Product) -> None:
    files = find_format("micropython").files(product)
    names = ("README.md", "example.py", "wrist/wristmodule.c", "wrist/micropython.mk", "wrist/micropython.cmake")
    for name in names:
        check_golden(f"micropython/{name}", files[name])


def add_stub(module: Path) -> None:
    """Put the stub beside the module's sources, with the names that MicroPython's build would collect from it."""
    shutil.copytree(STUB, module, dirs_exist_ok=True)
    source = next(module.glob("*module.c")).read_text(encoding="utf-8")
    names = sorted(set(re.findall(r"\bMP_QSTR_(\w+)", source)))
    values = "".join(f"    MP_QSTR_{name} = {number},\n" for number, name in enumerate(names, 1))
    texts = ", ".join(f'"{name}"' for name in ["", *names])
    (module / "qstrs.h").write_text(f"enum {{\n{values}}};\n#define STUB_NAMES {texts}\n")


def answers(program: Path, windows: "np.ndarray") -> list[object]:
    made = subprocess.run([str(program)], input=windows.astype(np.float32).tobytes(), capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    return [json.loads(line) for line in made.stdout.decode().splitlines()]


def expected_result(result: Result, labels: tuple[str, ...]) -> dict[str, object]:
    names = (*labels, None)
    return {
        "label": names[result.label],
        "window_label": names[result.window_label],
        "changed": result.changed,
        "probabilities": [value / 32768 for value in result.probabilities],
        "margin": result.margin / 32768,
        "outputs": list(result.outputs),
    }


def oracle_of(bundle: Bundle) -> "Callable[[np.ndarray], np.ndarray]":
    oracle = Oracle(compile_model(bundle.model_bytes, "m", "m").graph)
    return lambda window: oracle.run(window[np.newaxis])[0].reshape(-1)


@needs_gcc
def test_every_call_over_the_stub(package: Write, bundle: Bundle, product: Product) -> None:
    module = package("micropython") / "wrist"
    add_stub(module)
    sources = ["main.c", "wristmodule.c", *product.sources]
    checks = ("-fsanitize=undefined", "-fno-sanitize-recover")
    run(["gcc", "-std=gnu99", *STRICT, "-O1", *checks, "-I.", *sources, "-lm", "-o", "program"], module)
    vectors, card, infer = bundle.vectors(), bundle.card, oracle_of(bundle)
    found = iter(answers(module / "program", vectors.windows))
    members = next(found)
    assert isinstance(members, dict)
    assert members["__name__"] == "wrist"
    assert members["labels"] == list(card.labels)
    assert members["channel_names"] == [channel.name for channel in card.input.channels]
    assert members["channel_units"] == [channel.unit for channel in card.input.channels]
    assert (members["WINDOW_SAMPLES"], members["CHANNELS"]) == (4, 2)
    assert members["HOP_SAMPLES"] == card.input.hop_samples
    assert members["__version__"] == card.version
    assert members["MODEL_SHA256"] == product.model_sha256
    assert [next(found) for _ in range(4)] == [None, True, True, None]
    counts = (np.arange(8) * 321 - 900).astype(np.int16).reshape(4, 2)
    lines = count_lines(card)
    by_counts = expected_result(window_result(infer(quantize_counts(counts, lines)), card), card.labels)
    stream = Stream(card, infer)
    for window, outputs in zip(vectors.windows, vectors.outputs, strict=True):
        assert next(found) == expected_result(window_result(outputs, card), card.labels)
        assert next(found) == by_counts
        for sample in window:
            pushed = stream.push(sample)
            assert next(found) == (expected_result(pushed, card.labels) if pushed else None)
    drift = stream.monitor.drift()
    assert drift is not None
    assert next(found) == [
        {"samples": d.samples, "mean_shift": d.mean_shift, "spread": d.spread, "clipped": d.clipped} for d in drift
    ]
    assert [next(found), next(found)] == [None, None]
    assert next(found) == expected_result(window_result(vectors.outputs[-1], card), card.labels)
    stream = Stream(card, infer)
    for sample in np.array([[0.5, 3.0]] * 4, np.float32):
        pushed = stream.push(sample)
        assert next(found) == (expected_result(pushed, card.labels) if pushed else None)
    for _ in range(4):
        pushed = stream.push_quantized(quantize_counts(np.array([-32768, 3], np.int16), lines))
        assert next(found) == (expected_result(pushed, card.labels) if pushed else None)
    assert list(found) == REFUSED


_PROJECT = """\
cmake_minimum_required(VERSION 3.12)
project(firmware C)
add_library(usermod INTERFACE)
include(wrist/micropython.cmake)
add_executable(firmware wrist/main.c)
target_include_directories(firmware PRIVATE wrist)
target_link_libraries(firmware PRIVATE usermod m)
"""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_the_lines_for_cmake(package: Write, bundle: Bundle) -> None:
    folder = package("micropython")
    add_stub(folder / "wrist")
    (folder / "CMakeLists.txt").write_text(_PROJECT)
    flags = ("-DCMAKE_BUILD_TYPE=MinSizeRel", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON")
    run(["cmake", "-B", "build", *flags], folder)
    run(["cmake", "--build", "build"], folder)
    found = answers(folder / "build" / "firmware", bundle.vectors().windows)
    assert found[2:4] == [True, True]
    commands = json.loads((folder / "build" / "compile_commands.json").read_text())
    levels = {Path(command["file"]).name: re.findall(r"-O\w", command["command"])[-1] for command in commands}
    assert levels["wrist_network.c"] == "-O2"
    assert levels["main.c"] == "-Os"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_lines_for_make(package: Write, product: Product) -> None:
    folder = package("micropython")
    (folder / "Makefile").write_text(
        f"BUILD = build\nUSERMOD_DIR = {folder}/wrist\nCFLAGS = -Os\ninclude wrist/micropython.mk\n"
        "all: build/wrist/wrist_network.o build/other/x.o\n"
        "\t@echo $(SRC_USERMOD_C) : $(SRC_USERMOD_LIB_C)\n"
        "%.o:\n\t@echo $@ $(CFLAGS)\n"
    )
    out = run(["make", "-s"], folder).splitlines()
    assert out[:2] == ["build/wrist/wrist_network.o -Os -O2", "build/other/x.o -Os"]
    scanned, plain = ([Path(path) for path in part.split()] for part in out[2].split(":"))
    assert [path.name for path in scanned] == ["wristmodule.c"]
    assert {path.name for path in plain} == set(product.sources)
    assert all(path.is_file() for path in [*scanned, *plain])


@pytest.mark.parametrize("floats", ["", "-DMICROPY_PY_ATTRTUPLE=0"])
@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
def test_it_cross_compiles(floats: str, package: Write) -> None:
    module = package("micropython") / "wrist"
    add_stub(module)
    flags = ("-std=gnu99", *STRICT, "-O2", "-mcpu=cortex-m0plus", "-mthumb", "-I.", *floats.split())
    run(["arm-none-eabi-gcc", *flags, "-c", "wristmodule.c", "-o", "module.o"], module)


@needs_gcc
def test_any_labels(nasty: Product, tmp_path: Path) -> None:
    module = write_package(find_format("micropython"), nasty, tmp_path) / "wrist"
    add_stub(module)
    run(["gcc", *STRICT, "-I.", "main.c", "wristmodule.c", *nasty.sources, "-lm", "-o", "program"], module)
    members = answers(module / "program", np.zeros(0, np.float32))[0]
    assert isinstance(members, dict)
    assert members["labels"] == list(nasty.card.labels)


@needs_gcc
def test_without_counts_statistics_and_self_test(product: Product, bundle: Bundle, tmp_path: Path) -> None:
    card = make_card()
    bare = dataclasses.replace(product, card=card, classifier=write_classifier(bundle.model_bytes, card))
    module = write_package(find_format("micropython"), bare, tmp_path) / "wrist"
    add_stub(module)
    run(["gcc", *STRICT, "-I.", "main.c", "wristmodule.c", *bare.sources, "-lm", "-o", "program"], module)
    _, *found = answers(module / "program", bundle.vectors().windows[:1])
    assert found[:4] == [None, True, True, None]
    assert found[5] == "no classify_counts"
    # Without statistics there is no drift, whatever came in.
    assert found[10] is None


def test_the_example_is_python(package: Write) -> None:
    """With the module of the `python` package in its place, which has the same names."""
    if find_spec("ziglang") is None and shutil.which("cc") is None:
        pytest.skip("nothing compiles the shared library")
    folder, other = package("micropython"), package("python")
    place = folder / "beside"
    shutil.copytree(other, place)
    out = run([sys.executable, str(folder / "example.py")], folder, PYTHONPATH=str(place))
    assert out.startswith("self-test passed; window is ")


_IN_MICROPYTHON = """\
import sys
from array import array
import wrist
data = open("windows.bin", "rb").read()
size = 4 * wrist.WINDOW_SAMPLES * wrist.CHANNELS
assert wrist.selftest() and wrist.check() and wrist.labels and wrist.monitor() is None
for start in range(0, len(data), size):
    window = array("f", data[start : start + size])
    print("classify", wrist.classify(window).outputs)
    for i in range(wrist.WINDOW_SAMPLES):
        result = wrist.push(memoryview(window)[i * wrist.CHANNELS : (i + 1) * wrist.CHANNELS])
        print("push", None if result is None else result.outputs)
for wrong in (window[:-1], array("d", window), b"1234", (1.0,) * 8):
    try:
        wrist.classify(wrong)
    except (ValueError, TypeError) as error:
        print(type(error).__name__)
"""

_PLAIN = (
    "MICROPY_PY_SSL=0",
    "MICROPY_PY_BTREE=0",
    "MICROPY_PY_FFI=0",
    "MICROPY_PY_THREAD=0",
    "FROZEN_MANIFEST=",
    "COPT=-O0",
)


@pytest.mark.skipif(not os.environ.get("EDGECNN_MICROPYTHON"), reason="EDGECNN_MICROPYTHON names no MicroPython source")
def test_in_micropython(package: Write, bundle: Bundle, tmp_path: Path) -> None:
    port = Path(os.environ["EDGECNN_MICROPYTHON"]).resolve() / "ports" / "unix"
    folder, build = package("micropython"), tmp_path / "build"
    run(["make", "-j2", *_PLAIN, f"BUILD={build}", f"USER_C_MODULES={folder}"], port)
    program = str(build / "micropython")
    assert run([program, "example.py"], folder).startswith("self-test passed; window is ")
    vectors = bundle.vectors()
    (folder / "windows.bin").write_bytes(vectors.windows.astype(np.float32).tobytes())
    (folder / "calls.py").write_text(_IN_MICROPYTHON)
    stream, wanted = Stream(bundle.card, oracle_of(bundle)), []
    for window, outputs in zip(vectors.windows, vectors.outputs, strict=True):
        wanted.append(f"classify {tuple(outputs.tolist())}")
        for sample in window:
            pushed = stream.push(sample)
            wanted.append(f"push {tuple(int(value) for value in pushed.outputs) if pushed else None}")
    wanted += ["ValueError", "ValueError", "ValueError", "TypeError"]
    assert run([program, "calls.py"], folder).splitlines() == wanted
