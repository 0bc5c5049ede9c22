"""ADD, SUB and MUL of int8, exactly as TFLite's reference kernels compute them, and a cheaper form proved equal.

The cheaper form is proved on all 65,536 pairs of inputs; there is nothing else to prove.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64, multiply_by_multiplier, quantize_multiplier

LEFT_SHIFT: Final = 20
"""Bits that inputs of ADD and SUB are shifted before they are scaled."""
ALL: Final = np.arange(-128, 128, dtype=np.int64)


@dataclass(frozen=True)
class Scaling:
    """`(x - zero_point) << 20` times a multiplier."""

    zero_point: int
    multiplier: int
    shift: int

    def apply(self, x: Int64) -> Int64:
        """Scale inputs."""
        return multiply_by_multiplier((x - self.zero_point) << LEFT_SHIFT, self.multiplier, self.shift)


@dataclass(frozen=True)
class SumParameters:
    """ADD and SUB: `first` and `second` are brought to twice the larger scale, added, and scaled to the output."""

    first: Scaling
    second: Scaling
    sign: Literal[1, -1]
    multiplier: int
    shift: int
    zero_point: int
    clamp_min: int
    clamp_max: int
    ratios: tuple[float, float]
    """Scale of each operand over the output's."""

    def apply(self, a: Int64, b: Int64) -> npt.NDArray[np.int8]:
        """Compute the op on broadcastable arrays."""
        raw = self.first.apply(a) + self.sign * self.second.apply(b)
        found = multiply_by_multiplier(raw, self.multiplier, self.shift) + self.zero_point
        return np.clip(found, self.clamp_min, self.clamp_max).astype(np.int8)


def sum_parameters(a: Affine, b: Affine, target: Affine, sign: Literal[1, -1], clamp: tuple[int, int]) -> SumParameters:
    """TFLite's `PrepareGeneralSubOp` and its like for ADD."""
    twice = 2.0 * max(a.scale, b.scale)
    multiplier, shift = quantize_multiplier(twice / ((1 << LEFT_SHIFT) * target.scale))
    return SumParameters(
        Scaling(a.zero_point, *quantize_multiplier(a.scale / twice)),
        Scaling(b.zero_point, *quantize_multiplier(b.scale / twice)),
        sign,
        multiplier,
        shift,
        target.zero_point,
        *clamp,
        (a.scale / target.scale, b.scale / target.scale),
    )


def product_scale(a: Affine, b: Affine, target: Affine) -> float:
    """Effective scale of MUL, in float32 as TFLite computes it."""
    return float(np.float32(a.scale) * np.float32(b.scale) / np.float32(target.scale))


@dataclass(frozen=True)
class PairLine:
    """A sum in 32 bits.

    `t = (a * first >> 8) + (b * second >> 8) + addend`, then `t + (t < 0 ? drop : 0)`, then `clamp((t + offset) >> shift)`.
    """

    first: int
    second: int
    addend: int
    drop: int
    offset: int
    shift: int

    def apply(self, a: Int64, b: Int64, clamp: tuple[int, int]) -> npt.NDArray[np.int8]:
        """Compute the op on broadcastable arrays."""
        t = ((a * self.first) >> 8) + ((b * self.second) >> 8) + self.addend
        t = t + np.where(t < 0, self.drop, 0)
        found: npt.NDArray[np.int8] = np.clip((t + self.offset) >> self.shift, *clamp).astype(np.int8)
        return found


def solve_pair_line(parameters: SumParameters, target: Affine) -> PairLine | None:
    """Find the cheap form of a sum, or None where none of those tried equals it on every pair."""
    wanted = parameters.apply(ALL[:, None], ALL[None, :])
    clamp = parameters.clamp_min, parameters.clamp_max
    ratios = parameters.ratios[0], parameters.sign * parameters.ratios[1]
    # Products stay below 2^29 after the shift by 8, so that two of them and the addend fit int32.
    shift = min(21 - int(np.ceil(np.log2(max(abs(ratios[0]), abs(ratios[1]))))), 22)
    if not shift >= 1:
        return None
    first, second = (round(ratio * 2.0 ** (shift + 8)) for ratio in ratios)
    center = -ratios[0] * parameters.first.zero_point - ratios[1] * parameters.second.zero_point
    if abs(center) * 2.0**shift >= 1 << 30:
        return None
    addend, half = round(center * 2.0**shift), 1 << (shift - 1)
    offset = (target.zero_point << shift) + half
    # Without a drop the offset is one with the addend.
    plain = PairLine(first, second, addend + offset + 1, 0, 0, shift)
    if np.array_equal(plain.apply(ALL[:, None], ALL[None, :], clamp), wanted):
        return plain
    for nudge in (1, 2, 0, 3, -1, 4):
        for drop in (-2 * nudge, -2 * nudge - 2, -2 * nudge + 2, 0, -4, 4):
            line = PairLine(first, second, addend + nudge, drop, offset, shift)
            if np.array_equal(line.apply(ALL[:, None], ALL[None, :], clamp), wanted):
                return line
    return None
