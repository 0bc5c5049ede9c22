"""The CMake package in each of the ways that it is used."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product

from .conftest import check_golden, run

Write = Callable[[str], Path]
needs_cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")

USERS = {
    "add_subdirectory": "add_subdirectory({package} wrist_build)",
    "FetchContent": "include(FetchContent)\nFetchContent_Declare(wrist SOURCE_DIR {package})\nFetchContent_MakeAvailable(wrist)",
    "find_package": "find_package(wrist 1.2 REQUIRED)",
}


def test_golden(product: Product) -> None:
    files = find_format("cmake").files(product)
    for name in ("CMakeLists.txt", "README.md", "cmake/wristConfig.cmake.in", "cmake/arm-none-eabi.cmake"):
        check_golden(f"cmake/{name}", files[name])


@needs_cmake
def test_it_builds_and_tests_itself(package: Write) -> None:
    folder = package("cmake")
    run(["cmake", "-B", "build"], folder)
    run(["cmake", "--build", "build"], folder)
    assert "100% tests passed, 0 tests failed out of 1" in run(["ctest", "--test-dir", "build"], folder)


@needs_cmake
@pytest.mark.parametrize("way", USERS)
def test_a_user_finds_the_target(way: str, package: Write, tmp_path: Path) -> None:
    folder = package("cmake")
    prefix = tmp_path / "installed"
    if way == "find_package":
        run(["cmake", "-B", "build", "-DWRIST_EXAMPLE=OFF"], folder)
        run(["cmake", "--build", "build"], folder)
        run(["cmake", "--install", "build", "--prefix", str(prefix)], folder)
    user = tmp_path / "user"
    user.mkdir()
    (user / "main.c").write_text((folder / "example/main.c").read_text())
    (user / "example_window.h").write_text((folder / "example/example_window.h").read_text())
    (user / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(user C)\n"
        + USERS[way].format(package=folder)
        + "\nadd_executable(user main.c)\ntarget_link_libraries(user PRIVATE wrist::wrist)\n"
    )
    run(["cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}"], user)
    run(["cmake", "--build", "build"], user)
    assert run([str(user / "build/user")], user).startswith("self-test passed")


@needs_cmake
@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
def test_it_cross_compiles(package: Write) -> None:
    folder = package("cmake")
    toolchain = ["-DCMAKE_TOOLCHAIN_FILE=cmake/arm-none-eabi.cmake", "-DWRIST_CPU=cortex-m33", "-DWRIST_EXAMPLE=OFF"]
    run(["cmake", "-B", "build", *toolchain], folder)
    run(["cmake", "--build", "build"], folder)
    assert "Tag_CPU_arch: v8-M.mainline" in run(["arm-none-eabi-readelf", "-A", "build/libwrist.a"], folder)
