"""What a model consists of and what it costs: ops, shapes, parameters, MACs, bytes."""

import math
from dataclasses import dataclass
from typing import Final

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite import schema
from edgecnn_firmware.tflite.model import Model, Operator, Subgraph, Tensor

_BITS: Final = dict(schema.TENSOR_TYPES)
_FLOAT_TYPES: Final = frozenset({"FLOAT32", "FLOAT16", "FLOAT64", "BFLOAT16", "FLOAT8_E4M3FN", "FLOAT8_E5M2"})
_INT8_TYPES: Final = frozenset({"INT8", "INT32", "INT64", "BOOL", "RESOURCE"})
"""What ops of a full int8 model compute on: int8 values, their accumulators, and shapes, flags and handles."""
_CONVERSIONS: Final = frozenset({"QUANTIZE", "DEQUANTIZE"})
_WITH_KERNEL: Final = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_WITH_CONSTANTS: Final = frozenset(
    {"ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "PRELU", "CONCATENATION", "SQUARED_DIFFERENCE"}
)


@dataclass(frozen=True)
class TensorSummary:
    """An input or output of the model; `scale` and `zero_point` are None unless quantized per tensor."""

    name: str
    type: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class OpSummary:
    """One op of the main subgraph."""

    index: int
    op: str
    """Name in the format's list; `CUSTOM name` for others."""
    version: int
    name: str
    """Of the first output tensor."""
    output_type: str
    output_shape: tuple[int, ...]
    parameters: int
    """Elements of constant kernels and biases, and of constant operands of arithmetic."""
    weight_bytes: int
    """Bytes of those constants."""
    macs: int
    """Multiply-accumulates: output elements times kernel height x width x input channels for CONV_2D, times kernel
    height x width for DEPTHWISE_CONV_2D, times inputs for FULLY_CONNECTED; 0 for other ops."""
    activation_bytes: int
    """Bytes of all tensors the op reads and writes that are not constants."""


@dataclass(frozen=True)
class ModelSummary:
    """A whole model; sums are over the main subgraph, constants that several ops share counted once."""

    file_bytes: int
    description: str
    subgraphs: int
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]
    ops: tuple[OpSummary, ...]
    op_set: tuple[str, ...]
    """The different ops of all subgraphs, sorted."""
    op_versions: tuple[tuple[str, int], ...]
    """The same with the highest version each occurs in."""
    parameters: int
    weight_bytes: int
    macs: int
    peak_activation_bytes: int
    """Largest `activation_bytes` of an op: no memory plan can do with less."""
    float_ops: tuple[str, ...]
    """`#3 CONV_2D` for each op that computes on float tensors; conversions at the ends are not counted."""
    is_full_int8: bool
    int8_obstacle: str
    """Why the model is not full int8; empty if it is."""


def summarize(model: Model) -> ModelSummary:
    """Add up what a model costs."""
    graph = model.main
    ops = tuple(_op(graph, op) for op in graph.operators)
    constants = {tensor.index: tensor for op in graph.operators for tensor in _parameters(graph, op)}
    obstacle = _int8_obstacle(model)
    return ModelSummary(
        file_bytes=model.file_bytes,
        description=model.description,
        subgraphs=len(model.subgraphs),
        inputs=tuple(_tensor(graph.tensors[index]) for index in graph.inputs),
        outputs=tuple(_tensor(graph.tensors[index]) for index in graph.outputs),
        ops=ops,
        op_set=tuple(name for name, _ in _op_versions(model)),
        op_versions=_op_versions(model),
        parameters=sum(tensor.elements for tensor in constants.values()),
        weight_bytes=sum(tensor_bytes(tensor) for tensor in constants.values()),
        macs=sum(op.macs for op in ops),
        peak_activation_bytes=max((op.activation_bytes for op in ops), default=0),
        float_ops=_float_ops(model),
        is_full_int8=not obstacle,
        int8_obstacle=obstacle,
    )


def require_full_int8(summary: ModelSummary, name: str) -> None:
    """Accept a model only if it takes int8, gives int8, and has no float op between.

    Raises:
        ModelError: naming the tensor or the ops.
    """
    if summary.int8_obstacle:
        raise ModelError(f"{name}: {summary.int8_obstacle}")


def op_rows(summary: ModelSummary) -> list[tuple[str, ...]]:
    """The ops as text for a table: number, op, output shape, parameters, weight bytes, MACs, activation bytes."""
    return [
        (
            str(op.index),
            op.op,
            " x ".join(map(str, op.output_shape)),
            *(f"{number:,}" for number in (op.parameters, op.weight_bytes, op.macs, op.activation_bytes)),
        )
        for op in summary.ops
    ]


def tensor_bytes(tensor: Tensor) -> int:
    """Bytes of a tensor's elements; 0 for types without a fixed size."""
    return (tensor.elements * _BITS[tensor.type] + 7) // 8


def _tensor(tensor: Tensor) -> TensorSummary:
    quantization = tensor.quantization
    single = quantization if quantization is not None and not quantization.is_per_channel else None
    return TensorSummary(
        tensor.name,
        tensor.type,
        tensor.shape,
        single.scales[0] if single else None,
        single.zero_points[0] if single else None,
    )


def _op(graph: Subgraph, op: Operator) -> OpSummary:
    constants = _parameters(graph, op)
    moving = {index for index in (*op.inputs, *op.outputs) if index >= 0 and graph.tensors[index].data is None}
    output = graph.tensors[op.outputs[0]] if op.outputs else None
    return OpSummary(
        index=op.index,
        op=op.code.label,
        version=op.version,
        name=output.name if output else "",
        output_type=output.type if output else "",
        output_shape=output.shape if output else (),
        parameters=sum(tensor.elements for tensor in constants),
        weight_bytes=sum(tensor_bytes(tensor) for tensor in constants),
        macs=_macs(graph, op),
        activation_bytes=sum(tensor_bytes(graph.tensors[index]) for index in moving),
    )


def _op_versions(model: Model) -> tuple[tuple[str, int], ...]:
    versions: dict[str, int] = {}
    for subgraph in model.subgraphs:
        for op in subgraph.operators:
            versions[op.code.label] = max(op.version, versions.get(op.code.label, op.version))
    return tuple(sorted(versions.items()))


def _parameters(graph: Subgraph, op: Operator) -> list[Tensor]:
    if op.name in _WITH_KERNEL:
        candidates = op.inputs[1:3]
    elif op.name in _WITH_CONSTANTS:
        candidates = op.inputs
    else:
        return []
    tensors = [graph.tensors[index] for index in dict.fromkeys(candidates) if index >= 0]
    return [tensor for tensor in tensors if tensor.data is not None]


def _macs(graph: Subgraph, op: Operator) -> int:
    if op.name not in _WITH_KERNEL or len(op.inputs) < 2 or op.inputs[1] < 0 or not op.outputs:
        return 0
    kernel, output = graph.tensors[op.inputs[1]].shape, graph.tensors[op.outputs[0]]
    # Kernels are stored as [out, height, width, in], depthwise as [1, height, width, channels], dense as [out, in].
    products = kernel[1:3] if op.name == "DEPTHWISE_CONV_2D" else kernel[1:]
    return output.elements * math.prod(products)


def _types(graph: Subgraph, op: Operator) -> list[str]:
    """Types of the tensors that an op reads and writes."""
    return [graph.tensors[index].type for index in (*op.inputs, *op.outputs) if index >= 0]


def _where(graph: Subgraph, op: Operator) -> str:
    return f"#{op.index} {op.code.label}" + (f" of subgraph {graph.index}" if graph.index else "")


def _float_ops(model: Model) -> tuple[str, ...]:
    return tuple(
        _where(graph, op)
        for graph in model.subgraphs
        for op in graph.operators
        if op.name not in _CONVERSIONS and not _FLOAT_TYPES.isdisjoint(_types(graph, op))
    )


def _int8_obstacle(model: Model) -> str:
    for what, numbers in (("input", model.main.inputs), ("output", model.main.outputs)):
        if not numbers:
            return f"the model has no {what}"
        for number in numbers:
            tensor = model.main.tensors[number]
            if tensor.type != "INT8":
                return f"its {what} {tensor.name!r} is {tensor.type}; expected INT8 (inference_{what}_type = tf.int8)"
            if tensor.quantization is None or tensor.quantization.is_per_channel:
                return f"its {what} {tensor.name!r} carries no scale and zero point"
    for graph in model.subgraphs:
        for op in graph.operators:
            # Weights may be narrower than 8 bits; what moves between ops may not be anything but int8.
            moving = [index for index in (*op.inputs, *op.outputs) if index >= 0 and graph.tensors[index].data is None]
            wrong = [index for index in moving if graph.tensors[index].type not in _INT8_TYPES]
            if wrong:
                return f"op {_where(graph, op)} computes on {graph.tensors[wrong[0]].type}; expected full int8"
    return ""
