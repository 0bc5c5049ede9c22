"""Where instructions begin and which of them branch, for each encoding.

Lengths follow from an instruction's first bytes alone: Thumb by the top five bits of the first halfword (Arm v7-M
Architecture Reference Manual, A5.1), RISC-V by the low two bits (unprivileged specification, 1.5), A64 always 4 bytes.
"""

from collections.abc import Iterator

from edgecnn_firmware.boards import cycles
from edgecnn_firmware.boards.targets import Architecture

_RV32_BRANCHES = (0b1100011, 0b1100111, 0b1101111)
"""Major opcodes BRANCH, JALR, JAL."""


def split(code: bytes, architecture: Architecture) -> Iterator[bytes]:
    """The instructions of a block of machine code, in order."""
    at = 0
    while at < len(code):
        size = _length(code[at : at + 2], architecture)
        yield code[at : at + size]
        at += size


def may_branch(instruction: bytes, architecture: Architecture) -> bool:
    """Whether an instruction may go elsewhere than to the next one."""
    code = int.from_bytes(instruction, "little")
    if architecture == "thumb":
        return cycles.may_branch(instruction)
    if architecture == "rv32":
        return code & 0x7F in _RV32_BRANCHES if len(instruction) == 4 else _compressed_branch(code)
    # A64: B and BL; CBZ and TBZ; B.cond; BR, BLR and RET (Arm Architecture Reference Manual, C4.1.65)
    return code >> 26 & 0x1F == 0b00101 or code >> 26 & 0x1F == 0b01101 or code >> 24 == 0x54 or code >> 25 == 0b1101011


def _length(start: bytes, architecture: Architecture) -> int:
    if architecture == "aarch64":
        return 4
    first = int.from_bytes(start, "little")
    if architecture == "rv32":
        return 4 if first & 3 == 3 else 2
    return 4 if first >> 11 in (0b11101, 0b11110, 0b11111) else 2


def _compressed_branch(code: int) -> bool:
    group, kind = code & 3, code >> 13
    if group == 1:
        return kind in (0b001, 0b101, 0b110, 0b111)  # C.JAL, C.J, C.BEQZ, C.BNEZ
    return group == 2 and kind == 0b100 and code & 0x7C == 0 and bool(code & 0xF80)  # C.JR, C.JALR
