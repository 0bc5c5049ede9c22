"""From time stamps to a rate: jitter, rounding, and recordings of different rates."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.readers.timing import Pace, UnevenStamps, pace_of, shared_rate
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

SETTINGS = DataSettings(path=Path("data"))


def pace(times: np.ndarray) -> Pace:
    return pace_of(times, np.arange(len(times)) + 2, SETTINGS, "a.csv")


@given(
    st.sampled_from([8.0, 25.0, 50.0, 62.5, 100.0, 119.0, 360.0, 400.0]),
    st.sampled_from([1e-6, 1e-4, 1e-3]),
    st.integers(0, 1000),
)
def test_rounded_and_jittered_stamps_give_the_true_rate(rate_hz: float, resolution_s: float, seed: int) -> None:
    jitter = np.random.default_rng(seed).uniform(-0.1, 0.1, size=2000) / rate_hz
    times = np.round((np.arange(2000) / rate_hz + jitter) / resolution_s) * resolution_s
    found = shared_rate({"a.csv": pace(times)}, SETTINGS)
    # Whole rates are found exactly, others to three digits.
    assert found == pytest.approx(rate_hz, rel=1e-9)


def test_a_pattern_of_jitter_does_not_pull_the_rate() -> None:
    number = np.arange(3000)
    assert shared_rate({"a": pace(number * 0.01 + number % 3 * 1e-4)}, SETTINGS) == 100.0


def test_recordings_of_different_rates_are_both_named() -> None:
    paces = {name: pace(np.arange(100) / rate) for name, rate in (("a.csv", 50), ("b.csv", 50), ("c.csv", 100))}
    with pytest.raises(UnevenStamps) as caught:
        shared_rate(paces, SETTINGS)
    assert str(caught.value) == "data: 'a.csv' has 50 Hz, 'c.csv' has 100 Hz; set data.resample_hz = 50"
    assert caught.value.rate_hz == 50


def test_dropped_samples_are_uneven() -> None:
    times = np.delete(np.arange(200) * 0.02, [50, 90])
    with pytest.raises(UnevenStamps, match=r"steps of 0\.02 to 0\.04 s"):
        shared_rate({"a": pace(times)}, SETTINGS)


def test_a_gap_is_named_with_its_row() -> None:
    times = np.arange(20) * 0.02
    times[7:] += 0.2
    with pytest.raises(DataError, match=r"a\.csv: row 9: a gap of 0\.22 s"):
        pace(times)
