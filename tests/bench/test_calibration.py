"""Calibration against cases by hand, a plain loop over windows, and scikit-learn's Brier score."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_bench.calibration import BINS, calibration, class_probabilities
from edgecnn_bench.engines.protocol import EngineRun, RunOutputs
from edgecnn_bench.results import Calibration
from edgecnn_firmware.card import Card, ChannelCard, InputCard, NormalizationCard, QuantizationCard, TensorQuantization
from edgecnn_firmware.numerics import decide

SCALE = TensorQuantization(scale=1 / 256, zero_point=-128)


def card(classes: int, output: str = "softmax") -> Card:
    return Card(
        name="waves",
        version="1.0.0",
        labels=tuple(f"class {index}" for index in range(classes)),
        output=output,
        input=InputCard(window_samples=4, hop_samples=4, sample_rate_hz=1.0, channels=(ChannelCard(name="a"),)),
        normalization=NormalizationCard(method="none", offset=(0.0,), gain=(1.0,)),
        quantization=QuantizationCard(input=SCALE, output=SCALE),
    )


def calibrate(rows: Sequence[Sequence[float]], truth: Sequence[int], output: str = "softmax") -> Calibration:
    probabilities = np.array(rows, np.float32)
    described = card(2 if output == "sigmoid" else probabilities.shape[1], output)
    run = EngineRun("x", RunOutputs(probabilities, probabilities), decide(probabilities, described.output))
    found = calibration(run, np.array(truth, np.int64), described)
    assert found is not None
    return found


def test_three_windows_by_hand() -> None:
    # Confidences 0.75 (right), 0.75 (wrong) and 1 (right): bins 12 and 15.
    found = calibrate([[0.75, 0.25], [0.25, 0.75], [1.0, 0.0]], [0, 0, 0])
    assert (found.engine, found.n, len(found.bins)) == ("x", 3, BINS)
    twelfth, last = found.bins[11], found.bins[14]
    assert (twelfth.n, twelfth.confidence, twelfth.accuracy.value) == (2, 0.75, 0.5)
    assert (last.n, last.confidence, last.accuracy.value, last.high) == (1, 1.0, 1.0, 1.0)
    assert found.ece == pytest.approx(2 / 3 * 0.25)
    assert found.max_error == 0.25
    assert found.brier == pytest.approx((2 * 0.0625 + 2 * 0.5625 + 0) / 3)
    empty = found.bins[0]
    assert (empty.n, empty.confidence, empty.accuracy.low, empty.accuracy.high) == (0, 0.0, 0.0, 1.0)


def test_a_sigmoid_is_as_sure_of_no_as_of_yes() -> None:
    found = calibrate([[0.25], [0.75], [0.5]], [0, 1, 0], "sigmoid")
    assert (found.bins[11].n, found.bins[11].confidence, found.bins[11].accuracy.value) == (2, 0.75, 1.0)
    assert found.bins[7].n == 1
    assert found.brier == pytest.approx(2 * (0.0625 + 0.0625 + 0.25) / 3)


def test_bins_are_closed_above() -> None:
    edges = [number / BINS for number in range(BINS + 1)]
    found = calibrate([[0.2, np.float32(0.2) / 2]], [0])
    assert found.bins[3].n == 1, "the float32 nearest to 0.2 lies above it"
    assert [(row.low, row.high) for row in found.bins] == list(pairwise(edges))
    assert calibrate([[0.0, 0.0]], [0]).bins[0].n == 1


def test_windows_without_a_label_do_not_count() -> None:
    rows = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]
    assert calibrate(rows, [0, -1, 1]) == calibrate([rows[0], rows[2]], [0, 1])
    run = EngineRun("x", RunOutputs(np.zeros((1, 2)), np.zeros((1, 2), np.float32)), np.zeros(1, np.int64))
    assert calibration(run, np.array([-1]), card(2)) is None
    with pytest.raises(ValueError, match="x: 1 windows, but 2 labels"):
        calibration(run, np.array([0, 1]), card(2))


cases = st.integers(2, 5).flatmap(
    lambda classes: st.lists(
        st.tuples(
            st.lists(st.integers(0, 256), min_size=classes, max_size=classes),
            st.integers(0, classes - 1),
        ),
        min_size=1,
        max_size=60,
    )
)


@settings(deadline=None)
@given(cases)
def test_against_a_loop_over_windows(case: list[tuple[list[int], int]]) -> None:
    """Outputs are 256ths, as int8 ones are: they need not add up to 1."""
    rows = [[value / 256 for value in values] for values, _ in case]
    truth = [label for _, label in case]
    found = calibrate(rows, truth)
    bins: dict[int, list[tuple[float, bool]]] = {}
    brier = 0.0
    for row, label in zip(rows, truth, strict=True):
        top = max(range(len(row)), key=lambda index: (row[index], -index))
        number = max(1, -(-int(row[top] * 256) * BINS // 256))  # ceiling in whole numbers
        bins.setdefault(number, []).append((row[top], top == label))
        brier += sum((value - (index == label)) ** 2 for index, value in enumerate(row))
    gaps = {
        number: abs(sum(sure for sure, _ in inside) - sum(right for _, right in inside)) / len(inside)
        for number, inside in bins.items()
    }
    assert {number + 1: row.n for number, row in enumerate(found.bins) if row.n} == {k: len(v) for k, v in bins.items()}
    expected = sum(gaps[number] * len(inside) for number, inside in bins.items()) / len(rows)
    assert found.ece == pytest.approx(expected, abs=1e-12)
    assert found.max_error == pytest.approx(max(gaps.values()), abs=1e-12)
    assert found.brier == pytest.approx(brier / len(rows), abs=1e-12)
    assert 0 <= found.ece <= found.max_error + 1e-12 <= 1 + 1e-12
    assert 0 <= found.brier <= len(rows[0])


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=2, max_size=50))
def test_brier_of_a_sigmoid_is_twice_scikit_learns(case: list[tuple[float, bool]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    outputs, truth = [value for value, _ in case], [int(label) for _, label in case]
    found = calibrate([[value] for value in outputs], truth, "sigmoid")
    assert found.brier == pytest.approx(2 * metrics.brier_score_loss(truth, outputs, labels=[0, 1]), abs=1e-9)
    assert all(row.n == 0 for row in found.bins[:7]), "a sigmoid's label never has less than one half"


def test_a_perfect_engine_has_no_error() -> None:
    found = calibrate(np.eye(3).tolist() * 5, [0, 1, 2] * 5)
    assert (found.ece, found.max_error, found.brier) == (0.0, 0.0, 0.0)


def test_probabilities_of_every_label() -> None:
    assert class_probabilities(np.array([[0.25]], np.float32), card(2, "sigmoid")).tolist() == [[0.75, 0.25]]
    over = np.array([[np.nextafter(np.float32(1), np.float32(2)), -1e-9]], np.float32)
    assert class_probabilities(over, card(2)).tolist() == [[1.0, 0.0]]
