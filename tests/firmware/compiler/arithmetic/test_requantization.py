"""Requantization against LiteRT at its rounding boundaries, and the cheap forms against requantization itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.compiler.arithmetic.requantization import (
    Requantization,
    Rounding,
    solve_line,
    solve_wide_line,
)
from edgecnn_firmware.errors import ModelError

from ..networks import NetworkWriter, Reference


def _boundary_network(kind: str, channels: int, scales, bias, output_zero_point: int, activation: int) -> bytes:
    """A layer on a zero input whose accumulators are its biases."""
    net = NetworkWriter()
    weight_scales = np.asarray(scales, np.float32)
    if kind == "FULLY_CONNECTED":
        value, out = net.tensor((1, 4), 1.0), net.tensor((1, channels), 1.0, output_zero_point)
        weights = net.const(np.ones((channels, 4), np.int8), weight_scales)
        options = {}
    else:
        value, out = net.tensor((1, 1, 4, 1), 1.0), net.tensor((1, 1, 4, channels), 1.0, output_zero_point)
        weights = net.const(np.ones((channels, 1, 1, 1), np.int8), weight_scales)
        options = {"padding": 1, "strideW": 1, "strideH": 1}
    inputs = [value, weights, net.const(np.asarray(bias, np.int32), weight_scales)]
    net.op(kind, inputs, [out], fusedActivationFunction=activation, **options)
    return net.bytes([value], [out])


@pytest.mark.parametrize("activation", [0, 1, 3], ids=["none", "relu", "relu6"])
@pytest.mark.parametrize("kind", ["CONV_2D", "FULLY_CONNECTED"])
@pytest.mark.parametrize("magnitude", [1e-7, 1e-5, 1e-3, 0.04, 0.7, 3.0])
def test_equals_litert_around_every_step(kind: str, magnitude: float, activation: int) -> None:
    rng = np.random.default_rng(int(magnitude * 1e8) + activation)
    rounding = Rounding.REAL if kind == "FULLY_CONNECTED" else Rounding.TWICE
    for _ in range(6):
        scale = float(np.float32(magnitude * rng.uniform(0.5, 1)))
        zero_point = int(rng.integers(-128, 128))
        targets = rng.integers(-130, 131, 40) - zero_point
        centers = np.clip(np.round((targets - 0.5) / scale), -(2**31) + 9, 2**31 - 9).astype(np.int64)
        if magnitude > 1:
            centers = np.clip(centers, -(2**28), 2**28)
        bias = (centers[:, None] + np.arange(-3, 4)).reshape(-1)
        model = _boundary_network(kind, len(bias), np.full(len(bias), scale), bias, zero_point, activation)
        found = Reference(model).run(np.zeros((1, 4) if kind == "FULLY_CONNECTED" else (1, 1, 4, 1), np.int8))[0]
        low = max(-128, zero_point) if activation else -128
        high = min(127, zero_point + 6) if activation == 3 else 127
        ours = Requantization(rounding, np.full(len(bias), scale), zero_point, low, high).apply(bias)
        assert np.array_equal(ours, found.reshape(-1, len(bias))[0])


def _layers():
    return st.builds(
        lambda rounding, scale, zero_point, relu, span, bias: (
            Requantization(rounding, np.array([scale, scale * 0.37]), zero_point, zero_point if relu else -128, 127),
            np.array([bias, -bias]),
            np.array([-span, -span // 2]),
            np.array([span, span // 3]),
        ),
        st.sampled_from(list(Rounding)),
        st.floats(1e-4, 8.0),
        st.integers(-128, 127),
        st.booleans(),
        st.integers(1, 60_000),
        st.integers(-20_000, 20_000),
    )


@given(_layers())
@settings(max_examples=150, deadline=None)
def test_steps_are_where_the_output_changes(layer) -> None:
    requantization, bias, lowest, highest = layer
    steps = requantization.steps(lowest + bias, highest + bias)
    for channel in range(2):
        every = np.arange(lowest[channel] + bias[channel], highest[channel] + bias[channel] + 1)
        one = Requantization(
            requantization.rounding,
            requantization.scales[channel : channel + 1],
            requantization.zero_point,
            requantization.clamp_min,
            requantization.clamp_max,
        )
        outputs = one.apply(every[:, None])[:, 0].astype(int)
        counted = requantization.clamp_min + (every[:, None] >= steps[channel]).sum(axis=1)
        assert np.array_equal(outputs, counted)


@pytest.mark.parametrize("solve", [solve_line, solve_wide_line])
@given(_layers())
@settings(max_examples=150, deadline=None)
def test_a_solved_form_equals_requantization_on_every_reachable_sum(solve, layer) -> None:
    requantization, bias, lowest, highest = layer
    form = solve(requantization, bias, lowest, highest)
    if form is None:
        return
    raw = np.stack(
        [np.linspace(low, high, 120_001).astype(np.int64) for low, high in zip(lowest, highest, strict=True)]
    )
    assert np.array_equal(form.apply(raw.T), requantization.apply(raw.T + bias))


def test_a_form_is_found_for_ordinary_layers() -> None:
    rng = np.random.default_rng(3)
    found = {True: 0, False: 0}
    for _ in range(60):
        channels = 16
        weights = rng.integers(-127, 128, (channels, 96))
        lowest, highest = -128 * np.abs(weights).sum(axis=1), 128 * np.abs(weights).sum(axis=1)
        zero_point = int(rng.integers(-128, 128))
        relu = bool(rng.integers(2))
        scales = rng.uniform(0.5, 1, channels) * 0.004
        requantization = Requantization(Rounding.TWICE, scales, zero_point, zero_point if relu else -128, 127)
        line = solve_line(requantization, rng.integers(-9000, 9000, channels), lowest, highest)
        found[relu] += line is not None
        assert line is None or not relu or line.drops is None
    assert found[True] + found[False] >= 57


def test_sums_beyond_int32_are_refused() -> None:
    requantization = Requantization(Rounding.TWICE, np.array([0.5]), 0, -128, 127)
    with pytest.raises(ModelError, match="channel 0 can reach an accumulator of 2,147,483,648, beyond int32"):
        requantization.require_range(np.array([0]), np.array([1 << 31]))
