"""The generated files: `NAME.h`, `NAME.c`, and the runtime headers that they use."""

import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Literal, TypeAlias

from edgecnn_firmware.compiler.emit.context import Constant, Emitter, c_numbers, describe, emit, wrapped
from edgecnn_firmware.compiler.ops.stripes import Stripes
from edgecnn_firmware.compiler.ops.value import ELEMENT_BYTES, Graph, Op, Value
from edgecnn_firmware.compiler.plan.arena import Arena
from edgecnn_firmware.compiler.targets import Target

RUNTIME_VERSION: Final = 1
STACK_BYTES: Final = 512
"""No call took as much stack on a 32-bit core; 400 bytes is the deepest seen, and the tests watch it."""
_LINES_STACK_BYTES: Final = 16
"""Which rows of a value are in memory: two numbers, where they lie, and room for the compiler."""
_C_TYPES: Final = {"int8": "int8_t", "uint8": "uint8_t", "int32": "int32_t", "int64": "int64_t", "float32": "float"}


Optimize: TypeAlias = Literal["speed", "balanced", "size"]


@dataclass(frozen=True)
class Program:
    """What compiling made."""

    prefix: str
    files: Mapping[str, str]
    """Text of each file by its name."""
    graph: Graph
    arena: Arena
    state_bytes: int
    constant_bytes: int
    notes: tuple[str, ...]
    target: str
    ops: tuple[Op, ...]
    """Those of the graph one by one: in place of stripes the ops that run in them, as their kernels are called."""
    constants_of_op: tuple[int, ...]
    """Constant bytes of each of `ops`."""
    positions: tuple[int, ...]
    """For each of `ops`, its position in the graph, or that of the stripes that it runs in."""
    crc32: int
    """Of all constants, in their order."""

    @property
    def stack_bytes(self) -> int:
        """Enough for one call on Cortex-M and RV32, compiled with -O2 or -Os."""
        return stack_bytes(self.graph)

    def arena_of_op(self, number: int) -> int:
        """Bytes of the arena that are in use while one of `ops` runs."""
        used: set[int] = set()
        position = self.positions[number]
        for block in self.arena.blocks:
            if block.first <= position <= block.last:
                begin = self.arena.offsets[block.key]
                used.update(range(begin, begin + block.bytes))
        return len(used)

    @property
    def source(self) -> str:
        """Name of the C file."""
        return f"{self.prefix}.c"

    @property
    def header(self) -> str:
        """Name of the header."""
        return f"{self.prefix}.h"


def stack_bytes(graph: Graph) -> int:
    """Stack of one call: that of kernels, and the state of every value that runs through stripes."""
    lines = max((len(op.lines) for op in graph.ops if isinstance(op, Stripes)), default=0)
    return STACK_BYTES + _LINES_STACK_BYTES * lines


def parameter_names(graph: Graph) -> tuple[list[str], list[str]]:
    """Names of the function's input and output parameters."""
    inputs = ["input"] if len(graph.inputs) == 1 else [f"input{n}" for n in range(len(graph.inputs))]
    outputs = ["output"] if len(graph.outputs) == 1 else [f"output{n}" for n in range(len(graph.outputs))]
    return inputs, outputs


def write_program(
    graph: Graph,
    arena: Arena,
    scratch: Mapping[int, str],
    prefix: str,
    target: Target,
    optimize: Optimize,
    reference: str,
    *,
    checksum: bool,
) -> Program:
    """Write the C of a planned graph.

    Args:
        graph: the program; each output is written by an op, no output is an input or a variable.
        arena: the plan.
        scratch: key of the scratch block of each op that has one, by `id(op)`.
        prefix: the C prefix of every public name.
        target: whose kernels are called.
        optimize: what the code is specialized for.
        reference: whose rounding it repeats, for the header.
        checksum: whether to write a function that computes the CRC-32 of all constants.
    """
    expressions = _expressions(graph, arena)
    places = {key: f"arena->bytes + {arena.offsets[name]}" for key, name in scratch.items()}
    emitter = Emitter(prefix, target, expressions, places)
    positions: list[int] = []
    for position, op in enumerate(graph.ops):
        # Stripes begin the ops that run in them.
        if not isinstance(op, Stripes):
            emitter.begin(op, f"{len(emitter.ops)}: {describe(op)}")
        emit(op, emitter)
        positions += [position] * (len(emitter.ops) - len(positions))
    emitter.line(f"    EDGECNN_MARK({len(emitter.ops)});")
    emitter.finish(share=optimize == "balanced")
    if checksum:
        emitter.include("edgecnn_crc32.h")
    names = {
        prefix + ".h": _header(graph, arena, prefix, emitter, reference, checksum=checksum),
        prefix + ".c": _source(graph, arena, prefix, emitter, optimize, checksum=checksum),
    }
    for header in _with_dependencies(emitter.includes):
        names[header] = runtime_text(header)
    state_bytes = sum(state.value.bytes for state in graph.states)
    constant_bytes = sum(constant.bytes for constant in emitter.constants) + state_bytes
    notes = tuple(emitter.notes)
    sizes: Counter[int] = Counter()
    for constant in emitter.constants:
        sizes[id(constant.op)] += constant.bytes
    return Program(
        prefix=prefix,
        files=names,
        graph=graph,
        arena=arena,
        state_bytes=state_bytes,
        constant_bytes=constant_bytes,
        notes=notes,
        target=target.name,
        ops=tuple(emitter.ops),
        constants_of_op=tuple(sizes[id(op)] for op in emitter.ops),
        positions=tuple(positions),
        crc32=_crc32(emitter),
    )


def _crc32(emitter: Emitter) -> int:
    return zlib.crc32(b"".join(constant.data for constant in emitter.constants))


def runtime_text(header: str) -> str:
    """Text of a runtime header."""
    return files("edgecnn_firmware.runtime").joinpath(header).read_text("utf-8")


def _with_dependencies(headers: Mapping[str, None]) -> list[str]:
    found: dict[str, None] = {}
    waiting = ["edgecnn_base.h", *headers]
    while waiting:
        header = waiting.pop()
        if header in found:
            continue
        found[header] = None
        lines = runtime_text(header).splitlines()
        waiting.extend(line.split('"')[1] for line in lines if line.startswith('#include "'))
    return sorted(found)


def _expressions(graph: Graph, arena: Arena) -> dict[int, str]:
    found: dict[int, str] = {}
    for op in graph.ops:
        for value in (*op.inputs, op.output):
            key = f"value {value.storage}"
            if key in arena.offsets:
                found[value.storage] = _typed(value, f"arena->bytes + {arena.offsets[key]}")
    inputs, outputs = parameter_names(graph)
    for state in graph.states:
        found[state.value.storage] = f"state->op{state.value.storage}"
    for name, value in zip(outputs, graph.outputs, strict=True):
        found[value.storage] = name
    for name, value in zip(inputs, graph.inputs, strict=True):
        if not in_arena(value, arena):
            found[value.storage] = name
    return found


def in_arena(value: Value, arena: Arena) -> bool:
    """Whether a value lies in the arena."""
    return f"value {value.storage}" in arena.offsets


def _typed(value: Value, expression: str) -> str:
    if value.type == "int8":
        return expression
    return f"(({_C_TYPES[value.type]} *)(void *)({expression}))"


def _prototype(graph: Graph, arena: Arena, prefix: str) -> str:
    inputs, outputs = parameter_names(graph)
    parameters = [f"{prefix}_state *state"] if graph.states else []
    given = [(name, v) for name, v in zip(inputs, graph.inputs, strict=True) if not in_arena(v, arena)]
    parameters += [f"const {_C_TYPES[v.type]} *{name}" for name, v in given]
    parameters += [f"{_C_TYPES[v.type]} *{name}" for name, v in zip(outputs, graph.outputs, strict=True)]
    parameters.append(f"{prefix}_arena *arena")
    return wrapped(f"void {prefix}_invoke(", ", ".join(parameters), ")").strip().replace("\n    ", "\n")


def _tensor_macros(graph: Graph, prefix: str) -> str:
    lines = []
    names, outputs = parameter_names(graph)
    for name, value in [*zip(names, graph.inputs, strict=True), *zip(outputs, graph.outputs, strict=True)]:
        macro = f"{prefix.upper()}_{name.upper()}"
        lines.append(f"#define {macro}_LENGTH {value.length}")
        lines.append(f"#define {macro}_CHANNELS {value.channels}")
        lines.append(f"#define {macro}_BYTES {value.bytes}")
        if value.type in ("int8", "uint8"):
            lines.append(f"#define {macro}_SCALE {float(value.affine.scale)!r}f")
            lines.append(f"#define {macro}_ZERO_POINT {value.affine.zero_point}")
    return "\n".join(lines)


def _input_pointers(graph: Graph, arena: Arena, prefix: str) -> str:
    """Functions that say where inputs lie in the arena."""
    text = ""
    for name, value in zip(parameter_names(graph)[0], graph.inputs, strict=True):
        if in_arena(value, arena):
            place = _typed(value, f"arena->bytes + {arena.offsets[f'value {value.storage}']}")
            text += (
                f"/* Where the caller writes the {name} before each call; the call overwrites it. */\n"
                f"static inline {_C_TYPES[value.type]} *{prefix}_{name}({prefix}_arena *arena) {{ return {place}; }}\n\n"
            )
    return text


def _overlaps(graph: Graph, arena: Arena) -> str:
    outside = "" if any(in_arena(value, arena) for value in graph.inputs) else "Inputs, "
    return f"{outside}{'outputs' if outside else 'Outputs'} and the arena do not overlap."


def _sliding_macros(graph: Graph, prefix: str) -> str:
    if graph.sliding is None:
        return ""
    sliding, name = graph.sliding, prefix.upper()
    return (
        f"#define {name}_WINDOW_LENGTH {sliding.window_rows}\n"
        f"#define {name}_HOP_LENGTH {sliding.hop_rows}\n"
        f"#define {name}_CALLS {sliding.calls} /* until a window is full for the first time */\n"
    )


def _call_comment(graph: Graph, arena: Arena, prefix: str) -> str:
    sliding = graph.sliding
    if sliding is None:
        return f"/* Run the network once. {_overlaps(graph, arena)} */"
    return (
        f"/* Run the network on a window of {sliding.window_rows} rows that slides: the input is its newest {sliding.hop_rows}.\n"
        f" * The state has what is kept of the rows before. From call {prefix.upper()}_CALLS after {prefix}_init on, outputs\n"
        " * are those of the whole window, byte for byte; before, the window is not full, and they mean nothing.\n"
        f" * {_overlaps(graph, arena)} */"
    )


def _state_struct(graph: Graph, prefix: str) -> str:
    if not graph.states:
        return ""
    fields = "\n".join(f"    int8_t op{state.value.storage}[{state.value.bytes}];" for state in graph.states)
    return (
        f"/* What the network remembers from one call to the next; {prefix}_init sets its first values. */\n"
        f"typedef struct {{\n{fields}\n}} {prefix}_state;\n\nvoid {prefix}_init({prefix}_state *state);\n\n"
    )


def _header(graph: Graph, arena: Arena, prefix: str, emitter: Emitter, reference: str, *, checksum: bool) -> str:
    guard = f"{prefix.upper()}_H"
    constants = sum(constant.bytes for constant in emitter.constants)
    notes = "".join(f" * {note}\n" for note in emitter.notes)
    state = sum(state.value.bytes for state in graph.states)
    return f"""\
/* {prefix}: an int8 network as plain C, byte-equal to {reference}, target {emitter.target.name}.
 *
 * {graph.macs} multiply-accumulates a call. Flash: {constants} bytes of constants, and code. RAM: an arena of
 * {arena.bytes} bytes (no plan needs less than {arena.lower_bound}), {state} bytes of state, and on 32-bit cores less than
 * {stack_bytes(graph)} bytes of stack; edgecnn inspect --board counts code and stack. No heap, no globals that are not const.
{notes} * Generated by edgecnn; do not edit. */
#ifndef {guard}
#define {guard}

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

{_tensor_macros(graph, prefix)}
#define {prefix.upper()}_ARENA_BYTES {arena.bytes}
#define {prefix.upper()}_STATE_BYTES {state}
#define {prefix.upper()}_STACK_BYTES {stack_bytes(graph)} /* enough for one call on Cortex-M and RV32, compiled with -O2 or -Os */
#define {prefix.upper()}_MACS {graph.macs}
{_sliding_macros(graph, prefix)}
/* Working memory of one call; nothing in it needs to be kept between calls. */
typedef union {{
    int32_t alignment;
    int8_t bytes[{max(arena.bytes, 1)}];
}} {prefix}_arena;

{_state_struct(graph, prefix)}{_input_pointers(graph, arena, prefix)}{_call_comment(graph, arena, prefix)}
{_prototype(graph, arena, prefix)};
{_checksum_declaration(prefix, emitter) if checksum else ""}
#ifdef __cplusplus
}}
#endif

#endif
"""


def _source(graph: Graph, arena: Arena, prefix: str, emitter: Emitter, optimize: Optimize, *, checksum: bool) -> str:
    includes = "\n".join(f'#include "{header}"' for header in sorted({"edgecnn_base.h", *emitter.includes}))
    constants = "\n\n".join(_constant(constant) for constant in emitter.constants)
    size = "#define EDGECNN_OPTIMIZE_SIZE\n" if optimize == "size" else ""
    functions = "".join(f"{text}\n\n" for text in emitter.functions)
    init = ""
    if graph.states:
        arrays, copies = [], []
        for state in graph.states:
            name = f"op{state.value.storage}"
            values = [byte - 256 if byte > 127 else byte for byte in state.initial]
            if len(set(values)) == 1:
                copies.append(f"    edgecnn_fill(state->{name}, {values[0]}, {len(values)});")
            else:
                arrays.append(f"static const int8_t {name}_first[{len(values)}] = {{\n{c_numbers(values)}\n}};\n\n")
                copies.append(f"    edgecnn_copy(state->{name}, {name}_first, {len(values)});")
        init = "".join(arrays) + f"void {prefix}_init({prefix}_state *state) {{\n" + "\n".join(copies) + "\n}\n\n"
    unused = "" if any("arena->" in line for line in emitter.body) else "    (void)arena;\n"
    body = "\n".join(emitter.body)
    return f"""\
/* Generated by edgecnn; do not edit. */
#include "{prefix}.h"

{size}{includes}

#if EDGECNN_RUNTIME != {RUNTIME_VERSION}
#error "{prefix}.c was generated for version {RUNTIME_VERSION} of the edgecnn_*.h headers; take those generated with it"
#endif

{constants}

{functions}{init}{_prototype(graph, arena, prefix)} {{
{unused}{body}
}}
{_checksum_function(prefix, emitter) if checksum else ""}"""


def _checksum_declaration(prefix: str, emitter: Emitter) -> str:
    macro = f"{prefix.upper()}_CRC32"
    return f"""
/* CRC-32 of the constants as they lie in memory; {macro} where none has changed. */
#define {macro} 0x{_crc32(emitter):08x}u
uint32_t {prefix}_crc32(void);
"""


def _checksum_function(prefix: str, emitter: Emitter) -> str:
    calls = "".join(
        f"    crc = edgecnn_crc32(crc, {constant.name}, (uint32_t)sizeof {constant.name});\n"
        for constant in emitter.constants
    )
    return f"""
uint32_t {prefix}_crc32(void) {{
    uint32_t crc = 0;
{calls}    return crc;
}}
"""


def _constant(constant: Constant) -> str:
    # A union-free way to align: the element type's own alignment is enough but for packed int8 words.
    return f"static const {constant.c_type} {constant.name}[] = {{\n{constant.text}\n}};"


def element_bytes(value: Value) -> int:
    """Bytes of one element."""
    return ELEMENT_BYTES[value.type]
