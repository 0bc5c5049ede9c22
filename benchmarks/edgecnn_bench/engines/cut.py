"""Running the beginning of an int8 network: the file cut after one of its ops, and engines that run any file.

The cut is made in the file's own bytes: the graph's only output becomes the op's output tensor, and the list of ops
keeps those that it depends on, in their order. Weights, options and quantization stay where they are, so that a cut file
computes what the whole one computes up to there. An engine that plans over several ops at once may still do it
differently: XNNPACK fuses and picks kernels by what follows, so that its cut network can differ from the inside of its
whole one.
"""

import struct
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.flatbuffer import Buffer, Table
from edgecnn_firmware.tflite.model import Subgraph
from edgecnn_firmware.tflite.reader import MAX_SUBGRAPHS, read_model
from edgecnn_firmware.tflite.schema import ModelField, SubGraphField

_SIGNATURE_DEFS = 7
"""Field of table `Model`: names for inputs and outputs, which would name tensors that are no longer computed."""
_INDEX_BYTES = 4


@runtime_checkable
class RunsAnyModel(Protocol):
    """An engine that can run a `.tflite` file that is not in a bundle."""

    def run_model(self, model: bytes, inputs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """Run a file with one int8 input and one int8 output on `(n, ...)` inputs.

        Returns:
            `(n, elements)` int8 outputs, each row flattened in the order of the file's layout.

        Raises:
            EdgeCnnError: the engine refuses the file, or is not installed.
        """


def cut_after(model: bytes, op: int, name: str = "the model") -> bytes:
    """The file of the same size whose only output is that of op number `op` of the main graph.

    Raises:
        ModelError: the file is malformed, has no such op, or is laid out so that it cannot be cut in place.
    """
    graph = read_model(model, name).main
    if not 0 <= op < len(graph.operators):
        raise ModelError(f"{name}: it has no op #{op} to cut after; its ops are #0 to #{len(graph.operators) - 1}")
    if not graph.operators[op].outputs:
        raise ModelError(f"{name}: op #{op} {graph.operators[op].code.label} has no output to cut after")
    kept, target = needed_ops(graph, op), graph.operators[op].outputs[0]
    cut = bytearray(model)
    buffer = Buffer(model, name)
    root = buffer.root()
    main = root.tables(ModelField.SUBGRAPHS, "subgraphs", MAX_SUBGRAPHS)[0]
    _set_output(cut, main, target, buffer)
    _keep_ops(cut, main, kept, buffer)
    signatures, start = root.place(_SIGNATURE_DEFS, _INDEX_BYTES)
    if signatures:
        struct.pack_into("<I", cut, start - _INDEX_BYTES, 0)
    _check(bytes(cut), graph, kept, target, name)
    return bytes(cut)


def needed_ops(graph: Subgraph, op: int) -> tuple[int, ...]:
    """Numbers of the ops that op number `op` depends on, and its own, in the order they run.

    Ops that touch a variable or have no output are taken along whether or not a path leads there.
    """
    wanted = {index for index in graph.operators[op].inputs if index >= 0}
    kept = [op]
    for earlier in reversed(graph.operators[:op]):
        touched = (*earlier.inputs, *earlier.outputs)
        acts = not earlier.outputs or any(graph.tensors[index].is_variable for index in touched if index >= 0)
        if acts or wanted.intersection(earlier.outputs):
            wanted.update(index for index in earlier.inputs if index >= 0)
            kept.append(earlier.index)
    return tuple(reversed(kept))


def _set_output(cut: bytearray, main: Table, tensor: int, buffer: Buffer) -> None:
    count, start = main.place(SubGraphField.OUTPUTS, _INDEX_BYTES)
    if not count:
        raise buffer.fail("the graph has no output")
    struct.pack_into("<Ii", cut, start - _INDEX_BYTES, 1, tensor)


def _keep_ops(cut: bytearray, main: Table, kept: tuple[int, ...], buffer: Buffer) -> None:
    """Move the offsets of the kept ops to the front; an offset counts from where it lies."""
    _, start = main.place(SubGraphField.OPERATORS, _INDEX_BYTES)
    places = [buffer.follow(start + _INDEX_BYTES * number) for number in kept]
    for slot, place in enumerate(places):
        at = start + _INDEX_BYTES * slot
        struct.pack_into("<I", cut, at, place - at)
    struct.pack_into("<I", cut, start - _INDEX_BYTES, len(kept))


def _check(cut: bytes, whole: Subgraph, kept: tuple[int, ...], target: int, name: str) -> None:
    """A file may store one vector for several fields; then changing one in place changes the others."""
    refused = f"{name}: its parts share bytes, so that it cannot be cut in place after op #{kept[-1]}"
    try:
        main = read_model(cut, name).main
    except ModelError as error:
        raise ModelError(refused) from error
    expected = [(op.code, op.inputs, op.outputs, op.options) for op in (whole.operators[number] for number in kept)]
    found = [(op.code, op.inputs, op.outputs, op.options) for op in main.operators]
    if main.inputs != whole.inputs or main.outputs != (target,) or found != expected or main.tensors != whole.tensors:
        raise ModelError(refused)
