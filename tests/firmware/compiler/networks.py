"""Int8 networks written op by op for tests, and the interpreter that is their oracle."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

_OPTIONS_OF = {
    "AVERAGE_POOL_2D": "Pool2D",
    "MAX_POOL_2D": "Pool2D",
    "CONV_2D": "Conv2D",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "MEAN": "Reducer",
    "SUM": "Reducer",
    "REDUCE_MAX": "Reducer",
    "REDUCE_MIN": "Reducer",
    "LOG_SOFTMAX": "LogSoftmax",
    "BATCH_MATMUL": "BatchMatMul",
    "MINIMUM": "MaximumMinimum",
    "MAXIMUM": "MaximumMinimum",
}


class NetworkWriter:
    """Collects tensors and ops; `bytes()` is the `.tflite` file, written by FlatBuffers' generated classes."""

    def __init__(self) -> None:
        self.schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="LiteRT is not installed")
        self.model = self.schema.ModelT()
        self.model.version = 3
        self.model.description = "made by a test"
        self.model.buffers = [self.schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = self.schema.SubGraphT()
        self.graph.name = "main"
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        shape: Sequence[int],
        scale: float | Sequence[float] | None = None,
        zero_point: int | Sequence[int] = 0,
        *,
        kind: str = "INT8",
        data: "np.ndarray | None" = None,
        axis: int = 0,
        variable: bool = False,
    ) -> int:
        """Add a tensor; its number. Several scales make it per-channel along `axis`."""
        tensor = self.schema.TensorT()
        tensor.name = f"t{len(self.graph.tensors)}"
        tensor.shape = [int(n) for n in shape]
        tensor.type = getattr(self.schema.TensorType, kind)
        tensor.hasRank = True
        tensor.isVariable = variable
        tensor.buffer = 0
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            tensor.quantization = self.schema.QuantizationParametersT()
            tensor.quantization.scale = scales
            tensor.quantization.zeroPoint = np.broadcast_to(np.asarray(zero_point, np.int64), scales.shape).copy()
            tensor.quantization.quantizedDimension = axis
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def const(self, values: "np.ndarray", scale: Any = None, zero_point: Any = 0, *, axis: int = 0) -> int:
        """Add a constant of the array's own type and shape."""
        kind = np.dtype(values.dtype).name.upper()
        return self.tensor(values.shape, scale, zero_point, kind=kind, data=values, axis=axis)

    def op(self, name: str, inputs: Sequence[int], outputs: Sequence[int], *, version: int = 1, **options: Any) -> None:
        """Add an op; `options` are the fields of its options table by their names in the schema (camelCase)."""
        code = self.schema.OperatorCodeT()
        code.builtinCode = getattr(self.schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = version
        self.model.operatorCodes.append(code)
        op = self.schema.OperatorT()
        op.opcodeIndex = len(self.model.operatorCodes) - 1
        op.inputs, op.outputs = list(inputs), list(outputs)
        kind = _OPTIONS_OF.get(name) or "".join(part.capitalize() for part in name.split("_"))
        if hasattr(self.schema, f"{kind}OptionsT"):
            table = getattr(self.schema, f"{kind}OptionsT")()
            for field, value in options.items():
                if not hasattr(table, field):
                    raise AttributeError(f"{kind}Options has no field {field}")
                setattr(table, field, value)
            op.builtinOptions = table
            op.builtinOptionsType = getattr(self.schema.BuiltinOptions, f"{kind}Options")
        self.graph.operators.append(op)

    def variable(self, name: str, first: "np.ndarray", scale: float, zero_point: int) -> int:
        """Add a variable whose first value a graph of its own assigns, once; the number of its handle."""
        main, graph = self.graph, self.schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = f"first {name}", [], []
        self.model.subgraphs.append(graph)
        self.graph = graph
        handle = self.tensor((), kind="RESOURCE")
        self.op("VAR_HANDLE", [], [handle], container="", sharedName=name)
        self.op("ASSIGN_VARIABLE", [handle, self.const(first, scale, zero_point)], [])
        graph.inputs, graph.outputs = [], []
        self.graph = main
        self.op("CALL_ONCE", [], [], initSubgraphIndex=len(self.model.subgraphs) - 1)
        handle = self.tensor((), kind="RESOURCE")
        self.op("VAR_HANDLE", [], [handle], container="", sharedName=name)
        return handle

    def bytes(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """Serialize."""
        import flatbuffers

        self.graph.inputs, self.graph.outputs = list(inputs), list(outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


class Reference:
    """LiteRT with its reference kernels, keeping every intermediate tensor."""

    def __init__(self, model: bytes, resolver: str = "BUILTIN_REF") -> None:
        litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is not installed")
        self.interpreter = litert.Interpreter(
            model_content=model,
            experimental_op_resolver_type=litert.OpResolverType[resolver],
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        self.interpreter.allocate_tensors()
        self.inputs = [d["index"] for d in self.interpreter.get_input_details()]
        self.outputs = [d["index"] for d in self.interpreter.get_output_details()]

    def run(self, *inputs: "np.ndarray") -> "list[np.ndarray]":
        """Outputs for one set of inputs, each of the model's own shape."""
        for index, values in zip(self.inputs, inputs, strict=True):
            self.interpreter.set_tensor(index, values)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(index) for index in self.outputs]

    def tensor(self, index: int) -> "np.ndarray":
        """What tensor `index` held after the last run."""
        return self.interpreter.get_tensor(index)


def random_int8(rng: "np.random.Generator", shape: Sequence[int], kind: int = 0) -> "np.ndarray":
    """Test inputs: uniform (0), Gaussian (1), only -128 and 127 (2), constant (3)."""
    if kind % 4 == 1:
        return np.clip(np.round(rng.normal(0, 40, shape)), -128, 127).astype(np.int8)
    if kind % 4 == 2:
        return rng.choice(np.array([-128, 127], np.int8), shape)
    if kind % 4 == 3:
        return np.full(shape, rng.integers(-128, 128), np.int8)
    return rng.integers(-128, 128, shape, dtype=np.int8)
