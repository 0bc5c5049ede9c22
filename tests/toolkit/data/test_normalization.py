import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data.normalization import fit, moments
from edgecnn.data.recording import Channel
from edgecnn.project import NormalizationSettings
from edgecnn_firmware.errors import DataError, SettingsError

STANDARD = NormalizationSettings()
CHANNELS = (Channel("ax", "g"), Channel("gyro"))


def noise(seed, windows=50, mean=(1.0, -200.0), deviation=(0.02, 30.0)):
    rng = np.random.default_rng(seed)
    return rng.normal(mean, deviation, (windows, 16, 2)).astype(np.float32)


@settings(deadline=None)
@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(0, 50), max_size=6), offset=st.sampled_from([0, 1e3, -1e5]))
def test_blocks_give_what_all_samples_at_once_give(seed, cuts, offset):
    windows = noise(seed) + np.float32(offset)
    edges = [0, *sorted(cuts), len(windows)]
    blocks = [windows[first:stop] for first, stop in itertools.pairwise(edges)]
    card = fit(blocks, STANDARD, CHANNELS)
    every = windows.reshape(-1, 2).astype(np.float64)
    np.testing.assert_allclose(card.offset, every.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(card.gain, 1 / every.std(axis=0), rtol=1e-6)


def test_constants_are_float32_and_bring_the_training_part_to_mean_0_and_deviation_1():
    windows = noise(3)
    card = fit([windows], STANDARD, CHANNELS)
    offset, gain = np.float32(card.offset), np.float32(card.gain)
    assert tuple(offset.astype(float)) == card.offset
    assert tuple(gain.astype(float)) == card.gain
    normalized = ((windows - offset) * gain).reshape(-1, 2)
    np.testing.assert_allclose(normalized.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(normalized.std(axis=0), 1, atol=1e-4)


def test_a_large_offset_does_not_swallow_the_deviation():
    windows = (np.random.default_rng(0).normal(0, 1, (200, 16, 1)) + 1e5).astype(np.float32)
    card = fit([windows[:100], windows[100:]], STANDARD, (Channel("x"),))
    assert card.gain[0] == pytest.approx(1 / windows.astype(np.float64).std(), rel=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0, 1e6, 0.1])
def test_a_constant_channel_is_named(value):
    windows = noise(0)
    windows[..., 0] = value
    with pytest.raises(DataError, match=r"channel 'ax' is constant \(.* g\) over the training part; leave it out"):
        fit([windows[:20], windows[20:]], STANDARD, CHANNELS)


def test_samples_that_are_no_numbers_are_refused():
    windows = noise(0)
    windows[7, 3, 1] = np.inf
    with np.errstate(invalid="ignore"), pytest.raises(DataError, match="channel 'gyro' holds NaN or infinity"):
        fit([windows], STANDARD, CHANNELS)
    with pytest.raises(DataError, match="no samples"):
        fit([], STANDARD, CHANNELS)


def test_none_and_constants_do_not_look_at_samples():
    def exploding():
        raise AssertionError
        yield

    card = fit(exploding(), NormalizationSettings(method="none"), CHANNELS)
    assert (card.method, card.offset, card.gain) == ("none", (0.0, 0.0), (1.0, 1.0))
    given_card = fit(
        exploding(), NormalizationSettings(method="constants", offset=(0.1, 2.0), gain=(0.5, 4.0)), CHANNELS
    )
    assert given_card.offset == (float(np.float32(0.1)), 2.0)
    assert given_card.gain == (0.5, 4.0)


@pytest.mark.parametrize(
    ("offset", "gain", "line"),
    [
        ((0.0,), (1.0, 1.0), r"normalization\.offset: 1 values for 2 channels \(ax, gyro\)"),
        ((0.0, 0.0), (1.0, 1.0, 1.0), r"normalization\.gain: 3 values for 2 channels"),
        ((0.0, 0.0), (1.0, 0.0), "0 would erase a channel"),
        ((0.0, 1e39), (1.0, 1.0), "must fit float32"),
        ((0.0, 0.0), (1.0, 1e-60), "0 would erase a channel"),
    ],
)
def test_constants_that_do_not_fit_are_refused(offset, gain, line):
    with pytest.raises(SettingsError, match=line):
        fit([], NormalizationSettings(method="constants", offset=offset, gain=gain), CHANNELS)


def test_moments_count_samples_of_every_leading_axis():
    found = moments(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    assert found.count == 6
    assert found.mean.tolist() == [10.0, 11.0, 12.0, 13.0]
