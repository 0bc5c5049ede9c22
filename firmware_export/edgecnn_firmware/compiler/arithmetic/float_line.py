"""From int32 accumulators to int8 by one float32 multiply-add, where that is proved equal to the reference.

Vectors of some cores convert, multiply and add floats in fewer instructions than they take high halves of integer products.
24 bits are enough where an output step is not many accumulators wide, as in depthwise convolutions; so every candidate is
checked, and where none does, the integer forms of `requantization.py` stay.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64
from edgecnn_firmware.compiler.arithmetic.requantization import Requantization

_MARGIN: Final = 0.505
"""Distance that results keep from halves, in spacings of float32 there: one rounding takes no result across, and what
float64 makes of it does not differ."""
_EXACT: Final = 1 << 24
"""int32 up to here are float32."""
_FARTHEST: Final = 2.0**30
"""Results beyond might not convert to int32."""
_SMALLEST: Final = 2.0**-100
"""Scales below might not be normal floats."""
_NEIGHBORS: Final = 48
"""float32 multipliers that are tried on either side of the one with the most room."""
_NARROWINGS: Final = 80
"""Of the search for it: each leaves two thirds of the range."""
_FAR: Final = 1e30
"""A bound that no constraint sets."""

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FloatLine:
    """`clamp(round(raw * multiplier + (raw < limit ? lower : addend)))`; `raw` is the accumulator without its bias."""

    multipliers: Float32
    addends: Float32
    """Bias and zero point of each channel."""
    limits: npt.NDArray[np.int32] | None
    """Accumulators of zero, without their biases; None where `addends` serve all."""
    lower: Float32
    """What is added below the limit, where TFLite's second rounding sends ties the other way."""
    clamp_min: int
    clamp_max: int

    def unrounded(self, raw: Int64) -> Float64:
        """`(..., channels)` raw accumulators -> results before they are rounded and clamped, in float64."""
        addends = self.addends.astype(np.float64)
        chosen = addends if self.limits is None else np.where(raw < self.limits, self.lower.astype(np.float64), addends)
        results: Float64 = raw.astype(np.float64) * self.multipliers.astype(np.float64) + chosen
        return results

    def separately(self, raw: Int64) -> Float64:
        """The same in float32, with products rounded before they are added."""
        chosen = self.addends if self.limits is None else np.where(raw < self.limits, self.lower, self.addends)
        return (raw.astype(np.float32) * self.multipliers + chosen).astype(np.float64)


def solve_float_line(
    requantization: Requantization, bias: Int64, lowest: Int64, highest: Int64, *, separate: bool = False
) -> FloatLine | None:
    """Find a float form that equals a requantization on every reachable accumulator.

    Args:
        requantization: what to equal.
        bias: `(channels,)` what the accumulator holds besides the products.
        lowest: `(channels,)` smallest reachable sums of products, bias not counted.
        highest: `(channels,)` largest ones.
        separate: whether it also equals where products are rounded before they are added, on cores without a fused
            multiply-add.

    Returns:
        The form, with limits only where none does without; None where none of those tried is equal.
    """
    reach = int(max(np.abs(lowest).max(initial=1), np.abs(highest).max(initial=1)))
    farthest = (np.abs(bias) + reach) * requantization.scales + 256
    if reach >= _EXACT or requantization.scales.min(initial=1) < _SMALLEST or farthest.max(initial=0) >= _FARTHEST:
        return None
    steps = requantization.steps(lowest + bias, highest + bias) - bias[:, None]
    outputs = np.arange(requantization.clamp_min + 1, requantization.clamp_max + 1)
    everywhere = np.ones(len(outputs), bool)
    above = outputs > requantization.zero_point
    for sides in ((everywhere,), (above, ~above)):
        line = _solve(requantization, -bias, _Steps(steps, outputs, lowest, highest, sides, separate))
        if line is not None and _is_equal(line, requantization, bias, steps, lowest, highest, separate):
            return line
    return None


@dataclass(frozen=True, eq=False)
class _Steps:
    """Smallest accumulators of each output, and which outputs share an addend."""

    steps: Int64
    outputs: Int64
    lowest: Int64
    highest: Int64
    sides: tuple[npt.NDArray[np.bool_], ...]
    separate: bool

    def is_separate(self, multipliers: Float32, addends: Float32, side: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Which channels begin the outputs of one side where they must with products that are rounded by themselves.

        Both roundings never fall as accumulators rise, so that what is right at a step and just before it is right in between.
        """
        reached = (self.steps > self.lowest[:, None]) & (self.steps <= self.highest[:, None]) & side
        steps = np.where(reached, self.steps, 0)
        at, before = ((raw.astype(np.float32) * multipliers[:, None] + addends[:, None]) for raw in (steps, steps - 1))
        right = (np.rint(at) >= self.outputs) & (np.rint(before) < self.outputs)
        found: npt.NDArray[np.bool_] = (right | ~reached).all(axis=1)
        return found

    def bounds(self, multipliers: Float64, side: npt.NDArray[np.bool_]) -> tuple[Float64, Float64]:
        """Least and largest addend of each channel with which the outputs of one side begin where they must."""
        unreached, always = self.steps > self.highest[:, None], self.steps <= self.lowest[:, None]
        halves = self.outputs.astype(np.float64) - 0.5
        margins = _margins(halves)
        at, before = self.steps * multipliers[:, None], (self.steps - 1) * multipliers[:, None]
        # A step that no accumulator reaches binds from above only, one that all have behind them from below only.
        least = np.where(unreached | ~side, -_FAR, halves + margins - at).max(axis=1, initial=-_FAR)
        most = np.where(always | ~side, _FAR, halves - margins - before).min(axis=1, initial=_FAR)
        return least, most

    def room(self, multipliers: Float64) -> Float64:
        """How far least and largest addend lie apart, on the narrowest side."""
        found: Float64 = np.minimum.reduce(
            [most - least for least, most in (self.bounds(multipliers, side) for side in self.sides)]
        )
        return found


def _solve(requantization: Requantization, limits: Int64, problem: _Steps) -> FloatLine | None:
    """Multipliers with the most room, or neighbors of theirs, and addends in the middle of what they leave."""
    # Least and largest addend are a convex and a concave function of the multiplier: thirds find the one maximum.
    low, high = requantization.scales * (1 - 2.0**-8), requantization.scales * (1 + 2.0**-8)
    for _ in range(_NARROWINGS):
        third = (high - low) / 3
        better = problem.room(low + third) < problem.room(high - third)
        low, high = np.where(better, low + third, low), np.where(better, high, high - third)
    center = ((low + high) / 2).astype(np.float32)
    multipliers = np.zeros_like(center)
    addends = np.zeros((2, len(center)), np.float32)
    waiting = np.ones(len(center), bool)
    for turn in range(2 * _NEIGHBORS + 1):
        distance = (turn + 1) // 2 * (1 if turn % 2 else -1)
        candidate = (center.view(np.int32) + np.int32(distance)).view(np.float32)
        good, made = waiting.copy(), np.zeros_like(addends)
        for number, side in enumerate(problem.sides):
            least, most = problem.bounds(candidate.astype(np.float64), side)
            made[number:] = _between(least, most, requantization, limits)
            good &= (made[number] >= least) & (made[number] <= most)
            if problem.separate:
                good &= problem.is_separate(candidate, made[number], side)
        multipliers[good], addends[:, good] = candidate[good], made[:, good]
        waiting &= ~good
        if not waiting.any():
            break
    if waiting.any() or (np.abs(limits) >= 1 << 31).any():
        return None
    chosen = limits.astype(np.int32) if len(problem.sides) > 1 else None
    return FloatLine(multipliers, addends[0], chosen, addends[1], requantization.clamp_min, requantization.clamp_max)


def _margins(halves: Float64) -> Float64:
    margins: Float64 = _MARGIN * np.spacing(np.abs(halves).astype(np.float32)).astype(np.float64)
    return margins


def _between(least: Float64, most: Float64, requantization: Requantization, limits: Int64) -> Float32:
    """The float32 in the middle; where nothing binds, the bias itself."""
    bias = requantization.zero_point - limits * requantization.scales
    middle = np.where(
        (least > -_FAR) & (most < _FAR), (least + most) / 2, np.clip(bias, least, np.maximum(least, most))
    )
    found: Float32 = middle.astype(np.float32)
    return found


def _is_equal(
    line: FloatLine,
    requantization: Requantization,
    bias: Int64,
    steps: Int64,
    lowest: Int64,
    highest: Int64,
    separate: bool,
) -> bool:
    """Check a form at and just before every step, on both sides of its limits and at both ends.

    Either side of a limit never falls, so that what is right at both ends of an output is right in between.
    """
    points = [steps, steps - 1, lowest[:, None], highest[:, None]]
    if line.limits is not None:
        points += [line.limits[:, None].astype(np.int64), line.limits[:, None].astype(np.int64) - 1]
    raw = np.clip(np.concatenate(points, axis=1), lowest[:, None], highest[:, None]).T
    wanted = requantization.apply(raw + bias).astype(np.float64)
    found = line.unrounded(raw)
    # What is clamped may be anything beyond.
    least = np.where(wanted == line.clamp_min, -np.inf, wanted - 0.5 + _margins(wanted - 0.5))
    most = np.where(wanted == line.clamp_max, np.inf, wanted + 0.5 - _margins(wanted + 0.5))
    fused = bool(((found >= least) & (found <= most)).all())
    if not separate:
        return fused
    rounded = np.clip(np.rint(line.separately(raw)), line.clamp_min, line.clamp_max)
    return fused and bool((rounded == wanted).all())
