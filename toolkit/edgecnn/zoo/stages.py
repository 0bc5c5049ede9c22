"""The vocabulary of architectures: each stage is a few numbers; `builder` turns stages into Keras layers."""

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Conv:
    """Conv1D, batch normalization where `norm`, ReLU."""

    filters: int
    kernel: int
    stride: int = 1
    padding: Literal["same", "valid"] = "same"
    norm: bool = True


@dataclass(frozen=True)
class Separable:
    """Depthwise Conv1D over time, then a 1x1 Conv1D over channels, each with batch normalization and ReLU."""

    filters: int
    kernel: int
    stride: int = 1


@dataclass(frozen=True)
class Residual:
    """Two convolutions and a shortcut around them (He et al. 2016); a 1x1 convolution where the shapes differ."""

    filters: int
    kernel: int
    stride: int = 1


@dataclass(frozen=True)
class Dilated:
    """A residual block of two causal convolutions with `dilation` (Bai et al. 2018)."""

    filters: int
    kernel: int
    dilation: int


@dataclass(frozen=True)
class Inception:
    """Parallel kernels behind a bottleneck, and a pooled branch, concatenated (Ismail Fawaz et al. 2020)."""

    filters: int
    kernels: tuple[int, ...]
    bottleneck: int


@dataclass(frozen=True)
class Pool:
    """Max or average pooling; left out where fewer than `size` samples remain."""

    size: int
    kind: Literal["max", "avg"] = "max"


@dataclass(frozen=True)
class FittedPool:
    """Max pooling as strong as the window asks for: stage `number` (from 0) of `stages` that halve time together.

    The halvings that leave about `STEPS_LEFT` samples of the window are dealt to the stages in turn, from the first:
    of 4 stages, 128 samples get pools of 2, 2, 2 and 1, and 1000 samples 4, 4, 2 and 2.
    """

    number: int
    stages: int


STEPS_LEFT = 16


@dataclass(frozen=True)
class GlobalPool:
    """Average, maximum, or both over all of time."""

    kind: Literal["avg", "max", "avg+max"] = "avg"


@dataclass(frozen=True)
class Flatten:
    """All samples and channels in one vector."""


@dataclass(frozen=True)
class Dense:
    """Fully connected layer with ReLU."""

    units: int


@dataclass(frozen=True)
class Dropout:
    """Dropout while training; `whole_channels` drops a channel for the whole window. Rate 0 adds no layer."""

    rate: float
    whole_channels: bool = False


Stage: TypeAlias = (
    Conv | Separable | Residual | Dilated | Inception | Pool | FittedPool | GlobalPool | Flatten | Dense | Dropout
)
