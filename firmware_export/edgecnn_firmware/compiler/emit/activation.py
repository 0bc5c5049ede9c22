"""Table, Softmax, LogSoftmax, PRelu, ArgMax and the float ends -> calls."""

import numpy as np

from edgecnn_firmware.c_text import float_literal
from edgecnn_firmware.compiler.arithmetic.softmax import exponentials
from edgecnn_firmware.compiler.emit.context import Emitter, emit
from edgecnn_firmware.compiler.ops.activation import (
    ArgMax,
    Dequantize,
    LogSoftmax,
    PRelu,
    QuantizeFloat,
    Softmax,
    Table,
)


@emit.register
def _table(op: Table, emitter: Emitter) -> None:
    emitter.include("edgecnn_table.h")
    # Bytes are bytes: a uint8 input reads the table from its middle, a uint8 output is written as the same bits.
    entries = np.roll(op.table, 128) if op.inputs[0].type == "uint8" else op.table
    name = emitter.constant("table", entries.view(np.int8))
    source, to = emitter.pointer(op.inputs[0]), emitter.pointer(op.output)
    source = f"(const int8_t *){source}" if op.inputs[0].type != "int8" else source
    to = f"(int8_t *){to}" if op.output.type != "int8" else to
    emitter.call("edgecnn_table", emitter.elements(op.output), name, source, to)


@emit.register
def _softmax(op: Softmax, emitter: Emitter) -> None:
    found, value = op.parameters, op.inputs[0]
    if emitter.target.vnni or emitter.target.avx2:
        emitter.include("edgecnn_softmax_table.h")
        table = emitter.constant("exponentials", exponentials(found).astype(np.int32))
        pointers = emitter.pointer(value), emitter.pointer(op.output)
        emitter.call("edgecnn_softmax_table", value.length, value.channels, table, *pointers)
        return
    emitter.include("edgecnn_softmax.h")
    emitter.call(
        "edgecnn_softmax",
        value.length,
        value.channels,
        found.multiplier,
        found.left_shift,
        found.least_difference,
        emitter.pointer(value),
        emitter.pointer(op.output),
    )


@emit.register
def _log_softmax(op: LogSoftmax, emitter: Emitter) -> None:
    emitter.include("edgecnn_log_softmax.h")
    found, value = op.parameters, op.inputs[0]
    emitter.call(
        "edgecnn_log_softmax",
        value.length,
        value.channels,
        found.forward.multiplier,
        found.forward.left_shift,
        found.forward.least_difference,
        found.reverse_multiplier,
        -found.reverse_shift,
        emitter.pointer(value),
        emitter.pointer(op.output),
    )


@emit.register
def _prelu(op: PRelu, emitter: Emitter) -> None:
    emitter.include("edgecnn_elementwise.h")
    value = op.inputs[0]
    fields = {
        "zero_point": value.affine.zero_point,
        "alpha_zero_point": op.alpha_zero_point,
        "output_zero_point": op.output.affine.zero_point,
        "positive": op.positive[0],
        "negative": op.negative[0],
        "positive_shift": op.positive[1],
        "negative_shift": op.negative[1],
    }
    slopes = emitter.struct("edgecnn_slopes", "slopes", fields)
    # One factor a channel, or one an element.
    rows = emitter.length(op.output) if len(op.alpha) == op.output.channels else 1
    emitter.call(
        "edgecnn_prelu",
        rows,
        len(op.alpha),
        slopes,
        emitter.constant("alpha", op.alpha),
        emitter.pointer(value),
        emitter.pointer(op.output),
    )


@emit.register
def _arg_max(op: ArgMax, emitter: Emitter) -> None:
    emitter.include("edgecnn_reduce.h")
    value = op.inputs[0]
    kernel = "edgecnn_arg_max_64" if op.output.type == "int64" else "edgecnn_arg_max_32"
    emitter.call(kernel, value.length, value.channels, emitter.pointer(value), emitter.pointer(op.output))


@emit.register
def _quantize_float(op: QuantizeFloat, emitter: Emitter) -> None:
    emitter.include("edgecnn_float.h")
    kernel = "edgecnn_quantize_u8" if op.output.type == "uint8" else "edgecnn_quantize"
    affine = op.output.affine
    scale = float_literal(affine.scale, "the input's scale")
    pointers = emitter.pointer(op.inputs[0]), emitter.pointer(op.output)
    emitter.call(kernel, emitter.elements(op.output), scale, affine.zero_point, *pointers)


@emit.register
def _dequantize(op: Dequantize, emitter: Emitter) -> None:
    emitter.include("edgecnn_float.h")
    kernel = "edgecnn_dequantize_u8" if op.inputs[0].type == "uint8" else "edgecnn_dequantize"
    affine = op.inputs[0].affine
    scale = float_literal(affine.scale, "the output's scale")
    pointers = emitter.pointer(op.inputs[0]), emitter.pointer(op.output)
    emitter.call(kernel, op.output.elements, scale, affine.zero_point, *pointers)
