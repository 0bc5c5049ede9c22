"""Pooling over the rows of a 1-D value."""

from dataclasses import dataclass

from edgecnn_firmware.compiler.ops.convolution import Window
from edgecnn_firmware.compiler.ops.value import Op


@dataclass(frozen=True, eq=False)
class MaxPool1D(Op):
    """Maximum over a window of rows; rows of padding do not count."""

    window: Window
    clamp_min: int
    clamp_max: int


@dataclass(frozen=True, eq=False)
class AveragePool1D(Op):
    """Rounded mean over a window of rows; rows of padding do not count."""

    window: Window
    clamp_min: int
    clamp_max: int
