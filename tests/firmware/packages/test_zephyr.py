"""The Zephyr module: manifests, and its cmake files over stubs of Zephyr's functions."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product

from .conftest import check_golden, run

Write = Callable[[str], Path]
SAMPLE = "samples/selftest"
MANIFESTS = ["zephyr/module.yml", "Kconfig", "CMakeLists.txt", "README.md"]
SAMPLE_FILES = ["CMakeLists.txt", "prj.conf", "sample.yaml", "src/main.c"]
# What find_package(Zephyr) does, as far as a module and its sample see it: settings of prj.conf, `app`, the modules.
ZEPHYR_CONFIG = """\
file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/prj.conf settings)
foreach(setting ${settings})
    string(REGEX MATCH "^(CONFIG_[A-Z0-9_]+)=(.+)$" whole ${setting})
    set(${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
endforeach()
function(zephyr_include_directories)
    foreach(folder ${ARGN})
        set_property(GLOBAL APPEND PROPERTY zephyr_includes ${CMAKE_CURRENT_SOURCE_DIR}/${folder})
    endforeach()
endfunction()
macro(zephyr_library_named name)
    set(ZEPHYR_CURRENT_LIBRARY ${name})
    add_library(${name} STATIC)
    target_include_directories(${name} PRIVATE include)
    set_property(GLOBAL APPEND PROPERTY zephyr_libraries ${name})
endmacro()
function(zephyr_library_sources)
    target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
macro(project name)
    _project(${name} ${ARGN})
    add_executable(app)
    foreach(module ${ZEPHYR_EXTRA_MODULES})
        add_subdirectory(${module} module)
    endforeach()
    get_property(includes GLOBAL PROPERTY zephyr_includes)
    get_property(libraries GLOBAL PROPERTY zephyr_libraries)
    target_include_directories(app PRIVATE ${includes})
    target_link_libraries(app PRIVATE ${libraries})
endmacro()
"""


def _configure(folder: Path, tmp_path: Path) -> Path:
    (tmp_path / "zephyr").mkdir()
    (tmp_path / "zephyr/ZephyrConfig.cmake").write_text(ZEPHYR_CONFIG)
    run(["cmake", "-B", "build", f"-DZephyr_DIR={tmp_path / 'zephyr'}"], folder / SAMPLE)
    return folder / SAMPLE


def test_golden(product: Product) -> None:
    files = find_format("zephyr").files(product)
    for name in [*MANIFESTS, *(f"{SAMPLE}/{name}" for name in SAMPLE_FILES)]:
        check_golden(f"zephyr/{name}", files[name])


def test_the_manifests(product: Product) -> None:
    files = find_format("zephyr").files(product)
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    module = yaml.safe_load(files["zephyr/module.yml"])
    assert module == {"name": "wrist", "build": {"cmake": ".", "kconfig": "Kconfig"}, "samples": ["samples"]}
    (test,) = yaml.safe_load(files[f"{SAMPLE}/sample.yaml"])["tests"].values()
    assert test["harness_config"]["regex"] == ["self-test passed; window is .*"]


def test_users_texts_stay_in_the_help(nasty: Product) -> None:
    lines = find_format("zephyr").files(nasty)["Kconfig"].decode().splitlines()
    assert lines[:3] == ["config WRIST", '\tbool "wrist: classifier of sensor windows"', "\thelp"]
    assert len(lines) == 4
    assert re.fullmatch(r"\t  Wrist; [ -~]+", lines[3])


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_cmake_builds_the_sample(package: Write, tmp_path: Path) -> None:
    sample = _configure(package("zephyr"), tmp_path)
    run(["cmake", "--build", "build"], sample)
    assert run(["build/app"], sample).startswith("self-test passed; window is ")


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_the_setting_turns_it_off(package: Write, tmp_path: Path) -> None:
    folder = package("zephyr")
    (folder / SAMPLE / "prj.conf").write_text("CONFIG_MAIN_STACK_SIZE=8192\n")
    sample = _configure(folder, tmp_path)
    targets = run(["cmake", "--build", "build", "--target", "help"], sample).split()
    assert "app" in targets
    assert "wrist" not in targets
