"""The machine and the software, as far as they matter for the figures; nothing that names host, user or folder."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from edgecnn_bench.results import Environment

_LIBRARIES: Final = ("ai-edge-litert", "keras", "numpy", "tensorflow", "tflite-runtime")
_CPUINFO: Final = Path("/proc/cpuinfo")
# In this order: a Raspberry Pi's board says more than "ARMv7 Processor rev 3".
_CPU_KEYS: Final = ("Model", "model name", "Hardware", "Processor", "cpu model")


def measure_environment() -> Environment:
    """Describe this machine."""
    return Environment(
        system=_system(),
        machine=platform.machine() or "unknown",
        cpu=cpu_model(_cpuinfo_text()) or platform.processor() or platform.machine() or "unknown",
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        libraries=installed(_LIBRARIES),
    )


def cpu_model(cpuinfo: str) -> str:
    """The CPU's or the board's name in the text of `/proc/cpuinfo`; empty where it has none."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon and value.strip():
            fields.setdefault(key.strip(), " ".join(value.split()))
    return next((fields[key] for key in _CPU_KEYS if key in fields), "")


def installed(packages: tuple[str, ...]) -> dict[str, str]:
    """Versions of the installed ones of `packages`, in the order given."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _cpuinfo_text() -> str:
    try:
        return _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = "macOS" if platform.system() == "Darwin" else platform.system() or "unknown"
        release = platform.mac_ver()[0] or (platform.release() if name == "Windows" else "")
        return f"{name} {release}".rstrip()
