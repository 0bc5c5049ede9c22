"""The learning rate against Keras' own schedule."""

import pytest

from edgecnn.tensorflow_setup import import_keras
from edgecnn.training.schedule import Schedule


@pytest.mark.parametrize("total", [40, 1000])
def test_cosine_is_keras_cosine_after_the_warm_up(total):
    schedule = Schedule("cosine", 0.002, total)
    warm_up = total // 20
    keras = import_keras().optimizers.schedules
    oracle = keras.CosineDecay(0.0, total - warm_up, alpha=0.01, warmup_target=0.002, warmup_steps=warm_up)
    for step in range(warm_up, total, max(1, total // 20)):
        assert schedule.at(step) == pytest.approx(float(oracle(step)), rel=1e-4)


@pytest.mark.parametrize("kind", ["cosine", "constant"])
def test_warm_up_rises_to_the_peak_without_a_step_at_0(kind):
    rates = [Schedule(kind, 0.1, 200).at(step) for step in range(11)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[:10] == sorted(rates[:10])
    assert rates[9] == rates[10] == pytest.approx(0.1)


def test_constant_stays_at_the_peak():
    schedule = Schedule("constant", 0.1, 200)
    assert {schedule.at(step) for step in range(10, 200)} == {0.1}


def test_a_single_step_is_at_the_peak():
    assert Schedule("cosine", 0.1, 1).at(0) == 0.1
