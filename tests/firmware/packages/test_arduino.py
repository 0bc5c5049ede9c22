"""The Arduino library: what the IDE reads of it, and its sketches compiled over a stub of the Arduino API."""

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product

from .conftest import check_golden, run

Write = Callable[[str], Path]
STRICT = ["-O2", "-Wall", "-Wextra", "-Werror"]
ARDUINO_H = """\
#pragma once
#include <stdint.h>
void delay(unsigned long ms);
unsigned long millis();
unsigned long micros();
struct Port {
    void begin(unsigned long baud);
    void print(const char *text);
    void print(int value);
    void println(const char *text);
};
extern Port Serial;
void setup();
void loop();
"""
RUNNER = """\
#include "Arduino.h"
#include <stdio.h>
static unsigned long now_us;
void delay(unsigned long ms) { now_us += 1000 * ms; }
unsigned long micros() { return now_us += 500; }
unsigned long millis() { return micros() / 1000; }
void Port::begin(unsigned long) {}
void Port::print(const char *text) { fputs(text, stdout); }
void Port::print(int value) { printf("%d", value); }
void Port::println(const char *text) { puts(text); }
Port Serial;
int main() {
    setup();
    for (int i = 0; i < 4000; i++) loop();
}
"""


def _unpack(archive: Path) -> Path:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(archive.parent)
    (archive.parent / "Arduino.h").write_text(ARDUINO_H)
    (archive.parent / "runner.cpp").write_text(RUNNER)
    return archive.parent / "wrist"


def _compile(library: Path, cc: str, cxx: str, sketch: str, *flags: str) -> None:
    options = [*STRICT, *flags, "-Iwrist/src", "-c"]
    for source in sorted((library / "src").glob("*.c")):
        run([cc, "-std=c99", *options, str(source), "-o", f"{source.stem}.o"], library.parent)
    ino = f"wrist/examples/{sketch}/{sketch}.ino"
    run(
        [cxx, "-std=c++17", *options, "-I.", "-include", "Arduino.h", "-x", "c++", ino, "-o", "sketch.o"],
        library.parent,
    )


def test_golden(product: Product) -> None:
    files = find_format("arduino").files(product)
    names = ["library.properties", "keywords.txt", "README.md"]
    for name in [*names, "examples/SelfTest/SelfTest.ino", "examples/Stream/Stream.ino"]:
        check_golden(f"arduino/{name}", files[f"wrist/{name}"])


def test_the_library_specification(product: Product) -> None:
    files = find_format("arduino").files(product)
    assert {name.split("/")[0] for name in files} == {"wrist"}
    assert not [name for name in files if name.startswith("wrist/src/") and name.count("/") != 2]
    lines = files["wrist/library.properties"].decode().splitlines()
    properties = dict(line.split("=", 1) for line in lines)
    assert len(properties) == len(lines)
    required = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures")
    assert all(properties[field].strip() for field in required)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,62}", properties["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", properties["version"])
    assert f"wrist/src/{properties['includes']}" in files
    header = files["wrist/src/wrist.h"].decode()
    for line in files["wrist/keywords.txt"].decode().splitlines()[1:]:
        word, kind = line.split("\t")
        assert kind in ("KEYWORD1", "KEYWORD2", "LITERAL1")
        assert re.search(rf"\b{word}\b", header), word


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
@pytest.mark.parametrize("sketch", ["SelfTest", "Stream"])
def test_the_sketches_run(sketch: str, package: Write, product: Product) -> None:
    library = _unpack(package("arduino"))
    _compile(library, "gcc", "g++", sketch)
    objects = sorted(str(path) for path in library.parent.glob("*.o"))
    run(["g++", "-I.", "runner.cpp", *objects, "-o", "program"], library.parent)
    lines = run(["./program"], library.parent).splitlines()
    label = product.card.labels[product.example.label]
    if sketch == "Stream":
        assert lines
        assert set(lines) <= set(product.card.labels)
        return
    assert lines[0] == "self-test passed"
    assert lines[1].startswith(f"window is {label}, margin ")
    assert lines[2:] == ["as expected"]


@pytest.mark.skipif(shutil.which("arm-none-eabi-g++") is None, reason="arm-none-eabi-g++ is not installed")
@pytest.mark.parametrize("cpu", ["cortex-m0plus", "cortex-m4"])
@pytest.mark.parametrize("sketch", ["SelfTest", "Stream"])
def test_it_cross_compiles(cpu: str, sketch: str, package: Write) -> None:
    library = _unpack(package("arduino"))
    _compile(library, "arm-none-eabi-gcc", "arm-none-eabi-g++", sketch, f"-mcpu={cpu}", "-mthumb")
