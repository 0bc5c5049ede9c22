"""The last look at an int8 file: nothing in it may compute in floating point."""

from typing import Final

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.reader import read_model

_MAX_LISTED: Final = 5


def require_int8_only(data: bytes, name: str) -> None:
    """Check that no op of a `.tflite` file reads or writes a floating-point tensor, and that it is int8 outside.

    Args:
        data: the file.
        name: what the file is, for the error.

    Raises:
        ModelError: listing the number and name of the ops that stayed in floating point.
    """
    graph = read_model(data, name).main
    floating = {tensor.index for tensor in graph.tensors if "FLOAT" in tensor.type.upper()}
    found = [
        f"op #{op.index} {op.name}" for op in graph.operators if not floating.isdisjoint((*op.inputs, *op.outputs))
    ]
    if found:
        more = f" and {len(found) - _MAX_LISTED} more" if len(found) > _MAX_LISTED else ""
        raise ModelError(f"{name} still computes in floating point: {', '.join(found[:_MAX_LISTED])}{more}")
    for end, indices in (("input", graph.inputs), ("output", graph.outputs)):
        if len(indices) != 1 or graph.tensors[indices[0]].type.upper() != "INT8":
            raise ModelError(f"{name} has no single int8 {end}")
