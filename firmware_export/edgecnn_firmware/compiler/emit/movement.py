"""Move -> loops over the kernel that copies runs of elements."""

from edgecnn_firmware.compiler.emit.context import Emitter, emit
from edgecnn_firmware.compiler.ops.movement import Move, Part
from edgecnn_firmware.compiler.ops.value import ELEMENT_BYTES


@emit.register
def _move(op: Move, emitter: Emitter) -> None:
    emitter.include("edgecnn_move.h")
    size = ELEMENT_BYTES[op.output.type]
    to = emitter.pointer(op.output)
    if op.fill is not None:
        emitter.call("edgecnn_fill", to, op.fill, op.output.elements)
    for part in op.parts:
        _part(part, emitter, f"(int8_t *){to}" if size > 1 else to, emitter.pointer(op.inputs[part.source]), size)


def _part(part: Part, emitter: Emitter, to: str, source: str, size: int) -> None:
    sizes, sources, outputs = list(part.sizes), list(part.source_strides), list(part.output_strides)
    run = size
    # The innermost axis is one run of bytes where it lies without gaps on both sides.
    if sizes and sources[-1] == outputs[-1] == 1:
        run = sizes.pop() * size
        sources.pop()
        outputs.pop()
    while len(sizes) < 3:
        sizes.insert(0, 1)
        sources.insert(0, 0)
        outputs.insert(0, 0)
    if len(sizes) > 3:
        for index in range(sizes[0]):
            inner = Part(
                part.source,
                part.sizes[1:],
                part.source_start + index * part.source_strides[0],
                part.source_strides[1:],
                part.output_start + index * part.output_strides[0],
                part.output_strides[1:],
            )
            _part(inner, emitter, to, source, size)
        return
    cast = "(const int8_t *)" if size > 1 else ""
    begin = f"{cast}{source} + {part.source_start * size}" if part.source_start else f"{cast}{source}"
    end = f"{to} + {part.output_start * size}" if part.output_start else to
    if sizes == [1, 1, 1]:
        emitter.call("edgecnn_move_run", end, begin, run)
        return
    emitter.call("edgecnn_move", *sizes, run, begin, *(n * size for n in sources), end, *(n * size for n in outputs))
