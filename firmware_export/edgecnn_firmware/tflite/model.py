"""A `.tflite` model as plain frozen data; every index in it has been checked."""

import math
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Quantization:
    """`real = scale * (q - zero_point)`: one pair for the tensor, or one for each slice along `axis`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int


@dataclass(frozen=True)
class Tensor:
    """One tensor; `data` are the bytes of a constant, None for one that is computed."""

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    quantization: Quantization | None
    is_variable: bool
    data: memoryview | None = field(repr=False, default=None)

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Operator:
    """One op: tensor numbers; -1 stands for an optional input that is left out."""

    index: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    is_custom: bool = False


@dataclass(frozen=True)
class Subgraph:
    """Tensors and the ops on them, in the order they run."""

    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Model:
    """A whole file; `subgraphs[0]` is what an interpreter invokes."""

    name: str
    description: str
    subgraphs: tuple[Subgraph, ...]
    file_bytes: int

    @property
    def main(self) -> Subgraph:
        """The subgraph that is invoked."""
        return self.subgraphs[0]
