"""The formats by name."""

import importlib
from typing import Final

from edgecnn_firmware.errors import SettingsError
from edgecnn_firmware.packages.layout import Format

FORMATS: Final = {
    "arduino": "Arduino library (.zip)",
    "cmake": "CMake package: add_subdirectory, FetchContent, find_package",
    "cmsis-pack": "CMSIS-Pack (.pack)",
    "deb": "Debian packages of the library (amd64, arm64, armhf)",
    "esp-idf": "ESP-IDF component",
    "makefile": "plain Makefile",
    "micropython": "MicroPython user C module",
    "platformio": "PlatformIO library",
    "python": "one Python file over a shared library by ctypes, no dependency, not even numpy",
    "rust": "Rust crate, no_std",
    "single-header": "one C or C++ header that holds everything",
    "stm32": "STM32CubeIDE: files for Core/",
    "wasm": "WebAssembly: an ES module, and a page that tries it on recordings",
    "zephyr": "Zephyr module",
}
"""Key -> what it is; the module of that name holds `FORMAT`."""


def find_format(key: str) -> Format:
    """The format of a name.

    Raises:
        SettingsError: there is none.
    """
    if key not in FORMATS:
        raise SettingsError(f"unknown package format '{key}'; accepted: {', '.join(FORMATS)}")
    found: Format = importlib.import_module(f"edgecnn_firmware.packages.{key.replace('-', '_')}").FORMAT
    return found
