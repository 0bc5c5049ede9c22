"""The C around the measured function: buffers with guard bytes, one entry that the emulator calls."""

from dataclasses import dataclass

GUARD_BYTES = 32
"""Bytes before and after each buffer that nothing may write."""

GUARD_VALUE = 0xA5

INPUT, OUTPUT, ARENA = "edgecnn_board_input", "edgecnn_board_output", "edgecnn_board_arena"
LABELS, KEPT_LABELS = "edgecnn_board_labels", 4096
"""Where a target without registers to look at keeps the labels of marks, and how many."""

ENTRY, STOP, MARK = "edgecnn_board_entry", "edgecnn_board_stop", "edgecnn_mark"

_TEMPLATE = """\
#include <stdint.h>
{include}
{input}
{output}
{arena}
#ifdef EDGECNN_MARKS
#ifdef EDGECNN_BOARD_LABELS
__attribute__((used)) int32_t edgecnn_board_labels[EDGECNN_BOARD_LABELS];
static uint32_t edgecnn_board_reached;
#endif
__attribute__((noinline, used)) void edgecnn_mark(int layer) {{
#ifdef EDGECNN_BOARD_LABELS
    if (edgecnn_board_reached < EDGECNN_BOARD_LABELS) {{
        edgecnn_board_labels[edgecnn_board_reached++] = layer;
    }}
#endif
    __asm__ volatile("" : : "r"(layer) : "memory");
}}
#endif

__attribute__((noinline, used)) void edgecnn_board_stop(void) {{
    for (;;) {{
        __asm__ volatile("" : : : "memory");
    }}
}}

__attribute__((noinline, used)) void edgecnn_board_entry(void) {{
    {invoke}
}}
"""


@dataclass(frozen=True)
class Harness:
    """What the harness of a measured function holds.

    Attributes:
        header: File to `#include "..."`; empty for none.
        invoke: C statements of one call, over `edgecnn_board_input`, `edgecnn_board_output` (both `int8_t[]`) and
            `edgecnn_board_arena` (`uint8_t[]`); empty for the harness alone, whose sizes are subtracted.
        input_bytes: Size of the input buffer.
        output_bytes: Size of the output buffer.
        arena_bytes: Size of the arena; 0 is allowed.
    """

    header: str
    invoke: str
    input_bytes: int
    output_bytes: int
    arena_bytes: int


def harness_source(harness: Harness) -> str:
    """Write the C file that holds the buffers and calls the measured function.

    Returns:
        C99 with GNU attributes. `EDGECNN_MARKS` adds `void edgecnn_mark(int layer)`, whose calls the emulator records, and
        `EDGECNN_BOARD_LABELS` makes that keep as many labels in memory.
    """
    return _TEMPLATE.format(
        include=f'#include "{harness.header}"\n' if harness.header else "",
        input=_buffer("int8_t", INPUT, harness.input_bytes),
        output=_buffer("int8_t", OUTPUT, harness.output_bytes),
        arena=_buffer("uint8_t", ARENA, harness.arena_bytes),
        invoke=harness.invoke,
    )


def _buffer(kind: str, name: str, size_bytes: int) -> str:
    """The buffer alone, 16-aligned as compilers of networks assume; its size covers the guard bytes behind it.

    The guard in front is the buffer's own first `GUARD_BYTES`, hidden by the macro under which C code sees the array.
    """
    whole = size_bytes + 2 * GUARD_BYTES
    return (
        f"__attribute__((used, aligned(16))) {kind} {name}_guarded[{whole}];\n"
        f"#define {name} ({name}_guarded + {GUARD_BYTES})\n"
    )
