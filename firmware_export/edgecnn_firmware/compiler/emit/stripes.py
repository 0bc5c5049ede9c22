"""Stripes -> a loop over the stripes, in which each op makes the rows that are due."""

import re
from typing import Final

from edgecnn_firmware.compiler.emit.context import Emitter, Needs, describe, emit, needs
from edgecnn_firmware.compiler.emit.stripes_reductions import begin, finish, grow, kept_bytes
from edgecnn_firmware.compiler.ops.stripes import CopyRows, Reach, Step, Stripes
from edgecnn_firmware.compiler.ops.value import Op, Value
from edgecnn_firmware.compiler.stripes.reach import reduces
from edgecnn_firmware.compiler.targets import Target

_OFFSET: Final = re.compile(r"(.*) \+ (\d+)")


@needs.register
def _stripes_needs(op: Stripes, target: Target) -> Needs:
    kept = sum(_kept_bytes(reduction) for reduction in _reductions(op))
    return Needs(_inner_scratch(op, target) + kept + op.lines_bytes + sum(_results(op).values()))


def _inner_scratch(op: Stripes, target: Target) -> int:
    """Bytes that the kernels need in turns."""
    return _whole_words(max(0 if reduces(step.op) else needs(step.op, target).scratch_bytes for step in op.steps))


def _reductions(op: Stripes) -> list[Op]:
    return [step.op for step in op.steps if reduces(step.op)]


def _kept_bytes(reduction: Op) -> int:
    """Bytes of what a reduction has so far."""
    return _whole_words(kept_bytes(reduction))


def _results(op: Stripes) -> dict[int, int]:
    """Bytes of the results of reductions, and of what the tail makes of them but for the last, by storage."""
    found = {inner.output.storage: inner.output.bytes for inner in (*_reductions(op), *op.tail)}
    return {storage: bytes_ for storage, bytes_ in found.items() if storage != op.output.storage}


def _whole_words(bytes_: int) -> int:
    return -(-bytes_ // 4) * 4


@emit.register
def _copy_rows(op: CopyRows, emitter: Emitter) -> None:
    emitter.call("edgecnn_copy", emitter.pointer(op.output), emitter.pointer(op.inputs[0]), emitter.elements(op.output))


@emit.register
def _stripes(op: Stripes, emitter: Emitter) -> None:
    emitter.include("edgecnn_stripes.h")
    scratch, place = emitter.scratch(op), _inner_scratch(op, emitter.target)
    reductions, kept = _reductions(op), {}
    for reduction in reductions:
        kept[reduction.output.storage] = _plus(scratch, place)
        place += _kept_bytes(reduction)
    many = f"{len(op.ops)} ops in {op.count} stripes"
    emitter.line(f"    /* {many}: each makes, stripe by stripe, the rows that those after it are about to read */")
    with emitter.block("{"):
        for storage, lines in op.lines.items():
            emitter.line(f"    int8_t *const {_bytes(storage)} = {_plus(scratch, place)};")
            emitter.line(f"    edgecnn_rows {_rows(storage)} = {{{-lines.before}, 0}};")
            place += lines.bytes
        for step in op.steps:
            if step.op.output.storage not in op.lines:
                emitter.line(f"    int {_made(op, step)} = 0;")
        for storage, lines in op.lines.items():
            if lines.before:
                emitter.call("edgecnn_fill", _bytes(storage), lines.fill, lines.before * lines.value.channels)
        for reduction in reductions:
            begin(reduction, emitter, kept[reduction.output.storage])
        with emitter.block(f"for (int stripe = 0; stripe < {op.count}; ++stripe) {{"):
            for step in op.steps:
                _step(op, step, emitter, kept.get(step.op.output.storage, ""))
        results = {}
        for storage, bytes_ in _results(op).items():
            results[storage] = _plus(scratch, place)
            place += bytes_
        for reduction in reductions:
            emitter.op = reduction
            with emitter.within(reduction, results, {}, "0"):
                finish(reduction, emitter, kept[reduction.output.storage])
        for last in op.tail:
            emitter.begin(last, f"{len(emitter.ops)}: {describe(last)}")
            with emitter.within(last, results, {}, "0"):
                emit(last, emitter)


def _step(op: Stripes, step: Step, emitter: Emitter, kept: str) -> None:
    inner, made = step.op, _made(op, step)
    emitter.begin(inner, f"{len(emitter.ops)}: {describe(inner)}")
    with emitter.block("{"):
        due = f"{made}, {step.first} + {step.step} * stripe, {step.rows}"
        emitter.line(f"    const int rows = edgecnn_rows_due({due});")
        with emitter.block("if (rows > 0) {"):
            if reduces(inner):
                x, _ = _input(op, inner.inputs[0], step.reaches[0], 0, made, emitter)
                grow(inner, emitter, kept, made, "rows", x)
                emitter.line(f"    {made} += rows;")
            else:
                _make(op, step, emitter)


def _make(op: Stripes, step: Step, emitter: Emitter) -> None:
    """One op: where its rows come from and go to, its kernel, and what it has made then."""
    inner, made, to = step.op, _made(op, step), step.op.output
    places, lengths = {}, {to.storage: "rows"}
    for position, (value, reach) in enumerate(zip(inner.inputs, step.reaches, strict=True)):
        places[value.storage], lengths[value.storage] = _input(op, value, reach, position, made, emitter)
    lines = op.lines.get(to.storage)
    if lines is None:
        places[to.storage] = f"{emitter.pointer(to)} + {made} * {to.channels}"
    else:
        lowest = _lowest_row(op, to.storage)
        held = f"&{_rows(to.storage)}, {_bytes(to.storage)}, {to.channels}"
        emitter.line(f"    int8_t *const y = edgecnn_rows_next({held}, {lowest});")
        places[to.storage] = "y"
    scratch = emitter.scratch(op) if needs(inner, emitter.target).scratch_bytes else "0"
    with emitter.within(inner, places, lengths, scratch):
        emit(inner, emitter)
    emitter.line(f"    {made} += rows;")
    if lines is not None and lines.after:
        held = f"&{_rows(to.storage)}, {_bytes(to.storage)}, {to.channels}"
        emitter.call("edgecnn_rows_pad", held, step.rows, lines.after, lines.fill)


def _lowest_row(op: Stripes, storage: int) -> str:
    """C expression of the first row of a value that is still to be read."""
    readers = [
        _first_row(_made(op, step), reach)
        for step in op.steps
        for value, reach in zip(step.op.inputs, step.reaches, strict=True)
        if value.storage == storage
    ]
    lowest = readers[0]
    for reader in readers[1:]:
        lowest = f"edgecnn_min({lowest}, {reader})"
    return lowest


def _input(op: Stripes, value: Value, reach: Reach, position: int, made: str, emitter: Emitter) -> tuple[str, str]:
    """C expressions of the first row that an op reads now, and of how many rows lie from it on."""
    row, pointer = f"from{position}", f"x{position}"
    emitter.line(f"    const int {row} = {_first_row(made, reach)};")
    whole = next((given for given in op.inputs if given.storage == value.storage), None)
    if whole is None:
        rows = _rows(value.storage)
        place = f"{_bytes(value.storage)} + ({row} - {rows}.first) * {value.channels}"
        emitter.line(f"    const int8_t *const {pointer} = {place};")
        return pointer, f"{rows}.end - {row}"
    kind = "float" if whole.type == "float32" else "int8_t"
    emitter.line(f"    const {kind} *const {pointer} = {emitter.pointer(value)} + {row} * {value.channels};")
    return pointer, f"{whole.length} - {row}"


def _first_row(end: str, reach: Reach) -> str:
    """The first input row of the first output row that is still to be made."""
    scaled = end if reach.stride == 1 else f"{end} * {reach.stride}"
    return scaled if reach.before == 0 else f"{scaled} - {reach.before}"


def _made(op: Stripes, step: Step) -> str:
    """C expression of how many rows an op has made, those of padding after the last included."""
    output = step.op.output
    return f"{_rows(output.storage)}.end" if output.storage in op.lines else f"made{output.storage}"


def _rows(storage: int) -> str:
    return f"rows{storage}"


def _bytes(storage: int) -> str:
    return f"bytes{storage}"


def _plus(expression: str, offset: int) -> str:
    """A pointer so many bytes on."""
    if not offset:
        return expression
    found = _OFFSET.fullmatch(expression)
    return f"{found[1]} + {int(found[2]) + offset}" if found else f"{expression} + {offset}"
