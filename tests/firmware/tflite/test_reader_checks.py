"""Every refusal of the reader, each provoked by one change to a model that is read."""

import numpy as np
import pytest

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.options import FullyConnectedOptions
from edgecnn_firmware.tflite.reader import read_model

from ..models import dense_model


@pytest.fixture(name="dense_model")
def _dense_model():
    return dense_model()


@pytest.fixture
def schema():
    return pytest.importorskip("ai_edge_litert.schema_py_generated")


@pytest.fixture
def pack(schema, dense_model):
    flatbuffers = pytest.importorskip("flatbuffers")

    def packed(change):
        model = schema.ModelT.InitFromPackedBuf(dense_model, 0)
        change(schema, model, model.subgraphs[0])
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    return packed


def test_the_model_without_a_change_is_read(pack):
    graph = read_model(pack(lambda *_: None), "m.tflite").main
    assert [op.name for op in graph.operators] == ["RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    assert isinstance(graph.operators[1].options, FullyConnectedOptions)


def each(name, message):
    def decorate(change):
        CHANGES.append(pytest.param(change, message, id=name))
        return change

    return decorate


CHANGES: list[object] = []


@each("schema version", "schema version 4; version 3 is read")
def _(schema, model, graph):
    model.version = 4


@each("no graph", "it holds no graph")
def _(schema, model, graph):
    model.subgraphs = []


@each("op code", "op code 5000 is not in the format's list")
def _(schema, model, graph):
    model.operatorCodes[0].builtinCode = 5000


@each("placeholder", "op code 127 is not in")
def _(schema, model, graph):
    model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = 127


@each("op code number", "op #2 has op code number 9; the file lists 3")
def _(schema, model, graph):
    graph.operators[2].opcodeIndex = 9


@each("input number", "an input of op #0 RESHAPE is tensor 70; the graph has 7 tensors")
def _(schema, model, graph):
    graph.operators[0].inputs = [70, 1]


@each("left out output", "an output of op #0 RESHAPE is tensor -1")
def _(schema, model, graph):
    graph.operators[0].outputs = [-1]


@each("graph input", "an input of subgraph 0 is tensor 7")
def _(schema, model, graph):
    graph.inputs = [7]


@each("graph output", "an output of subgraph 0 is tensor -2")
def _(schema, model, graph):
    graph.outputs = [-2]


@each("intermediate", "an intermediate of op #1 FULLY_CONNECTED is tensor 99")
def _(schema, model, graph):
    graph.operators[1].intermediates = [99]


@each("order", "op #0 SOFTMAX reads tensor 5 before any op wrote it")
def _(schema, model, graph):
    graph.operators.reverse()


@each("ring", "op #0 RESHAPE reads tensor 5 before any op wrote it")
def _(schema, model, graph):
    graph.operators[0].inputs = [5, 1]


@each("written twice", "op #2 SOFTMAX writes tensor 5, which already has a value")
def _(schema, model, graph):
    graph.operators[2].outputs = [5]


@each("constant written", "op #0 RESHAPE writes tensor 1, which already has a value")
def _(schema, model, graph):
    graph.operators[0].outputs = [1]


@each("output never written", "output tensor 6 of subgraph 0 is written by no op")
def _(schema, model, graph):
    graph.operators.pop()


@each("type", "tensor 0 'window' has type number 99")
def _(schema, model, graph):
    graph.tensors[0].type = 99


@each("negative size", r"tensor 0 'window' has shape \(1, -4, 2\)")
def _(schema, model, graph):
    graph.tensors[0].shape = [1, -4, 2]


@each("too many elements", r"has shape \(65536, 65536\); up to 8 sizes of 0 or more and 2147483647 elements are read")
def _(schema, model, graph):
    graph.tensors[0].shape = [65536, 65536]


@each("too many sizes", r"has shape \(1, 1, 1, 1, 1, 1, 1, 1, 1\)")
def _(schema, model, graph):
    graph.tensors[0].shape = [1] * 9


@each("signature", r"has shape \(1, 4, 2\) but signature \(-1, 4\)")
def _(schema, model, graph):
    graph.tensors[0].shapeSignature = [-1, 4]


@each("buffer number", "tensor 3 'tensor_3' has buffer number 40; the file has 4")
def _(schema, model, graph):
    graph.tensors[3].buffer = 40


@each("constant size", "tensor 3 'tensor_3' has a constant of 23 bytes; by type and shape it has 24")
def _(schema, model, graph):
    model.buffers[graph.tensors[3].buffer].data = np.zeros(23, np.uint8)


@each("external constant", "tensor 3 'tensor_3' keeps its constant in another file")
def _(schema, model, graph):
    graph.tensors[3].externalBuffer = 1


@each("external buffer", r"buffer 2 lies outside the FlatBuffer \(a model of over 2 GB\)")
def _(schema, model, graph):
    model.buffers[2].offset = 4096


@each("external options", "op #0 RESHAPE keeps its options outside the FlatBuffer")
def _(schema, model, graph):
    graph.operators[0].largeCustomOptionsOffset = 4096


@each("sparse", "tensor 3 'tensor_3' is stored sparse; convert the model without sparsity")
def _(schema, model, graph):
    graph.tensors[3].sparsity = schema.SparsityParametersT()


@each("compressed", "its constants are stored compressed; use the model before compression")
def _(schema, model, graph):
    metadata = schema.MetadataT()
    metadata.name, metadata.buffer = "COMPRESSION_METADATA", 0
    model.metadata = [metadata]


@each("zero scale", "tensor 2 'tensor_2' has a quantization scale that is not a positive number")
def _(schema, model, graph):
    graph.tensors[2].quantization.scale = [0.0]


@each("infinite scale", "scale that is not a positive number")
def _(schema, model, graph):
    graph.tensors[2].quantization.scale = [float("inf")]


@each("no number scale", "scale that is not a positive number")
def _(schema, model, graph):
    graph.tensors[2].quantization.scale = [float("nan")]


@each("zero point", "tensor 2 'tensor_2' is INT8 and has a zero point outside -128 to 127")
def _(schema, model, graph):
    graph.tensors[2].quantization.zeroPoint = [128]


@each("more scales than zero points", "has 2 scales and 1 zero points; expected as many")
def _(schema, model, graph):
    graph.tensors[3].quantization.scale = [0.1, 0.2]


@each("scales along the axis", r"has 2 scales along axis 0 of its shape \(3, 8\)")
def _(schema, model, graph):
    graph.tensors[3].quantization.scale = [0.1, 0.2]
    graph.tensors[3].quantization.zeroPoint = [0, 0]


@each("axis", r"has 3 scales along axis 2 of its shape \(3, 8\)")
def _(schema, model, graph):
    graph.tensors[3].quantization.scale = [0.1, 0.2, 0.3]
    graph.tensors[3].quantization.zeroPoint = [0, 0, 0]
    graph.tensors[3].quantization.quantizedDimension = 2


@each("custom quantization", "has a custom or blockwise quantization")
def _(schema, model, graph):
    graph.tensors[2].quantization.details = schema.CustomQuantizationT()
    graph.tensors[2].quantization.detailsType = schema.QuantizationDetails.CustomQuantization


@each("activation", r"op #1 FULLY_CONNECTED: fused_activation_function is 77; expected 0 \(NONE\), 1 \(RELU\)")
def _(schema, model, graph):
    graph.operators[1].builtinOptions.fusedActivationFunction = 77


@each("options of another op", "op #1 FULLY_CONNECTED carries options of number 9; expected FullyConnectedOptions")
def _(schema, model, graph):
    graph.operators[1].builtinOptions = schema.SoftmaxOptionsT()
    graph.operators[1].builtinOptionsType = schema.BuiltinOptions.SoftmaxOptions


@each("beta", "op #2 SOFTMAX: beta is nan; expected a finite number")
def _(schema, model, graph):
    graph.operators[2].builtinOptions.beta = float("nan")


def as_pool(schema, model, graph):
    model.operatorCodes[2].builtinCode = model.operatorCodes[2].deprecatedBuiltinCode = 17
    options = schema.Pool2DOptionsT()
    options.strideW = options.strideH = options.filterWidth = options.filterHeight = 1
    graph.operators[2].builtinOptions = options
    graph.operators[2].builtinOptionsType = schema.BuiltinOptions.Pool2DOptions
    return options


@each("stride", "op #2 MAX_POOL_2D: stride_h is 0; expected at least 1")
def _(schema, model, graph):
    as_pool(schema, model, graph).strideH = 0


@each("no options", "op #2 MAX_POOL_2D carries no options; expected Pool2DOptions")
def _(schema, model, graph):
    as_pool(schema, model, graph)
    graph.operators[2].builtinOptions = None
    graph.operators[2].builtinOptionsType = 0


def as_call(schema, model, graph, number):
    model.operatorCodes[2].builtinCode = schema.BuiltinOperator.CALL_ONCE
    model.operatorCodes[2].deprecatedBuiltinCode = 127
    graph.operators[2].builtinOptions = schema.CallOnceOptionsT()
    graph.operators[2].builtinOptions.initSubgraphIndex = number
    graph.operators[2].builtinOptionsType = schema.BuiltinOptions.CallOnceOptions


@each("call of nothing", "subgraph 0 calls subgraph 3; there are 1")
def _(schema, model, graph):
    as_call(schema, model, graph, 3)


@each("call of itself", "subgraph 0 calls itself, directly or through others")
def _(schema, model, graph):
    as_call(schema, model, graph, 0)


@each("call of the caller", "subgraph 0 calls itself, directly or through others")
def _(schema, model, graph):
    as_call(schema, model, graph, 1)
    model.subgraphs.append(graph_that_calls(schema, graph, 0))


def graph_that_calls(schema, graph, number):
    other = schema.SubGraphT()
    other.tensors, other.inputs, other.outputs, other.operators = [], [], [], [schema.OperatorT()]
    other.operators[0].opcodeIndex = 2
    other.operators[0].builtinOptions = schema.CallOnceOptionsT()
    other.operators[0].builtinOptions.initSubgraphIndex = number
    other.operators[0].builtinOptionsType = schema.BuiltinOptions.CallOnceOptions
    return other


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_a_change_is_refused_with_its_place(pack, change, message):
    with pytest.raises(ModelError, match=message) as caught:
        read_model(pack(change), "m.tflite")
    assert str(caught.value).startswith("m.tflite: ")
    assert "\n" not in str(caught.value)


def test_calls_that_end_are_read(pack, schema):
    def change(schema, model, graph):
        as_call(schema, model, graph, 1)
        model.subgraphs.append(graph_that_calls(schema, graph, 2))
        last = graph_that_calls(schema, graph, 0)
        last.operators = []
        model.subgraphs.append(last)

    assert len(read_model(pack(change), "m.tflite").subgraphs) == 3


def test_a_custom_op_keeps_its_name_and_options(pack, schema):
    def change(schema, model, graph):
        code = model.operatorCodes[2]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = "My*/Op"
        graph.operators[2].builtinOptions, graph.operators[2].builtinOptionsType = None, 0
        graph.operators[2].customOptions = np.arange(5, dtype=np.uint8)

    op = read_model(pack(change), "m.tflite").main.operators[2]
    assert (op.name, op.code.custom_name, op.code.label) == ("CUSTOM", "My*/Op", "CUSTOM My*/Op")
    assert bytes(op.custom_options or b"") == bytes(range(5))


def test_an_optional_input_and_a_variable_are_read(pack, schema):
    def change(schema, model, graph):
        graph.operators[1].inputs = [2, 3, -1]
        graph.tensors[4].buffer, graph.tensors[4].isVariable = 0, True
        graph.operators[2].inputs = [5]

    graph = read_model(pack(change), "m.tflite").main
    assert graph.operators[1].inputs == (2, 3, -1)
    assert graph.tensors[4].is_variable


def test_a_name_that_is_no_text_is_shown_and_a_long_one_is_cut(pack, schema):
    def change(schema, model, graph):
        graph.tensors[0].name, graph.tensors[1].name = b"a\xff\nb", b"n" * 5000

    graph = read_model(pack(change), "m.tflite").main
    assert graph.tensors[0].name == "a\ufffd\nb"
    assert len(graph.tensors[1].name) == 1024
