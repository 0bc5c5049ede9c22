"""Many compiled programs in one executable under sanitizers: exact-size heap blocks catch every stray access."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgecnn_firmware.compiler.emit.program import Program

from .native import STRICT, compilers

_MAIN = """
#include <stdio.h>
#include <stdlib.h>

typedef void (*runner)(void *state, const void *input, void *output, void *arena);
struct entry {{
    runner run;
    void (*init)(void *state);
    size_t input, output, arena, state, calls;
}};

{wrappers}

static const struct entry entries[] = {{
{entries}
}};

int main(void) {{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; ++i) {{
        const struct entry *e = &entries[i];
        void *input = malloc(e->input), *output = malloc(e->output), *arena = malloc(e->arena);
        void *state = malloc(e->state + 1);
        if (e->init) e->init(state);
        for (size_t call = 0; call < e->calls; ++call) {{
            if (fread(input, 1, e->input, stdin) != e->input) return 2;
            e->run(state, input, output, arena);
            fwrite(output, 1, e->output, stdout);
        }}
        free(input);
        free(output);
        free(arena);
        free(state);
    }}
    return 0;
}}
"""

SANITIZERS = ("-Og", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
"""Compiled a seventh faster than with -O1, and, where kernels are large, twice as fast as without optimization."""


class BatchFault(AssertionError):
    """The executable stopped: a sanitizer's report."""


def run_batch(
    programs: Sequence[Program],
    inputs: Sequence[np.ndarray],
    folder: Path,
    flags: Sequence[str] = SANITIZERS,
    compiler: str = "gcc",
) -> list[np.ndarray]:
    """Run programs with one input and one output each.

    Args:
        programs: all of different prefixes.
        inputs: int8 `(calls, elements)` for each program.
        folder: an empty folder.
        flags: for the compiler.
        compiler: by name.

    Returns:
        uint8 `(calls, output bytes)` for each program.
    """
    wrappers, entries = [], []
    for program, windows in zip(programs, inputs, strict=True):
        for name, text in program.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        prefix = program.prefix
        state = f"({prefix}_state *)state, " if program.state_bytes else ""
        ignored = "" if program.state_bytes else "    (void)state;\n"
        init = "0"
        wrappers.append(f'#include "{program.header}"')
        if program.state_bytes:
            wrappers.append(f"static void init_{prefix}(void *state) {{ {prefix}_init(({prefix}_state *)state); }}")
            init = f"init_{prefix}"
        wrappers.append(
            f"static void run_{prefix}(void *state, const void *input, void *output, void *arena) {{\n{ignored}"
            f"    {prefix}_invoke({state}input, output, ({prefix}_arena *)arena);\n}}"
        )
        value, made = program.graph.inputs[0], program.graph.outputs[0]
        sizes = f"{value.bytes}, {made.bytes}, sizeof({prefix}_arena), {program.state_bytes}, {len(windows)}"
        entries.append(f"    {{run_{prefix}, {init}, {sizes}}},")
    (folder / "main.c").write_text(_MAIN.format(wrappers="\n".join(wrappers), entries="\n".join(entries)), "utf-8")
    sources = [program.source for program in programs]
    command = [*compilers()[compiler], *STRICT, *flags, "main.c", *sources, "-o", "batch"]
    made_it = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if made_it.returncode:
        raise BatchFault(f"{' '.join(command[:20])} ...\n{made_it.stderr[:4000]}")
    stdin = b"".join(np.ascontiguousarray(windows).tobytes() for windows in inputs)
    ran = subprocess.run([folder / "batch"], input=stdin, capture_output=True, check=False, cwd=folder)
    if ran.returncode:
        raise BatchFault(ran.stderr.decode(errors="replace")[:4000])
    outputs, at = [], 0
    for program, windows in zip(programs, inputs, strict=True):
        size = program.graph.outputs[0].bytes * len(windows)
        outputs.append(np.frombuffer(ran.stdout, np.uint8, size, at).reshape(len(windows), -1))
        at += size
    return outputs
