"""Elementwise int8 ops that LiteRT's reference kernels compute as tables, from float32 functions of float32 inputs.

Source: `LUTPopulate` in `tensorflow/lite/kernels/internal/common.h` and the kernels that call it. The functions are
computed in float64 and rounded to float32, which is what a correctly rounded math library returns. LiteRT calls the C
library of its machine, which may be off in the last place; where an output lies that close to a tie, LiteRT itself
differs by one from machine to machine. With TFLite's output scales for LOGISTIC and TANH no such input was found.
"""

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.affine import Affine

Function: TypeAlias = Callable[[Any], Any]

_F: Final = np.float32
_SQRT_HALF: Final = _F(math.sqrt(0.5))
_SQRT_2_OVER_PI: Final = _F(0.7978845608)
_CUBIC: Final = _F(0.044715)


def logistic_table(source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """LOGISTIC; LiteRT wants an output scale of 1/256."""
    return float_table(lambda x: _F(1) / (_F(1) + _F(np.exp(np.float64(-x)))), source, target)


def tanh_table(source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """TANH."""
    return float_table(_tanh, source, target)


def exp_table(source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """EXP."""
    return float_table(lambda x: _F(np.exp(np.float64(x))), source, target)


def elu_table(source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """ELU."""
    return float_table(lambda x: _F(math.expm1(float(x))) if x < 0 else x, source, target)


def log_table(source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """LOG; inputs that are not positive give the least output."""
    least = _F(-128 - target.zero_point) * _F(target.scale)
    return float_table(lambda x: math.log(float(x)) if x > 0 else least, source, target)


def gelu_table(source: Affine, target: Affine, *, approximate: bool) -> npt.NDArray[np.int8]:
    """GELU: by the complementary error function, or approximately by tanh."""
    return float_table(_gelu_by_tanh if approximate else _gelu, source, target)


def sqrt_table(source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """SQRT, rounded toward zero.

    Raises:
        ValueError: an input can be negative, where the reference stops.
    """
    if source.zero_point != -128:
        raise ValueError(f"its input has zero point {source.zero_point} and can be negative; expected -128")
    quotient = np.sqrt(_reals(source)) / _F(target.scale)
    return _stored(np.trunc(quotient.astype(np.float64)), target)


def float_table(function: Function, source: Affine, target: Affine) -> npt.NDArray[np.int8]:
    """Outputs of all 256 inputs: the function's float32 over the output's scale, to the nearest, halves away from zero.

    Raises:
        ValueError: an output is so far out of range that the reference's conversion to int32 is undefined.
    """
    with np.errstate(over="ignore", under="ignore"):
        values = np.array([function(x) for x in _reals(source)], np.float32)
        quotient = (values * (_F(1) / _F(target.scale))).astype(np.float64)
    return _stored(np.copysign(np.floor(np.abs(quotient) + 0.5), quotient), target)


def _reals(source: Affine) -> npt.NDArray[np.float32]:
    """All 256 inputs as float32."""
    steps = np.arange(-128, 128) - source.zero_point
    reals: npt.NDArray[np.float32] = np.multiply(np.float32(source.scale), steps.astype(np.float32), dtype=np.float32)
    return reals


def _stored(rounded: npt.NDArray[np.float64], target: Affine) -> npt.NDArray[np.int8]:
    shifted = rounded + target.zero_point
    if not (np.abs(shifted) < 1 << 31).all():
        raise ValueError(f"an output over its scale of {target.scale} leaves int32, where the reference is undefined")
    return np.clip(shifted, -128, 127).astype(np.int8)


def _tanh(x: Any) -> Any:
    return _F(math.tanh(float(x)))


def _gelu(x: Any) -> Any:
    return _F(0.5) * x * _F(math.erfc(float(-x * _SQRT_HALF)))


def _gelu_by_tanh(x: Any) -> Any:
    inner = _SQRT_2_OVER_PI * (x + _CUBIC * x * x * x)
    return _F(0.5) * x * (_F(1) + _tanh(inner))
