"""Even grids by linear interpolation; scipy's interpolator is the oracle."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import interp1d

from edgecnn.data.recording import Channel, Recording, Segment
from edgecnn.data.resample import MAX_SAMPLES, resample_recording, resample_uneven
from edgecnn_firmware.errors import DataError


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.floats(3, 400))
def test_uneven_times_match_scipy(seed: int, rate_hz: float) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.001, 0.02, size=60)) + 5
    samples = rng.normal(size=(60, 2)).astype(np.float32)
    even = resample_uneven(times, samples, rate_hz, "a")
    grid = times[0] + np.arange(len(even)) / rate_hz
    assert grid[-1] <= times[-1] + 1e-6 < grid[-1] + 1 / rate_hz + 2e-6
    expected = interp1d(times, samples, axis=0, fill_value="extrapolate")(grid)
    np.testing.assert_allclose(even, expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 300), st.floats(5, 500), st.integers(0, 2**31))
def test_a_recording_read_in_parts_is_the_whole(length: int, rate_hz: float, seed: int) -> None:
    array = np.random.default_rng(seed).normal(size=(length, 1)).astype(np.float32)
    recording = Recording("a", (Channel("x"),), 100.0, length, (Segment(0, length, "w"),), "a", lambda i, j: array[i:j])
    moved = resample_recording(recording, rate_hz)
    whole = moved.read(0, moved.length)
    assert whole.shape == (moved.length, 1)
    assert whole.dtype == np.float32
    half = moved.length // 2
    np.testing.assert_allclose(np.concatenate((moved.read(0, half), moved.read(half, moved.length))), whole, atol=1e-6)
    expected = np.interp(np.arange(moved.length) / rate_hz, np.arange(length) / 100.0, array[:, 0])
    np.testing.assert_allclose(whole[:, 0], expected, atol=1e-4)
    assert moved.segments == (Segment(0, moved.length, "w"),)


def test_segments_and_events_move_with_the_rate() -> None:
    array = np.zeros((100, 1), dtype=np.float32)
    segments = (Segment(0, 50, "a"), Segment(40, 41, "beat"), Segment(50, 100, "b"))
    recording = Recording("a", (Channel("x"),), 100.0, 100, segments, "a", lambda i, j: array[i:j])
    halved = resample_recording(recording, 50.0)
    assert halved.segments == (Segment(0, 25, "a"), Segment(20, 21, "beat"), Segment(25, 50, "b"))
    assert resample_recording(recording, 100.0) is recording


def test_a_grid_longer_than_any_recording_is_refused() -> None:
    array = np.zeros((2, 1), dtype=np.float32)
    recording = Recording("a", (Channel("x"),), 1.0, 2, (), "a", lambda i, j: array[i:j])
    slow = replace(recording, sample_rate_hz=1e-6)
    with pytest.raises(DataError, match=f"more than {MAX_SAMPLES}"):
        resample_recording(slow, 1e7)
