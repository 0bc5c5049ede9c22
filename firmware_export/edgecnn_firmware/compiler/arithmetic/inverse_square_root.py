"""1 / sqrt of small integers as TFLite's reference kernels compute it."""

from typing import Final

from edgecnn_firmware.compiler.arithmetic.fixed_point import INT32_MAX, doubling_high_mul, rounding_divide_by_power
from edgecnn_firmware.compiler.arithmetic.gemmlowp import saturating_shift_left

_ONE: Final = 1 << 28
_THREE_HALVES: Final = 3 << 27
_SQRT_HALF: Final = 1518500250
_STEPS: Final = 5


def inverse_square_root(value: int) -> tuple[int, int]:
    """Compute `1 / sqrt(value)` by Newton's method in Q3.28: TFLite's `GetInvSqrtQuantizedMultiplierExp`.

    Args:
        value: 1 to 2**29 - 1.

    Returns:
        Multiplier and shift (positive: left).
    """
    if value == 1:
        return INT32_MAX, 0
    pairs = (31 - value.bit_length()) // 2 - 1
    scaled = value << (2 * pairs) >> 1
    half = int(rounding_divide_by_power(scaled, 1))
    x = _ONE
    for _ in range(_STEPS):
        cube = int(saturating_shift_left(doubling_high_mul(doubling_high_mul(x, x), x), 6))
        step = int(doubling_high_mul(_THREE_HALVES, x)) - int(doubling_high_mul(half, cube))
        x = int(saturating_shift_left(step, 3))
    x = int(doubling_high_mul(x, _SQRT_HALF))
    right = 11 - pairs
    return (x << -right, 0) if right < 0 else (x, -right)
