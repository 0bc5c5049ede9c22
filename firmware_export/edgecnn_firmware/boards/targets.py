"""The cores that compiled C can be measured on: compiler flags, memory map and virtual CPU of each; data only."""

from dataclasses import dataclass
from typing import Literal

from edgecnn_firmware.errors import SettingsError

Architecture = Literal["thumb", "rv32", "aarch64"]
"""The instruction encoding, which decides how instructions are counted."""


@dataclass(frozen=True)
class Target:
    """One core.

    Attributes:
        name: As settings and reports write it.
        architecture: The instruction encoding.
        gcc_flags: Arm GNU toolchain flags; empty where that toolchain has no such core.
        zig_target: Target triple of `zig cc`.
        zig_flags: Further flags of `zig cc`.
        zig_link_flags: In place of `zig_flags` when linking; empty for the same ones.
        emulator: What runs the image.
        cpu_model: The emulator's name of the core: a constant of unicorn without `UC_CPU_`, or QEMU's machine.
        flash_base: First address of the read-only memory of the image.
        ram_base: First address of the read-write memory of the image.
        stack_top: Address behind the stack, far from variables, so that an overflow of unicorn's stack meets no memory.
        note: How the virtual CPU differs from the core, where it does.
    """

    name: str
    architecture: Architecture
    gcc_flags: tuple[str, ...]
    zig_target: str
    zig_flags: tuple[str, ...]
    emulator: Literal["unicorn", "qemu"]
    cpu_model: str
    flash_base: int = 0x0800_0000
    ram_base: int = 0x2000_0000
    stack_top: int = 0x2800_0000
    zig_link_flags: tuple[str, ...] = ()
    note: str = ""


def _cortex_m(name: str, gcc: tuple[str, ...], zig_fpu: str, model: str, note: str = "") -> Target:
    zig_cpu = f"-mcpu={name.replace('-', '_')}{zig_fpu}"
    triple = f"thumb-freestanding-{'eabihf' if zig_fpu else 'eabi'}"
    return Target(name, "thumb", (f"-mcpu={name}", "-mthumb", *gcc), triple, (zig_cpu,), "unicorn", model, note=note)


_SINGLE = ("-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
_DOUBLE = ("-mfpu=fpv5-d16", "-mfloat-abi=hard")
_SINGLE_V5 = ("-mfpu=fpv5-sp-d16", "-mfloat-abi=hard")

_TARGETS = (
    _cortex_m("cortex-m0plus", ("-mfloat-abi=soft",), "", "ARM_CORTEX_M0", "runs on a virtual Cortex-M0: ARMv6-M too"),
    _cortex_m("cortex-m3", ("-mfloat-abi=soft",), "", "ARM_CORTEX_M3"),
    _cortex_m("cortex-m4", _SINGLE, "+vfp4d16sp", "ARM_CORTEX_M4"),
    _cortex_m("cortex-m7", _DOUBLE, "+fp_armv8d16", "ARM_CORTEX_M7"),
    _cortex_m("cortex-m33", _SINGLE_V5, "+fp_armv8d16sp+dsp", "ARM_CORTEX_M33"),
    Target(
        name="cortex-m55",
        architecture="thumb",
        gcc_flags=("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard"),
        zig_target="thumb-freestanding-eabihf",
        zig_flags=("-mcpu=cortex_m55+mve_fp+fp_armv8d16",),
        emulator="qemu",
        cpu_model="mps3-an547",
        flash_base=0x0000_0000,
        ram_base=0x2100_0000,
        stack_top=0x2008_0000,
    ),
    Target(
        name="rv32imc",
        architecture="rv32",
        gcc_flags=(),
        zig_target="riscv32-freestanding-none",
        zig_flags=("-mcpu=generic_rv32+m+c", "-mabi=ilp32"),
        # Zig builds its arithmetic library for the linker's core, and cannot without atomics; nothing here uses them.
        zig_link_flags=("-mcpu=generic_rv32+m+a+c", "-mabi=ilp32"),
        emulator="unicorn",
        cpu_model="RISCV32_ANY",
    ),
    Target(
        name="aarch64",
        architecture="aarch64",
        gcc_flags=(),
        zig_target="aarch64-freestanding-none",
        zig_flags=("-mcpu=cortex_a72",),
        emulator="unicorn",
        cpu_model="ARM64_A72",
    ),
    Target(
        name="aarch64-dotprod",
        architecture="aarch64",
        gcc_flags=(),
        zig_target="aarch64-freestanding-none",
        zig_flags=("-mcpu=cortex_a76",),
        emulator="unicorn",
        cpu_model="ARM64_MAX",
        note="runs on a virtual CPU with more extensions than a Cortex-A76",
    ),
)

TARGETS = {target.name: target for target in _TARGETS}
"""Every target by its name."""


def target_named(name: str) -> Target:
    """Look up a target.

    Raises:
        SettingsError: No target has this name; the line lists those that exist.
    """
    found = TARGETS.get(name)
    if found is None:
        raise SettingsError(f"unknown target {name!r}; known: {', '.join(TARGETS)}")
    return found
