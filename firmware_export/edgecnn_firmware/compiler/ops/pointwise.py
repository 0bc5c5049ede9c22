"""Elementwise ops that have no kernel of their own: those of one int8 value become a table of 256 entries."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy.typing as npt

from edgecnn_firmware.compiler.ops.value import Op

Function: TypeAlias = Callable[..., npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Pointwise(Op):
    """Compare, select, divide, or compute on floats between a DEQUANTIZE and a QUANTIZE, element by element."""

    compute: Function
    """What it does, of one array an operand."""
    constants: tuple[npt.NDArray[Any] | None, ...]
    """Each operand in order: a constant, or None for the next of `inputs`."""

    def operands(self, arrays: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """All operands, constants among them."""
        given = iter(arrays)
        return [next(given) if constant is None else constant for constant in self.constants]
