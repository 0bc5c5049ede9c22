"""Counts and the C's preprocessing against exact arithmetic."""

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgecnn_bench.stages.deployed import DeployedClassifier, build_deployed
from edgecnn_bench.stages.inputs import from_counts, mirrored_count_inputs, python_inputs, saturated, to_counts
from edgecnn_firmware.card import Card, CountsCard
from edgecnn_firmware.errors import DataError, SettingsError
from edgecnn_firmware.host.compiler import find_compiler
from edgecnn_firmware.host.recipe import portable_recipe

from .conftest import Task

units = st.floats(1e-6, 1e3)
zeros = st.integers(-2000, 2000).map(float)
shape = (2, 3, 1)


@pytest.fixture(scope="module")
def built(task: Task) -> DeployedClassifier:
    return build_deployed(task[0], portable_recipe(find_compiler()))


def half_away(value: Fraction) -> int:
    """Round an exact number."""
    return math.floor(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1)


@given(windows=hnp.arrays(np.float32, shape, elements=st.floats(-1e4, 1e4, width=32)), unit=units, zero=zeros)
def test_counts_are_the_nearest_ones(windows: npt.NDArray[np.float32], unit: float, zero: float) -> None:
    card = CountsCard(unit_per_count=(unit,), zero_count=(zero,))
    found = to_counts(windows, card)
    beyond = 0
    for value, count in zip(windows.ravel().tolist(), found.ravel().tolist(), strict=True):
        exact = Fraction(value) / Fraction(unit) + Fraction(zero)
        assert abs(min(max(exact, Fraction(-32768)), Fraction(32767)) - count) <= Fraction(1, 2) + Fraction(1, 10**6)
        beyond += round(exact) not in range(-32768, 32768)
    near_the_end = any(abs(abs(value / unit + zero) - 32767.5) < 1e-3 for value in windows.ravel().tolist())
    assert saturated(windows, card) == beyond or near_the_end


@given(counts=hnp.arrays(np.int16, shape), unit=units, zero=zeros)
def test_counts_go_there_and_back(counts: npt.NDArray[np.int16], unit: float, zero: float) -> None:
    card = CountsCard(unit_per_count=(unit,), zero_count=(zero,))
    windows = from_counts(counts, card)
    for count, value in zip(counts.ravel().tolist(), windows.ravel().tolist(), strict=True):
        assert value == pytest.approx(float((count - Fraction(zero)) * Fraction(unit)), rel=1e-6, abs=1e-30)
    # 24 bits of float32 hold any count of 16 bits with its zero.
    assert np.array_equal(to_counts(windows, card), counts)


def test_values_without_end_saturate_and_nan_is_refused() -> None:
    card = CountsCard(unit_per_count=(0.5,), zero_count=(0.0,))
    windows = np.array([[[np.inf], [-np.inf], [1e38]]], np.float32)
    assert to_counts(windows, card).ravel().tolist() == [32767, -32768, 32767]
    assert saturated(windows, card) == 3
    with pytest.raises(DataError, match="NaN"):
        to_counts(np.full((1, 3, 1), np.nan, np.float32), card)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_c_normalizes_as_exact_arithmetic_does(data: st.DataObject, task: Task, built: DeployedClassifier) -> None:
    card = task[0].card
    values = st.one_of(st.floats(width=32, allow_nan=False), st.floats(-8, 8, width=32))
    samples, channels = card.input.window_samples, len(card.input.channels)
    windows = data.draw(hnp.arrays(np.float32, (1, samples, channels), elements=values, fill=st.just(0.0)))
    found = built.classify(windows, network=False).inputs
    assert np.array_equal(found, python_inputs(windows, card))
    for index in np.ndindex(windows.shape):
        assert found[index] == exact_input(windows[index], card, index[-1])


def exact_input(value: np.float32, card: Card, channel: int) -> int:
    """Subtract, multiply and divide with one float32 rounding each, then round the exact quotient."""
    with np.errstate(all="ignore"):
        centered = np.float32(value - np.float32(card.normalization.offset[channel]))
        normalized = np.float32(centered * np.float32(card.normalization.gain[channel]))
        steps = float(np.float32(normalized / np.float32(card.quantization.input.scale)))
    zero_point = card.quantization.input.zero_point
    if math.isinf(steps):
        return 127 if steps > 0 else -128
    return min(max(half_away(Fraction(steps)) + zero_point, -128), 127)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_c_takes_counts_as_exact_arithmetic_does(
    data: st.DataObject, task: Task, built: DeployedClassifier
) -> None:
    card = task[0].card
    assert card.deployment.counts is not None
    counts = data.draw(hnp.arrays(np.int16, (1, card.input.window_samples, len(card.input.channels))))
    found = built.classify_counts(counts, network=False).inputs
    assert np.array_equal(found, mirrored_count_inputs(counts, card))
    scale, zero_point = Fraction(card.quantization.input.scale), card.quantization.input.zero_point
    for index in np.ndindex(counts.shape):
        unit, zero = (
            Fraction(row[index[-1]])
            for row in (card.deployment.counts.unit_per_count, card.deployment.counts.zero_count)
        )
        physical = (int(counts[index]) - zero) * unit - Fraction(card.normalization.offset[index[-1]])
        steps = physical * Fraction(card.normalization.gain[index[-1]]) / scale + zero_point
        # The line's slope has 15 bits, which is within a step over all counts.
        assert abs(min(max(steps, Fraction(-128)), Fraction(127)) - int(found[index])) <= Fraction(3, 2)


def test_counts_need_a_card_that_has_them(task: Task) -> None:
    card = task[0].card
    bare = card.model_copy(update={"deployment": card.deployment.model_copy(update={"counts": None})})
    with pytest.raises(SettingsError, match="unit_per_count"):
        mirrored_count_inputs(np.zeros((1, 1, 2), np.int16), bare)


def test_a_window_with_nan_is_refused(task: Task, built: DeployedClassifier) -> None:
    windows = task[1].windows[:3].copy()
    windows[1, 5, 0] = np.nan
    with pytest.raises(DataError, match="window 1: the classifier refuses it: a value is NaN"):
        built.classify(windows)
