"""The table and the form of a requantization, chosen by proof."""

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.requantization import Line, Requantization, Rounding, solve_line, solve_wide_line
from edgecnn_firmware.compiler.emit.context import Emitter, struct_literal, wrapped
from edgecnn_firmware.compiler.ops.convolution import Products
from edgecnn_firmware.errors import ModelError

MOST_PRE_SHIFT: Final = 30


def requantization_struct(op: Products, emitter: Emitter) -> str:
    """Emit the const struct `edgecnn_requantization` of an op; its C name.

    Raises:
        ModelError: no form equals the reference on every reachable accumulator.
    """
    emitter.include("edgecnn_requantize.h")
    lowest, highest = op.reach()
    requantization = op.requantization
    line = solve_line(requantization, op.folded_bias, lowest, highest, most_pre_shift=MOST_PRE_SHIFT)
    if line is not None:
        fields, table = _line(line)
    elif requantization.rounding is Rounding.TWICE:
        fields, table = _twice(requantization, op)
    else:
        fields, table = _wide(op)
    number = op.number
    name = emitter.constant("requantize", table)
    struct = f"op{number}_requantization"
    text = struct_literal(
        {
            "form": fields["form"],
            "table": name,
            "pre_shift": fields.get("pre_shift", 0),
            "shift": fields.get("shift", 0),
            "zero_point": requantization.zero_point,
            "clamp_min": requantization.clamp_min,
            "clamp_max": requantization.clamp_max,
        }
    )
    emitter.line(wrapped(f"static const edgecnn_requantization {struct} = ", text, ";"))
    return f"&{struct}"


def _line(line: Line) -> tuple[dict[str, object], npt.NDArray[np.int32]]:
    table = np.stack([line.multipliers, line.addends], axis=1)
    return {"form": "EDGECNN_LINE", "pre_shift": line.pre_shift, "shift": line.shift}, table


def _twice(requantization: Requantization, op: Products) -> tuple[dict[str, object], npt.NDArray[np.int32]]:
    multipliers, shifts = requantization.multipliers()
    lowest, highest = op.reach()
    bias = op.folded_bias
    requantization.require_range(lowest + bias, highest + bias)
    uniform = len(set(shifts.tolist())) == 1 and -30 <= int(shifts[0]) <= -1
    # The rounding of the uniform form adds up to 2^29 to the doubled high product, which is below the accumulator.
    small = max(np.abs(lowest + bias).max(), np.abs(highest + bias).max()) < 1 << 30
    columns = [multipliers, bias] if uniform and small else [multipliers, bias, shifts]
    table = np.stack(columns, axis=1).astype(np.int32)
    if uniform and small:
        return {"form": "EDGECNN_TWICE", "shift": -int(shifts[0])}, table
    return {"form": "EDGECNN_TWICE_PER_CHANNEL"}, table


def _wide(op: Products) -> tuple[dict[str, object], npt.NDArray[np.int32]]:
    line = solve_wide_line(op.requantization, op.folded_bias, *op.reach())
    if line is None:
        raise ModelError(f"op #{op.number} {op.label}: no integer form was found that equals its float64 rounding")
    low, high = line.addends & 0xFFFFFFFF, line.addends >> 32
    table = np.stack([line.multipliers.astype(np.int64), low.astype(np.uint32).view(np.int32), high], axis=1)
    return {"form": "EDGECNN_WIDE_LINE", "shift": line.shift}, table.astype(np.int32)
