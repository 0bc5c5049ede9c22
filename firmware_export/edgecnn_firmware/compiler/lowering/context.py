"""What the lowering of one op sees: its tensors as values or constants, and a way to refuse with a reason."""

import dataclasses
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.requantization import Rounding
from edgecnn_firmware.compiler.ops.value import Op, State, Value
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.model import Model, Operator, Tensor
from edgecnn_firmware.tflite.options import Activation

_TYPES: Final = {
    "INT8": "int8",
    "UINT8": "uint8",
    "INT32": "int32",
    "INT64": "int64",
    "FLOAT32": "float32",
    "BOOL": "bool",
}
_NUMPY: Final = {**_TYPES, "INT16": "int16"}

_WITH_WEIGHTS: Final = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")

Options = TypeVar("Options")


@dataclasses.dataclass(frozen=True)
class Profile:
    """Whose rounding the emitted code repeats."""

    name: str
    dense: Rounding
    """Rounding of FULLY_CONNECTED; convolutions round twice in every reference."""
    reference: str
    """Its name for people."""


MOST_STEPS: Final = 1 << 30
"""Beyond these the reference's conversion of an activation's bound to int32 is not defined."""
PROFILES: Final = {
    "litert": Profile("litert", Rounding.REAL, "LiteRT's reference kernels"),
    "tflm": Profile("tflm", Rounding.TWICE, "TensorFlow Lite Micro"),
}


class Lowering:
    """The graph under construction. `env` knows what each tensor of the file has become."""

    def __init__(self, model: Model, profile: Profile) -> None:
        self.graph = model.main
        self.subgraphs = model.subgraphs
        self.file = model.name
        self.profile = profile
        self._fresh = len(model.main.tensors)
        self.ops: list[Op] = []
        self.states: list[State] = []
        self.known: dict[int, Value] = {}
        self.constants: dict[int, npt.NDArray[Any]] = {}
        """Tensors that are constant, by the file or by evaluation."""
        self.resources: dict[int, str] = {}
        """Handles of variables: tensor number -> variable name."""
        self.variables: dict[str, Value] = {}
        """Variables by name, as the values that hold them."""
        self.initial: dict[str, bytes] = {}
        """First values of variables, by name."""
        self.islands: set[int] = set()
        """Storages of floats that a DEQUANTIZE gave, or what was computed from them."""
        self.done: set[int] = set()
        """Numbers of ops that were taken in by an earlier one."""

    def fresh_storage(self) -> int:
        """A number for a value that no tensor of the file holds."""
        self._fresh += 1
        return self._fresh

    def fail(self, op: Operator, why: str) -> ModelError:
        """The error that refuses an op."""
        name = self.graph.tensors[op.outputs[0]].name if op.outputs else ""
        return ModelError(f"{self.file}: op #{op.index} {op.code.label} {name[:60]!r}: {why}")

    def tensor(self, op: Operator, position: int) -> Tensor:
        """Input tensor of an op."""
        if position >= len(op.inputs) or op.inputs[position] < 0:
            raise self.fail(op, f"input {position} is missing")
        return self.graph.tensors[op.inputs[position]]

    def has_input(self, op: Operator, position: int) -> bool:
        """Whether an optional input is there."""
        return position < len(op.inputs) and op.inputs[position] >= 0

    def constant(self, op: Operator, position: int, what: str) -> npt.NDArray[Any]:
        """A constant input in its own type and shape."""
        tensor = self.tensor(op, position)
        found = self.constant_of(tensor)
        if found is None:
            raise self.fail(op, f"{what} is computed at run time; expected a constant")
        return found

    def constant_of(self, tensor: Tensor) -> npt.NDArray[Any] | None:
        """The constant that a tensor holds, or None."""
        if tensor.index in self.constants:
            return self.constants[tensor.index]
        if tensor.data is None or tensor.type not in _NUMPY:
            return None
        flat = np.frombuffer(tensor.data, np.dtype(_NUMPY[tensor.type]).newbyteorder("<"))
        return flat.reshape(tensor.shape)

    def is_constant(self, op: Operator, position: int) -> bool:
        """Whether an input is a constant."""
        return self.constant_of(self.tensor(op, position)) is not None

    def affine(self, op: Operator, tensor: Tensor) -> Affine:
        """The one scale and zero point of a tensor."""
        found = tensor.quantization
        if found is None or not found.scales or found.is_per_channel:
            raise self.fail(op, f"tensor {tensor.name[:60]!r} has no single scale; expected a quantized tensor")
        return Affine(found.scales[0], found.zero_points[0] if found.zero_points else 0)

    def value(self, op: Operator, position: int, *types: str) -> Value:
        """An input that is computed at run time, of one of the `types` (int8 where none is given)."""
        tensor = self.tensor(op, position)
        if tensor.index not in self.known:
            raise self.fail(op, f"input {position} is a constant; expected one computed at run time")
        found = self.known[tensor.index]
        self._require_type(op, found.type, types or ("int8",), f"input {position}")
        return found

    def known_value(self, op: Operator, position: int) -> Value:
        """An input of any type that is computed at run time."""
        return self.value(op, position, *_TYPES.values())

    def output(self, op: Operator, *types: str, position: int = 0) -> Value:
        """A new value for an output of an op."""
        tensor = self.graph.tensors[op.outputs[position]]
        made = self.make_value(op, tensor)
        self._require_type(op, made.type, types or ("int8",), "the output")
        self.known[tensor.index] = made
        return made

    def make_value(self, op: Operator | None, tensor: Tensor) -> Value:
        """The value of a tensor, which must have a fixed shape with batch 1."""
        where = f"tensor {tensor.index} {tensor.name[:60]!r}"
        kind = _TYPES.get(tensor.type)
        if kind is None or (kind == "bool" and op is None):
            raise self._refuse(op, f"{where} is {tensor.type}; int8 networks are compiled")
        if not tensor.elements:
            raise self._refuse(op, f"{where} has no elements")
        found = tensor.quantization
        has_affine = found is not None and found.scales and not found.is_per_channel
        affine = Affine(found.scales[0], (*found.zero_points, 0)[0]) if found and has_affine else Affine(1.0, 0)
        if kind in ("int8", "uint8") and not has_affine:
            raise self._refuse(op, f"{where} has no single scale; expected a quantized tensor")
        if kind in ("int8", "uint8") and not affine.scale > 0:
            raise self._refuse(op, f"{where} has scale {affine.scale}; expected one above 0")
        return Value(tensor.index, tensor.name, tensor.shape, affine, kind)  # type: ignore[arg-type]

    def alias(self, op: Operator, value: Value) -> None:
        """Let an op's output be the bytes of `value` under the output's shape."""
        tensor = self.graph.tensors[op.outputs[0]]
        if tensor.elements != value.elements:
            raise self.fail(op, f"{value.elements} elements become {tensor.elements}")
        self.known[tensor.index] = value.view(tensor.shape)

    def options(self, op: Operator, kind: type[Options]) -> Options:
        """The op's options, of a given kind."""
        if not isinstance(op.options, kind):
            raise self.fail(op, f"its options are missing; expected {kind.__name__}")
        return op.options

    def clamp(self, op: Operator, activation: Activation, output: Affine) -> tuple[int, int]:
        """Bounds of a fused activation in the output's int8, as TFLite's `CalculateActivationRangeQuantized`."""
        low, high = -128, 127

        def quantized(real: float) -> int:
            # TfLiteRound of a float32 quotient: halves away from zero.
            with np.errstate(over="ignore"):
                quotient = float(np.float32(real) / np.float32(output.scale))
            if abs(quotient) > MOST_STEPS:
                raise self.fail(op, f"an output scale of {output.scale} is too small for its activation")
            return output.zero_point + int(np.copysign(np.floor(abs(quotient) + 0.5), quotient))

        if activation is Activation.RELU:
            return max(low, quantized(0.0)), high
        if activation is Activation.RELU6:
            return max(low, quantized(0.0)), min(high, quantized(6.0))
        if activation is Activation.RELU_N1_TO_1:
            return max(low, quantized(-1.0)), min(high, quantized(1.0))
        if activation is Activation.NONE:
            return low, high
        raise self.fail(op, f"fused activation {activation.name}; expected NONE, RELU, RELU6 or RELU_N1_TO_1")

    def _require_type(self, op: Operator, found: str, types: tuple[str, ...], what: str) -> None:
        if found == "float32" and types == ("int8",):
            weights = op.name in _WITH_WEIGHTS and self.tensor(op, 1).type == "INT8"
            if weights:
                raise self.fail(op, "int8 weights on float32 values, a dynamic-range model; quantize it to full int8")
            raise self.fail(op, "computes on float32; quantize the model to full int8")
        if found not in types:
            raise self.fail(op, f"{what} is {found}; expected {' or '.join(types)}")

    def _refuse(self, op: Operator | None, why: str) -> ModelError:
        return self.fail(op, why) if op is not None else ModelError(f"{self.file}: {why}")


Lower: TypeAlias = Callable[[Lowering, Operator], None]
