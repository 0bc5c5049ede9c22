"""Reductions at the end of stripes: what they keep from stripe to stripe, and how it begins, grows and ends."""

from functools import singledispatch
from typing import Final

from edgecnn_firmware.compiler.emit.context import Emitter
from edgecnn_firmware.compiler.emit.requantization import requantization_struct
from edgecnn_firmware.compiler.ops.convolution import Dense
from edgecnn_firmware.compiler.ops.reduction import Mean, ReduceMax
from edgecnn_firmware.compiler.ops.value import Op

_SUM_BYTES: Final = 4


@singledispatch
def kept_bytes(op: Op) -> int:  # noqa: ARG001
    """Bytes that an op keeps from stripe to stripe, aligned to 4; 0 where it reduces nothing."""
    return 0


@kept_bytes.register(Mean)
@kept_bytes.register(Dense)
def _sums_bytes(op: Op) -> int:
    return op.output.channels * _SUM_BYTES


@kept_bytes.register
def _largest_bytes(op: ReduceMax) -> int:
    return op.output.channels


@singledispatch
def begin(op: Op, emitter: Emitter, kept: str) -> None:
    """Before the first stripe; `kept`: C expression of where it keeps what it has."""
    raise NotImplementedError(type(op).__name__)


@begin.register
def _begin_mean(op: Mean, emitter: Emitter, kept: str) -> None:
    bias = -op.rows * op.inputs[0].affine.zero_point
    emitter.call("edgecnn_sums_begin", _sums(kept), op.output.channels, bias)


@begin.register
def _begin_dense(op: Dense, emitter: Emitter, kept: str) -> None:
    emitter.call("edgecnn_sums_begin", _sums(kept), op.output.channels, 0)


@begin.register
def _begin_max(op: ReduceMax, emitter: Emitter, kept: str) -> None:
    emitter.call("edgecnn_fill", kept, -128, op.output.channels)


@singledispatch
def grow(op: Op, emitter: Emitter, kept: str, first: str, rows: str, x: str) -> None:
    """Take `rows` rows, of which `first` is the number of the first, from `x`."""
    raise NotImplementedError(type(op).__name__)


@grow.register
def _grow_mean(op: Mean, emitter: Emitter, kept: str, first: str, rows: str, x: str) -> None:  # noqa: ARG001
    emitter.call("edgecnn_mean_rows", _sums(kept), rows, op.output.channels, x)


@grow.register
def _grow_dense(op: Dense, emitter: Emitter, kept: str, first: str, rows: str, x: str) -> None:
    channels, products = op.inputs[0].channels, op.weights.shape[1]
    weights = emitter.constant("weights", op.weights)
    place = f"{weights} + {first} * {channels}"
    emitter.call("edgecnn_dense_rows", _sums(kept), op.output.channels, products, f"{rows} * {channels}", place, x)


@grow.register
def _grow_max(op: ReduceMax, emitter: Emitter, kept: str, first: str, rows: str, x: str) -> None:  # noqa: ARG001
    emitter.call("edgecnn_max_rows", kept, rows, op.output.channels, x)


@singledispatch
def finish(op: Op, emitter: Emitter, kept: str) -> None:
    """After the last stripe: write the output."""
    raise NotImplementedError(type(op).__name__)


@finish.register
def _finish_mean(op: Mean, emitter: Emitter, kept: str) -> None:
    numbers = op.output.channels, op.multiplier, op.shift, op.output.affine.zero_point
    emitter.call("edgecnn_mean_end", _sums(kept), *numbers, emitter.pointer(op.output))


@finish.register
def _finish_dense(op: Dense, emitter: Emitter, kept: str) -> None:
    struct = requantization_struct(op, emitter)
    emitter.call("edgecnn_dense_end", _sums(kept), op.output.channels, struct, emitter.pointer(op.output))


@finish.register
def _finish_max(op: ReduceMax, emitter: Emitter, kept: str) -> None:
    emitter.call("edgecnn_copy", emitter.pointer(op.output), kept, op.output.channels)


def _sums(kept: str) -> str:
    return f"(int32_t *)(void *)({kept})"
