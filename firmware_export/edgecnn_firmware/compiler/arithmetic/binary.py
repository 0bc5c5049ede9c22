"""ADD, SUB, MUL and SQUARED_DIFFERENCE of int8 exactly as in TFLite's reference kernels, and a cheaper form proved equal.

The cheaper form is proved on all 65,536 pairs of inputs; there is nothing else to prove.
"""

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64, multiply_by_multiplier, quantize_multiplier

LEFT_SHIFT: Final = 20
"""Bits that inputs of ADD and SUB are shifted before they are scaled."""
SQUARE_SHIFT: Final = 7
"""Bits that inputs of SQUARED_DIFFERENCE are shifted before they are scaled."""
ALL: Final = np.arange(-128, 128, dtype=np.int64)
"""All inputs."""
_NEIGHBORS: Final = sorted(product((0, 1, -1, 2, -2), repeat=2), key=lambda near: abs(near[0]) + abs(near[1]))
"""Distances from the nearest factors that are tried."""
_FAR: Final = 1 << 31
"""A bound that no output sets; addends beyond it do not fit."""


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
class SquareParameters:
    """SQUARED_DIFFERENCE: both operands are brought to twice the larger scale, subtracted, squared, scaled to the output."""

    zero_points: tuple[int, int]
    multipliers: tuple[tuple[int, int], tuple[int, int]]
    """Multiplier and shift (negative: right) of each operand."""
    multiplier: int
    shift: int
    zero_point: int

    def apply(self, a: Int64, b: Int64) -> npt.NDArray[np.int8]:
        """Compute the op on broadcastable arrays."""
        first, second = (
            multiply_by_multiplier((x - zero_point) << SQUARE_SHIFT, *multiplier)
            for x, zero_point, multiplier in zip((a, b), self.zero_points, self.multipliers, strict=True)
        )
        found = multiply_by_multiplier((first - second) ** 2, self.multiplier, self.shift) + self.zero_point
        return np.clip(found, -128, 127).astype(np.int8)


def square_parameters(a: Affine, b: Affine, target: Affine) -> SquareParameters:
    """`SquaredDifferencePrepare`."""
    twice = 2.0 * max(a.scale, b.scale)
    return SquareParameters(
        (a.zero_point, b.zero_point),
        (quantize_multiplier(a.scale / twice), quantize_multiplier(b.scale / twice)),
        *quantize_multiplier(twice * twice / ((1 << 2 * SQUARE_SHIFT) * target.scale)),
        target.zero_point,
    )


@dataclass(frozen=True)
class PairLine:
    """A sum in 32 bits.

    `t = (a * first >> 8) + (b * second >> 8) + addend`, then `t + (t < 0 ? drop : 0)`, then `clamp((t + offset) >> shift)`.
    Where both factors are multiples of 256, that is two 32-bit multiplications by whole numbers.
    """

    first: int
    second: int
    addend: int
    drop: int
    offset: int
    shift: int

    def products(self, a: Int64, b: Int64) -> Int64:
        """What the factors make of broadcastable arrays."""
        found: Int64 = ((a * self.first) >> 8) + ((b * self.second) >> 8)
        return found

    def apply(self, a: Int64, b: Int64, clamp: tuple[int, int]) -> npt.NDArray[np.int8]:
        """Compute the op on broadcastable arrays."""
        t = self.products(a, b) + self.addend
        t = t + np.where(t < 0, self.drop, 0)
        found: npt.NDArray[np.int8] = np.clip((t + self.offset) >> self.shift, *clamp).astype(np.int8)
        return found

    def fits(self) -> bool:
        """Whether no pair leaves int32, whatever the order of additions."""
        products = (abs(self.first) >> 1) + (abs(self.second) >> 1) + 2
        reach = products + abs(self.addend) + abs(self.drop) + abs(self.offset)
        return max(abs(self.first), abs(self.second), reach) < 1 << 31


def solve_pair_line(parameters: SumParameters, target: Affine, a: Int64 = ALL, b: Int64 = ALL) -> PairLine | None:
    """Find the cheap form of a sum, or None where none of those tried equals it on every pair.

    Factors that are multiples of 256 are tried first, then finer ones, then either with a drop.

    Args:
        parameters: the sum.
        target: scale and zero point of its output.
        a: every number that the first operand can be.
        b: the same for the second.
    """
    every = a[:, None], b[None, :]
    wanted = parameters.apply(*every)
    clamp = parameters.clamp_min, parameters.clamp_max
    ratios = parameters.ratios[0], parameters.sign * parameters.ratios[1]
    top = max(parameters.ratios)
    if not 2.0**-40 < top < 2.0**21:
        return None
    # Products, zero points and the output's 256 steps stay below 2^31 together, and so does each factor.
    room = 31 - math.log2(256 * sum(parameters.ratios) + 260)
    most = min(math.floor(room), 22 - math.ceil(math.log2(top)))
    for solve, grain, shift in product((_plain, _dropped), (256, 1), (most, most - 1)):
        ideal = [round(ratio * 2.0 ** (shift + 8) / grain) for ratio in ratios]
        for near in _NEIGHBORS if shift > 0 else ():
            first, second = ((factor + step) * grain for factor, step in zip(ideal, near, strict=True))
            line = solve(PairLine(first, second, 0, 0, 0, shift), every, wanted, parameters, target)
            if line is not None and line.fits() and np.array_equal(line.apply(*every, clamp), wanted):
                return line
    return None


def _plain(
    line: PairLine,
    every: tuple[Int64, Int64],
    wanted: npt.NDArray[np.int8],
    parameters: SumParameters,
    target: Affine,  # noqa: ARG001
) -> PairLine | None:
    """Add zero points and rounding in one number, such that every output begins where it must."""
    outputs = parameters.clamp_min + 1, parameters.clamp_max
    least, most = _bounds(line.products(*every), wanted, line.shift, outputs)
    return replace(line, addend=(least + most) >> 1) if least <= most else None


def _dropped(
    line: PairLine,
    every: tuple[Int64, Int64],
    wanted: npt.NDArray[np.int8],
    parameters: SumParameters,
    target: Affine,
) -> PairLine | None:
    """Round outputs above the zero point and those below, whose ties go the other way, by numbers of their own."""
    products, zero_point = line.products(*every), target.zero_point
    offset = (zero_point << line.shift) + (1 << (line.shift - 1))
    least, most = _bounds(products + offset, wanted, line.shift, (zero_point + 1, parameters.clamp_max))
    if least > most:
        return None
    addend = max(least, min(most, -round(_center(parameters) * 2.0**line.shift) + 1))
    below = products + addend < 0
    if not below.any():
        return replace(line, addend=addend, offset=offset)
    moved = products[below] + addend + offset
    low, high = _bounds(moved, wanted[below], line.shift, (parameters.clamp_min + 1, zero_point))
    return replace(line, addend=addend, drop=max(low, min(high, -2)), offset=offset) if low <= high else None


def _center(parameters: SumParameters) -> float:
    """What both zero points add up to, in output steps."""
    first, second = (
        parameters.ratios[0] * parameters.first.zero_point,
        parameters.ratios[1] * parameters.second.zero_point,
    )
    return first + parameters.sign * second


def _bounds(products: Int64, wanted: npt.NDArray[np.int8], shift: int, outputs: tuple[int, int]) -> tuple[int, int]:
    """Least and largest addend with which the outputs from the first to the last of `outputs` begin where they must."""
    flat = wanted.reshape(-1)
    order = np.argsort(flat, kind="stable")
    there, starts = np.unique(flat[order], return_index=True)
    ordered, levels = products.reshape(-1)[order], there.astype(np.int64)
    # Of all pairs with at least this output, the smallest product; of all with at most this one, the largest.
    lowest = np.minimum.accumulate(np.minimum.reduceat(ordered, starts)[::-1])[::-1]
    highest = np.maximum.accumulate(np.maximum.reduceat(ordered, starts))
    from_below = (outputs[0] <= levels) & (levels <= outputs[1])
    from_above = (outputs[0] <= levels + 1) & (levels + 1 <= outputs[1])
    least = np.max((levels << shift) - lowest, where=from_below, initial=-_FAR)
    most = np.min(((levels + 1) << shift) - 1 - highest, where=from_above, initial=_FAR)
    return int(least), int(most)
