"""Every number against SciPy's and scikit-learn's."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_bench.statistics import class_scores, confusion, mcnemar_exact, score, wilson

stats = pytest.importorskip("scipy.stats")
metrics = pytest.importorskip("sklearn.metrics")

CLASSES = 4
NAMES = tuple("abcd")
CLOSE = 1e-12
"""Both sides round a handful of double operations."""

cases = st.integers(1, 60).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, CLASSES - 1), min_size=n, max_size=n) for _ in range(2)))
)


@settings(deadline=None)
@given(st.integers(0, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_is_scipys(counts: tuple[int, int], confidence: float) -> None:
    successes, n = counts
    found = wilson(successes, n, confidence)
    if n == 0:
        assert (found.value, found.low, found.high) == (0.0, 0.0, 1.0)
        return
    theirs = stats.binomtest(successes, n).proportion_ci(confidence, "wilson")
    assert found.low == pytest.approx(theirs.low, abs=CLOSE)
    assert found.high == pytest.approx(theirs.high, abs=CLOSE)
    assert found.low <= found.value <= found.high


def test_wilson_by_hand() -> None:
    # 1 of 10 at 95 %: Brown, Cai and DasGupta (2001) give the interval that rounds to these.
    found = wilson(1, 10)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0179, 0.4042)


@pytest.mark.parametrize(("successes", "n", "confidence"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0), (1, 5, 0.0)])
def test_wilson_refuses(successes: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="wilson"):
        wilson(successes, n, confidence)


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 5))
def test_mcnemar_is_scipys_binomial_test(first: int, second: int, both: int) -> None:
    reference = np.array([True] * first + [False] * second + [True] * both + [False] * both, bool)
    candidate = np.array([False] * first + [True] * second + [True] * both + [False] * both, bool)
    found = mcnemar_exact(reference, candidate)
    assert (found.reference_only, found.candidate_only) == (first, second)
    theirs = stats.binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert found.p_value == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(("fewer", "more"), [(0, 3000), (49_500, 50_500), (200_000, 200_900), (1, 1_000_000)])
def test_mcnemar_with_large_counts(fewer: int, more: int) -> None:
    right = np.arange(fewer + more) < fewer
    found = mcnemar_exact(right, ~right).p_value
    # lgamma's own rounding, times its size of up to 1e7.
    assert found == pytest.approx(stats.binomtest(fewer, fewer + more, 0.5).pvalue, rel=1e-7, abs=1e-300)


@settings(deadline=None)
@given(cases)
def test_scores_are_scikit_learns(case: tuple[list[int], list[int]]) -> None:
    truth, predicted = (np.array(values, np.int64) for values in case)
    found = score(truth, predicted, NAMES)
    matrix = metrics.confusion_matrix(truth, predicted, labels=range(CLASSES))
    assert np.array_equal(confusion(truth, predicted, CLASSES), matrix)
    assert np.array_equal(found.confusion, matrix)
    assert found.accuracy.value == metrics.accuracy_score(truth, predicted)
    assert found.accuracy.n == len(truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they warn of classes that are only predicted
        balanced = metrics.balanced_accuracy_score(truth, predicted)
        macro_f1 = metrics.f1_score(truth, predicted, average="macro", zero_division=0)
        each = metrics.precision_recall_fscore_support(truth, predicted, labels=range(CLASSES), zero_division=0)
    assert found.balanced_accuracy == pytest.approx(balanced, abs=CLOSE)
    assert found.macro_f1 == pytest.approx(macro_f1, abs=CLOSE)
    ours = [(c.precision, c.recall, c.f1, c.support) for c in class_scores(truth, predicted, NAMES)]
    assert np.allclose(ours, np.array(each).T, rtol=0, atol=CLOSE)


def test_perfect_scores_are_exactly_one() -> None:
    truth = np.array([0, 0, 1, 2, 2, 2])
    found = score(truth, truth, NAMES)
    assert (found.accuracy.value, found.balanced_accuracy, found.macro_f1) == (1.0, 1.0, 1.0)
    assert found.accuracy.high == 1.0


def test_labels_outside_the_classes_are_refused() -> None:
    known, unknown = np.array([0, 1]), np.array([0, -1])
    with pytest.raises(ValueError, match="-1 to 1"):
        score(known, unknown, NAMES)
    with pytest.raises(ValueError, match="outside 0 to 3"):
        confusion(np.array([4]), np.array([0]), CLASSES)
    with pytest.raises(ValueError, match="no windows"):
        score(np.array([], np.int64), np.array([], np.int64), NAMES)
