import numpy as np
import pytest

from edgecnn.data.simulator.beats import NORMAL, VENTRICULAR, Beats, Shape, adjusted, draw

TABLE_1 = {
    "angle": np.array([-np.pi / 3, -np.pi / 12, 0.0, np.pi / 12, np.pi / 2]),
    "push": np.array([1.2, -5.0, 30.0, -7.5, 0.75]),
    "width": np.array([0.25, 0.1, 0.1, 0.1, 0.4]),
}


def one_beat(shape, peak_s=1.5, velocity=2 * np.pi):
    return Beats(np.array([peak_s]), np.array([velocity]), shape.angle[None], shape.height[None], shape.width[None])


def runge_kutta(duration_s, rate_hz, peak_s, velocity, push, baseline_mv):
    """The paper's third equation for the table's waves, by RK4 at 20 steps a sample."""

    def slope(time_s, z):
        delta = velocity * (time_s - peak_s) - TABLE_1["angle"]
        waves = np.sum(push * delta * np.exp(-(delta**2) / (2 * TABLE_1["width"] ** 2)))
        return -waves - (z - baseline_mv(time_s))

    step = 1 / rate_hz / 20
    z, result = 0.0, []
    for number in range(int(duration_s * rate_hz) * 20):
        if number % 20 == 0:
            result.append(z)
        at = number * step
        k1 = slope(at, z)
        k2 = slope(at + step / 2, z + step / 2 * k1)
        k3 = slope(at + step / 2, z + step / 2 * k2)
        k4 = slope(at + step, z + step * k3)
        z += step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return np.array(result)


@pytest.mark.parametrize("velocity", [2 * np.pi, 9.0])
def test_the_closed_form_solves_the_papers_equation(velocity):
    rate_hz = 500.0
    baseline = 0.15 * np.sin(2 * np.pi * 0.25 * np.arange(1500) / rate_hz)
    found = draw(one_beat(NORMAL, velocity=velocity), baseline, rate_hz)
    # Our heights are a b^2 / omega relative to the R wave; the same pushes, in the equation's own unit.
    push = TABLE_1["push"] / 0.3 * velocity
    expected = runge_kutta(3, rate_hz, 1.5, velocity, push, lambda time_s: 0.15 * np.sin(2 * np.pi * 0.25 * time_s))
    assert np.abs(expected).max() > 0.9
    np.testing.assert_allclose(found, expected, atol=0.004)


def test_long_signals_are_solved_in_blocks_without_seams(monkeypatch):
    peaks = np.arange(1, 59, 0.8)
    count = len(peaks)
    waves = (np.tile(of, (count, 1)) for of in (NORMAL.angle, NORMAL.height, NORMAL.width))
    beats = Beats(peaks, np.full(count, 7.0), *waves)
    blocks = draw(beats, np.zeros(6000), 100.0)
    monkeypatch.setattr("edgecnn.data.simulator.beats._DECAY_BLOCK_S", 60.0)
    whole = draw(beats, np.zeros(6000), 100.0)
    assert np.abs(whole).max() > 0.9
    np.testing.assert_allclose(blocks, whole, atol=1e-12)


def test_the_table_is_the_papers():
    np.testing.assert_allclose(NORMAL.angle, TABLE_1["angle"])
    np.testing.assert_allclose(NORMAL.width, TABLE_1["width"])
    heights = TABLE_1["push"] * TABLE_1["width"] ** 2
    np.testing.assert_allclose(NORMAL.height, heights / heights[2])


def test_waves_narrow_in_seconds_as_the_rate_rises():
    fast = adjusted(NORMAL, 120.0)
    factor = np.sqrt(2.0)
    np.testing.assert_allclose(fast.width, NORMAL.width * factor)
    np.testing.assert_allclose(
        fast.angle / np.where(NORMAL.angle == 0, 1, NORMAL.angle), [factor**0.5, factor, 0, factor, 1]
    )
    assert (fast.width / (2 * np.pi * 2) < NORMAL.width / (2 * np.pi)).all()


def test_a_ventricular_beat_is_wide_high_discordant_and_without_p_wave():
    rate_hz = 250.0
    normal, ventricular = (draw(one_beat(shape), np.zeros(750), rate_hz) for shape in (NORMAL, VENTRICULAR))
    width = [int((signal > signal.max() / 2).sum()) for signal in (normal, ventricular)]
    assert width[1] > 2 * width[0]
    assert ventricular.max() > 1.2 * normal.max()
    p_wave, t_wave = slice(300, 345), slice(425, 500)
    assert normal[p_wave].max() > 0.1 > abs(ventricular[p_wave]).max() * 0.9
    assert normal[t_wave].max() > 0.1
    assert ventricular[t_wave].min() < -0.3


def test_a_shape_without_height_draws_nothing():
    flat = Shape(NORMAL.angle, np.zeros(5), NORMAL.width)
    assert not draw(one_beat(flat), np.zeros(100), 100.0).any()
