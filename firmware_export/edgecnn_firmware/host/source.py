"""The C around a network in a shared library: functions of one shape for every network, over windows in a row."""

from dataclasses import dataclass
from typing import Final

from edgecnn_firmware.compiler.emit.program import Program, in_arena
from edgecnn_firmware.errors import ModelError

ONCE: Final = "edgecnn_host_once"
MANY: Final = "edgecnn_host_many"
LINE_BYTES: Final = 64
"""Buffers begin at a multiple of it: a cache line, and the widest vector."""

_TEMPLATE: Final = """\
#include <stddef.h>
#include "{header}"

#if defined(_WIN32)
#define EDGECNN_HOST_EXPORT __declspec(dllexport)
#else
#define EDGECNN_HOST_EXPORT __attribute__((visibility("default")))
#endif

struct edgecnn_host_call {{
    const unsigned char *input;
    unsigned char *output;
    unsigned char *room;
}};

EDGECNN_HOST_EXPORT void {once}(const struct edgecnn_host_call *call);
EDGECNN_HOST_EXPORT void {many}(const unsigned char *inputs, unsigned char *outputs, unsigned char *room, size_t n);

static void run(const unsigned char *input, unsigned char *output, unsigned char *room) {{
{statements}
}}

/* One call. */
void {once}(const struct edgecnn_host_call *call) {{
    run(call->input, call->output, call->room);
}}

/* n calls, inputs and outputs one behind the other. */
void {many}(const unsigned char *inputs, unsigned char *outputs, unsigned char *room, size_t n) {{
    size_t i;
    for (i = 0; i < n; ++i)
        run(inputs + i * {input_bytes}, outputs + i * {output_bytes}, room);
}}
"""


@dataclass(frozen=True)
class Room:
    """Working memory of one call: the arena, and behind it the state."""

    state_offset: int
    bytes: int


def room_of(program: Program) -> Room:
    """Lay out the working memory; its first byte is aligned to `LINE_BYTES`."""
    offset = -(-max(program.arena.bytes, 1) // LINE_BYTES) * LINE_BYTES
    return Room(offset, offset + program.state_bytes)


def host_source(program: Program) -> str:
    """Write the C.

    Each call starts from the state's first values.

    Raises:
        ModelError: The network has several inputs or outputs, or its input lies in the arena.
    """
    graph, prefix = program.graph, program.prefix
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        found = f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs"
        raise ModelError(f"a network with {found} cannot be called on this machine; expected one of each")
    if in_arena(graph.inputs[0], program.arena):
        raise ModelError("a network whose input lies in the arena cannot be called on this machine")
    statements, state = [], ""
    if program.state_bytes:
        place = f"(void *)(room + {room_of(program).state_offset})"
        statements.append(f"    {prefix}_init({place});")
        state = f"{place}, "
    arguments = f"{state}(const void *)input, (void *)output, (void *)room"
    statements.append(f"    {prefix}_invoke({arguments});")
    return _TEMPLATE.format(
        header=program.header,
        once=ONCE,
        many=MANY,
        statements="\n".join(statements),
        input_bytes=graph.inputs[0].bytes,
        output_bytes=graph.outputs[0].bytes,
    )
