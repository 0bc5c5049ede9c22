"""The float form of a requantization against requantization itself, in the ways that kernels compute it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.compiler.arithmetic.float_line import FloatLine, solve_float_line
from edgecnn_firmware.compiler.arithmetic.requantization import Requantization, Rounding


def _fused(line: FloatLine, raw: np.ndarray) -> np.ndarray:
    """One rounding to float32, as a fused multiply-add; the sum of a product of 48 bits in float64 is as good as exact."""
    return np.clip(np.rint(line.unrounded(raw).astype(np.float32)), line.clamp_min, line.clamp_max)


def _plain(line: FloatLine, raw: np.ndarray) -> np.ndarray:
    """As the plain C: float64, truncated where it is positive."""
    bounded = np.clip(line.unrounded(raw), -129.0, 128.0)
    return np.clip(np.trunc(bounded + 256.5) - 256, line.clamp_min, line.clamp_max)


def _twice(line: FloatLine, raw: np.ndarray) -> np.ndarray:
    """Products rounded to float32, and then sums: multiplication and addition as two instructions."""
    below = np.zeros(raw.shape, bool) if line.limits is None else raw < line.limits
    products = raw.astype(np.float32) * line.multipliers
    return np.clip(np.rint(products + np.where(below, line.lower, line.addends)), line.clamp_min, line.clamp_max)


def _check(
    requantization: Requantization, bias: np.ndarray, lowest: np.ndarray, highest: np.ndarray, *, separate: bool = False
) -> bool:
    """Whether there is a float form; every reachable accumulator of it is compared."""
    line = solve_float_line(requantization, bias, lowest, highest, separate=separate)
    if line is None:
        return False
    for channel in range(len(bias)):
        one = slice(channel, channel + 1)
        alone = replace(
            line,
            multipliers=line.multipliers[one],
            addends=line.addends[one],
            limits=None if line.limits is None else line.limits[one],
            lower=line.lower[one],
        )
        raw = np.arange(lowest[channel], highest[channel] + 1)[:, None]
        wanted = replace(requantization, scales=requantization.scales[one]).apply(raw + bias[channel])
        assert np.array_equal(_fused(alone, raw), wanted)
        assert np.array_equal(_plain(alone, raw), wanted)
        if separate:
            assert np.array_equal(_twice(alone, raw), wanted)
    return True


@settings(max_examples=60, deadline=None)
@given(
    rounding=st.sampled_from(list(Rounding)),
    scale=st.floats(1e-4, 8.0),
    zero_point=st.integers(-128, 127),
    relu=st.booleans(),
    span=st.integers(1, 60_000),
    bias=st.integers(-50_000, 50_000),
    separate=st.booleans(),
)
def test_equals_requantization(
    rounding: Rounding, scale: float, zero_point: int, relu: bool, span: int, bias: int, separate: bool
) -> None:
    requantization = Requantization(
        rounding, np.array([scale, scale * 0.37]), zero_point, zero_point if relu else -128, 127
    )
    lowest, highest = np.array([-span, -span // 2]), np.array([span, span // 3])
    _check(requantization, np.array([bias, -bias]), lowest, highest, separate=separate)


@pytest.mark.parametrize("relu", [False, True])
def test_is_found_for_depthwise_convolutions(relu: bool) -> None:
    """Scales and reaches as a depthwise convolution of three taps has them; ties go apart below zero without ReLU."""
    rng = np.random.default_rng(5)
    scales, reach = rng.uniform(0.003, 0.03, 32), rng.integers(20_000, 48_000, 32)
    zero_point = -128 if relu else 11
    requantization = Requantization(Rounding.TWICE, scales, zero_point, -128, 127)
    bias = rng.integers(-3_000, 3_000, 32)
    assert _check(requantization, bias, -reach, reach, separate=True)
    assert _check(requantization, bias, -reach, reach)
    line = solve_float_line(requantization, bias, -reach, reach)
    assert line is not None
    assert (line.limits is None) == relu


@pytest.mark.parametrize(("scale", "reach"), [(1e-4, 3_000_000), (0.1, 1 << 24), (2.0**-101, 1000), (500_000.0, 3_000)])
def test_is_not_found_beyond_the_precision_of_floats(scale: float, reach: int) -> None:
    scales = scale * np.linspace(1, 2, 64)
    requantization = Requantization(Rounding.TWICE, scales, 0, -128, 127)
    reached = np.full(64, reach)
    assert solve_float_line(requantization, np.full(64, 17), -reached, reached) is None


def test_what_is_changed_by_one_unit_is_not_equal() -> None:
    """The margin is no wider than the room: addends moved by an accumulator leave the reference."""
    requantization = Requantization(Rounding.TWICE, np.array([0.01]), 0, -128, 127)
    lowest, highest = np.array([-20_000]), np.array([20_000])
    line = solve_float_line(requantization, np.array([0]), lowest, highest)
    assert line is not None
    raw = np.arange(-20_000, 20_001)[:, None]
    assert not np.array_equal(_fused(line, raw + 1), requantization.apply(raw))
