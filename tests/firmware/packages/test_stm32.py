"""The STM32 files: for each core of the family, and run on this computer as main.c would call them."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product

from .conftest import check_golden, run

Write = Callable[[str], Path]
STRICT = ["-O2", "-std=gnu11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-ICore/Inc"]
CORES = {"cortex-m0plus": "v6S-M", "cortex-m4": "v7E-M", "cortex-m7": "v7E-M"}
# The sections that the README names, around them what CubeMX writes.
MAIN = """\
#include <stdio.h>
#include <stdlib.h>
{includes}
static void Error_Handler(void) {{ exit(1); }}
int main(void) {{
    int changes = 0;
    {begin}
    for (int i = 0; i < 40; i++) {{
        {loop}
        if (label) {{
            puts(label);
            changes++;
        }}
    }}
    return changes ? 0 : 2;
}}
"""


def _sources(folder: Path) -> list[str]:
    return sorted(str(path) for path in (folder / "Core/Src").glob("*.c"))


def test_golden(product: Product) -> None:
    files = find_format("stm32").files(product)
    for name in ("Core/Inc/wrist_app.h", "Core/Src/wrist_app.c", "wrist/README.md"):
        check_golden(f"stm32/{name}", files[name])


def test_nothing_of_a_project_is_overwritten(product: Product) -> None:
    for name in find_format("stm32").files(product):
        assert name.startswith("wrist/") or re.match(r"Core/(Inc|Src)/(wrist|edgecnn)[._]", name), name


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_lines_of_the_readme_run(package: Write, product: Product) -> None:
    folder = package("stm32")
    readme = (folder / "wrist/README.md").read_text()
    lines = dict(re.findall(r"/\* USER CODE BEGIN (\w+) \*/ +(.*)", readme))
    after = re.findall(r"^ +(const char .*)", readme, re.MULTILINE)
    loop = [lines["3"].replace("sample[2];", "sample[2] = {0.1f * (float)i, -3.0f};"), *after]
    main = MAIN.format(includes=lines["Includes"], begin=lines["2"], loop="\n".join(loop))
    (folder / "main.c").write_text(main)
    run(["gcc", *STRICT, "main.c", *_sources(folder), "-o", "program"], folder)
    assert set(run(["./program"], folder).splitlines()) <= set(product.card.labels)


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
@pytest.mark.parametrize("core", CORES)
def test_it_cross_compiles(core: str, package: Write) -> None:
    folder = package("stm32")
    run(["arm-none-eabi-gcc", *STRICT, f"-mcpu={core}", "-mthumb", "-c", *_sources(folder)], folder)
    assert f"Tag_CPU_arch: {CORES[core]}" in run(["arm-none-eabi-readelf", "-A", "wrist_app.o"], folder)
    defined = run(["arm-none-eabi-nm", "--defined-only", "wrist_app.o"], folder)
    assert " T wrist_app_init" in defined
    assert " T wrist_app_sample" in defined
