"""Compiling and linking C into a freestanding image for a target, and what that costs in flash and RAM."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgecnn_firmware.boards.elf import Elf, read_elf
from edgecnn_firmware.boards.harness import ENTRY, KEPT_LABELS, Harness, harness_source
from edgecnn_firmware.boards.process import finish
from edgecnn_firmware.boards.targets import Target
from edgecnn_firmware.boards.toolchain import Toolchain

_COMMON = ("-std=gnu99", "-ffunction-sections", "-fdata-sections", "-fno-common", "-fno-stack-protector")
_NO_UNWIND = ("-fno-unwind-tables", "-fno-asynchronous-unwind-tables")
_ZIG = ("-fno-sanitize=all", "-fno-PIC", "-g0")
_LIMIT_S = 300.0
_CONSTANT = ("rodata", "data")
_WEIGHTS = ("_weights", "_operand", "_alpha")
"""How the names of arrays end that hold numbers of the model file; all others are made from them."""
_SUPPORT = Path(__file__).resolve().parent / "support"


@dataclass(frozen=True)
class Image:
    """A linked image and its sizes.

    Attributes:
        target: The core it runs on.
        toolchain: What compiled it.
        path: The ELF file.
        elf: Its content.
        harness: The buffers and the call.
        flash_bytes: Flash of the image less that of one with the same harness and no call; nor is the call counted.
        ram_bytes: Variables of the image, in the same way; without arena, input, output and stack.
        flash_by_kind: `flash_bytes` in parts: `code`, `weights`, and `tables` for all other constants, such as biases with
            the factors of requantization. Constants that the compiler took apart have no name and count as tables.
    """

    target: Target
    toolchain: Toolchain
    path: Path
    elf: Elf
    harness: Harness
    flash_bytes: int
    ram_bytes: int
    flash_by_kind: dict[str, int] = field(default_factory=dict)


def build_image(
    target: Target,
    toolchain: Toolchain,
    sources: Sequence[Path],
    include: Sequence[Path],
    flags: Sequence[str],
    *,
    harness: Harness,
    work: Path,
    marks: bool = False,
) -> Image:
    """Compile C files with a harness and link them without operating system.

    Args:
        target: The core.
        toolchain: From `find_toolchain` for this target.
        sources: C files beside the harness.
        include: Folders searched for headers.
        flags: Further compiler flags, such as `-O2`.
        harness: The buffers and the call.
        work: Existing folder for objects and the image; files of a former build are overwritten.
        marks: Define `EDGECNN_MARK(op)` as a call that `Run.marks` records; without it sources do not see the macro.

    Raises:
        BoardError: The compiler or linker fails.
        MissingDependency: pyelftools is not installed.
    """
    work = work.resolve()
    empty = Harness("", "", harness.input_bytes, harness.output_bytes, harness.arena_bytes)
    every = (*flags, *(_mark_flags(target) if marks else ()))
    builder = _Builder(target, toolchain, tuple(path.resolve() for path in include), every, work)
    path = builder.link("image", harness, [path.resolve() for path in sources])
    whole, base = read_elf(path), read_elf(builder.link("empty", empty, []))
    return Image(
        target,
        toolchain,
        path,
        whole,
        harness,
        _flash_without_harness(whole) - _flash_without_harness(base),
        whole.ram_bytes - base.ram_bytes,
        _by_kind(whole, base),
    )


@dataclass(frozen=True)
class _Builder:
    target: Target
    toolchain: Toolchain
    include: tuple[Path, ...]
    flags: tuple[str, ...]
    work: Path

    def link(self, name: str, harness: Harness, sources: Sequence[Path]) -> Path:
        """Build `name`.elf of a harness and C files."""
        main = self.work / f"{name}_harness.c"
        main.write_text(harness_source(harness), encoding="utf-8", newline="\n")
        script = self.work / "image.ld"
        script.write_text(_script(self.target), encoding="utf-8", newline="\n")
        objects = [self._compile(f"{name}_harness.o", main)]
        objects += [self._compile(f"{name}_{number}.o", source) for number, source in enumerate(sources)]
        if not self.toolchain.has_libc:
            objects.append(self._compile("memory.o", _SUPPORT / "memory.c", "-fno-builtin"))
        if self.target.emulator == "qemu":
            objects.append(self._compile("qemu_start.o", _SUPPORT / "qemu_start.c"))
        out = self.work / f"{name}.elf"
        libraries = ("--specs=nano.specs", "-lm") if self.toolchain.has_libc else ()
        how = ("-nostartfiles", "-static", f"-Wl,--gc-sections,--build-id=none,-T,{script.name}", *libraries)
        command = (*self.toolchain.command, *self.toolchain.link_flags, "-o", out.name, *objects, *how)
        finish(command, folder=self.work, limit_s=_LIMIT_S, doing=f"linking {name}.elf for {self.target.name}")
        return out

    def _compile(self, name: str, source: Path, *extra: str) -> str:
        own = _ZIG if self.toolchain.kind == "zig" else ()
        search = [part for folder in self.include for part in ("-I", str(folder))]
        if not self.toolchain.has_libc:
            search += ["-isystem", str(_SUPPORT / "include")]
        command = (
            *self.toolchain.command,
            *self.toolchain.flags,
            *(*_COMMON, *_NO_UNWIND, *own, *self.flags, *extra, *search),
            *("-c", str(source), "-o", name),
        )
        doing = f"compiling {source.name} for {self.target.name}"
        finish(command, folder=self.work, limit_s=_LIMIT_S, doing=doing)
        return name


def _flash_without_harness(elf: Elf) -> int:
    return elf.flash_bytes - _entry_bytes(elf)


def _entry_bytes(elf: Elf) -> int:
    return -(-elf.symbol(ENTRY).size // 4) * 4  # the function behind it is aligned


def _by_kind(whole: Elf, base: Elf) -> dict[str, int]:
    """Flash of an image less that of its harness, by kind."""

    def constants(elf: Elf) -> int:
        return elf.sections["rodata"] + elf.sections["data"]

    def code(elf: Elf) -> int:
        return elf.sections["text"] - _entry_bytes(elf)

    # Compilers append a dot and more to the names of what they copy or specialize.
    objects = [(symbol.name.partition(".")[0], symbol) for symbol in whole.symbols if symbol.section in _CONSTANT]
    weights = sum(symbol.size for name, symbol in objects if name.endswith(_WEIGHTS))
    return {
        "code": code(whole) - code(base),
        "weights": weights,
        "tables": constants(whole) - constants(base) - weights,
    }


def _mark_flags(target: Target) -> tuple[str, ...]:
    flags = ("-DEDGECNN_MARKS", "-include", str(_SUPPORT / "marks.h"))
    return (*flags, f"-DEDGECNN_BOARD_LABELS={KEPT_LABELS}") if target.emulator == "qemu" else flags


def _script(target: Target) -> str:
    text = (_SUPPORT / "image.ld").read_text(encoding="utf-8")
    addresses = {
        "EDGECNN_FLASH_BASE": target.flash_base,
        "EDGECNN_RAM_BASE": target.ram_base,
        "EDGECNN_STACK_TOP": target.stack_top,
    }
    for word, address in addresses.items():
        text = text.replace(word, f"{address:#010x}")
    return text
