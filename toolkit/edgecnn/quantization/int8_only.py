"""The last look at an int8 file: nothing in it may compute in floating point."""

from typing import Any

from edgecnn.tensorflow_setup import import_tensorflow, quiet
from edgecnn_firmware.errors import ModelError

_MAX_LISTED = 5


def require_int8_only(data: bytes, name: str) -> None:
    """Check that no op of a `.tflite` file reads or writes a floating-point tensor, and that it is int8 outside.

    Args:
        data: bytes that the converter has just written; not for files from elsewhere.
        name: what the file is, for the error.

    Raises:
        ModelError: listing the number and name of the ops that stayed in floating point.
    """
    import_tensorflow()
    with quiet():
        from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    floats = {schema.TensorType.FLOAT16, schema.TensorType.FLOAT32, schema.TensorType.FLOAT64}
    found = []
    for number in range(graph.OperatorsLength()):
        op = graph.Operators(number)
        touched = [*_indices(op, "Inputs"), *_indices(op, "Outputs")]
        if any(tensor >= 0 and graph.Tensors(tensor).Type() in floats for tensor in touched):
            found.append(f"op #{number} {_op_name(schema, model, op)}")
    if found:
        more = f" and {len(found) - _MAX_LISTED} more" if len(found) > _MAX_LISTED else ""
        raise ModelError(f"{name} still computes in floating point: {', '.join(found[:_MAX_LISTED])}{more}")
    for end, indices in (("input", _indices(graph, "Inputs")), ("output", _indices(graph, "Outputs"))):
        if len(indices) != 1 or graph.Tensors(indices[0]).Type() != schema.TensorType.INT8:
            raise ModelError(f"{name} has no single int8 {end}")


def _indices(table: Any, what: str) -> list[int]:
    return [int(getattr(table, what)(number)) for number in range(getattr(table, f"{what}Length")())]


def _op_name(schema: Any, model: Any, op: Any) -> str:
    code = model.OperatorCodes(op.OpcodeIndex())
    # Files for older runtimes keep small codes in the first field only.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    return next((name for name, value in vars(schema.BuiltinOperator).items() if value == number), f"code {number}")
