"""The ESP-IDF component: manifests, cmake over stubs of IDF's functions, and the chips' RISC-V core."""

import importlib.util
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product

from .conftest import check_golden, run

Write = Callable[[str], Path]
EXAMPLE = "examples/selftest"
TEXTS = ["idf_component.yml", "CMakeLists.txt", "README.md"]
EXAMPLE_TEXTS = ["CMakeLists.txt", "main/CMakeLists.txt", "main/main.c"]
# What IDF's project.cmake does, as far as a component sees it: main and the component become libraries of one program.
PROJECT_CMAKE = """\
function(idf_component_register)
    cmake_parse_arguments(given "" "" "SRCS;INCLUDE_DIRS;REQUIRES" ${ARGN})
    if(given_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "unknown: ${given_UNPARSED_ARGUMENTS}")
    endif()
    get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    add_library(${folder} OBJECT ${given_SRCS})
    target_include_directories(${folder} PUBLIC ${given_INCLUDE_DIRS})
    set_property(GLOBAL APPEND PROPERTY components ${folder})
endfunction()
macro(project name)
    _project(${name} C)
    add_subdirectory(${EXTRA_COMPONENT_DIRS} component)
    add_subdirectory(main main)
    target_include_directories(main PRIVATE $ENV{IDF_PATH} ../../include)
    file(WRITE ${CMAKE_BINARY_DIR}/run.c "void app_main(void); int main(void) { app_main(); return 0; }")
    add_executable(program ${CMAKE_BINARY_DIR}/run.c)
    get_property(components GLOBAL PROPERTY components)
    target_link_libraries(program PRIVATE ${components})
endmacro()
"""
ESP_LOG_H = """\
#include <stdio.h>
#define ESP_LOGI(tag, ...) (printf("I %s: ", tag), printf(__VA_ARGS__), printf("\\n"))
#define ESP_LOGE(tag, ...) (printf("E %s: ", tag), printf(__VA_ARGS__), printf("\\n"))
"""
# The RISC-V compiler comes without a C library.
RISCV_LOG_H = """\
#define ESP_LOGI(tag, ...) log_line(tag, __VA_ARGS__)
#define ESP_LOGE(tag, ...) log_line(tag, __VA_ARGS__)
__attribute__((format(printf, 2, 3))) void log_line(const char *tag, const char *format, ...);
"""


def test_golden(product: Product) -> None:
    files = find_format("esp-idf").files(product)
    for name in [*TEXTS, *(f"{EXAMPLE}/{name}" for name in EXAMPLE_TEXTS)]:
        check_golden(f"esp-idf/{name}", files[name])


def test_the_manifests(nasty: Product) -> None:
    files = find_format("esp-idf").files(nasty)
    lines = files["idf_component.yml"].decode().splitlines()
    assert all(re.fullmatch(r'(  )?[a-z_]+:( "[^"\\]*")?', line) for line in lines)
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    component = yaml.safe_load(files["idf_component.yml"])
    assert set(component) == {"version", "description", "license", "dependencies"}
    assert component["version"] == "1.2.3"
    assert component["description"].startswith("Wrist; (rm -rf /)")


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_cmake_builds_the_example(package: Write, tmp_path: Path) -> None:
    folder = package("esp-idf").rename(tmp_path / "wrist")
    idf = tmp_path / "idf"
    (idf / "tools/cmake").mkdir(parents=True)
    (idf / "tools/cmake/project.cmake").write_text(PROJECT_CMAKE)
    (idf / "esp_log.h").write_text(ESP_LOG_H)
    project = folder / EXAMPLE
    run(["cmake", "-B", "build"], project, IDF_PATH=str(idf))
    run(["cmake", "--build", "build"], project, IDF_PATH=str(idf))
    assert run(["build/program"], project).startswith("I wrist: self-test passed; window is ")


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="ziglang is not installed")
def test_it_compiles_for_the_esp32_c3(package: Write, tmp_path: Path) -> None:
    folder = package("esp-idf")
    (tmp_path / "esp_log.h").write_text(RISCV_LOG_H)
    sources = [*sorted(map(str, (folder / "src").glob("*.c"))), f"{EXAMPLE}/main/main.c"]
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "riscv32-freestanding-none"]
    core = ["-mcpu=generic_rv32+m+c", "-mabi=ilp32", "-O2", "-std=gnu17", "-Wall", "-Wextra", "-Werror"]
    for source in sources:
        output = tmp_path / f"{Path(source).stem}.o"
        run([*zig, *core, "-Iinclude", f"-I{tmp_path}", "-c", source, "-o", str(output)], folder)
        # ELF of 32 bits for machine 243, RISC-V.
        assert output.read_bytes()[4] == 1
        assert int.from_bytes(output.read_bytes()[18:20], "little") == 243
