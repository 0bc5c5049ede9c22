"""From int32 accumulators to int8: what the reference computes, and cheaper integer forms proved equal to it.

Requantization never falls as the accumulator grows, so it is known by its steps: the smallest accumulator that gives
each output. A cheaper form with the same steps over every reachable accumulator is the same function. That is the proof
that `solve_line` rests on; where it fails, the emitted code computes what the reference computes, step by step.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.arithmetic.fixed_point import Int64, multiply_by_multiplier, quantize_multiplier
from edgecnn_firmware.errors import ModelError

_CANDIDATES: Final = (0, 1, -1, 2, -2, 3, -3, 5, -5, 8, -8, 13, -13, 21, -21, 34, -34, 55, -55)
"""Distances from the nearest multiplier that are tried first."""
_TURNS: Final = 600
"""Multipliers that are tried around the one with the most room, where those do not do."""
_NARROWINGS: Final = 80
"""Of the search for it: each leaves two thirds of the range."""
_FAR: Final = 1 << 61
"""A bound that no constraint sets."""


class Rounding(Enum):
    """How a runtime rounds `accumulator * scale`."""

    TWICE = "twice"
    """`MultiplyByQuantizedMultiplier`: a rounded doubling high product, then a rounded shift."""
    REAL = "real"
    """The product in float64, to the nearest even: LiteRT's reference FULLY_CONNECTED."""


@dataclass(frozen=True, eq=False)
class Requantization:
    """`clamp(round(accumulator * scale) + zero_point, clamp_min, clamp_max)`, one scale a channel."""

    rounding: Rounding
    scales: npt.NDArray[np.float64]
    """`(channels,)` input scale * weight scale / output scale."""
    zero_point: int
    clamp_min: int
    clamp_max: int

    def apply(self, accumulators: Int64) -> npt.NDArray[np.int8]:
        """Requantize `(..., channels)`."""
        if self.rounding is Rounding.REAL:
            scaled = np.rint(accumulators.astype(np.float64) * self.scales).astype(np.int64)
        else:
            multipliers, shifts = self.multipliers()
            scaled = multiply_by_multiplier(accumulators, multipliers, shifts)
        clamped: npt.NDArray[np.int8] = np.clip(scaled + self.zero_point, self.clamp_min, self.clamp_max).astype(
            np.int8
        )
        return clamped

    def multipliers(self) -> tuple[Int64, Int64]:
        """Multiplier and shift (positive: left) of every channel."""
        pairs = np.array([quantize_multiplier(float(scale)) for scale in self.scales], np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def require_range(self, lowest: Int64, highest: Int64) -> None:
        """Refuse accumulators that the reference itself would overflow on.

        Raises:
            ModelError: some accumulator, or one shifted left by its multiplier, does not fit int32.
        """
        _, shifts = self.multipliers()
        largest = np.maximum(np.abs(lowest), np.abs(highest)) << np.maximum(shifts, 0)
        if (largest >= 1 << 31).any():
            channel = int(np.argmax(largest >= 1 << 31))
            raise ModelError(
                f"output channel {channel} can reach an accumulator of {int(largest[channel]):,}, beyond int32, "
                "where the result is undefined; expected scales and a bias that keep it below 2^31"
            )

    def steps(self, lowest: Int64, highest: Int64) -> Int64:
        """Smallest accumulators that reach each output, by bisection.

        Args:
            lowest: `(channels,)` smallest reachable accumulators.
            highest: `(channels,)` largest reachable ones.

        Returns:
            `(channels, clamp_max - clamp_min)`: entry `[c, i]` is the smallest accumulator of channel `c` that gives at
            least `clamp_min + 1 + i`; `highest + 1` where none does.
        """
        outputs = np.arange(self.clamp_min + 1, self.clamp_max + 1)
        low = np.repeat(lowest[:, None], len(outputs), axis=1).astype(np.int64)
        high = np.repeat(highest[:, None] + 1, len(outputs), axis=1).astype(np.int64)
        while (low < high).any():
            middle = (low + high) >> 1
            reached = outputs <= self.apply(np.minimum(middle, highest[:, None]).T).T
            high = np.where(reached & (low < high), middle, high)
            low = np.where(~reached & (low < high), middle + 1, low)
        return low


@dataclass(frozen=True, eq=False)
class Line:
    """Integer arithmetic on 32 bits that equals a requantization; `raw` is the accumulator without its bias.

    `t = ((raw << pre_shift) * multiplier >> 32) + addend`, then, where there are `drops`, `t + (t < 0 ? drop : 0)`, then
    `clamp((t + offset) >> shift)`. Rounding twice is not one line where results below the zero point are not clamped
    away: their ties go the other way, which is what the drops are for.
    """

    pre_shift: int
    multipliers: npt.NDArray[np.int32]
    addends: npt.NDArray[np.int32]
    """Bias and rounding of each channel; zero point too where there are no drops."""
    drops: npt.NDArray[np.int32] | None
    offset: int
    """Half an output step and the output below which drops apply, the zero point or one in the middle; 0 without drops."""
    shift: int
    clamp_min: int
    clamp_max: int

    def apply(self, raw: Int64) -> npt.NDArray[np.int8]:
        """Requantize `(..., channels)` raw accumulators."""
        values = (((raw << self.pre_shift) * self.multipliers.astype(np.int64)) >> 32) + self.addends
        if self.drops is not None:
            values = values + np.where(values < 0, self.drops.astype(np.int64), 0)
        clamped: npt.NDArray[np.int8] = np.clip(
            (values + self.offset) >> self.shift, self.clamp_min, self.clamp_max
        ).astype(np.int8)
        return clamped


@dataclass(frozen=True, eq=False)
class _Problem:
    """Steps to be met, in raw accumulators."""

    steps: Int64
    outputs: Int64
    """`(steps,)` the output that each step begins."""
    lowest: Int64
    highest: Int64

    def of(self, channels: Int64) -> "_Problem":
        """The same for some channels."""
        return _Problem(self.steps[channels], self.outputs, self.lowest[channels], self.highest[channels])

    def bounds(self, high: Int64, before: Int64, scaled: Int64, chosen: npt.NDArray[np.bool_]) -> tuple[Int64, Int64]:
        """Least and largest addend of each channel with which the `chosen` outputs begin where they must.

        Args:
            high: `(channels, steps)` the form's product at each step.
            before: the same for the accumulator before it.
            scaled: `(steps,)` what product and addend must reach.
            chosen: `(steps,)`.
        """
        unreached, always = self.steps > self.highest[:, None], self.steps <= self.lowest[:, None]
        # A step that no accumulator reaches binds from above only, one that all have behind them from below only.
        least = np.where(unreached | ~chosen, -_FAR, scaled - high).max(axis=1, initial=-_FAR)
        most = np.where(always | ~chosen, _FAR, scaled - 1 - before).min(axis=1, initial=_FAR)
        return least, most


def solve_line(
    requantization: Requantization, bias: Int64, lowest: Int64, highest: Int64, *, most_pre_shift: int = 30
) -> Line | None:
    """Find the cheap form that equals a requantization on every reachable accumulator.

    Args:
        requantization: what to equal.
        bias: `(channels,)` what the accumulator holds besides the products.
        lowest: `(channels,)` smallest reachable sums of products, bias not counted.
        highest: `(channels,)` largest ones.
        most_pre_shift: the largest left shift of the raw accumulator that the target's kernel makes.

    Returns:
        The form, with drops only where none does without; None where none of those tried is equal.
    """
    reach = int(max(np.abs(lowest).max(initial=1), np.abs(highest).max(initial=1), 1))
    pre_shift = min(most_pre_shift, 31 - reach.bit_length())
    top = float(requantization.scales.max(initial=0))
    if pre_shift < 0 or not 0 < top < 2.0**20:
        return None
    # The largest multiplier just fits int32: top * 2^(32 + shift - pre_shift) < 2^31. And so does what it makes of the
    # largest sum and the largest bias, with the zero point added.
    farthest = float((requantization.scales * (np.abs(bias) + reach)).max()) + 512
    shift = min(pre_shift - 2 - int(np.floor(np.log2(top))), 30 - int(np.ceil(np.log2(farthest))))
    if shift < 0:
        return None
    outputs = np.arange(requantization.clamp_min + 1, requantization.clamp_max + 1, dtype=np.int64)
    steps = requantization.steps(lowest + bias, highest + bias) - bias[:, None]
    problem = _Problem(steps, outputs, lowest, highest)
    middle = (requantization.clamp_min + requantization.clamp_max + 1) >> 1
    for pivot in (None, requantization.zero_point, middle):
        if pivot is not None and shift == 0:
            return None
        line = _solve(requantization, bias, problem, pre_shift, shift, pivot)
        if line is not None and _same_steps(line, steps, lowest, highest):
            return line
    return None


def _solve(
    requantization: Requantization, bias: Int64, problem: _Problem, pre_shift: int, shift: int, pivot: int | None
) -> Line | None:
    """Find a line without drops, or one whose drops apply below the output `pivot`."""
    offset = 0 if pivot is None else (pivot << shift) + (1 << (shift - 1))
    above = problem.outputs > (pivot or 0)
    sides = (np.ones(len(problem.outputs), bool),) if pivot is None else (above, ~above)
    # Where the steps leave a choice: the bias, and half a unit of the first rounding.
    middle = np.rint(requantization.scales * bias * 2.0**shift).astype(np.int64)
    middle += (requantization.zero_point << shift) + ((1 << shift) >> 1) - offset
    search = _Search(problem, (problem.outputs << shift) - offset, sides, middle, pre_shift, shift, offset)
    ideal = np.rint(requantization.scales * 2.0 ** (32 + shift - pre_shift)).astype(np.int64)
    table = np.zeros((3, len(ideal)), np.int64)
    waiting = np.arange(len(ideal))
    for distance in _CANDIDATES:
        waiting = search.attempt(table, waiting, ideal[waiting] + distance)
    if len(waiting):
        centers, stride = search.roomiest(ideal), search.stride()
        for turn in range(_TURNS):
            distance = (turn + 1) // 2 * (1 if turn % 2 else -1)
            waiting = search.attempt(table, waiting, centers[waiting] + distance * stride[waiting])
    if len(waiting):
        return None
    rows = table.astype(np.int32)
    bounds = requantization.clamp_min, requantization.clamp_max
    return Line(pre_shift, rows[0], rows[1], None if pivot is None else rows[2], offset, shift, *bounds)


@dataclass(frozen=True, eq=False)
class _Search:
    """The search for multipliers whose products leave an addend, or one on either side of the zero point."""

    problem: _Problem
    scaled: Int64
    """`(steps,)` what product and addend must reach."""
    sides: tuple[npt.NDArray[np.bool_], ...]
    """Steps that share an addend: all, or those above the zero point and those below."""
    middle: Int64
    """`(channels,)` preferred addends."""
    pre_shift: int
    shift: int
    offset: int

    def attempt(self, table: Int64, waiting: Int64, multipliers: Int64) -> Int64:
        """Try one multiplier for each waiting channel; enter those that do and return the others.

        Args:
            table: `(3, channels)` multipliers, addends and drops.
            waiting: numbers of channels.
            multipliers: one for each of them.
        """
        if not len(waiting):
            return waiting
        problem = self.problem.of(waiting)
        multipliers = np.clip(multipliers, 0, (1 << 31) - 1)
        high = ((problem.steps << self.pre_shift) * multipliers[:, None]) >> 32
        before = (((problem.steps - 1) << self.pre_shift) * multipliers[:, None]) >> 32
        least, most = problem.bounds(high, before, self.scaled, self.sides[0])
        addends, good = np.clip(self.middle[waiting], least, np.maximum(least, most)), least <= most
        drops = np.zeros_like(addends)
        if len(self.sides) > 1:
            # Preferred below zero: a whole unit of the first rounding less.
            unit = max(1 << max(self.shift - 8, 0), 1)
            least, most = problem.bounds(high, before, self.scaled, self.sides[1])
            lower = np.clip(addends - unit, least, np.maximum(least, most))
            drops, good = lower - addends, good & (least <= most)
        ends = np.stack([(end << self.pre_shift) * multipliers >> 32 for end in (problem.lowest, problem.highest)])
        room = np.abs(ends).max(axis=0) + np.abs(addends) + np.abs(drops) + abs(self.offset)
        good &= room < (1 << 31) - 1
        table[:, waiting[good]] = np.stack([multipliers, addends, drops])[:, good]
        return waiting[~good]

    def stride(self) -> Int64:
        """Distance of multipliers at which the product of the farthest step changes by a fraction of its last bit."""
        unclamped = (self.problem.steps > self.problem.lowest[:, None]) & (
            self.problem.steps <= self.problem.highest[:, None]
        )
        farthest = np.where(unclamped, np.abs(self.problem.steps), 1).max(axis=1, initial=1)
        stride: Int64 = np.maximum((1 << 29) // (farthest << self.pre_shift), 1)
        return stride

    def roomiest(self, ideal: Int64) -> Int64:
        """The multiplier of each channel that leaves its addends the most room.

        Without the rounding of products, the least and the largest addend are a convex and a concave function of the
        multiplier, so that their distance has one maximum, which thirds narrow down.
        """
        problem, exponent = self.problem, self.pre_shift - 32
        at = np.ldexp(problem.steps.astype(np.float64), exponent)
        before = np.ldexp((problem.steps - 1).astype(np.float64), exponent)
        unreached, always = problem.steps > problem.highest[:, None], problem.steps <= problem.lowest[:, None]

        def room(multipliers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            least, most = self.scaled - at * multipliers[:, None], self.scaled - before * multipliers[:, None]
            rooms = [
                np.where(always | ~side, _FAR, most).min(axis=1, initial=_FAR)
                - np.where(unreached | ~side, -_FAR, least).max(axis=1, initial=-_FAR)
                for side in self.sides
            ]
            least_room: npt.NDArray[np.float64] = np.minimum.reduce(rooms)
            return least_room

        width = np.maximum(ideal * 2.0**-9, 64.0)
        low, high = ideal - width, ideal + width
        for _ in range(_NARROWINGS):
            third = (high - low) / 3
            better = room(low + third) < room(high - third)
            low, high = np.where(better, low + third, low), np.where(better, high, high - third)
        found: Int64 = np.rint((low + high) / 2).astype(np.int64)
        return found


@dataclass(frozen=True, eq=False)
class WideLine:
    """`clamp((raw * multiplier + addend) >> shift)` in 64 bits."""

    multipliers: npt.NDArray[np.int32]
    addends: Int64
    """Bias, zero point and rounding of each channel."""
    shift: int
    clamp_min: int
    clamp_max: int

    def apply(self, raw: Int64) -> npt.NDArray[np.int8]:
        """Requantize `(..., channels)` raw accumulators."""
        values = (raw * self.multipliers.astype(np.int64) + self.addends) >> self.shift
        clamped: npt.NDArray[np.int8] = np.clip(values, self.clamp_min, self.clamp_max).astype(np.int8)
        return clamped


def solve_wide_line(requantization: Requantization, bias: Int64, lowest: Int64, highest: Int64) -> WideLine | None:
    """Find the 64-bit form that equals a requantization on every reachable accumulator; arguments as `solve_line`.

    Returns:
        The form, or None where none of those tried is equal.
    """
    steps = requantization.steps(lowest + bias, highest + bias) - bias[:, None]
    top = float(requantization.scales.max(initial=0))
    if not 0 < top < 2.0**20:
        return None
    shift = min(30 - int(np.floor(np.log2(top))), 52)
    outputs = np.arange(requantization.clamp_min + 1, requantization.clamp_max + 1, dtype=np.int64)
    problem = _Problem(steps, outputs, lowest, highest)
    ideal = np.rint(requantization.scales * 2.0**shift).astype(np.int64)
    multipliers, addends = np.zeros_like(ideal), np.zeros_like(ideal)
    open_channels = np.ones(len(ideal), bool)
    for distance in _CANDIDATES:
        candidate = np.clip(ideal + distance, 0, (1 << 31) - 1)[:, None]
        least, most = problem.bounds(
            steps * candidate, (steps - 1) * candidate, outputs << shift, np.ones(len(outputs), bool)
        )
        middle = np.rint(requantization.scales * bias * 2.0**shift).astype(np.int64)
        middle += (requantization.zero_point << shift) + ((1 << shift) >> 1)
        chosen, good = np.clip(middle, least, np.maximum(least, most)), (least <= most) & open_channels
        multipliers[good], addends[good] = candidate[good, 0], chosen[good]
        open_channels &= ~good
    if open_channels.any() or (np.abs(addends) >= 1 << 61).any():
        return None
    line = WideLine(multipliers.astype(np.int32), addends, shift, requantization.clamp_min, requantization.clamp_max)
    return line if _same_steps(line, steps, lowest, highest) else None


def _same_steps(line: Line | WideLine, steps: Int64, lowest: Int64, highest: Int64) -> bool:
    """Check a form at and just before every step, and at both ends: a second, direct look at what was solved for."""
    outputs = np.arange(line.clamp_min + 1, line.clamp_max + 1)
    inside = np.clip(steps, lowest[:, None], highest[:, None])
    at = outputs <= line.apply(inside.T).T
    before = outputs <= line.apply(np.maximum(steps - 1, lowest[:, None]).T).T
    reached, always = steps <= highest[:, None], steps <= lowest[:, None]
    return bool((at == reached).all() and (before == always).all())
