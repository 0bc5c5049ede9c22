"""The reader against FlatBuffers' generated code and LiteRT, and on models that contradict themselves."""

from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite import schema as ours
from edgecnn_firmware.tflite.model import Model
from edgecnn_firmware.tflite.options import (
    OPTIONS_OF_OP,
    UNION_NUMBER,
    Activation,
    MirrorPadMode,
    Padding,
    WeightsFormat,
    slots,
)
from edgecnn_firmware.tflite.reader import MAX_NAME_BYTES, read_model

Pack = Callable[[Any], bytes]
Make = Callable[..., Any]


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8")


def listed(value: Any) -> tuple[Any, ...]:
    return () if value is None else tuple(np.asarray(value).tolist())


def require_same_tensors(found: Any, graph: Any, model: Any) -> None:
    assert len(found.tensors) == len(graph.tensors)
    for tensor, expected in zip(found.tensors, graph.tensors, strict=True):
        assert tensor.name == text(expected.name)
        assert tensor.shape == listed(expected.shape)
        assert tensor.shape_signature == (listed(expected.shapeSignature) or listed(expected.shape))
        assert ours.TENSOR_TYPES[expected.type][0] == tensor.type
        assert tensor.is_variable == expected.isVariable
        scales = listed(expected.quantization.scale) if expected.quantization else ()
        assert (tensor.quantization is not None) == bool(scales)
        if tensor.quantization:
            assert tensor.quantization.scales == scales
            assert tensor.quantization.zero_points == listed(expected.quantization.zeroPoint)
            assert tensor.quantization.axis == expected.quantization.quantizedDimension
        data = model.buffers[expected.buffer].data
        assert (None if tensor.data is None else bytes(tensor.data)) == (
            None if data is None or not len(data) else np.asarray(data, np.uint8).tobytes()
        )


def require_same_options(op: Any, expected: Any) -> None:
    if op.options is None:
        known = OPTIONS_OF_OP.get(op.name)
        assert expected.builtinOptions is None or known is None or expected.builtinOptionsType != UNION_NUMBER[known]
        return
    assert expected.builtinOptionsType == UNION_NUMBER[type(op.options)]
    for name in slots(op.name):
        value, stored = getattr(op.options, name), getattr(expected.builtinOptions, camel(name))
        if isinstance(value, tuple):
            assert value == listed(stored)
        elif isinstance(value, str):
            assert value == text(stored)
        else:
            assert value == stored


def require_same(model: Model, data: bytes, schema: Any) -> None:
    """Everything we read is what the generated code reads."""
    expected = schema.ModelT.InitFromPackedBuf(data, 0)
    assert model.version == expected.version
    assert model.description == text(expected.description)
    assert len(model.subgraphs) == len(expected.subgraphs)
    for found, graph in zip(model.subgraphs, expected.subgraphs, strict=True):
        assert found.name == text(graph.name)
        assert (found.inputs, found.outputs) == (listed(graph.inputs), listed(graph.outputs))
        require_same_tensors(found, graph, expected)
        assert len(found.operators) == len(graph.operators)
        for op, stored in zip(found.operators, graph.operators, strict=True):
            code = expected.operatorCodes[stored.opcodeIndex]
            number = max(code.builtinCode, code.deprecatedBuiltinCode)
            assert getattr(schema.BuiltinOperator, op.name) == number
            assert (op.version, op.code.custom_name) == (code.version, text(code.customCode))
            assert (op.inputs, op.outputs) == (listed(stored.inputs), listed(stored.outputs))
            assert op.intermediates == listed(stored.intermediates)
            require_same_options(op, stored)


def test_the_lists_of_ops_and_types_are_the_formats(schema: Any) -> None:
    ops = {name: number for name, number in vars(schema.BuiltinOperator).items() if name[0] != "_"}
    assert {name: ops[name] for name in ours.BUILTIN_OPS if name in ops} == {
        name: number for number, name in enumerate(ours.BUILTIN_OPS) if name in ops
    }
    assert set(ops) <= set(ours.BUILTIN_OPS)
    types = {name: number for name, number in vars(schema.TensorType).items() if name[0] != "_"}
    found = {name: number for number, (name, _) in enumerate(ours.TENSOR_TYPES)}
    assert {name: found.get(name) for name in types} == types


def test_the_numbers_of_options_are_the_formats(schema: Any) -> None:
    for kind, number in UNION_NUMBER.items():
        assert getattr(schema.BuiltinOptions, kind.__name__) == number
    for op in OPTIONS_OF_OP:
        table = getattr(schema, OPTIONS_OF_OP[op].__name__ + "T")()
        for name, (slot, _) in slots(op).items():
            stored = getattr(table, camel(name))
            if slot.form in ("s", "[i]"):
                assert stored is None
            else:
                assert slot.default == stored


@pytest.mark.parametrize(
    ("enum", "generated"),
    [
        (Padding, "Padding"),
        (Activation, "ActivationFunctionType"),
        (WeightsFormat, "FullyConnectedOptionsWeightsFormat"),
        (MirrorPadMode, "MirrorPadMode"),
    ],
)
def test_the_enums_are_the_formats(schema: Any, enum: type[IntEnum], generated: str) -> None:
    expected = {key.upper(): number for key, number in vars(getattr(schema, generated)).items() if key[0] != "_"}
    assert {member.name: member.value for member in enum} == expected


def test_a_tiny_model_reads_as_flatbuffers_reads_it(tiny: bytes, schema: Any) -> None:
    model = read_model(tiny, "tiny.tflite")
    require_same(model, tiny, schema)
    assert [op.name for op in model.main.operators] == ["FULLY_CONNECTED"]
    kernel = model.main.tensors[1]
    assert bytes(kernel.data or b"") == np.arange(-6, 6, dtype=np.int8).tobytes()
    assert kernel.quantization is not None
    assert kernel.quantization.is_per_channel


def test_real_files_read_as_flatbuffers_reads_them(model_files: list[Path], schema: Any) -> None:
    for path in model_files:
        data = path.read_bytes()
        require_same(read_model(data, path.name), data, schema)


def test_real_files_read_as_litert_reads_them(model_files: list[Path]) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is not installed")
    for path in model_files:
        data = path.read_bytes()
        graph = read_model(data, path.name).main
        engine = interpreter.Interpreter(
            model_content=data, experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF
        )
        for details in engine.get_tensor_details():
            if details["index"] >= len(graph.tensors):  # the interpreter's own scratch tensors
                continue
            tensor = graph.tensors[details["index"]]
            assert tensor.name == details["name"]
            assert tensor.shape == tuple(details["shape"])
            found = details["quantization_parameters"]
            if tensor.quantization:
                np.testing.assert_array_equal(np.float32(tensor.quantization.scales), found["scales"])
                np.testing.assert_array_equal(tensor.quantization.zero_points, found["zero_points"])
        assert [d["index"] for d in engine.get_input_details()] == list(graph.inputs)
        assert [d["index"] for d in engine.get_output_details()] == list(graph.outputs)


def with_options(schema: Any, model: Any, op: str, values: dict[str, Any]) -> Any:
    """Make the op of `model` an `op` with these options."""
    kind = OPTIONS_OF_OP[op]
    code, operator = model.operatorCodes[0], model.subgraphs[0].operators[0]
    code.builtinCode = getattr(schema.BuiltinOperator, op)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    operator.builtinOptionsType = UNION_NUMBER[kind]
    operator.builtinOptions = getattr(schema, kind.__name__ + "T")()
    for name, value in values.items():
        setattr(operator.builtinOptions, camel(name), value)
    return model


@pytest.mark.parametrize("op", sorted(set(OPTIONS_OF_OP) - {"CALL_ONCE", "IF", "WHILE"}))
@given(st.data())
@settings(max_examples=8, deadline=None)
def test_options_of_every_op_read_as_written(schema: Any, pack: Pack, tiny_model: Make, op: str, data: Any) -> None:
    values: dict[str, Any] = {}
    for name, (slot, enum) in slots(op).items():
        if enum:
            values[name] = int(data.draw(st.sampled_from(list(enum))))
        elif slot.form == "?":
            values[name] = data.draw(st.booleans())
        elif slot.form == "f":
            values[name] = data.draw(st.floats(-100, 100, width=32))
        elif slot.form == "s":
            values[name] = data.draw(st.text(st.characters(codec="utf-8"), max_size=9)).encode("utf-8")
        elif slot.form == "[i]":
            values[name] = data.draw(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5))
        else:
            low, high = (-(2**31), 2**31 - 1) if slot.form == "i" else (0, 17)
            values[name] = data.draw(st.integers(low if slot.least is None else slot.least, high))
    packed = pack(with_options(schema, tiny_model(), op, values))
    model = read_model(packed, "one.tflite")
    assert isinstance(model.main.operators[0].options, OPTIONS_OF_OP[op])
    require_same(model, packed, schema)


Change = Callable[[Any], None]


def at(path: str, value: Any) -> Change:
    """Set `model.<path>`, where a number in the path is an index."""

    def change(model: Any) -> None:
        *parents, last = path.split(".")
        for part in parents:
            model = model[int(part)] if part.isdigit() else getattr(model, part)
        setattr(model, last, value)

    return change


GRAPH = "subgraphs.0."
OP = GRAPH + "operators.0."
WINDOW, KERNEL = GRAPH + "tensors.0.", GRAPH + "tensors.1."
WRONG = {
    "version": (at("version", 4), "schema version 4; version 3 is read"),
    "no graph": (at("subgraphs", []), "it holds no graph"),
    "op code list": (at(OP + "opcodeIndex", 9), "op #0 has op code number 9; the file lists 1"),
    "op code": (at("operatorCodes.0.builtinCode", 5000), "op code 5000 is not in the format's list"),
    "graph input": (at(GRAPH + "inputs", [4]), "an input of subgraph 0 is tensor 4; the graph has 4 tensors"),
    "graph output": (at(GRAPH + "outputs", [-1]), "an output of subgraph 0 is tensor -1"),
    "op input": (at(OP + "inputs", [0, 99, 2]), "an input of op #0 FULLY_CONNECTED is tensor 99"),
    "op output": (at(OP + "outputs", [-1]), "an output of op #0 FULLY_CONNECTED is tensor -1"),
    "tensor type": (at(WINDOW + "type", 77), "tensor 0 'window' has type number 77"),
    "negative size": (at(WINDOW + "shape", [1, -2, 3]), "tensor 0 'window' has shape (1, -2, 3)"),
    "huge shape": (at(WINDOW + "shape", [2**31 - 1] * 8), "elements are read"),
    "dimensions": (at(WINDOW + "shape", [1] * 9), "up to 8 sizes"),
    "signature": (at(WINDOW + "shapeSignature", [-1]), "but signature (-1,)"),
    "buffer": (at(KERNEL + "buffer", 5), "tensor 1 'kernel' has buffer number 5; the file has 5"),
    "constant": (
        at("buffers.3.data", np.zeros(11, np.uint8)),
        "constant of 11 bytes; by type and shape it has 12",
    ),
    "scales": (at(KERNEL + "quantization.scale", [1.0, 2.0, 3.0]), "3 scales and 2 zero points"),
    "axis": (at(KERNEL + "quantization.quantizedDimension", 1), "2 scales along axis 1 of its shape (2, 6)"),
    "negative axis": (at(KERNEL + "quantization.quantizedDimension", -1), "along axis -1"),
    "NaN scale": (at(WINDOW + "quantization.scale", [float("nan")]), "tensor 0 'window' has a quantization scale"),
    "zero scale": (at(WINDOW + "quantization.scale", [0.0]), "scale that is not a positive number"),
    "infinite scale": (at(WINDOW + "quantization.scale", [float("inf")]), "scale that is not a positive number"),
    "zero point": (at(WINDOW + "quantization.zeroPoint", [128]), "a zero point outside -128 to 127"),
    "order": (at(GRAPH + "inputs", []), "op #0 FULLY_CONNECTED reads tensor 0 before any op wrote it"),
    "writes a constant": (at(OP + "outputs", [2]), "writes tensor 2, which already has a value"),
    "no writer": (at(GRAPH + "operators", []), "output tensor 3 of subgraph 0 is written by no op"),
    "options": (at(OP + "builtinOptionsType", 1), "op #0 FULLY_CONNECTED carries options of number 1"),
    "activation": (at(OP + "builtinOptions.fusedActivationFunction", 9), "fused_activation_function is 9"),
}


@pytest.mark.parametrize("case", sorted(WRONG))
def test_a_wrong_model_gives_one_line_that_names_the_place(
    tiny_model: Make, pack: Pack, schema: Any, case: str
) -> None:
    change, expected = WRONG[case]
    model = tiny_model()
    if case == "options":
        model.subgraphs[0].operators[0].builtinOptions = schema.Conv2DOptionsT()
    change(model)
    with pytest.raises(ModelError) as caught:
        read_model(pack(model), "bad.tflite")
    line = str(caught.value)
    assert line.startswith("bad.tflite: ")
    assert expected in line
    assert "\n" not in line


def test_no_subgraph_may_call_itself_or_one_that_is_missing(tiny_model: Make, pack: Pack, schema: Any) -> None:
    model = with_options(schema, tiny_model(), "CALL_ONCE", {"init_subgraph_index": 0})
    with pytest.raises(ModelError, match="subgraph 0 calls itself"):
        read_model(pack(model), "ring.tflite")
    model = with_options(schema, tiny_model(), "CALL_ONCE", {"init_subgraph_index": 7})
    with pytest.raises(ModelError, match="calls subgraph 7; there are 1"):
        read_model(pack(model), "ring.tflite")


def test_a_tensor_is_written_once(tiny_model: Make, pack: Pack) -> None:
    model = tiny_model()
    model.subgraphs[0].operators *= 2
    with pytest.raises(ModelError, match="op #1 FULLY_CONNECTED writes tensor 3, which already has a value"):
        read_model(pack(model), "twice.tflite")


def test_text_in_a_file_is_cut_and_stays_on_one_line(tiny_model: Make, pack: Pack) -> None:
    model = tiny_model()
    model.subgraphs[0].tensors[0].name = "a\nb" * 4000
    assert len(read_model(pack(model), "long.tflite").main.tensors[0].name) == MAX_NAME_BYTES
    model.subgraphs[0].tensors[0].type = 77
    with pytest.raises(ModelError) as caught:
        read_model(pack(model), "long.tflite")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_the_name_of_a_custom_op_stays_on_one_line(tiny_model: Make, pack: Pack, schema: Any) -> None:
    model = tiny_model()
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "mine\n" * 3
    model.subgraphs[0].operators[0].inputs = [99]
    with pytest.raises(ModelError) as caught:
        read_model(pack(model), "custom.tflite")
    assert "\n" not in str(caught.value)
