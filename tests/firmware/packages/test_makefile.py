"""The Makefile builds, runs its example, and cross-compiles."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product

from .conftest import check_golden, run

STRICT = "-O2 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror"
Write = Callable[[str], Path]


def test_golden(product: Product) -> None:
    files = find_format("makefile").files(product)
    for name in ("Makefile", "README.md", "example/main.c", "example/example_window.h"):
        check_golden(f"makefile/{name}", files[name])


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_it_builds_and_runs(package: Write) -> None:
    folder = package("makefile")
    out = run(["make", "-s", "check"], folder, CFLAGS=STRICT)
    assert out.startswith("self-test passed; window is ")
    # A changed header rebuilds what it reaches.
    assert "is up to date" in run(["make"], folder, CFLAGS=STRICT)


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
def test_it_cross_compiles(package: Write) -> None:
    folder = package("makefile")
    flags = f"{STRICT} -mcpu=cortex-m4 -mthumb"
    run(["make", "-s", "CC=arm-none-eabi-gcc", "AR=arm-none-eabi-ar", "libwrist.a"], folder, CFLAGS=flags)
    assert "Tag_CPU_arch: v7E-M" in run(["arm-none-eabi-readelf", "-A", "libwrist.a"], folder)
