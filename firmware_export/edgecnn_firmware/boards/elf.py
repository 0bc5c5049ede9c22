"""What a linked image holds: loadable bytes, section sizes and symbols, read from the ELF file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn_firmware.boards.extras import load
from edgecnn_firmware.boards.process import BoardError

_WRITE, _ALLOCATE, _EXECUTE = 1, 2, 4
_SEGMENT_WRITE = 2


@dataclass(frozen=True)
class Symbol:
    """A function or an object: its first address (bit 0 cleared), size in bytes, and the section that holds it."""

    name: str
    address: int
    size: int
    section: str
    is_function: bool


@dataclass(frozen=True)
class Segment:
    """Bytes at an address; `size` counts the zeros behind `data` too."""

    address: int
    data: bytes
    size: int
    writable: bool


@dataclass(frozen=True)
class Elf:
    """A linked image.

    Attributes:
        segments: Everything that is loaded.
        symbols: Functions and objects, by address.
        sections: Bytes by kind: `text`, `rodata`, `data`, `bss`.
    """

    segments: tuple[Segment, ...]
    symbols: tuple[Symbol, ...]
    sections: dict[str, int]

    def address_of(self, name: str) -> int:
        """Address of a symbol.

        Raises:
            BoardError: The image has no such symbol.
        """
        return self.symbol(name).address

    def symbol(self, name: str) -> Symbol:
        """A symbol by its name.

        Raises:
            BoardError: The image has no such symbol.
        """
        for found in self.symbols:
            if found.name == name:
                return found
        raise BoardError(f"the image has no symbol {name!r}; was it linked and not discarded as unused?")

    @property
    def flash_bytes(self) -> int:
        """Bytes that occupy flash: code, constants, and initial values of variables."""
        return self.sections["text"] + self.sections["rodata"] + self.sections["data"]

    @property
    def ram_bytes(self) -> int:
        """Bytes of variables, without stack."""
        return self.sections["data"] + self.sections["bss"]


def read_elf(path: Path) -> Elf:
    """Read a linked image.

    Raises:
        BoardError: The file is no ELF file.
        MissingDependency: pyelftools is not installed.
    """
    module = load("elftools.elf.elffile", "reading images")
    broken = load("elftools.common.exceptions", "reading images").ELFError
    try:
        with path.open("rb") as stream:
            return _content(module.ELFFile(stream))
    except (broken, OSError) as error:
        raise BoardError(f"{path.name}: cannot be read as an ELF file: {error}") from None


def _content(file: Any) -> Elf:
    found = list(file.iter_sections())
    kinds = [_section_kind(section["sh_flags"], section["sh_type"]) for section in found]
    sections = dict.fromkeys(("text", "rodata", "data", "bss"), 0)
    for kind, section in zip(kinds, found, strict=True):
        if kind:
            sections[kind] += int(section["sh_size"])
    segments = tuple(
        Segment(int(part["p_vaddr"]), part.data(), int(part["p_memsz"]), bool(part["p_flags"] & _SEGMENT_WRITE))
        for part in file.iter_segments("PT_LOAD")
        if part["p_memsz"]
    )
    table = file.get_section_by_name(".symtab")
    symbols = [_symbol(entry, kinds) for entry in table.iter_symbols()] if table else []
    known = sorted((symbol for symbol in symbols if symbol), key=lambda symbol: (symbol.address, symbol.name))
    return Elf(segments, tuple(known), sections)


def _section_kind(flags: int, kind: str) -> str:
    if not flags & _ALLOCATE:
        return ""
    if kind == "SHT_NOBITS":
        return "bss"
    if flags & _EXECUTE:
        return "text"
    return "data" if flags & _WRITE else "rodata"


def _symbol(entry: Any, kinds: list[str]) -> Symbol | None:
    kind, section = entry["st_info"]["type"], entry["st_shndx"]
    if kind not in ("STT_FUNC", "STT_OBJECT") or not isinstance(section, int):
        return None
    address, is_function = int(entry["st_value"]), kind == "STT_FUNC"
    return Symbol(
        entry.name, address & ~1 if is_function else address, int(entry["st_size"]), kinds[section], is_function
    )
