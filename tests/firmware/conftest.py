"""Models and cards that the tests of the firmware floor share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn_firmware.card import Card

MakeCard = Callable[..., Card]
Pack = Callable[[Any], bytes]


@pytest.fixture(scope="session")
def schema() -> Any:
    """FlatBuffers' own generated reader and writer of the format: the oracle for ours."""
    return pytest.importorskip("ai_edge_litert.schema_py_generated", reason="LiteRT is not installed")


@pytest.fixture(scope="session")
def pack() -> Pack:
    """Serialize a `ModelT` of `schema`."""
    flatbuffers = pytest.importorskip("flatbuffers", reason="flatbuffers is not installed")

    def to_bytes(model: Any) -> bytes:
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    return to_bytes


@pytest.fixture(scope="session")
def tiny_model(schema: Any, pack: Pack) -> Callable[..., Any]:
    """Make the `ModelT` of int8 `(1, 2, 3)` -> FULLY_CONNECTED -> `(1, 2)`; a test changes it and packs it."""

    def make() -> Any:
        def quantization(scales: list[float], zero_points: list[int], axis: int = 0) -> Any:
            found = schema.QuantizationParametersT()
            found.scale, found.zeroPoint, found.quantizedDimension = scales, zero_points, axis
            return found

        def tensor(name: str, kind: int, shape: list[int], buffer: int, quantized: Any) -> Any:
            found = schema.TensorT()
            found.name, found.type, found.shape, found.buffer, found.quantization = name, kind, shape, buffer, quantized
            return found

        model = schema.ModelT()
        model.version, model.description = 3, "tiny"
        model.buffers = [schema.BufferT() for _ in range(5)]
        model.buffers[3].data = np.arange(-6, 6, dtype=np.int8).view(np.uint8)
        model.buffers[4].data = np.array([100, -200], np.int32).view(np.uint8)
        graph = schema.SubGraphT()
        graph.name = "main"
        kinds = schema.TensorType
        graph.tensors = [
            tensor("window", kinds.INT8, [1, 2, 3], 1, quantization([0.5], [-3])),
            tensor("kernel", kinds.INT8, [2, 6], 3, quantization([0.25, 0.125], [0, 0])),
            tensor("bias", kinds.INT32, [2], 4, quantization([0.125, 0.0625], [0, 0])),
            tensor("scores", kinds.INT8, [1, 2], 2, quantization([1 / 256], [-128])),
        ]
        graph.inputs, graph.outputs = [0], [3]
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
        code.version = 5
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = 0, [0, 1, 2], [3]
        op.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        op.builtinOptions = schema.FullyConnectedOptionsT()
        graph.operators = [op]
        model.operatorCodes, model.subgraphs = [code], [graph]
        return model

    return make


@pytest.fixture(scope="session")
def tiny(tiny_model: Callable[..., Any], pack: Pack) -> bytes:
    """The tiny model's file."""
    return pack(tiny_model())


@pytest.fixture(scope="session")
def make_card() -> MakeCard:
    """Make a card for windows of 2 samples of 3 channels; named fields replace its own."""

    def make(**changes: Any) -> Card:
        fields: dict[str, Any] = {
            "name": "tiny",
            "version": "1.2.3",
            "description": "Tells rest from motion.",
            "labels": ["rest", "motion"],
            "output": "softmax",
            "input": {
                "window_samples": 2,
                "hop_samples": 1,
                "sample_rate_hz": 50.0,
                "channels": [{"name": "x", "unit": "g"}, {"name": "y", "unit": "g"}, {"name": "z"}],
            },
            "normalization": {"method": "standard", "offset": [0.1, -0.2, 0.0], "gain": [1.5, 3.0, 0.7]},
            "quantization": {
                "input": {"scale": 0.5, "zero_point": -3},
                "output": {"scale": 0.00390625, "zero_point": -128},
            },
            **changes,
        }
        return Card.model_validate(fields)

    return make


@pytest.fixture(scope="session")
def model_files(shared_models: Path) -> list[Path]:
    """Every real `.tflite` file."""
    return sorted(shared_models.rglob("*.tflite"))
