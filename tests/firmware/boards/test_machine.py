"""The same C on every virtual CPU: what the host computes, and counts that a person can check."""

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from edgecnn_firmware.boards.machine import run
from edgecnn_firmware.boards.process import BoardError
from edgecnn_firmware.boards.run import Mark
from edgecnn_firmware.boards.targets import TARGETS

INPUTS = bytes(range(5, 37))

MIXED = """
#include <string.h>
static int8_t const weights[32] = {1, 2, 3, -4, 5, 6, -7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, -10, 11, 12, -128, 127};
static int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
__attribute__((noinline)) static int32_t dot(const int8_t *a, const int8_t *b, int n) {
    int32_t sum = 0;
    for (int i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}
void net_invoke(const int8_t *input, int8_t *output, uint8_t *arena) {
    memcpy(arena, input, 32);
    memset(arena + 32, 3, 32);
    int32_t sum = dot((const int8_t *)arena, weights, 32) + dot((const int8_t *)arena + 16, weights, 32);
    float scaled = (float)sum * 1.5f;
    sum += (int32_t)scaled + fibonacci(input[5]);
    int64_t wide = (int64_t)sum * 1234567891011LL / (input[1] | 1);
    sum ^= (int32_t)wide;
    memcpy(output, &sum, 4);
}
"""

LOOPS = {
    "thumb": "movs r3, #100\\n1: subs r3, #1\\n bne 1b\\n bx lr",
    "rv32": "li t0, 100\\n1: addi t0, t0, -1\\n bnez t0, 1b\\n ret",
    "aarch64": "mov x9, #100\\n1: subs x9, x9, #1\\n b.ne 1b\\n ret",
}


def assembly(body: str) -> str:
    """C text whose `net_invoke` is assembly."""
    return (
        '__asm__(".text\\n.p2align 2\\n.globl net_invoke\\n.type net_invoke, %function\\nnet_invoke:\\n'
        f'{body}\\n.size net_invoke, .-net_invoke\\n");'
    )


def thumb(body: str) -> str:
    """Assembly for Cortex-M."""
    return assembly(f".thumb_func\\n{body}").replace(".text\\n", ".syntax unified\\n.thumb\\n.text\\n")


@pytest.fixture(scope="module")
def on_host(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What this machine computes."""
    gcc = shutil.which("gcc") or shutil.which("cc")
    if gcc is None:
        pytest.skip("no C compiler for this machine")
    work: Path = tmp_path_factory.mktemp("host")
    main = "int main(void) { int8_t in[32], out[4]; uint8_t arena[64]; fread(in, 1, 32, stdin); net_invoke(in, out, arena);"
    (work / "net.c").write_text(
        f"#include <stdint.h>\n#include <stdio.h>\n{MIXED}\n{main} fwrite(out, 1, 4, stdout); }}"
    )
    subprocess.run([gcc, "-O1", "-w", "net.c", "-o", "net"], cwd=work, check=True, timeout=60)
    return subprocess.run([str(work / "net")], input=INPUTS, capture_output=True, check=True, timeout=60).stdout


def need_qemu(target: str) -> None:
    """Skip where the target's emulator is not installed."""
    if TARGETS[target].emulator == "qemu" and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on PATH")


@pytest.mark.parametrize("prefer", ["gcc", "zig"])
@pytest.mark.parametrize("target", TARGETS)
def test_every_target_computes_what_the_host_does(build, on_host, target, prefer):
    need_qemu(target)
    found = run(build(MIXED, target, prefer), INPUTS)
    assert found.outputs == on_host
    assert found.faults == ()
    assert found.instructions == sum(found.by_function.values()) > 100
    assert 16 <= found.stack_bytes <= 512
    assert not any(name.startswith("edgecnn_board") for name in found.by_function)


@pytest.mark.parametrize("target", [name for name, target in TARGETS.items() if target.architecture == "thumb"])
def test_a_loop_of_thumb_is_counted_to_the_instruction(build, target):
    need_qemu(target)
    found = run(build(thumb(LOOPS["thumb"]), target), INPUTS)
    assert found.by_function == {"net_invoke": 1 + 100 * 2 + 1}


@pytest.mark.parametrize("target", ["rv32imc", "aarch64"])
def test_a_loop_of_other_encodings_is_counted_to_the_instruction(build, target):
    found = run(build(assembly(LOOPS[TARGETS[target].architecture]), target), INPUTS)
    assert found.by_function == {"net_invoke": 1 + 100 * 2 + 1}


def test_skipped_and_wide_instructions_count_once(build):
    body = "cmp r0, r0\\n ite eq\\n addeq.w r3, r3, r0\\n addne r3, r3, #1\\n it ne\\n bxne lr\\n bx lr"
    assert run(build(thumb(body)), INPUTS).instructions == 7


def test_blocks_longer_than_the_emulator_translates_are_counted_whole(build):
    body = "movs r3, #3\\n1: .rept 3000\\n adds r0, #1\\n .endr\\n subs r3, #1\\n bne.w 1b\\n bx lr"
    assert run(build(thumb(body)), INPUTS).instructions == 1 + 3 * (3000 + 2) + 1


def test_a_hardware_loop_is_counted_to_the_instruction(build):
    need_qemu("cortex-m55")
    body = "push {r4, lr}\\n movs r3, #10\\n dls lr, r3\\n1: vadd.i8 q0, q0, q0\\n le lr, 1b\\n pop {r4, pc}"
    found = run(build(thumb(body), "cortex-m55"), INPUTS)
    assert found.by_function == {"net_invoke": 3 + 10 * 2 + 1}
    assert found.stack_bytes == 8


@pytest.mark.parametrize(
    ("target", "machine", "flash_base", "ram_base"),
    [
        ("cortex-m3", "mps2-an385", 0, 0x2000_0000),
        ("cortex-m4", "mps2-an386", 0, 0x2000_0000),
        ("cortex-m7", "mps2-an500", 0, 0x2000_0000),
        ("cortex-m33", "mps2-an505", 0x1000_0000, 0x3800_0000),
    ],
)
def test_unicorn_and_qemu_agree_on_counts(build, monkeypatch, target, machine, flash_base, ram_base):
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on PATH")
    unicorn = run(build(MIXED, target), INPUTS)
    other = dataclasses.replace(
        TARGETS[target],
        emulator="qemu",
        cpu_model=machine,
        flash_base=flash_base,
        ram_base=ram_base,
        stack_top=ram_base + 0x10_0000,
    )
    monkeypatch.setitem(TARGETS, target, other)
    qemu = run(build(MIXED, target), INPUTS)
    assert qemu.outputs == unicorn.outputs
    assert qemu.by_function == unicorn.by_function


@pytest.mark.parametrize("target", ["cortex-m4", "rv32imc", "aarch64", "cortex-m55"])
def test_marks_divide_the_count(build, target):
    need_qemu(target)
    source = """
    #ifdef EDGECNN_MARK
    void net_invoke(const int8_t *input, int8_t *output, uint8_t *arena) {
        EDGECNN_MARK(7);
        for (int i = 0; i < 50; i++) { ((volatile uint8_t *)arena)[i] = 1; }
        EDGECNN_MARK(-3);
        output[0] = input[0];
    }
    #endif
    """
    found = run(build(source, target, flags=("-O1",), marks=True), INPUTS)
    assert [mark.label for mark in found.marks] == [7, -3]
    first, second = found.marks
    assert isinstance(first, Mark)
    assert 0 < first.instructions < 16
    assert 50 <= second.instructions - first.instructions <= 50 * 6 + 8
    assert second.instructions < found.instructions
    assert "edgecnn_mark" not in found.by_function


def test_inputs_of_another_size_are_refused(build):
    with pytest.raises(BoardError, match="input of 31 bytes: the image takes 32"):
        run(build(MIXED), INPUTS[1:])


def test_code_that_does_not_end_is_given_up(build):
    with pytest.raises(BoardError, match=r"cortex-m4, net_invoke at .*: not finished after 0\.3 s"):
        run(build(thumb("b .")), INPUTS, limit_s=0.3)
