"""A `.tflite` model as plain frozen data; every index in it has been checked."""

import math
from dataclasses import dataclass, field
from typing import Final

from edgecnn_firmware.tflite.options import Options

_SHOWN_CHARACTERS: Final = 60


@dataclass(frozen=True)
class Quantization:
    """`real = scale * (q - zero_point)`: one pair for the tensor, or one for each slice along `axis`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int

    @property
    def is_per_channel(self) -> bool:
        """Whether there is more than one pair."""
        return len(self.scales) > 1


@dataclass(frozen=True)
class Tensor:
    """One tensor; `data` are the bytes of a constant, None for one that is computed."""

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    """`shape` with -1 where a size is not fixed."""
    quantization: Quantization | None
    is_variable: bool
    data: memoryview | None = field(repr=False, default=None)

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class OpCode:
    """What an op is: its name in `BuiltinOperator`, its version, and the name of a custom op."""

    name: str
    version: int
    custom_name: str = ""

    @property
    def is_custom(self) -> bool:
        """Whether the op is outside the format's list."""
        return self.name == "CUSTOM"

    @property
    def label(self) -> str:
        """The op's name for people, short and on one line whatever the file calls a custom op."""
        if not self.is_custom:
            return self.name
        shown = "".join(character if character.isprintable() else "?" for character in self.custom_name)
        return f"CUSTOM {shown[:_SHOWN_CHARACTERS]}".rstrip()


@dataclass(frozen=True)
class Operator:
    """One op: tensor numbers, where -1 stands for an optional input that is left out."""

    index: int
    code: OpCode
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options | None = None
    """None where the file has none, or where `options.OPTIONS_OF_OP` does not list the op."""
    intermediates: tuple[int, ...] = ()
    custom_options: memoryview | None = field(repr=False, default=None)

    @property
    def name(self) -> str:
        """The op's name in `BuiltinOperator`."""
        return self.code.name

    @property
    def version(self) -> int:
        """The op's version."""
        return self.code.version


@dataclass(frozen=True)
class Subgraph:
    """Tensors and the ops on them, in the order they run."""

    index: int
    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Model:
    """A whole file; `subgraphs[0]` is what an interpreter invokes."""

    name: str
    version: int
    description: str
    op_codes: tuple[OpCode, ...]
    subgraphs: tuple[Subgraph, ...]
    file_bytes: int

    @property
    def main(self) -> Subgraph:
        """The subgraph that is invoked."""
        return self.subgraphs[0]
