"""The table and the form of a requantization, chosen by proof."""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64
from edgecnn_firmware.compiler.arithmetic.float_line import FloatLine
from edgecnn_firmware.compiler.arithmetic.requantization import (
    Line,
    Requantization,
    Rounding,
    solve_line,
    solve_wide_line,
)
from edgecnn_firmware.compiler.emit.context import Emitter
from edgecnn_firmware.compiler.ops.convolution import Products
from edgecnn_firmware.errors import ModelError

_STRUCT: Final = "edgecnn_requantization"


@lru_cache(maxsize=256)
def line_of(op: Products) -> Line | None:
    """The 32-bit form of an op's requantization, where there is one."""
    return solve_line(op.requantization, op.folded_bias, *op.reach())


def requantization_of(op: Products, emitter: Emitter, lanes: int = 1) -> dict[str, object]:
    """Emit the table of an op's requantization; the fields of its `edgecnn_requantization`.

    Args:
        op: the op.
        emitter: where it goes.
        lanes: channels whose multipliers lie next to each other in a line's table, then their addends, then their drops.

    Raises:
        ModelError: no form equals the reference on every reachable accumulator.
    """
    line = line_of(op)
    return _fields(emitter, op.number, op.label, op.requantization, op.folded_bias, *op.reach(), line, lanes)


def requantization_struct(op: Products, emitter: Emitter, lanes: int = 1) -> str:
    """Emit the const struct `edgecnn_requantization` of an op; a pointer to it. As `requantization_of` otherwise."""
    return emitter.struct(_STRUCT, "scaling", requantization_of(op, emitter, lanes))


def requantization_fields(
    emitter: Emitter,
    number: int,
    label: str,
    requantization: Requantization,
    bias: Int64,
    lowest: Int64,
    highest: Int64,
) -> str:
    """The same for sums that no convolution makes; arguments as `solve_line`."""
    line = solve_line(requantization, bias, lowest, highest)
    fields = _fields(emitter, number, label, requantization, bias, lowest, highest, line, 1)
    return emitter.struct(_STRUCT, "scaling", fields)


def _fields(
    emitter: Emitter,
    number: int,
    label: str,
    requantization: Requantization,
    bias: Int64,
    lowest: Int64,
    highest: Int64,
    line: Line | None,
    lanes: int,
) -> dict[str, object]:
    emitter.include("edgecnn_requantize.h")
    requantization.require_range(lowest + bias, highest + bias)
    if line is not None:
        fields, table = _line(line)
        table = by_columns(table, lanes)
    elif requantization.rounding is Rounding.TWICE:
        fields, table = _twice(requantization, bias)
    else:
        fields, table = _wide(number, label, requantization, bias, lowest, highest)
    if line is None:
        emitter.note(f"op {number} requantizes by {fields['form']}: no shorter form equals the reference")
    return {
        "form": fields["form"],
        "table": emitter.constant("requantize", table),
        "pre_shift": fields.get("pre_shift", 0),
        "shift": fields.get("shift", 0),
        "offset": fields.get("offset", requantization.zero_point),
        "clamp_min": requantization.clamp_min,
        "clamp_max": requantization.clamp_max,
    }


def by_columns(table: npt.NDArray[np.int32], lanes: int) -> npt.NDArray[np.int32]:
    """A table `(channels, words)` as `(groups, words, lanes)`, with zeros up to a whole group."""
    channels, words = table.shape
    padded = np.zeros((-(-channels // lanes) * lanes, words), np.int32)
    padded[:channels] = table
    return np.ascontiguousarray(padded.reshape(-1, lanes, words).transpose(0, 2, 1))


def float_fields(line: FloatLine, emitter: Emitter, lanes: int) -> dict[str, object]:
    """Emit the table of a float form by columns of `lanes`; the fields of its `edgecnn_requantization`.

    Words of the table are floats, and a limit.
    """
    emitter.include("edgecnn_requantize.h")
    columns = [line.multipliers.view(np.int32), line.addends.view(np.int32)]
    if line.limits is not None:
        columns += [line.limits, line.lower.view(np.int32)]
    return {
        "form": "EDGECNN_FLOAT_LINE" if line.limits is None else "EDGECNN_SIGNED_FLOAT_LINE",
        "table": emitter.constant("requantize", by_columns(np.stack(columns, axis=1), lanes)),
        "pre_shift": 0,
        "shift": 0,
        "offset": 0,
        "clamp_min": line.clamp_min,
        "clamp_max": line.clamp_max,
    }


def _line(line: Line) -> tuple[dict[str, object], npt.NDArray[np.int32]]:
    columns = [line.multipliers, line.addends]
    fields: dict[str, object] = {"form": "EDGECNN_LINE", "pre_shift": line.pre_shift, "shift": line.shift, "offset": 0}
    if line.drops is not None:
        columns.append(line.drops)
        fields |= {"form": "EDGECNN_SIGNED_LINE", "offset": line.offset}
    return fields, np.stack(columns, axis=1)


def _twice(requantization: Requantization, bias: Int64) -> tuple[dict[str, object], npt.NDArray[np.int32]]:
    multipliers, shifts = requantization.multipliers()
    return {"form": "EDGECNN_TWICE"}, np.stack([multipliers, bias, shifts], axis=1).astype(np.int32)


def _wide(
    number: int, label: str, requantization: Requantization, bias: Int64, lowest: Int64, highest: Int64
) -> tuple[dict[str, object], npt.NDArray[np.int32]]:
    line = solve_wide_line(requantization, bias, lowest, highest)
    if line is None:
        raise ModelError(f"op #{number} {label}: no integer form was found that equals its float64 rounding")
    low, high = line.addends & 0xFFFFFFFF, line.addends >> 32
    table = np.stack([line.multipliers.astype(np.int64), low.astype(np.uint32).view(np.int32), high], axis=1)
    return {"form": "EDGECNN_WIDE_LINE", "shift": line.shift}, table.astype(np.int32)
