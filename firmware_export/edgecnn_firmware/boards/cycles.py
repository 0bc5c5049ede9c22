"""An estimate of cycles on a Cortex-M4 from executed blocks and published costs of instructions.

Costs: Arm, "Cortex-M4 Processor Technical Reference Manual" (r0p1), 3.3.1 "Cortex-M4 instructions", 3.3.2 "Load/store
timings", and 7.2.3 for the floating point unit. One cycle for arithmetic and all multiplies. A load takes 2, or 1 directly
behind another load; a store takes 1, or with a register as offset 2 and behind a load 1; nothing overlaps with a store
before it. N registers at once take 1 + N. A taken branch takes 1 + P, where P, the refill of the pipeline, is 1 to 3
cycles; a division, which ends early, 2 to 12. Taken here: P = 2, and 7 for a division.

An estimate: flash without wait states, no contention for the bus, no waiting for an address that was just computed, and
instructions that a condition skips cost as if they ran.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

REFILL_CYCLES = 2
_DIVIDE_CYCLES = 7
_FLOAT_DIVIDE_CYCLES = 14
_PC = 15
_LOOP_START = 0xE001
"""Second half of DLS, DLSTP and LCTP of Armv8.1-M, which set up a loop and go on."""


@dataclass(frozen=True)
class Cost:
    """What an instruction costs.

    Attributes:
        cycles: When nothing overlaps.
        is_load: It loads one register; a cycle less for a load or store of one register directly behind it.
        overlaps: It takes a cycle less directly behind a load.
        branches: It may leave the block; `REFILL_CYCLES` more when it does.
    """

    cycles: int
    is_load: bool = False
    overlaps: bool = False
    branches: bool = False


@dataclass(frozen=True)
class Block:
    """An executed block: its instructions, how often it ran, how often what ran next was not what lies behind it."""

    code: tuple[bytes, ...]
    times: int
    taken: int


_ONE = Cost(1)
_LOAD = Cost(2, is_load=True, overlaps=True)
_STORE_BY_REGISTER = Cost(2, overlaps=True)
_BRANCH = Cost(1, branches=True)
_LOAD_PC = Cost(3, branches=True)
_TABLE_BRANCH = Cost(4, branches=True)


def estimate(blocks: Iterable[Block]) -> int:
    """Cycles of executed blocks on a Cortex-M4, as estimated from its manual."""
    return sum(block.times * sum(_straight(block.code)) + block.taken * REFILL_CYCLES for block in blocks)


def _straight(code: Iterable[bytes]) -> Iterator[int]:
    """Cycles of instructions in a row, without leaving."""
    behind_load = False
    for instruction in code:
        cost = cost_of(instruction)
        yield cost.cycles - (cost.overlaps and behind_load)
        behind_load = cost.is_load


def may_branch(instruction: bytes) -> bool:
    """Whether an instruction may go elsewhere than to the next one."""
    return cost_of(instruction).branches


def cost_of(instruction: bytes) -> Cost:
    """Cost of one Thumb instruction of 2 or 4 bytes."""
    first = int.from_bytes(instruction[:2], "little")
    if len(instruction) == 2:
        return _narrow(first)
    return _wide(first, int.from_bytes(instruction[2:4], "little"))


def _narrow(code: int) -> Cost:
    top = code >> 11
    if code >> 12 == 0b0101:  # loads and stores by register
        return _LOAD if (code >> 9) & 7 > 2 else _STORE_BY_REGISTER
    if top == 0b01001 or 0b01100 <= top < 0b10100:  # LDR literal; loads and stores by immediate
        return _LOAD if top & 1 else _ONE
    if top in (0b11000, 0b11001):  # STM, LDM
        return Cost(1 + _ones(code & 0xFF))
    if code & 0xF600 == 0xB400:  # PUSH, POP
        return Cost(1 + _ones(code & 0x1FF), branches=code & 0x0900 == 0x0900)
    return _BRANCH if _narrow_branch(code) else _ONE


def _narrow_branch(code: int) -> bool:
    if code & 0xF500 == 0xB100 or code >> 11 == 0b11100 or code >> 8 == 0x47:  # CBZ, B, BX and BLX
        return True
    if code >> 12 == 0b1101 and (code >> 8) & 0xF < 14:  # B with a condition
        return True
    return code & 0xFD87 == 0x4487  # ADD or MOV to PC


def _wide(first: int, second: int) -> Cost:
    if first >> 9 == 0b1110100:
        return _multiple_or_dual(first, second)
    if first >> 9 == 0b1111100:
        return _single(first, second)
    if first & 0xF800 == 0xF000 and second & 0x8000:  # branches and control
        is_branch = second != _LOOP_START and (bool(second & 0x5000) or (first >> 6) & 0xE != 0xE)
        return _BRANCH if is_branch else _ONE
    if first & 0xFFD0 == 0xFB90 and second & 0xF0 == 0xF0:  # SDIV, UDIV
        return Cost(_DIVIDE_CYCLES)
    if first & 0xEC00 == 0xEC00 and (second >> 8) & 0xE == 0xA:
        return _float_arithmetic(first, second) if first & 0x0200 else _float_access(first, second)
    return _ONE


def _single(first: int, second: int) -> Cost:
    """Loads and stores of one register."""
    if first & 0x10 == 0:
        return _STORE_BY_REGISTER if first & 0x80 == 0 and second & 0x0FC0 == 0 else _ONE
    return _LOAD_PC if second >> 12 == _PC and first & 0x60 == 0x40 else _LOAD


def _multiple_or_dual(first: int, second: int) -> Cost:
    if first & 0x40 == 0:  # LDM, STM
        return Cost(1 + _ones(second), branches=bool(first & 0x10) and bool(second & 0x8000))
    if first & 0xFFF0 == 0xE8D0 and second & 0xE0 == 0:  # TBB, TBH
        return _TABLE_BRANCH
    return Cost(3) if first & 0x0120 else Cost(2)  # LDRD and STRD; exclusive accesses


def _float_arithmetic(first: int, second: int) -> Cost:
    if second & 0x10 or first & 0x1000:  # moves to and from core registers; ARMv8 only
        return _ONE
    is_root = first & 0xBF == 0xB1 and second & 0xC0 == 0xC0
    if first & 0xB0 == 0x80 or is_root:  # VDIV, VSQRT
        return Cost(_FLOAT_DIVIDE_CYCLES)
    return Cost(3) if first & 0xB0 in (0x00, 0x10, 0x90, 0xA0) else _ONE  # multiply and add


def _float_access(first: int, second: int) -> Cost:
    if first & 0x01E0 == 0x0040:  # VMOV of two core registers
        return Cost(2)
    if first & 0x0120 == 0x0100:  # VLDR, VSTR
        return Cost(2 + ((second >> 8) & 1))
    return Cost(1 + (second & 0xFF))  # VLDM, VSTM, VPUSH, VPOP


def _ones(mask: int) -> int:
    return mask.bit_count()
