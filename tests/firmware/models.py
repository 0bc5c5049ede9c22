"""Models for tests: the shared ones, a small one written by the generated schema classes, and a card for it."""

import numpy as np
import pytest

from edgecnn_firmware.card import (
    ArenaCard,
    Card,
    ChannelCard,
    InputCard,
    NormalizationCard,
    QuantizationCard,
    TensorQuantization,
)

MODELS = (
    *("ds_b1", "dsx_b1", "ecg_b1", "har_b1", "hars_b1", "tcn_b1"),
    *("thirdparty/OHF-Voice__pymicro-wakeword__alexa", "thirdparty/OHF-Voice__pymicro-wakeword__okay_nabu"),
    *("thirdparty/SiliconLabs__mltk__keyword_spotting_on_off_v3", "thirdparty/ashwinbyte__HAR_project__model_int8"),
    *("thirdparty/dlfno__tinyml-gesture-ble__model_quantized", "thirdparty/nanguoyu__Magic_Wand_Data__model"),
    "thirdparty/nanguoyu__Magic_Wand_Data__quantized_model",
    "thirdparty/nxp-appcodehub__ap-ml-state-monitor__model_cnn_quant",
    "thirdparty/nxp-appcodehub__ap-ml-state-monitor__model_lresnet_quant",
    "thirdparty/raadsr15__TinyML-HAR__gesture_model_optimized",
)
"""Stems of the shared files, so that each is a test of its own."""


def tiny_model(schema, *, ops, tensors, inputs, outputs) -> bytes:
    """Write a `.tflite` file with the generated schema classes: an independent writer of the format."""
    import flatbuffers

    model = schema.ModelT()
    model.version = 3
    model.description = "made by a test"
    model.buffers = [schema.BufferT()]
    model.operatorCodes = []
    graph = schema.SubGraphT()
    graph.name = "main"
    graph.tensors = [_tensor(schema, model, index, **spec) for index, spec in enumerate(tensors)]
    graph.inputs, graph.outputs, graph.operators = inputs, outputs, []
    for name, into, out, options in ops:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        model.operatorCodes.append(code)
        op = schema.OperatorT()
        op.opcodeIndex = len(model.operatorCodes) - 1
        op.inputs, op.outputs = into, out
        if options is not None:
            op.builtinOptions = options
            op.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        graph.operators.append(op)
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(schema, model, index, *, type, shape, scale=None, zero_point=None, axis=0, data=None, **more):  # noqa: A002
    tensor = schema.TensorT()
    tensor.name = more.get("name", f"tensor_{index}")
    tensor.type = getattr(schema.TensorType, type)
    tensor.shape = shape
    tensor.buffer = 0
    tensor.isVariable = more.get("is_variable", False)
    if data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    if scale is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = scale
        tensor.quantization.zeroPoint = zero_point
        tensor.quantization.quantizedDimension = axis
    return tensor


def dense_model() -> bytes:
    """A window of 4 x 2 int8 to 3 int8: RESHAPE, FULLY_CONNECTED, SOFTMAX."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    reshape, dense, softmax = schema.ReshapeOptionsT(), schema.FullyConnectedOptionsT(), schema.SoftmaxOptionsT()
    reshape.newShape, softmax.beta = [1, 8], 1.0
    weights = np.random.default_rng(3).integers(-100, 100, (3, 8)).astype(np.int8)
    return tiny_model(
        schema,
        ops=[
            ("RESHAPE", [0, 1], [2], reshape),
            ("FULLY_CONNECTED", [2, 3, 4], [5], dense),
            ("SOFTMAX", [5], [6], softmax),
        ],
        tensors=[
            {"type": "INT8", "shape": [1, 4, 2], "scale": [0.1], "zero_point": [-3], "name": "window"},
            {"type": "INT32", "shape": [2], "data": np.array([1, 8], np.int32)},
            {"type": "INT8", "shape": [1, 8], "scale": [0.1], "zero_point": [-3]},
            {"type": "INT8", "shape": [3, 8], "scale": [0.01], "zero_point": [0], "data": weights},
            {"type": "INT32", "shape": [3], "scale": [0.001], "zero_point": [0], "data": np.zeros(3, np.int32)},
            {"type": "INT8", "shape": [1, 3], "scale": [0.2], "zero_point": [5]},
            {"type": "INT8", "shape": [1, 3], "scale": [1 / 256], "zero_point": [-128], "name": "probabilities"},
        ],
        inputs=[0],
        outputs=[6],
    )


def make_card(**changes: object) -> Card:
    """The card of `dense_model`."""
    values = {
        "name": "wrist",
        "version": "1.2.3",
        "description": "Three gestures of a wrist.",
        "labels": ("circle", "shake", "rest"),
        "output": "softmax",
        "input": InputCard(
            window_samples=4,
            hop_samples=2,
            sample_rate_hz=50.0,
            channels=(ChannelCard(name="ax", unit="g"), ChannelCard(name="gyro", unit="°/s")),
        ),
        "normalization": NormalizationCard(method="standard", offset=(0.1, -2.5), gain=(1.7, 0.003)),
        "quantization": QuantizationCard(
            input=TensorQuantization(scale=float(np.float32(0.1)), zero_point=-3),
            output=TensorQuantization(scale=1 / 256, zero_point=-128),
        ),
        "arena": ArenaCard(measured_bytes=2048, word_bits=64, kernels="reference", runtime="tflite-micro 1"),
    }
    return Card(**(values | changes))
