"""Options of the ops that networks on microcontrollers use, as typed data.

Each field states its number in its table, its form and its default; source: TensorFlow's
`tensorflow/lite/schema/schema.fbs`, version 3. Sizes and strides count elements, `w` is the last spatial axis and `h`
the one before it.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Annotated, Final, TypeAlias, get_args, get_type_hints


class Padding(IntEnum):
    """How a window op treats the borders."""

    SAME = 0
    VALID = 1


class Activation(IntEnum):
    """The activation that is fused into an op."""

    NONE = 0
    RELU = 1
    RELU_N1_TO_1 = 2
    RELU6 = 3
    TANH = 4
    SIGN_BIT = 5


class WeightsFormat(IntEnum):
    """Layout of the weights of FULLY_CONNECTED."""

    DEFAULT = 0
    SHUFFLED4X16INT8 = 1


class MirrorPadMode(IntEnum):
    """Whether MIRROR_PAD repeats the border element."""

    REFLECT = 0
    SYMMETRIC = 1


@dataclass(frozen=True)
class Slot:
    """Where a field of an options table lies."""

    number: int
    form: str
    """Struct format character; `[i]`: a vector of int32, `s`: text."""
    default: int | float | bool = 0
    least: int | None = None
    """The smallest value that makes sense."""


@dataclass(frozen=True)
class Conv2DOptions:
    """CONV_2D."""

    padding: Annotated[Padding, Slot(0, "b")]
    stride_w: Annotated[int, Slot(1, "i", 0, least=1)]
    stride_h: Annotated[int, Slot(2, "i", 0, least=1)]
    fused_activation_function: Annotated[Activation, Slot(3, "b")]
    dilation_w_factor: Annotated[int, Slot(4, "i", 1, least=1)]
    dilation_h_factor: Annotated[int, Slot(5, "i", 1, least=1)]


@dataclass(frozen=True)
class DepthwiseConv2DOptions:
    """DEPTHWISE_CONV_2D; the kernel's shape tells the depth multiplier, the field is not used by kernels."""

    padding: Annotated[Padding, Slot(0, "b")]
    stride_w: Annotated[int, Slot(1, "i", 0, least=1)]
    stride_h: Annotated[int, Slot(2, "i", 0, least=1)]
    depth_multiplier: Annotated[int, Slot(3, "i", least=0)]
    fused_activation_function: Annotated[Activation, Slot(4, "b")]
    dilation_w_factor: Annotated[int, Slot(5, "i", 1, least=1)]
    dilation_h_factor: Annotated[int, Slot(6, "i", 1, least=1)]


@dataclass(frozen=True)
class TransposeConvOptions:
    """TRANSPOSE_CONV."""

    padding: Annotated[Padding, Slot(0, "b")]
    stride_w: Annotated[int, Slot(1, "i", 0, least=1)]
    stride_h: Annotated[int, Slot(2, "i", 0, least=1)]
    fused_activation_function: Annotated[Activation, Slot(3, "b")]


@dataclass(frozen=True)
class Pool2DOptions:
    """AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D."""

    padding: Annotated[Padding, Slot(0, "b")]
    stride_w: Annotated[int, Slot(1, "i", 0, least=1)]
    stride_h: Annotated[int, Slot(2, "i", 0, least=1)]
    filter_width: Annotated[int, Slot(3, "i", 0, least=1)]
    filter_height: Annotated[int, Slot(4, "i", 0, least=1)]
    fused_activation_function: Annotated[Activation, Slot(5, "b")]


@dataclass(frozen=True)
class FullyConnectedOptions:
    """FULLY_CONNECTED."""

    fused_activation_function: Annotated[Activation, Slot(0, "b")]
    weights_format: Annotated[WeightsFormat, Slot(1, "b")]
    keep_num_dims: Annotated[bool, Slot(2, "?")]
    asymmetric_quantize_inputs: Annotated[bool, Slot(3, "?")]


@dataclass(frozen=True)
class SoftmaxOptions:
    """SOFTMAX."""

    beta: Annotated[float, Slot(0, "f")]


@dataclass(frozen=True)
class AddOptions:
    """ADD."""

    fused_activation_function: Annotated[Activation, Slot(0, "b")]
    pot_scale_int16: Annotated[bool, Slot(1, "?", default=True)]


@dataclass(frozen=True)
class SubOptions:
    """SUB."""

    fused_activation_function: Annotated[Activation, Slot(0, "b")]
    pot_scale_int16: Annotated[bool, Slot(1, "?", default=True)]


@dataclass(frozen=True)
class MulOptions:
    """MUL."""

    fused_activation_function: Annotated[Activation, Slot(0, "b")]


@dataclass(frozen=True)
class DivOptions:
    """DIV."""

    fused_activation_function: Annotated[Activation, Slot(0, "b")]


@dataclass(frozen=True)
class L2NormOptions:
    """L2_NORMALIZATION."""

    fused_activation_function: Annotated[Activation, Slot(0, "b")]


@dataclass(frozen=True)
class ConcatenationOptions:
    """CONCATENATION."""

    axis: Annotated[int, Slot(0, "i")]
    fused_activation_function: Annotated[Activation, Slot(1, "b")]


@dataclass(frozen=True)
class ReshapeOptions:
    """RESHAPE; a second input, where there is one, goes before `new_shape`."""

    new_shape: Annotated[tuple[int, ...], Slot(0, "[i]")]


@dataclass(frozen=True)
class SqueezeOptions:
    """SQUEEZE; no dimensions: all of size 1."""

    squeeze_dims: Annotated[tuple[int, ...], Slot(0, "[i]")]


@dataclass(frozen=True)
class ReducerOptions:
    """MEAN, SUM, REDUCE_MAX and their like; the axes are the second input."""

    keep_dims: Annotated[bool, Slot(0, "?")]


@dataclass(frozen=True)
class StridedSliceOptions:
    """STRIDED_SLICE; bit i of a mask concerns axis i."""

    begin_mask: Annotated[int, Slot(0, "i")]
    end_mask: Annotated[int, Slot(1, "i")]
    ellipsis_mask: Annotated[int, Slot(2, "i")]
    new_axis_mask: Annotated[int, Slot(3, "i")]
    shrink_axis_mask: Annotated[int, Slot(4, "i")]
    offset: Annotated[bool, Slot(5, "?")]


@dataclass(frozen=True)
class PadOptions:
    """PAD; the paddings are the second input."""


@dataclass(frozen=True)
class PadV2Options:
    """PADV2; paddings and value are inputs."""


@dataclass(frozen=True)
class MirrorPadOptions:
    """MIRROR_PAD."""

    mode: Annotated[MirrorPadMode, Slot(0, "b")]


@dataclass(frozen=True)
class LeakyReluOptions:
    """LEAKY_RELU."""

    alpha: Annotated[float, Slot(0, "f")]


@dataclass(frozen=True)
class PackOptions:
    """PACK."""

    values_count: Annotated[int, Slot(0, "i", least=0)]
    axis: Annotated[int, Slot(1, "i")]


@dataclass(frozen=True)
class UnpackOptions:
    """UNPACK."""

    num: Annotated[int, Slot(0, "i", least=0)]
    axis: Annotated[int, Slot(1, "i")]


@dataclass(frozen=True)
class SplitOptions:
    """SPLIT; the axis is the first input."""

    num_splits: Annotated[int, Slot(0, "i", least=0)]


@dataclass(frozen=True)
class SplitVOptions:
    """SPLIT_V; sizes and axis are inputs."""

    num_splits: Annotated[int, Slot(0, "i", least=0)]


@dataclass(frozen=True)
class TransposeOptions:
    """TRANSPOSE; the permutation is the second input."""


@dataclass(frozen=True)
class GatherOptions:
    """GATHER."""

    axis: Annotated[int, Slot(0, "i")]
    batch_dims: Annotated[int, Slot(1, "i")]


@dataclass(frozen=True)
class CastOptions:
    """CAST; types by their number, which the tensors state too."""

    in_data_type: Annotated[int, Slot(0, "b")]
    out_data_type: Annotated[int, Slot(1, "b")]


@dataclass(frozen=True)
class GeluOptions:
    """GELU."""

    approximate: Annotated[bool, Slot(0, "?")]


@dataclass(frozen=True)
class BatchMatMulOptions:
    """BATCH_MATMUL."""

    adj_x: Annotated[bool, Slot(0, "?")]
    adj_y: Annotated[bool, Slot(1, "?")]
    asymmetric_quantize_inputs: Annotated[bool, Slot(2, "?")]


@dataclass(frozen=True)
class ResizeBilinearOptions:
    """RESIZE_BILINEAR."""

    align_corners: Annotated[bool, Slot(2, "?")]
    half_pixel_centers: Annotated[bool, Slot(3, "?")]


@dataclass(frozen=True)
class ResizeNearestNeighborOptions:
    """RESIZE_NEAREST_NEIGHBOR."""

    align_corners: Annotated[bool, Slot(0, "?")]
    half_pixel_centers: Annotated[bool, Slot(1, "?")]


@dataclass(frozen=True)
class SVDFOptions:
    """SVDF."""

    rank: Annotated[int, Slot(0, "i", 0, least=1)]
    fused_activation_function: Annotated[Activation, Slot(1, "b")]
    asymmetric_quantize_inputs: Annotated[bool, Slot(2, "?")]


@dataclass(frozen=True)
class UnidirectionalSequenceLSTMOptions:
    """UNIDIRECTIONAL_SEQUENCE_LSTM."""

    fused_activation_function: Annotated[Activation, Slot(0, "b")]
    cell_clip: Annotated[float, Slot(1, "f")]
    proj_clip: Annotated[float, Slot(2, "f")]
    time_major: Annotated[bool, Slot(3, "?")]
    asymmetric_quantize_inputs: Annotated[bool, Slot(4, "?")]
    diagonal_recurrent_tensors: Annotated[bool, Slot(5, "?")]


@dataclass(frozen=True)
class CallOnceOptions:
    """CALL_ONCE."""

    init_subgraph_index: Annotated[int, Slot(0, "i", least=0)]


@dataclass(frozen=True)
class IfOptions:
    """IF."""

    then_subgraph_index: Annotated[int, Slot(0, "i", least=0)]
    else_subgraph_index: Annotated[int, Slot(1, "i", least=0)]


@dataclass(frozen=True)
class WhileOptions:
    """WHILE."""

    cond_subgraph_index: Annotated[int, Slot(0, "i", least=0)]
    body_subgraph_index: Annotated[int, Slot(1, "i", least=0)]


@dataclass(frozen=True)
class VarHandleOptions:
    """VAR_HANDLE; handles of one container and name are one variable."""

    container: Annotated[str, Slot(0, "s")]
    shared_name: Annotated[str, Slot(1, "s")]


@dataclass(frozen=True)
class ReadVariableOptions:
    """READ_VARIABLE."""


@dataclass(frozen=True)
class AssignVariableOptions:
    """ASSIGN_VARIABLE."""


@dataclass(frozen=True)
class QuantizeOptions:
    """QUANTIZE."""


@dataclass(frozen=True)
class DequantizeOptions:
    """DEQUANTIZE."""


Options: TypeAlias = (
    Conv2DOptions
    | DepthwiseConv2DOptions
    | TransposeConvOptions
    | Pool2DOptions
    | FullyConnectedOptions
    | SoftmaxOptions
    | AddOptions
    | SubOptions
    | MulOptions
    | DivOptions
    | L2NormOptions
    | ConcatenationOptions
    | ReshapeOptions
    | SqueezeOptions
    | ReducerOptions
    | StridedSliceOptions
    | PadOptions
    | PadV2Options
    | MirrorPadOptions
    | LeakyReluOptions
    | PackOptions
    | UnpackOptions
    | SplitOptions
    | SplitVOptions
    | TransposeOptions
    | GatherOptions
    | CastOptions
    | GeluOptions
    | BatchMatMulOptions
    | ResizeBilinearOptions
    | ResizeNearestNeighborOptions
    | SVDFOptions
    | UnidirectionalSequenceLSTMOptions
    | CallOnceOptions
    | IfOptions
    | WhileOptions
    | VarHandleOptions
    | ReadVariableOptions
    | AssignVariableOptions
    | QuantizeOptions
    | DequantizeOptions
)

UNION_NUMBER: Final[dict[type[Options], int]] = {
    Conv2DOptions: 1,
    DepthwiseConv2DOptions: 2,
    Pool2DOptions: 5,
    SVDFOptions: 6,
    FullyConnectedOptions: 8,
    SoftmaxOptions: 9,
    ConcatenationOptions: 10,
    AddOptions: 11,
    L2NormOptions: 12,
    ResizeBilinearOptions: 15,
    ReshapeOptions: 17,
    MulOptions: 21,
    PadOptions: 22,
    GatherOptions: 23,
    TransposeOptions: 26,
    ReducerOptions: 27,
    SubOptions: 28,
    DivOptions: 29,
    SqueezeOptions: 30,
    StridedSliceOptions: 32,
    SplitOptions: 35,
    CastOptions: 37,
    DequantizeOptions: 38,
    PadV2Options: 43,
    TransposeConvOptions: 49,
    PackOptions: 59,
    UnpackOptions: 64,
    UnidirectionalSequenceLSTMOptions: 71,
    ResizeNearestNeighborOptions: 74,
    LeakyReluOptions: 75,
    MirrorPadOptions: 77,
    SplitVOptions: 79,
    QuantizeOptions: 89,
    IfOptions: 92,
    WhileOptions: 93,
    BatchMatMulOptions: 101,
    CallOnceOptions: 103,
    VarHandleOptions: 111,
    ReadVariableOptions: 112,
    AssignVariableOptions: 113,
    GeluOptions: 116,
}
"""Number of each options table in the union `BuiltinOptions`."""

OPTIONS_OF_OP: Final[dict[str, type[Options]]] = {
    "ADD": AddOptions,
    "ASSIGN_VARIABLE": AssignVariableOptions,
    "AVERAGE_POOL_2D": Pool2DOptions,
    "BATCH_MATMUL": BatchMatMulOptions,
    "CALL_ONCE": CallOnceOptions,
    "CAST": CastOptions,
    "CONCATENATION": ConcatenationOptions,
    "CONV_2D": Conv2DOptions,
    "DEPTHWISE_CONV_2D": DepthwiseConv2DOptions,
    "DEQUANTIZE": DequantizeOptions,
    "DIV": DivOptions,
    "FULLY_CONNECTED": FullyConnectedOptions,
    "GATHER": GatherOptions,
    "GELU": GeluOptions,
    "IF": IfOptions,
    "L2_NORMALIZATION": L2NormOptions,
    "L2_POOL_2D": Pool2DOptions,
    "LEAKY_RELU": LeakyReluOptions,
    "MAX_POOL_2D": Pool2DOptions,
    "MEAN": ReducerOptions,
    "MIRROR_PAD": MirrorPadOptions,
    "MUL": MulOptions,
    "PACK": PackOptions,
    "PAD": PadOptions,
    "PADV2": PadV2Options,
    "QUANTIZE": QuantizeOptions,
    "READ_VARIABLE": ReadVariableOptions,
    "REDUCE_ALL": ReducerOptions,
    "REDUCE_ANY": ReducerOptions,
    "REDUCE_MAX": ReducerOptions,
    "REDUCE_MIN": ReducerOptions,
    "REDUCE_PROD": ReducerOptions,
    "RESHAPE": ReshapeOptions,
    "RESIZE_BILINEAR": ResizeBilinearOptions,
    "RESIZE_NEAREST_NEIGHBOR": ResizeNearestNeighborOptions,
    "SOFTMAX": SoftmaxOptions,
    "SPLIT": SplitOptions,
    "SPLIT_V": SplitVOptions,
    "SQUEEZE": SqueezeOptions,
    "STRIDED_SLICE": StridedSliceOptions,
    "SUB": SubOptions,
    "SUM": ReducerOptions,
    "SVDF": SVDFOptions,
    "TRANSPOSE": TransposeOptions,
    "TRANSPOSE_CONV": TransposeConvOptions,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": UnidirectionalSequenceLSTMOptions,
    "UNPACK": UnpackOptions,
    "VAR_HANDLE": VarHandleOptions,
    "WHILE": WhileOptions,
}
"""Options table that an op's own code reads; ops not listed are kept without typed options."""


@cache
def slots(op: str) -> dict[str, tuple[Slot, type[IntEnum] | None]]:
    """Fields of the options of an op in `OPTIONS_OF_OP`: name -> where it lies and its enum, if it is one."""
    found = {}
    for name, hint in get_type_hints(OPTIONS_OF_OP[op], include_extras=True).items():
        kind, slot = get_args(hint)
        found[name] = (slot, kind if isinstance(kind, type) and issubclass(kind, IntEnum) else None)
    return found
