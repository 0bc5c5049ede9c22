import dataclasses

import numpy as np
import pytest

from edgecnn.data.simulator.rhythm import RhythmSettings, make_rhythm, tachogram

SINUS = RhythmSettings(rate_bpm=75, rr_deviation_s=0.03, lf_hf=0.5, ventricular=0, coupling=0.65, atrial=0, dropped=0)


def test_intervals_have_the_mean_deviation_and_the_two_rhythms_asked_for():
    intervals = tachogram(SINUS, 1000.0, np.random.default_rng(0))
    assert intervals.mean() == pytest.approx(0.8)
    assert intervals.std() == pytest.approx(0.03)
    frequency = np.fft.rfftfreq(len(intervals), 1 / 4)
    power = np.abs(np.fft.rfft(intervals - intervals.mean())) ** 2
    low, high = (power[np.abs(frequency - center) < 0.05].sum() for center in (0.1, 0.25))
    assert low / high == pytest.approx(0.5, rel=0.02)
    assert (low + high) / power.sum() > 0.999


def test_a_sinus_rhythm_follows_its_intervals():
    rhythm = make_rhythm(SINUS, 300.0, np.random.default_rng(1))
    assert set(rhythm.kind) == {"N"}
    assert np.diff(rhythm.peak_s).mean() == pytest.approx(0.8, abs=0.01)
    np.testing.assert_allclose(np.diff(rhythm.peak_s), rhythm.interval_s[:-1])


def test_ventricular_beats_come_early_and_are_followed_by_a_compensatory_pause():
    settings = dataclasses.replace(SINUS, ventricular=0.1, rr_deviation_s=1e-6)
    rhythm = make_rhythm(settings, 600.0, np.random.default_rng(2))
    kinds = np.array(rhythm.kind)
    single = [
        at for at in range(1, len(kinds) - 1) if kinds[at] == "V" and kinds[at - 1] == "N" and kinds[at + 1] == "N"
    ]
    assert len(single) > 30
    before = np.array([rhythm.peak_s[at] - rhythm.peak_s[at - 1] for at in single])
    after = np.array([rhythm.peak_s[at + 1] - rhythm.peak_s[at] for at in single])
    assert (before < 0.85 * 0.8).all()
    assert (after > 1.0 * 0.8).all()
    np.testing.assert_allclose(before + after, 2 * 0.8, rtol=1e-4)


def test_atrial_beats_come_early_without_a_full_pause():
    settings = dataclasses.replace(SINUS, atrial=0.1, rr_deviation_s=1e-6)
    rhythm = make_rhythm(settings, 600.0, np.random.default_rng(3))
    early = [at for at, kind in enumerate(rhythm.kind) if kind == "A" and at + 1 < len(rhythm.kind)]
    assert len(early) > 30
    for at in early:
        assert rhythm.peak_s[at] - rhythm.peak_s[at - 1] <= 0.85 * 0.8 + 1e-4


def test_peaks_are_in_order_and_apart():
    settings = dataclasses.replace(SINUS, ventricular=0.3, atrial=0.2, dropped=0.1, rr_deviation_s=0.06, coupling=0.55)
    for seed in range(20):
        rhythm = make_rhythm(settings, 60.0, np.random.default_rng(seed))
        assert np.diff(rhythm.peak_s).min() > 0.2
        assert len(rhythm.peak_s) == len(rhythm.kind) == len(rhythm.interval_s)
