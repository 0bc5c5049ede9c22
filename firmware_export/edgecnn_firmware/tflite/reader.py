"""`.tflite` bytes -> `Model`: everything a later stage relies on is checked here, once."""

import math
from collections.abc import Callable
from enum import IntEnum
from typing import Final

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite import schema
from edgecnn_firmware.tflite.flatbuffer import Buffer, Table
from edgecnn_firmware.tflite.graph import require_calls, require_order
from edgecnn_firmware.tflite.model import Model, OpCode, Operator, Quantization, Subgraph, Tensor
from edgecnn_firmware.tflite.options import OPTIONS_OF_OP, UNION_NUMBER, Options, Slot, slots
from edgecnn_firmware.tflite.schema import (
    BufferField,
    MetadataField,
    ModelField,
    OperatorCodeField,
    OperatorField,
    QuantizationField,
    SubGraphField,
    TensorField,
)

MAX_FILE_BYTES: Final = 1 << 30
MAX_ELEMENTS: Final = (1 << 31) - 1
MAX_DIMENSIONS: Final = 8
MAX_NAME_BYTES: Final = 1024
"""Longer names are cut."""
MAX_SUBGRAPHS: Final = 1024
MAX_TABLES: Final = 1 << 16
"""Most tensors and most ops of a subgraph, buffers, op codes and metadata entries of a file."""

_ZERO_POINT_RANGE: Final = {
    "INT4": (-8, 7),
    "INT8": (-128, 127),
    "UINT8": (0, 255),
    "INT16": (-(1 << 15), (1 << 15) - 1),
    "UINT16": (0, (1 << 16) - 1),
    "INT32": (-(1 << 31), (1 << 31) - 1),
}
_ANY_ZERO_POINT: Final = (-(2**63), 2**63 - 1)


def read_model(data: bytes, name: str) -> Model:
    """Read a `.tflite` file from anywhere. Constants stay views of `data`.

    Args:
        data: the file's bytes.
        name: the file's name, for errors.

    Raises:
        ModelError: one line that says what is wrong and where; nothing else comes out for any bytes.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ModelError(f"{name}: {len(data)} bytes; models of up to {MAX_FILE_BYTES} bytes are read")
    if data[4:8] != schema.IDENTIFIER:
        found = data[4:8].hex(" ") or "missing"
        raise ModelError(f"{name}: not a .tflite file: bytes 4 to 7 are {found}; expected 54 46 4c 33 ('TFL3')")
    buffer = Buffer(data, name)
    root = buffer.root()
    version = root.number(ModelField.VERSION, "I")
    if version != schema.SCHEMA_VERSION:
        raise buffer.fail(f"schema version {version}; version {schema.SCHEMA_VERSION} is read")
    _refuse_compressed(buffer, root)
    codes = tuple(_op_code(buffer, table) for table in root.tables(ModelField.OPERATOR_CODES, "op codes", MAX_TABLES))
    contents = [
        _content(buffer, number, table)
        for number, table in enumerate(root.tables(ModelField.BUFFERS, "buffers", MAX_TABLES))
    ]
    subgraphs = tuple(
        _subgraph(buffer, index, table, codes, contents)
        for index, table in enumerate(root.tables(ModelField.SUBGRAPHS, "subgraphs", MAX_SUBGRAPHS))
    )
    if not subgraphs:
        raise buffer.fail("it holds no graph")
    model = Model(name, version, _name(root, ModelField.DESCRIPTION), codes, subgraphs, len(data))
    require_calls(model, buffer.fail)
    return model


def _name(table: Table, field: int) -> str:
    return table.text(field, MAX_NAME_BYTES)


def _refuse_compressed(buffer: Buffer, root: Table) -> None:
    for entry in root.tables(ModelField.METADATA, "metadata entries", MAX_TABLES):
        if _name(entry, MetadataField.NAME) == schema.COMPRESSION_METADATA:
            raise ModelError(f"{buffer.name}: its constants are stored compressed; use the model before compression")


def _op_code(buffer: Buffer, table: Table) -> OpCode:
    # Codes over 126 do not fit the older one-byte field, which then holds a placeholder.
    number = max(
        table.number(OperatorCodeField.DEPRECATED_BUILTIN_CODE, "b"),
        table.number(OperatorCodeField.BUILTIN_CODE, "i"),
    )
    version = table.number(OperatorCodeField.VERSION, "i", 1)
    if not 0 <= number < len(schema.BUILTIN_OPS) or number == schema.PLACEHOLDER:
        raise buffer.fail(f"op code {number} is not in the format's list of {len(schema.BUILTIN_OPS)} ops")
    custom_name = _name(table, OperatorCodeField.CUSTOM_CODE) if number == schema.CUSTOM else ""
    return OpCode(schema.BUILTIN_OPS[number], version, custom_name)


def _content(buffer: Buffer, number: int, table: Table) -> memoryview:
    if table.number(BufferField.OFFSET, "Q") > 1:
        raise buffer.fail(
            f"buffer {number} lies outside the FlatBuffer (a model of over 2 GB); such models are not read"
        )
    return table.raw(BufferField.DATA)


def _subgraph(
    buffer: Buffer, number: int, table: Table, codes: tuple[OpCode, ...], contents: list[memoryview]
) -> Subgraph:
    tensors = tuple(
        _tensor(buffer, index, entry, contents)
        for index, entry in enumerate(table.tables(SubGraphField.TENSORS, "tensors", MAX_TABLES))
    )
    subgraph = Subgraph(
        number,
        _name(table, SubGraphField.NAME),
        tensors,
        _indices(buffer, table, SubGraphField.INPUTS, len(tensors), f"an input of subgraph {number}"),
        _indices(buffer, table, SubGraphField.OUTPUTS, len(tensors), f"an output of subgraph {number}"),
        tuple(
            _operator(buffer, index, entry, codes, len(tensors))
            for index, entry in enumerate(table.tables(SubGraphField.OPERATORS, "ops", MAX_TABLES))
        ),
    )
    require_order(subgraph, buffer.fail)
    return subgraph


def _indices(buffer: Buffer, table: Table, field: int, tensors: int, what: str, *, lowest: int = 0) -> tuple[int, ...]:
    found = table.integers(field, "i")
    for index in found:
        if not lowest <= index < tensors:
            raise buffer.fail(f"{what} is tensor {index}; the graph has {tensors} tensors")
    return found


def _operator(buffer: Buffer, index: int, table: Table, codes: tuple[OpCode, ...], tensors: int) -> Operator:
    number = table.number(OperatorField.OPCODE_INDEX, "I")
    if number >= len(codes):
        raise buffer.fail(f"op #{index} has op code number {number}; the file lists {len(codes)}")
    code = codes[number]
    if table.number(OperatorField.LARGE_CUSTOM_OPTIONS_OFFSET, "Q") > 1:
        raise buffer.fail(
            f"op #{index} {code.label} keeps its options outside the FlatBuffer; such models are not read"
        )
    where = f"op #{index} {code.label}"
    return Operator(
        index,
        code,
        _indices(buffer, table, OperatorField.INPUTS, tensors, f"an input of {where}", lowest=-1),
        _indices(buffer, table, OperatorField.OUTPUTS, tensors, f"an output of {where}"),
        _options(buffer, table, code.name, where),
        _indices(buffer, table, OperatorField.INTERMEDIATES, tensors, f"an intermediate of {where}", lowest=-1),
        (table.raw(OperatorField.CUSTOM_OPTIONS) or None) if code.is_custom else None,
    )


def _options(buffer: Buffer, table: Table, op: str, where: str) -> Options | None:
    kind = OPTIONS_OF_OP.get(op)
    if kind is None:
        return None
    fields = slots(op)
    number = table.number(OperatorField.BUILTIN_OPTIONS_TYPE, "B")
    options = table.table(OperatorField.BUILTIN_OPTIONS) if number == UNION_NUMBER[kind] else None
    if options is None:
        if number not in (0, UNION_NUMBER[kind]) and fields:
            raise buffer.fail(f"{where} carries options of number {number}; expected {kind.__name__}")
        if any(slot.least is not None and slot.default < slot.least for slot, _ in fields.values()):
            raise buffer.fail(f"{where} carries no options; expected {kind.__name__}")
        return None
    make: Callable[..., Options] = kind
    return make(**{name: _option(buffer, options, *field, f"{where}: {name}") for name, field in fields.items()})


def _option(
    buffer: Buffer, table: Table, slot: Slot, enum: type[IntEnum] | None, where: str
) -> int | float | bool | str | tuple[int, ...]:
    if slot.form == "s":
        return _name(table, slot.number)
    if slot.form == "[i]":
        return table.integers(slot.number, "i")
    if slot.form == "f":
        real = table.real(slot.number, slot.default)
        if not math.isfinite(real):
            raise buffer.fail(f"{where} is {real}; expected a finite number")
        return real
    if slot.form == "?":
        return bool(table.number(slot.number, "B", int(slot.default)))
    number = table.number(slot.number, slot.form, int(slot.default))
    if slot.least is not None and number < slot.least:
        raise buffer.fail(f"{where} is {number}; expected at least {slot.least}")
    if enum is None:
        return number
    if number not in enum.__members__.values():
        raise buffer.fail(f"{where} is {number}; expected {', '.join(f'{e.value} ({e.name})' for e in enum)}")
    return enum(number)


def _tensor(buffer: Buffer, index: int, table: Table, contents: list[memoryview]) -> Tensor:
    name = _name(table, TensorField.NAME)
    where = f"tensor {index} {name[:60]!r}"
    number = table.number(TensorField.TYPE, "b")
    if not 0 <= number < len(schema.TENSOR_TYPES):
        raise buffer.fail(f"{where} has type number {number}; the format has {len(schema.TENSOR_TYPES)}")
    kind, bits = schema.TENSOR_TYPES[number]
    shape = table.integers(TensorField.SHAPE, "i")
    if len(shape) > MAX_DIMENSIONS or any(size < 0 for size in shape) or math.prod(shape) > MAX_ELEMENTS:
        found = ", ".join(map(str, shape[:12]))
        accepted = f"up to {MAX_DIMENSIONS} sizes of 0 or more and {MAX_ELEMENTS} elements"
        raise buffer.fail(f"{where} has shape ({found}); {accepted} are read")
    signature = table.integers(TensorField.SHAPE_SIGNATURE, "i")
    if signature and (len(signature) != len(shape) or any(size < -1 for size in signature)):
        raise buffer.fail(f"{where} has shape {shape} but signature {signature[:12]}")
    if table.table(TensorField.SPARSITY) is not None:
        raise ModelError(f"{buffer.name}: {where} is stored sparse; convert the model without sparsity")
    return Tensor(
        index,
        name,
        kind,
        shape,
        signature or shape,
        _quantization(buffer, where, table.table(TensorField.QUANTIZATION), kind, shape),
        bool(table.number(TensorField.IS_VARIABLE, "B")),
        _constant(buffer, where, table, contents, None if bits == 0 else (math.prod(shape) * bits + 7) // 8),
    )


def _constant(
    buffer: Buffer, where: str, table: Table, contents: list[memoryview], expected_bytes: int | None
) -> memoryview | None:
    if table.number(TensorField.EXTERNAL_BUFFER, "I"):
        raise buffer.fail(f"{where} keeps its constant in another file; such models are not read")
    number = table.number(TensorField.BUFFER, "I")
    if number >= max(1, len(contents)):
        raise buffer.fail(f"{where} has buffer number {number}; the file has {len(contents)}")
    data = contents[number] if number else None
    if not data:
        return None
    if expected_bytes is not None and len(data) != expected_bytes:
        raise buffer.fail(f"{where} has a constant of {len(data)} bytes; by type and shape it has {expected_bytes}")
    return data


def _quantization(
    buffer: Buffer, where: str, table: Table | None, kind: str, shape: tuple[int, ...]
) -> Quantization | None:
    if table is None:
        return None
    if table.number(QuantizationField.DETAILS_TYPE, "B"):
        raise ModelError(
            f"{buffer.name}: {where} has a custom or blockwise quantization; per tensor or channel is read"
        )
    scales = table.reals(QuantizationField.SCALE)
    if not scales:
        return None
    axis = table.number(QuantizationField.QUANTIZED_DIMENSION, "i")
    zero_points = table.integers(QuantizationField.ZERO_POINT, "q")
    if len(zero_points) != len(scales):
        raise buffer.fail(f"{where} has {len(scales)} scales and {len(zero_points)} zero points; expected as many")
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        raise buffer.fail(f"{where} has {len(scales)} scales along axis {axis} of its shape {shape}")
    if any(not (math.isfinite(scale) and scale > 0) for scale in scales):
        raise buffer.fail(f"{where} has a quantization scale that is not a positive number")
    low, high = _ZERO_POINT_RANGE.get(kind, _ANY_ZERO_POINT)
    if any(not low <= zero_point <= high for zero_point in zero_points):
        raise buffer.fail(f"{where} is {kind} and has a zero point outside {low} to {high}")
    return Quantization(scales, zero_points, axis)
