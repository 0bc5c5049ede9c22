"""Costs of instructions against Arm's table, and lengths and branches of each encoding."""

import shutil
import subprocess

import pytest

from edgecnn_firmware.boards.cycles import REFILL_CYCLES, Block, cost_of, estimate
from edgecnn_firmware.boards.instructions import may_branch, split
from edgecnn_firmware.boards.machine import run

COSTS = {
    "adds r0, r1, r2": 1,
    "smlad r0, r1, r2, r3": 1,
    "smlal r0, r1, r2, r3": 1,
    "mul r0, r1, r2": 1,
    "sdiv r0, r1, r2": 7,
    "udiv r8, r9, r10": 7,
    "ldr r0, [r1, #4]": 2,
    "ldrb r0, [r1, r2]": 2,
    "ldrsb r0, [r1, r2]": 2,
    "ldr.w r0, [r1], #4": 2,
    "ldrsh.w r9, [r1, #-2]!": 2,
    "ldr r0, [sp, #8]": 2,
    "str r0, [r1, #4]": 1,
    "strb.w r0, [r1], #1": 1,
    "str r0, [sp, #8]": 1,
    "str r0, [r1, r2]": 2,
    "strh.w r9, [r1, r2, lsl #1]": 2,
    "ldrd r0, r1, [r2]": 3,
    "strd r0, r1, [r2], #8": 3,
    "ldmia r0!, {r1, r2, r3}": 4,
    "stmdb r8!, {r1, r9}": 3,
    "push {r4, r5, lr}": 4,
    "push.w {r4, r8, lr}": 4,
    "pop {r4, r5, pc}": 4,
    "it eq": 1,
    "nop": 1,
    "dmb sy": 1,
    "b .": 1,
    "bl .": 1,
    "bx lr": 1,
    "cbz r0, .+4": 1,
    "tbb [pc, r0]": 4,
    "ldr pc, [r0]": 3,
    "vadd.f32 s0, s1, s2": 1,
    "vmul.f32 s0, s1, s2": 1,
    "vmla.f32 s0, s1, s2": 3,
    "vfma.f32 s0, s1, s2": 3,
    "vdiv.f32 s0, s1, s2": 14,
    "vsqrt.f32 s0, s1": 14,
    "vcvt.f32.s32 s0, s0": 1,
    "vmov s0, r0": 1,
    "vmov r0, r1, s0, s1": 2,
    "vldr s0, [r0]": 2,
    "vldr d0, [r0]": 3,
    "vpush {s16, s17}": 3,
}
BRANCHES = {"b .", "bl .", "bx lr", "cbz r0, .+4", "tbb [pc, r0]", "ldr pc, [r0]", "pop {r4, r5, pc}"}


@pytest.fixture(scope="module")
def assembled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Machine code of the instructions of `COSTS`."""
    tools = [shutil.which(f"arm-none-eabi-{name}") for name in ("gcc", "objcopy")]
    if None in tools:
        pytest.skip("arm-none-eabi-gcc is not on PATH")
    work = tmp_path_factory.mktemp("code")
    text = "\n".join((".syntax unified", ".thumb", *(f"{line}\n" for line in COSTS)))
    (work / "code.s").write_text(text.replace("it eq", "it eq\nmoveq r0, r0"))
    gcc, objcopy = tools
    subprocess.run(
        [gcc, "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-c", "code.s"], cwd=work, check=True
    )
    subprocess.run([objcopy, "-O", "binary", "code.o", "code.bin"], cwd=work, check=True)
    found = list(split((work / "code.bin").read_bytes(), "thumb"))
    lines = [part for line in COSTS for part in ((line, "") if line == "it eq" else (line,))]
    assert len(found) == len(lines)
    return {line: code for line, code in zip(lines, found, strict=True) if line}


def test_costs_are_those_of_the_manual(assembled):
    assert {line: cost_of(code).cycles for line, code in assembled.items()} == COSTS


def test_branches_are_known(assembled):
    assert {line for line, code in assembled.items() if may_branch(code, "thumb")} == BRANCHES


def test_accesses_behind_a_load_overlap(assembled):
    def cycles(*lines: str) -> int:
        return estimate([Block(tuple(assembled[line] for line in lines), 10, 4)]) // 10

    load, store, by_register = "ldr r0, [r1, #4]", "str r0, [r1, #4]", "str r0, [r1, r2]"
    assert REFILL_CYCLES * 4 // 10 == 0
    assert cycles(load, load, load) == 4
    assert cycles(load, by_register) == 3
    assert cycles(load, store) == 3
    assert cycles(store, load) == 3
    assert cycles(load, "nop", load) == 5
    assert cycles("ldrd r0, r1, [r2]", load) == 5


def test_taken_branches_refill_the_pipeline(build):
    source = """__asm__(".syntax unified\\n.thumb\\n.text\\n.globl net_invoke\\n.type net_invoke, %function\\n.thumb_func\\n"
    "net_invoke: movs r3, #10\\n1: subs r3, #1\\n bne 1b\\n bx lr\\n.size net_invoke, .-net_invoke");"""
    found = run(build(source), bytes(32))
    assert found.instructions == 22
    assert found.estimated_cycles == 22 + 9 * REFILL_CYCLES + REFILL_CYCLES


def test_only_the_core_of_the_table_is_estimated(build):
    source = "void net_invoke(const int8_t *input, int8_t *output, uint8_t *arena) {}"
    assert run(build(source, "cortex-m33"), bytes(32)).estimated_cycles is None


@pytest.mark.parametrize(
    ("word", "size", "branches"),
    [
        (0x8082, 2, True),  # ret
        (0x9782, 2, True),  # jalr a5
        (0x852E, 2, False),  # mv a0, a1
        (0xA001, 2, True),  # j .
        (0xC101, 2, True),  # beqz a0
        (0x0505, 2, False),  # addi a0, a0, 1
        (0x9002, 2, False),  # ebreak
        (0x00B50533, 4, False),  # add a0, a0, a1
        (0x0000006F, 4, True),  # j .
        (0xFE0518E3, 4, True),  # bnez a0
        (0x00008067, 4, True),  # ret
    ],
)
def test_instructions_of_risc_v(word, size, branches):
    (code,) = split(word.to_bytes(size, "little"), "rv32")
    assert may_branch(code, "rv32") is branches


@pytest.mark.parametrize(
    ("word", "branches"),
    [
        (0xD65F03C0, True),  # ret
        (0x14000000, True),  # b .
        (0x94000000, True),  # bl .
        (0x54000001, True),  # b.ne .
        (0xB4000000, True),  # cbz x0
        (0x36000000, True),  # tbz w0, #0
        (0xD61F0000, True),  # br x0
        (0xD503201F, False),  # nop
        (0x8B010000, False),  # add x0, x0, x1
        (0xF9400000, False),  # ldr x0, [x0]
        (0x3DC00000, False),  # ldr q0, [x0]
    ],
)
def test_instructions_of_a64(word, branches):
    (code,) = split(word.to_bytes(4, "little"), "aarch64")
    assert may_branch(code, "aarch64") is branches
