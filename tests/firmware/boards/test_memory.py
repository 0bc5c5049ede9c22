"""Stack use, and accesses that compiled code must not make."""

import shutil

import pytest

from edgecnn_firmware.boards.machine import run
from edgecnn_firmware.boards.process import BoardError

INPUTS = bytes(32)

LOCALS = """
__attribute__((noinline)) static int work(const int8_t *input) {
    volatile uint8_t local[256];
    for (int i = 0; i < 256; i++) { local[i] = (uint8_t)input[i & 31]; }
    return local[input[0] & 255];
}
void net_invoke(const int8_t *input, int8_t *output, uint8_t *arena) { output[0] = (int8_t)(work(input) + 1); }
"""


def invoke(body: str, before: str = "") -> str:
    """A `net_invoke` of one statement."""
    return f"{before}\nvoid net_invoke(const int8_t *input, int8_t *output, uint8_t *arena) {{ {body} }}"


def test_a_local_array_shows_in_the_stack_on_qemu(build):
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on PATH")
    image = build(LOCALS, "cortex-m55")
    assert 256 <= run(image, INPUTS).stack_bytes <= 256 + 48
    (fault, *_) = run(build(invoke("output[4] = 1;"), "cortex-m55"), INPUTS).faults
    assert (fault.kind, fault.size) == ("guard", 1)


@pytest.mark.parametrize("target", ["cortex-m0plus", "cortex-m4", "rv32imc", "aarch64"])
@pytest.mark.parametrize("watch", [False, True])
def test_a_local_array_shows_in_the_stack(build, target, watch):
    found = run(build(LOCALS, target), INPUTS, watch=watch)
    assert 256 <= found.stack_bytes <= 256 + 48
    assert found.faults == ()


def test_the_figure_is_exact_and_counts_reserved_bytes(build):
    source = """__asm__(".syntax unified\\n.thumb\\n.text\\n.globl net_invoke\\n.type net_invoke, %function\\n.thumb_func\\n"
    "net_invoke: push {r4, lr}\\n sub sp, #256\\n b 1f\\n1: add sp, #256\\n pop {r4, pc}\\n.size net_invoke, .-net_invoke");"""
    assert run(build(source), INPUTS).stack_bytes == 256 + 8


def test_a_stack_that_is_too_small_ends_the_run(build):
    with pytest.raises(BoardError, match=r"work at 0x.*for address 0x27ff"):
        run(build(LOCALS.replace("256", "8192")), INPUTS, stack_limit_bytes=4096)


def test_a_write_beside_the_arena_is_found(build):
    image = build(invoke("arena[64] = 1; output[0] = 0;"))
    (guard,) = run(image, INPUTS).faults
    (write,) = run(image, INPUTS, watch=True).faults[:1]
    assert (guard.kind, write.kind, write.size) == ("guard", "write", 1)
    assert guard.address == write.address
    assert write.function == "net_invoke"
    assert "net_invoke at 0x" in str(write)
    assert f"{write.address:#x}" in str(guard)


@pytest.mark.parametrize("target", ["cortex-m4", "rv32imc", "aarch64"])
def test_the_faulting_instruction_is_named(build, target):
    before = """static int32_t state; volatile int32_t seen;
    __attribute__((noinline)) static void hide(int value) { for (int i = 0; i < 9; i++) { seen = value; } }"""
    source = invoke("state += input[0]; hide(state); output[0] = (int8_t)state;", before)
    faults = run(build(source, target), INPUTS, watch=True).faults
    assert {(fault.kind, fault.function) for fault in faults} == {
        ("read", "net_invoke"),
        ("write", "net_invoke"),
        ("write", "hide"),
    }


def test_a_read_beside_the_input_is_found(build):
    faults = run(build(invoke("output[0] = input[-1];")), INPUTS, watch=True).faults
    assert [(fault.kind, fault.function) for fault in faults] == [("read", "net_invoke")]


def test_allowed_accesses_are_no_faults(build):
    body = (
        "for (int i = 0; i < 32; i++) { arena[i + 32] = (uint8_t)table[input[i] & 31]; } output[3] = (int8_t)arena[63];"
    )
    found = run(build(invoke(body, "static const int8_t table[32] = {1, 2};")), INPUTS, watch=True)
    assert found.faults == ()


@pytest.mark.parametrize("body", ["*(volatile int *)0x10 = 1;", "output[0] = *(volatile int8_t *)0x50000000;"])
def test_memory_that_is_not_there_ends_the_run(build, body):
    with pytest.raises(BoardError, match=r"cortex-m4, net_invoke at 0x.* for address 0x(10|50000000)"):
        run(build(invoke(body)), INPUTS)


@pytest.mark.parametrize("target", ["cortex-m4", "rv32imc", "aarch64"])
def test_flash_cannot_be_written(build, target):
    source = invoke(
        "((volatile int8_t *)table)[input[0]] = 1; output[0] = table[3];", "const int8_t table[4] = {1, 2};"
    )
    with pytest.raises(BoardError, match=rf"{target}, net_invoke at 0x.*WRITE_PROT.* for address 0x800"):
        run(build(source, target), INPUTS)


def test_a_fault_on_qemu_names_its_function(build):
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on PATH")
    with pytest.raises(BoardError, match="cortex-m55: the program faulted, in net_invoke"):
        run(build(invoke("*(volatile int *)0xF0000000 = 1;"), "cortex-m55"), INPUTS)


def test_buffers_hold_no_zeros_before_the_call(build):
    body = "output[0] = (int8_t)arena[0]; output[1] = (int8_t)arena[63];"
    assert run(build(invoke(body)), INPUTS).outputs == bytes([0xA5] * 4)
