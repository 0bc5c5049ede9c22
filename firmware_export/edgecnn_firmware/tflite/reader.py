"""`.tflite` bytes -> `Model`: everything a later stage relies on is checked here, once."""

import math
from typing import Final

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite import schema
from edgecnn_firmware.tflite.flatbuffer import Budget, Buffer, Table
from edgecnn_firmware.tflite.model import Model, Operator, Quantization, Subgraph, Tensor
from edgecnn_firmware.tflite.schema import (
    BufferField,
    ModelField,
    OperatorCodeField,
    OperatorField,
    QuantizationField,
    SubGraphField,
    TensorField,
)

MAX_FILE_BYTES: Final = 1 << 30
MAX_ELEMENTS: Final = 1 << 31
MAX_DIMENSIONS: Final = 8
MAX_NAME_CHARACTERS: Final = 4096

_ZERO_POINT_RANGE: Final = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767), "INT32": (-(2**31), 2**31 - 1)}


def read_model(data: bytes, name: str) -> Model:
    """Read a `.tflite` file from anywhere.

    Args:
        data: the file's bytes.
        name: the file's name, for errors.

    Raises:
        ModelError: one line that says what is wrong and where; nothing else comes out for any bytes.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ModelError(f"{name}: {len(data)} bytes; models of up to {MAX_FILE_BYTES} bytes are read")
    if data[4:8] != schema.IDENTIFIER:
        raise ModelError(f"{name}: not a .tflite file: bytes 4 to 7 are {data[4:8]!r}, expected {schema.IDENTIFIER!r}")
    # A real file spends several bytes on each element that is visited.
    buffer = Buffer(memoryview(data), name, Budget(4 * len(data) + 10_000))
    root = buffer.root()
    version = root.number(ModelField.VERSION, "I", 0)
    if version != schema.SCHEMA_VERSION:
        raise buffer.fail(f"schema version {version}; version {schema.SCHEMA_VERSION} is read")
    codes = [_op_code(buffer, table) for table in root.tables(ModelField.OPERATOR_CODES)]
    contents = [_content(buffer, number, table) for number, table in enumerate(root.tables(ModelField.BUFFERS))]
    subgraphs = tuple(_subgraph(buffer, table, codes, contents) for table in root.tables(ModelField.SUBGRAPHS))
    if not subgraphs:
        raise buffer.fail("it holds no graph")
    return Model(name, _name(root, ModelField.DESCRIPTION), subgraphs, len(data))


def _name(table: Table, field: int) -> str:
    return table.text(field)[:MAX_NAME_CHARACTERS]


def _op_code(buffer: Buffer, table: Table) -> tuple[str, int, bool]:
    # Codes over 126 do not fit the older one-byte field, which then holds a placeholder.
    number = max(
        table.number(OperatorCodeField.DEPRECATED_BUILTIN_CODE, "b", 0),
        table.number(OperatorCodeField.BUILTIN_CODE, "i", 0),
    )
    version = table.number(OperatorCodeField.VERSION, "i", 1)
    if number == schema.CUSTOM:
        return _name(table, OperatorCodeField.CUSTOM_CODE) or "CUSTOM", version, True
    if not 0 <= number < len(schema.BUILTIN_OPS) or number == schema.PLACEHOLDER:
        raise buffer.fail(f"op code {number} is not in the format's list of {len(schema.BUILTIN_OPS)} ops")
    return schema.BUILTIN_OPS[number], version, False


def _content(buffer: Buffer, number: int, table: Table) -> memoryview:
    if table.number(BufferField.OFFSET, "Q", 0) > 1:
        raise buffer.fail(f"buffer {number} lies outside the FlatBuffer (a model of over 2 GB); such models are not read")
    return table.raw(BufferField.DATA, 1)


def _subgraph(
    buffer: Buffer, table: Table, codes: list[tuple[str, int, bool]], contents: list[memoryview]
) -> Subgraph:
    tensors = tuple(
        _tensor(buffer, index, entry, contents) for index, entry in enumerate(table.tables(SubGraphField.TENSORS))
    )
    subgraph = Subgraph(
        _name(table, SubGraphField.NAME),
        tensors,
        _indices(buffer, table, SubGraphField.INPUTS, len(tensors), "graph input"),
        _indices(buffer, table, SubGraphField.OUTPUTS, len(tensors), "graph output"),
        tuple(
            _operator(buffer, index, entry, codes, len(tensors))
            for index, entry in enumerate(table.tables(SubGraphField.OPERATORS))
        ),
    )
    _require_order(buffer, subgraph)
    return subgraph


def _indices(buffer: Buffer, table: Table, field: int, tensors: int, what: str, lowest: int = 0) -> tuple[int, ...]:
    found: tuple[int, ...] = table.numbers(field, "i")
    for index in found:
        if not lowest <= index < tensors:
            raise buffer.fail(f"{what} is tensor {index}; the graph has {tensors} tensors")
    return found


def _operator(
    buffer: Buffer, index: int, table: Table, codes: list[tuple[str, int, bool]], tensors: int
) -> Operator:
    code = table.number(OperatorField.OPCODE_INDEX, "I", 0)
    if code >= len(codes):
        raise buffer.fail(f"op #{index} has op code number {code}; the file lists {len(codes)}")
    name, version, is_custom = codes[code]
    inputs = _indices(buffer, table, OperatorField.INPUTS, tensors, f"an input of op #{index} {name}", lowest=-1)
    outputs = _indices(buffer, table, OperatorField.OUTPUTS, tensors, f"an output of op #{index} {name}")
    return Operator(index, name, version, inputs, outputs, is_custom)


def _tensor(buffer: Buffer, index: int, table: Table, contents: list[memoryview]) -> Tensor:
    name = _name(table, TensorField.NAME)
    where = f"tensor {index} '{name[:60]}'"
    number = table.number(TensorField.TYPE, "b", 0)
    if not 0 <= number < len(schema.TENSOR_TYPES):
        raise buffer.fail(f"{where} has type number {number}; the format has {len(schema.TENSOR_TYPES)}")
    kind, bits = schema.TENSOR_TYPES[number]
    shape: tuple[int, ...] = table.numbers(TensorField.SHAPE, "i")
    if len(shape) > MAX_DIMENSIONS or any(size < 0 for size in shape) or math.prod(shape) > MAX_ELEMENTS:
        raise buffer.fail(f"{where} has shape {list(shape[:12])}; at most {MAX_ELEMENTS} elements are handled")
    if table.table(TensorField.SPARSITY) is not None:
        raise ModelError(f"{buffer.name}: {where} is stored sparse; convert the model without sparsity")
    content = table.number(TensorField.BUFFER, "I", 0)
    if content >= len(contents):
        raise buffer.fail(f"{where} has buffer number {content}; the file has {len(contents)}")
    data = contents[content] if content and len(contents[content]) else None
    if data is not None and bits and len(data) != (math.prod(shape) * bits + 7) // 8:
        raise buffer.fail(f"{where} is {kind} {list(shape)} but its constant has {len(data)} bytes")
    return Tensor(
        index,
        name,
        kind,
        shape,
        table.numbers(TensorField.SHAPE_SIGNATURE, "i") or shape,
        _quantization(buffer, where, table.table(TensorField.QUANTIZATION), kind, shape),
        bool(table.number(TensorField.IS_VARIABLE, "B", 0)),
        data,
    )


def _quantization(
    buffer: Buffer, where: str, table: Table | None, kind: str, shape: tuple[int, ...]
) -> Quantization | None:
    if table is None:
        return None
    scales = table.numbers(QuantizationField.SCALE, "f")
    if table.number(QuantizationField.DETAILS_TYPE, "B", 0):
        raise ModelError(f"{buffer.name}: {where} has a custom or blockwise quantization; per tensor or channel is read")
    if not scales:
        return None
    axis = table.number(QuantizationField.QUANTIZED_DIMENSION, "i", 0)
    zero_points = table.numbers(QuantizationField.ZERO_POINT, "q") or (0,) * len(scales)
    if any(not (math.isfinite(scale) and scale > 0) for scale in scales):
        raise buffer.fail(f"{where} has a quantization scale that is not a positive number")
    per_channel = len(scales) > 1
    if len(zero_points) != len(scales) or (per_channel and not 0 <= axis < len(shape)):
        raise buffer.fail(f"{where} has {len(scales)} scales and {len(zero_points)} zero points along axis {axis}")
    if per_channel and len(scales) != shape[axis]:
        raise buffer.fail(f"{where} has {len(scales)} scales for {shape[axis]} channels")
    low, high = _ZERO_POINT_RANGE.get(kind, (-(2**63), 2**63 - 1))
    if any(not low <= zero_point <= high for zero_point in zero_points):
        raise buffer.fail(f"{where} is {kind} and has a zero point outside {low} to {high}")
    return Quantization(scales, zero_points, axis)


def _require_order(buffer: Buffer, subgraph: Subgraph) -> None:
    """Every op's inputs are constants, graph inputs, variables, or written by an op before it; nothing is written twice."""
    ready = {tensor.index for tensor in subgraph.tensors if tensor.data is not None or tensor.is_variable}
    ready.update(subgraph.inputs)
    for op in subgraph.operators:
        for index in op.inputs:
            if index >= 0 and index not in ready and subgraph.tensors[index].elements:
                raise buffer.fail(f"op #{op.index} {op.name} reads tensor {index} before any op wrote it")
        for index in op.outputs:
            if index in ready and not subgraph.tensors[index].is_variable:
                raise buffer.fail(f"op #{op.index} {op.name} writes tensor {index}, which already has a value")
        ready.update(op.outputs)
    for index in subgraph.outputs:
        if index not in ready:
            raise buffer.fail(f"graph output tensor {index} is written by no op")
