"""Sum, Product, SquaredDifference and Extreme -> calls."""

from typing import Final

import numpy as np

from edgecnn_firmware.compiler.arithmetic.binary import Scaling, solve_pair_line
from edgecnn_firmware.compiler.emit.context import Emitter, emit, struct_literal
from edgecnn_firmware.compiler.emit.requantization import requantization_fields
from edgecnn_firmware.compiler.ops.elementwise import Binary, Extreme, Product, SquaredDifference, Sum
from edgecnn_firmware.compiler.ops.value import Value

_KINDS: Final = {"neon": ("neon", 8), "dsp": ("dsp", 4), "mve": ("mve", 4), "vnni": ("vnni", 1), "avx2": ("avx2", 1)}
"""How kernels of a target end, by its field, and of how many elements they take a multiple."""


def _operands(op: Binary, emitter: Emitter) -> tuple[str, list[str]]:
    """Emit the struct `edgecnn_pairs`; a pointer to it and to both operands."""
    emitter.include("edgecnn_elementwise.h")
    channels = op.output.channels

    def step(value: Value) -> int:
        return channels if value.elements == op.output.elements else 0

    pointers = [emitter.pointer(value) for value in op.inputs]
    steps = [step(value) for value in op.inputs]
    if op.constant is not None:
        place = 0 if op.constant_first else 1
        pointers.insert(place, emitter.constant("operand", op.constant))
        steps.insert(place, channels if op.constant.size == op.output.elements else 0)
    fields = {"rows": emitter.length(op.output), "channels": channels, "a_step": steps[0], "b_step": steps[1]}
    return emitter.struct("edgecnn_pairs", "pairs", fields), pointers


@emit.register
def _sum(op: Sum, emitter: Emitter) -> None:
    p = op.parameters
    line = solve_pair_line(p, op.output.affine, *op.ranges())
    whole = op.constant is None and {value.elements for value in op.inputs} == {op.output.elements}
    kind, lanes = next((found for name, found in _KINDS.items() if getattr(emitter.target, name)), ("", 1))
    size: int | str = emitter.elements(op.output)
    # Of some rows it is not known how many they are.
    fits = (size if isinstance(size, int) else op.output.channels) % lanes == 0
    if kind and line is not None and whole and fits:
        emitter.include(f"edgecnn_elementwise_{kind}.h")
        kernel = f"edgecnn_add_line_{kind}"
        pointers = list(map(emitter.pointer, op.inputs))
    else:
        size, pointers = _operands(op, emitter)
        kernel = "edgecnn_add_line" if line is not None else "edgecnn_add"
    if line is not None:
        struct = "edgecnn_pair_line"
        fields: dict[str, object] = {
            "first": line.first,
            "second": line.second,
            "addend": line.addend,
            "drop": line.drop,
            "offset": line.offset,
            "shift": line.shift,
        }
    else:
        struct = "edgecnn_sum"
        fields = {
            "first": _scaling(p.first),
            "second": _scaling(p.second),
            "multiplier": p.multiplier,
            "sign": p.sign,
            "right_shift": -p.shift,
            "zero_point": p.zero_point,
        }
        emitter.note(f"op {op.number} adds as the reference does, step by step: no shorter form equals it")
    numbers = emitter.struct(struct, "sum", {**fields, "clamp_min": p.clamp_min, "clamp_max": p.clamp_max})
    emitter.call(kernel, size, numbers, *pointers, emitter.pointer(op.output))


def _scaling(found: Scaling) -> str:
    fields = {"zero_point": found.zero_point, "multiplier": found.multiplier, "right_shift": -found.shift}
    return struct_literal(fields)


@emit.register
def _product(op: Product, emitter: Emitter) -> None:
    pairs, pointers = _operands(op, emitter)
    zero = np.zeros(1, np.int64)
    struct = requantization_fields(emitter, op.number, op.label, op.requantization, zero, *op.reach())
    emitter.call("edgecnn_mul", pairs, struct, *op.zero_points, *pointers, emitter.pointer(op.output))


@emit.register
def _squared_difference(op: SquaredDifference, emitter: Emitter) -> None:
    size, pointers = _operands(op, emitter)
    p = op.parameters
    first, second = (
        struct_literal({"zero_point": zero_point, "multiplier": multiplier, "right_shift": -shift})
        for zero_point, (multiplier, shift) in zip(p.zero_points, p.multipliers, strict=True)
    )
    fields = {"first": first, "second": second, "multiplier": p.multiplier, "right_shift": -p.shift}
    numbers = emitter.struct("edgecnn_square", "square", {**fields, "zero_point": p.zero_point})
    emitter.call("edgecnn_squared_difference", size, numbers, *pointers, emitter.pointer(op.output))


@emit.register
def _extreme(op: Extreme, emitter: Emitter) -> None:
    pairs, pointers = _operands(op, emitter)
    emitter.call("edgecnn_extreme", pairs, int(op.kind == "max"), *pointers, emitter.pointer(op.output))
