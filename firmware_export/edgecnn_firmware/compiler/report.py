"""What a compiled program costs, as plain data."""

from dataclasses import asdict
from typing import Any

from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.ops.value import Value


def summarize_program(program: Program) -> dict[str, Any]:
    """Totals and one entry an op, ready for JSON."""
    return {
        "name": program.prefix,
        "target": program.target,
        "macs": program.graph.macs,
        "constant_bytes": program.constant_bytes,
        "arena_bytes": program.arena.bytes,
        "arena_lower_bound_bytes": program.arena.lower_bound,
        "state_bytes": program.state_bytes,
        "sliding": asdict(program.graph.sliding) if program.graph.sliding else None,
        "notes": list(program.notes),
        "files": sorted(program.files),
        "layers": [
            {
                "number": position,
                "op": op.label,
                "input_shapes": [list(value.shape) for value in op.inputs],
                "output_shape": list(op.output.shape),
                "macs": op.macs,
                "constant_bytes": program.constants_of_op[position],
            }
            for position, op in enumerate(program.ops)
        ],
    }


def op_rows(program: Program) -> list[list[str]]:
    """The ops as text for a table: number, op, inputs, output, MACs, constant bytes."""
    return [
        [
            str(position),
            op.label,
            ", ".join(_shape(value) for value in op.inputs),
            _shape(op.output),
            f"{op.macs:,}",
            f"{program.constants_of_op[position]:,}",
        ]
        for position, op in enumerate(program.ops)
    ]


def memory_map(program: Program, columns: int = 64) -> list[str]:
    """Draw the arena over the ops, a line an op: `#` values, `s` scratch, `.` free.

    Args:
        program: the program.
        columns: characters that the whole arena takes.
    """
    arena = program.arena
    lines = []
    for position, op in enumerate(program.graph.ops):
        drawn = ["."] * columns
        for block in arena.blocks:
            if block.first <= position <= block.last and block.bytes:
                begin = arena.offsets[block.key] * columns // max(arena.bytes, 1)
                end = -(-(arena.offsets[block.key] + block.bytes) * columns // max(arena.bytes, 1))
                mark = "s" if block.key.startswith("scratch") else "#"
                drawn[begin:end] = [mark] * (min(end, columns) - begin)
        lines.append(f"{position:>3} {op.label[:24]:24} |{''.join(drawn)}|")
    return lines


def _shape(value: Value) -> str:
    return f"{value.length} x {value.channels}"
