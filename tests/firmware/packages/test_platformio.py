"""The PlatformIO library: its manifest, `pio pkg pack`, and its example on this computer and on a board's core."""

import configparser
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product

from .conftest import check_golden, run

Write = Callable[[str], Path]
STRICT = ["-O2", "-Wall", "-Wextra", "-Werror", "-Iinclude", "-c"]
# PlatformIO lives in an environment of its own: its dependencies differ from ours.
PIO = os.environ.get("EDGECNN_PIO") or shutil.which("pio")
ARDUINO_H = """\
#include <stddef.h>
struct Port { void begin(unsigned long); void println(const char *); };
extern Port Serial;
void delay(unsigned long);
void setup();
void loop();
"""


def _compile(folder: Path, cc: str, cxx: str, *flags: str) -> list[str]:
    for source in sorted((folder / "src").glob("*.c")):
        run([cc, "-std=c99", *STRICT, *flags, str(source), "-o", f"{source.stem}.o"], folder)
    run([cxx, "-std=c++17", *STRICT, *flags, "examples/selftest/src/main.cpp", "-o", "main_example.o"], folder)
    return sorted(str(path) for path in folder.glob("*.o"))


def test_golden(product: Product) -> None:
    files = find_format("platformio").files(product)
    example = [f"examples/selftest/{name}" for name in ("platformio.ini", "src/main.cpp")]
    for name in ("library.json", "README.md", *example):
        check_golden(f"platformio/{name}", files[name])


def test_the_manifest(product: Product) -> None:
    files = find_format("platformio").files(product)
    manifest = json.loads(files["library.json"])
    assert (manifest["name"], manifest["version"], manifest["license"]) == ("wrist", "1.2.3", "Apache-2.0")
    assert f"include/{manifest['headers']}" in files
    for example in manifest["examples"]:
        assert {f"{example['base']}/{name}" for name in example["files"]} <= set(files)
    settings = configparser.ConfigParser()
    settings.read_string(files["examples/selftest/platformio.ini"].decode())
    boards = [settings[section] for section in settings.sections() if section.startswith("env:")]
    assert len(boards) > 3
    assert all("platform" in board for board in boards)


def test_texts_of_users_leave_the_manifest_valid(nasty: Product) -> None:
    manifest = json.loads(find_format("platformio").files(nasty)["library.json"])
    assert manifest["description"].startswith("Wrist; (rm -rf /)")


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
def test_the_example_runs_on_this_computer(package: Write) -> None:
    folder = package("platformio")
    objects = _compile(folder, "gcc", "g++")
    run(["g++", *objects, "-o", "program"], folder)
    assert run(["./program"], folder).startswith("self-test passed; window is ")


@pytest.mark.skipif(shutil.which("arm-none-eabi-g++") is None, reason="arm-none-eabi-g++ is not installed")
def test_the_example_compiles_for_a_board(package: Write) -> None:
    folder = package("platformio")
    (folder / "stub").mkdir()
    (folder / "stub/Arduino.h").write_text(ARDUINO_H)
    flags = ("-mcpu=cortex-m4", "-mthumb", "-DARDUINO=10819", "-Istub")
    objects = _compile(folder, "arm-none-eabi-gcc", "arm-none-eabi-g++", *flags)
    symbols = run(["arm-none-eabi-nm", "-C", "--defined-only", *objects], folder)
    assert " T setup()" in symbols
    assert " T main" not in symbols


@pytest.mark.skipif(PIO is None, reason="PlatformIO's pio is neither on PATH nor named by EDGECNN_PIO")
def test_pio_packs_it(package: Write, tmp_path: Path) -> None:
    folder = package("platformio")
    # pio checks `license` against the SPDX list, which it fetches from a network; all else it checks by itself.
    manifest = json.loads((folder / "library.json").read_text())
    assert manifest.pop("license") == "Apache-2.0"
    (folder / "library.json").write_text(json.dumps(manifest))
    # Its settings and caches stay in the test's folder.
    places = {"PLATFORMIO_CORE_DIR": str(tmp_path / "core"), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
    run([str(PIO), "pkg", "pack", "-o", str(tmp_path / "wrist.tar.gz")], folder, **places)
    with tarfile.open(tmp_path / "wrist.tar.gz") as archive:
        packed = set(archive.getnames())
    assert {"library.json", "include/wrist.h", "src/wrist.c", "examples/selftest/platformio.ini"} <= packed
