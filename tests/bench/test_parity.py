"""Parity on outputs written by hand."""

import numpy as np
import pytest

from edgecnn_bench.engines.protocol import EngineRun, RunOutputs
from edgecnn_bench.parity import MAX_CHANGED, compare
from edgecnn_firmware.card import TensorQuantization

LABELS = ("rest", "walk", "run")
SCALE = TensorQuantization(scale=1 / 256, zero_point=-128)


def run(key: str, rows: list[list[float]]) -> EngineRun:
    probabilities = np.array(rows, np.float32)
    return EngineRun(key, RunOutputs(probabilities, probabilities), probabilities.argmax(axis=1))


def run_int8(key: str, rows: list[list[int]], scale: TensorQuantization = SCALE) -> EngineRun:
    raw = np.array(rows, np.int8)
    probabilities = ((raw.astype(np.float32) - scale.zero_point) * scale.scale).astype(np.float32)
    return EngineRun(key, RunOutputs(raw, probabilities, scale), probabilities.argmax(axis=1))


def test_four_windows_by_hand() -> None:
    reference = run("keras", [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.5, 0.4, 0.1]])
    candidate = run("litert", [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.5, 0.3], [0.4, 0.5, 0.1]])
    truth = np.array([0, 1, 2, 1])
    found = compare(reference, candidate, truth, LABELS, ["ann", "ann", "bob", "bob"])
    assert (found.reference, found.candidate, found.n) == ("keras", "litert", 4)
    assert found.agreement.value == 0.5
    assert found.mcnemar is not None
    assert (found.mcnemar.reference_only, found.mcnemar.candidate_only, found.mcnemar.p_value) == (1, 1, 1.0)
    assert found.accuracy_drop == 0.0
    assert found.max_probability_difference == pytest.approx(0.2)
    assert found.mean_probability_difference == pytest.approx(0.8 / 12)
    assert found.max_lsb_difference is None
    first, second = found.changed
    assert (first.window, first.group, first.truth, first.reference, first.candidate) == (
        2,
        "bob",
        "run",
        "run",
        "walk",
    )
    assert (first.reference_probability, first.candidate_probability) == pytest.approx((0.4, 0.5))
    assert second.window == 3


def test_accuracy_drop_is_negative_where_the_candidate_is_better() -> None:
    worse, better = run("a", [[0.9, 0.1], [0.9, 0.1]]), run("b", [[0.9, 0.1], [0.1, 0.9]])
    assert compare(worse, better, np.array([0, 1]), LABELS, ["", ""]).accuracy_drop == -0.5


def test_without_labels_there_is_agreement_but_no_test() -> None:
    one, other = run("a", [[0.9, 0.1], [0.9, 0.1]]), run("b", [[0.9, 0.1], [0.1, 0.9]])
    found = compare(one, other, np.array([-1, -1]), LABELS, ["", ""])
    assert found.agreement.value == 0.5
    assert found.mcnemar is None
    assert found.accuracy_drop is None
    assert found.changed[0].truth == "unknown"


def test_accuracy_is_over_the_windows_with_labels() -> None:
    one, other = run("a", [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]]), run("b", [[0.1, 0.9], [0.1, 0.9], [0.9, 0.1]])
    found = compare(one, other, np.array([-1, 0, 0]), LABELS, [""] * 3)
    assert found.mcnemar is not None
    assert (found.mcnemar.reference_only, found.mcnemar.candidate_only) == (1, 0)
    assert found.accuracy_drop == 0.5


def test_lsb_difference_does_not_wrap_around() -> None:
    found = compare(run_int8("a", [[-128, 127]]), run_int8("b", [[127, 126]]), np.array([1]), LABELS, [""])
    assert found.max_lsb_difference == 255


def test_lsb_difference_needs_one_scale() -> None:
    other_scale = TensorQuantization(scale=1 / 128, zero_point=-128)
    short = TensorQuantization(scale=0.003921569, zero_point=-128)
    whole = TensorQuantization(scale=float(np.float32(0.003921569)), zero_point=-128)
    one = run_int8("a", [[0, 1]])
    for candidate in (run_int8("b", [[0, 1]], other_scale), run("b", [[0.4, 0.6]])):
        assert compare(one, candidate, np.array([1]), LABELS, [""]).max_lsb_difference is None
    same = compare(run_int8("a", [[0, 1]], short), run_int8("b", [[0, 3]], whole), np.array([1]), LABELS, [""])
    assert same.max_lsb_difference == 2, "a card's short decimal is the same float32"


def test_one_output_is_the_probability_of_label_one() -> None:
    def sigmoid(key: str, values: list[float]) -> EngineRun:
        probabilities = np.array(values, np.float32)[:, np.newaxis]
        return EngineRun(key, RunOutputs(probabilities, probabilities), (probabilities[:, 0] > 0.5).astype(np.int64))

    found = compare(sigmoid("a", [0.75]), sigmoid("b", [0.125]), np.array([1]), LABELS, [""])
    assert found.changed[0].reference == "walk"
    assert found.changed[0].candidate == "rest"
    assert found.changed[0].reference_probability == 0.75
    assert found.changed[0].candidate_probability == 0.875


def test_changed_windows_are_the_first_ones() -> None:
    one, other = run("a", [[0.9, 0.1]] * 200), run("b", [[0.1, 0.9]] * 200)
    changed = compare(one, other, np.zeros(200, np.int64), LABELS, [""] * 200).changed
    assert [row.window for row in changed] == list(range(MAX_CHANGED))


def test_runs_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="a, b"):
        compare(run("a", [[0.9, 0.1]]), run("b", [[0.9, 0.1]] * 2), np.array([0]), LABELS, [""])


def test_class_deltas_by_hand() -> None:
    reference = run("a", [[0.9, 0.1, 0], [0.9, 0.1, 0], [0.1, 0.9, 0], [0.1, 0.9, 0], [0.9, 0.1, 0]])
    candidate = run("b", [[0.9, 0.1, 0], [0.1, 0.9, 0], [0.1, 0.9, 0], [0.1, 0.9, 0], [0.1, 0.9, 0]])
    found = compare(reference, candidate, np.array([0, 0, 1, 1, -1]), LABELS, [""] * 5)
    rest, walk, never = found.classes
    assert (rest.label, rest.support, rest.reference_recall, rest.candidate_recall) == ("rest", 2, 1.0, 0.5)
    assert (rest.reference_f1, rest.candidate_f1) == (1.0, pytest.approx(2 / 3))
    assert (walk.support, walk.reference_f1, walk.candidate_f1) == (2, 1.0, pytest.approx(0.8))
    assert (never.support, never.reference_f1, never.candidate_f1) == (0, 0.0, 0.0)
    unlabelled = compare(reference, candidate, np.full(5, -1), LABELS, [""] * 5)
    assert (unlabelled.classes, unlabelled.verdict) == ((), None)


def test_mean_lsb_difference_is_over_all_outputs() -> None:
    found = compare(
        run_int8("a", [[0, 1], [5, 5]]), run_int8("b", [[0, 4], [4, 5]]), np.array([1, 0]), LABELS, [""] * 2
    )
    assert (found.max_lsb_difference, found.mean_lsb_difference) == (3, 1.0)
    assert compare(run("a", [[1, 0]]), run("b", [[1, 0]]), np.array([0]), LABELS, [""]).mean_lsb_difference is None


def test_verdict_is_equal_only_if_raw_outputs_are() -> None:
    def judged(one: EngineRun, other: EngineRun, truth: list[int]) -> str | None:
        found = compare(one, other, np.array(truth), LABELS, [""] * len(truth)).verdict
        return found.verdict if found else None

    rows = [[0, 1], [5, 4]]
    assert judged(run_int8("a", rows), run_int8("b", rows), [-1, -1]) == "equal"
    assert judged(run_int8("a", rows), run_int8("b", [[0, 2], [5, 4]]), [1, 0]) == "undecided"
    assert judged(run_int8("a", rows), run_int8("b", [[0, 2], [5, 4]]), [-1, -1]) is None
    other_scale = TensorQuantization(scale=1 / 128, zero_point=-128)
    assert judged(run_int8("a", rows), run_int8("b", rows, other_scale), [1, 0]) == "undecided"
    assert judged(run("a", [[0.5, 0.6]]), run("b", [[0.5, 0.6]]), [1]) == "equal"
    assert judged(run("a", [[0.5, 0.6]]), run_int8("b", [[0, 26]]), [1]) == "undecided"


def test_verdict_takes_the_margin_and_counts_groups() -> None:
    n = 150
    one, other = run("a", [[0.9, 0.1]] * n), run("b", [[0.8, 0.2]] * n)
    groups = [f"person {index % 4}" for index in range(n)]
    for margin, expected in ((0.01, "undecided"), (0.05, "equivalent")):
        found = compare(one, other, np.zeros(n, np.int64), LABELS, groups, margin=margin).verdict
        assert found is not None
        assert (found.verdict, found.margin) == (expected, margin)
        assert "4 groups" in found.rule
