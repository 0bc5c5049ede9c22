"""What a model consists of and what it costs: ops, shapes, parameters, MACs, bytes."""

import math
from dataclasses import dataclass
from typing import Final

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite import schema
from edgecnn_firmware.tflite.model import Model, Operator, Subgraph, Tensor

_BITS: Final = dict(schema.TENSOR_TYPES)
_FLOAT_TYPES: Final = frozenset({"FLOAT32", "FLOAT16", "FLOAT64", "BFLOAT16", "FLOAT8_E4M3FN", "FLOAT8_E5M2"})
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
    """One op. MACs are counted for convolutions and fully connected ops, `outputs x products per output`."""

    index: int
    op: str
    version: int
    name: str
    output_type: str
    output_shape: tuple[int, ...]
    parameters: int
    weight_bytes: int
    macs: int
    activation_bytes: int
    """Bytes of all tensors the op reads and writes that are not constants."""


@dataclass(frozen=True)
class ModelSummary:
    """A whole model."""

    file_bytes: int
    subgraphs: int
    inputs: tuple[TensorSummary, ...]
    outputs: tuple[TensorSummary, ...]
    ops: tuple[OpSummary, ...]
    op_set: tuple[str, ...]
    """The different ops of all subgraphs, sorted."""
    parameters: int
    weight_bytes: int
    macs: int
    peak_activation_bytes: int
    """Largest `activation_bytes` of an op: no memory plan can do with less."""
    float_ops: tuple[str, ...]
    """`#3 CONV_2D` for each op that computes on float tensors; conversions at the ends are not counted."""


def summarize(model: Model) -> ModelSummary:
    """Add up what a model costs."""
    graph = model.main
    ops = tuple(_op(graph, op) for op in graph.operators)
    return ModelSummary(
        file_bytes=model.file_bytes,
        subgraphs=len(model.subgraphs),
        inputs=tuple(_tensor(graph.tensors[index]) for index in graph.inputs),
        outputs=tuple(_tensor(graph.tensors[index]) for index in graph.outputs),
        ops=ops,
        op_set=tuple(sorted({op.name for subgraph in model.subgraphs for op in subgraph.operators})),
        parameters=sum(op.parameters for op in ops),
        weight_bytes=sum(op.weight_bytes for op in ops),
        macs=sum(op.macs for op in ops),
        peak_activation_bytes=max((op.activation_bytes for op in ops), default=0),
        float_ops=tuple(f"#{op.index} {op.name}" for op in graph.operators if _computes_on_floats(graph, op)),
    )


def require_full_int8(summary: ModelSummary, name: str) -> None:
    """Accept a model only if it takes int8, gives int8, and has no float op between.

    Raises:
        ModelError: naming the tensor or the ops.
    """
    for what, tensors in (("input", summary.inputs), ("output", summary.outputs)):
        if len(tensors) != 1:
            raise ModelError(f"{name}: it has {len(tensors)} {what}s; expected one")
        if tensors[0].type != "INT8":
            raise ModelError(
                f"{name}: its {what} '{tensors[0].name}' is {tensors[0].type}; expected INT8: convert with "
                f"inference_{what}_type = tf.int8"
            )
        if tensors[0].scale is None or tensors[0].zero_point is None:
            raise ModelError(f"{name}: its {what} '{tensors[0].name}' carries no scale and zero point")
    if summary.float_ops:
        raise ModelError(f"{name}: computes on floats in {', '.join(summary.float_ops[:5])}; expected full int8")


def _tensor(tensor: Tensor) -> TensorSummary:
    quantization = tensor.quantization
    single = quantization if quantization is not None and len(quantization.scales) == 1 else None
    return TensorSummary(
        tensor.name,
        tensor.type,
        tensor.shape,
        single.scales[0] if single else None,
        single.zero_points[0] if single else None,
    )


def _op(graph: Subgraph, op: Operator) -> OpSummary:
    constants = [graph.tensors[index] for index in _parameter_inputs(graph, op)]
    moving = {index for index in (*op.inputs, *op.outputs) if index >= 0 and graph.tensors[index].data is None}
    output = graph.tensors[op.outputs[0]] if op.outputs else None
    return OpSummary(
        index=op.index,
        op=op.name,
        version=op.version,
        name=output.name if output else "",
        output_type=output.type if output else "",
        output_shape=output.shape if output else (),
        parameters=sum(tensor.elements for tensor in constants),
        weight_bytes=sum(tensor_bytes(tensor) for tensor in constants),
        macs=_macs(graph, op),
        activation_bytes=sum(tensor_bytes(graph.tensors[index]) for index in moving),
    )


def tensor_bytes(tensor: Tensor) -> int:
    """Bytes of a tensor's elements."""
    return (tensor.elements * _BITS[tensor.type] + 7) // 8


def _parameter_inputs(graph: Subgraph, op: Operator) -> list[int]:
    if op.name in _WITH_KERNEL:
        candidates = op.inputs[1:3]
    elif op.name in _WITH_CONSTANTS:
        candidates = op.inputs
    else:
        return []
    return [index for index in candidates if index >= 0 and graph.tensors[index].data is not None]


def _macs(graph: Subgraph, op: Operator) -> int:
    if op.name not in _WITH_KERNEL or len(op.inputs) < 2 or op.inputs[1] < 0 or not op.outputs:
        return 0
    kernel, output = graph.tensors[op.inputs[1]].shape, graph.tensors[op.outputs[0]]
    # Kernels are stored as [out, height, width, in], depthwise ones as [1, height, width, channels], dense as [out, in].
    products = kernel[1:3] if op.name == "DEPTHWISE_CONV_2D" else kernel[1:]
    return output.elements * math.prod(products)


def _computes_on_floats(graph: Subgraph, op: Operator) -> bool:
    if op.name in _CONVERSIONS:
        return False
    return any(graph.tensors[index].type in _FLOAT_TYPES for index in (*op.inputs, *op.outputs) if index >= 0)
