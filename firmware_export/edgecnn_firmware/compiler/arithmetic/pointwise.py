"""Comparisons and quotients of int8 as TFLite's reference kernels compute them, and its float32 functions of one number."""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64, multiply_by_multiplier, quantize_multiplier
from edgecnn_firmware.compiler.arithmetic.gemmlowp import one_over_one_plus
from edgecnn_firmware.errors import ModelError

_F: Final = np.float32
_COMPARE_SHIFT: Final = 8
"""Bits that operands of a comparison are shifted before they are scaled."""

_MOST_RIGHT: Final = -31

COMPARE: Final[dict[str, Callable[[Any, Any], npt.NDArray[np.bool_]]]] = {
    "EQUAL": np.equal,
    "NOT_EQUAL": np.not_equal,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
}
LOGICAL: Final[dict[str, Callable[..., npt.NDArray[np.bool_]]]] = {
    "LOGICAL_AND": np.logical_and,
    "LOGICAL_OR": np.logical_or,
    "LOGICAL_NOT": np.logical_not,
}


def compare(name: str, a: Affine, b: Affine) -> Callable[[Any, Any], npt.NDArray[np.bool_]]:
    """A comparison of int8; the operands' scales are below 1 (`ComparisonWithScaling`)."""
    scalings = [(affine.zero_point, *quantize_multiplier(affine.scale)) for affine in (a, b)]

    def compute(*operands: Any) -> npt.NDArray[np.bool_]:
        scaled = [
            multiply_by_multiplier((np.asarray(x, np.int64) - zero_point) << _COMPARE_SHIFT, multiplier, shift)
            for x, (zero_point, multiplier, shift) in zip(operands, scalings, strict=True)
        ]
        return COMPARE[name](*scaled)

    return compute


def quotient(
    a: Affine, b: Affine, target: Affine, clamp: tuple[int, int]
) -> Callable[[Any, Any], npt.NDArray[np.int8]]:
    """DIV of int8: by a reciprocal in fixed point. Where the reference refuses a divisor of 0 the result is 0's.

    What it gives raises ModelError for quotients so small that the reference shifts by more than 31 bits.
    """
    multiplier, shift = quantize_multiplier(float(_F(a.scale) / (_F(b.scale) * _F(target.scale))))

    def compute(x: Any, y: Any) -> npt.NDArray[np.int8]:
        above, below = np.broadcast_arrays(
            np.asarray(x, np.int64) - a.zero_point, np.asarray(y, np.int64) - b.zero_point
        )
        above, below = np.where(below < 0, -above, above), np.abs(below)
        safe = np.maximum(below, 1)
        bits = np.floor(np.log2(safe)).astype(np.int64)
        inverse = one_over_one_plus((safe << (31 - bits)) - (1 << 31))
        headroom = _sign_bits(above)
        unscaled = multiply_by_multiplier(above, inverse, headroom)
        shifts = shift - bits - headroom
        if (shifts[below != 0] < _MOST_RIGHT).any():
            raise ModelError(
                "quotients are so small against its output's scale that the reference's shift is undefined"
            )
        found = multiply_by_multiplier(unscaled, multiplier, np.maximum(shifts, _MOST_RIGHT)) + target.zero_point
        return np.clip(np.where(below == 0, target.zero_point, found), *clamp).astype(np.int8)

    return compute


def _sign_bits(x: Int64) -> Int64:
    """Bits of an int32 after the first that equal it (`CountLeadingSignBits`)."""
    magnitude = np.where(x < 0, ~x, x)
    found: Int64 = 31 - np.ceil(np.log2(magnitude + 1)).astype(np.int64)
    return found


def select(condition: Any, a: Any, b: Any) -> npt.NDArray[Any]:
    """SELECT: the bytes as they are, whatever the scales."""
    chosen: npt.NDArray[Any] = np.where(condition, a, b)
    return chosen


def _single(function: Callable[[float], float]) -> Callable[[Any], npt.NDArray[np.float32]]:
    """A function of float64, rounded to float32."""

    def compute(x: Any) -> npt.NDArray[np.float32]:
        flat = np.array([function(float(one)) for one in np.asarray(x).reshape(-1)], _F)
        shaped: npt.NDArray[np.float32] = flat.reshape(np.shape(x))
        return shaped

    return compute


def _exp(x: float) -> float:
    return math.exp(min(x, 700.0))


FLOAT: Final[dict[str, Callable[..., npt.NDArray[np.float32]]]] = {
    "ABS": np.abs,
    "NEG": np.negative,
    "SQUARE": lambda x: x * x,
    "RELU": lambda x: np.maximum(x, _F(0)),
    "RELU6": lambda x: np.clip(x, _F(0), _F(6)),
    "EXP": _single(_exp),
    "ELU": _single(lambda x: math.expm1(x) if x < 0 else x),
    "TANH": _single(math.tanh),
    "LOGISTIC": _single(lambda x: 1 / (1 + _exp(-x))),
    "SIN": _single(math.sin),
    "COS": _single(math.cos),
    "SIGN": np.sign,
    "FLOOR": np.floor,
    "ADD": lambda a, b: np.add(a, b, dtype=_F),
    "SUB": lambda a, b: np.subtract(a, b, dtype=_F),
    "MUL": lambda a, b: np.multiply(a, b, dtype=_F),
    "MINIMUM": np.minimum,
    "MAXIMUM": np.maximum,
}
"""Ops on float32 by name; ADD, SUB and MUL without a fused activation."""
