"""What every random change must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from edgecnn.augmentation import (
    Augmenter,
    jitter,
    mixup,
    offset,
    reshape_events,
    rotation,
    scaling,
    shift,
    stretch,
    wander,
    warp,
)
from edgecnn.project import AugmentSettings
from edgecnn_firmware.errors import SettingsError

OFF = AugmentSettings(jitter=0, scaling=0, offset=0, wander=0, stretch=0, shift=0, warp=0, rotation_deg=0, mixup=0)
ON = AugmentSettings(
    jitter=0.1, scaling=0.1, shift=0.1, warp=0.2, rotation_deg=30, rotation_axes=((0, 1, 2),), mixup=0.4
)
TRANSFORMS = {
    "jitter": jitter,
    "offset": offset,
    "filter": reshape_events,
    "scaling": scaling,
    "shift": shift,
    "stretch": stretch,
    "wander": wander,
    "warp": warp,
}

shapes = st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 6))
strengths = st.floats(0, 0.5)
seeds = st.integers(0, 2**32)


def windows_of(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", TRANSFORMS)
@given(shape=shapes, strength=strengths, seed=seeds)
@settings(max_examples=40, deadline=None)
def test_shape_and_type_stay_and_the_seed_decides(name, shape, strength, seed):
    windows = windows_of(shape)
    before = windows.copy()
    changed = TRANSFORMS[name](windows, rng(seed), strength)
    assert changed.shape == shape
    assert changed.dtype == np.float32
    assert np.isfinite(changed).all()
    assert np.array_equal(windows, before)
    assert np.array_equal(changed, TRANSFORMS[name](windows, rng(seed), strength))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_strength_0_changes_nothing_and_more_does(name):
    windows = windows_of((4, 120, 3))
    assert np.array_equal(TRANSFORMS[name](windows, rng(), 0), windows)
    assert not np.array_equal(TRANSFORMS[name](windows, rng(), 0.9), windows)


@given(shape=shapes, strength=strengths, seed=seeds, value=st.floats(-1e6, 1e6, width=32))
@settings(max_examples=60, deadline=None)
def test_moving_time_keeps_a_constant_signal(shape, strength, seed, value):
    windows = np.full(shape, value, np.float32)
    assert np.array_equal(shift(windows, rng(seed), strength), windows)
    assert np.array_equal(warp(windows, rng(seed), strength), windows)
    assert np.array_equal(stretch(windows, rng(seed), strength), windows)


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_stretch_keeps_the_middle_and_changes_the_tempo_by_its_strength(seed):
    ramp = np.broadcast_to(np.arange(101, dtype=np.float32)[None, :, None], (8, 101, 1))
    stretched = stretch(ramp, rng(seed), 0.2)
    assert np.allclose(stretched[:, 50], 50, atol=1e-4)
    tempo = stretched[:, 51] - stretched[:, 50]
    assert (tempo >= np.exp(-0.2) - 1e-3).all()
    assert (tempo <= np.exp(0.2) + 1e-3).all()


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_scaling_is_one_gain_and_offset_one_constant_a_channel(seed):
    windows = windows_of((4, 20, 3)) + 10
    gains = scaling(windows, rng(seed), 0.2) / windows
    assert np.allclose(gains, gains[:, :1, :1], rtol=1e-5)
    constants = offset(windows, rng(seed), 0.2) - windows
    assert np.allclose(constants, constants[:, :1], atol=1e-5)
    assert len(np.unique(constants[:, 0].round(4))) > 1


@given(seed=seeds, length=st.integers(84, 200))
@settings(max_examples=30, deadline=None)
def test_the_filter_changes_shape_and_keeps_level_and_spread(seed, length):
    windows = windows_of((5, length, 2)) * 3 + 7
    changed = reshape_events(windows, rng(seed), 1.0)
    assert not np.allclose(changed, windows, atol=0.1)
    assert np.allclose(changed.std(axis=1), windows.std(axis=1), rtol=1e-3)
    # Zero padding at the ends moves the mean a little.
    assert np.allclose(changed.mean(axis=1), windows.mean(axis=1), atol=2.0)


def test_wander_is_a_slow_sine():
    waves = wander(np.zeros((50, 200, 1), np.float32), rng(), 1.0)[:, :, 0]
    # Two periods a window at most: energy above 4 periods is leakage only.
    spectrum = np.abs(np.fft.rfft(waves * np.hanning(200), axis=1)) ** 2
    assert (spectrum[:, 5:].sum(axis=1) < 0.02 * spectrum.sum(axis=1)).all()


@given(length=st.integers(2, 60), strength=strengths, seed=seeds)
@settings(max_examples=60, deadline=None)
def test_warped_time_runs_forward_from_end_to_end(length, strength, seed):
    ramp = np.broadcast_to(np.arange(length, dtype=np.float32)[None, :, None], (3, length, 1))
    warped = warp(ramp, rng(seed), strength)
    assert np.allclose(warped[:, 0], 0)
    assert np.allclose(warped[:, -1], length - 1, rtol=1e-5)
    assert (np.diff(warped, axis=1) >= -1e-3).all()


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_shift_moves_whole_samples_within_its_share(seed):
    ramp = np.broadcast_to(np.arange(50, dtype=np.float32)[None, :, None], (8, 50, 2))
    moved = shift(ramp, rng(seed), 0.1)
    offsets = (moved - ramp)[:, 10:40]
    assert (offsets == offsets[:, :1, :1]).all()
    assert (np.abs(offsets) <= 5).all()
    assert ((moved >= 0) & (moved <= 49)).all()


def test_jitter_and_scaling_have_the_deviation_asked_for():
    windows = np.ones((400, 50, 2), np.float32)
    assert np.std(jitter(windows, rng(), 0.2)) == pytest.approx(0.2, rel=0.02)
    gains = scaling(windows, rng(), 0.2)
    assert (gains == gains[:, :1]).all()
    assert np.std(gains[:, 0]) == pytest.approx(0.2, rel=0.1)


@given(degrees=st.floats(0.5, 180), seed=seeds)
@settings(max_examples=40, deadline=None)
def test_rotation_keeps_lengths_and_turns_all_sensors_alike(degrees, seed):
    windows = windows_of((5, 20, 7))
    windows[:, :, [4, 3, 6]] = windows[:, :, [0, 1, 2]]
    rotated = rotation(windows, rng(seed), degrees, ((0, 1, 2), (4, 3, 6)))
    norms = [np.linalg.norm(values[:, :, :3], axis=2) for values in (windows, rotated)]
    assert np.allclose(norms[0], norms[1], rtol=1e-5, atol=1e-6)
    assert np.allclose(rotated[:, :, [4, 3, 6]], rotated[:, :, [0, 1, 2]], atol=1e-6)
    assert np.array_equal(rotated[:, :, 5], windows[:, :, 5])


def test_rotation_is_a_rotation_by_at_most_the_angle():
    basis = np.broadcast_to(np.eye(3, dtype=np.float32), (500, 3, 3))
    matrices = rotation(basis, rng(), 25, ((0, 1, 2),)).transpose(0, 2, 1)
    assert np.allclose(np.linalg.det(matrices), 1, atol=1e-5)
    angles = np.degrees(Rotation.from_matrix(matrices).magnitude())
    assert 24 < angles.max() <= 25.01
    assert angles.min() < 1


def test_mixup_mixes_windows_and_targets_alike():
    targets = np.eye(6, dtype=np.float32)
    windows = np.broadcast_to(targets[:, None, :], (6, 4, 6))
    mixed, soft = mixup(windows, targets, rng(), 0.4)
    assert np.allclose(mixed, soft[:, None, :])
    assert np.allclose(soft.sum(axis=1), 1)
    assert (soft.argmax(axis=1) == np.arange(6)).all()
    assert ((soft > 0) & (soft < 1)).any()


def test_augmenter_depends_on_seed_epoch_and_batch_alone():
    windows, targets = windows_of((8, 32, 3)), np.eye(8, dtype=np.float32)

    def both(seed, epoch, batch):
        augmenter = Augmenter(ON, seed)
        changed, soft = augmenter.normalized(augmenter.physical(windows, epoch, batch), targets, epoch, batch)
        return np.concatenate([changed.ravel(), soft.ravel()])

    first = both(1, 2, 3)
    assert np.array_equal(first, both(1, 2, 3))
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert not np.array_equal(first, both(*other))


def test_augmenter_switched_off_changes_nothing():
    windows, targets = windows_of((8, 32, 3)), np.eye(8, dtype=np.float32)
    augmenter = Augmenter(OFF, 0)
    assert augmenter.physical(windows, 1, 1) is windows
    changed, soft = augmenter.normalized(windows, targets, 1, 1)
    assert changed is windows
    assert soft is targets


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ((), "rotation_deg needs rotation_axes"),
        (((0, 1, 3),), r"rotation_axes = \[\[0, 1, 3\]\]: expected channel numbers from 0 to 2, each at most once"),
        (((0, 1, 1),), "each at most once"),
        (((-1, 0, 1),), "expected channel numbers from 0 to 2"),
    ],
)
def test_rotation_axes_must_fit_the_channels(axes, message):
    augmenter = Augmenter(ON.model_copy(update={"rotation_axes": axes}), 0)
    with pytest.raises(SettingsError, match=message):
        augmenter.physical(windows_of((2, 10, 3)), 1, 1)
