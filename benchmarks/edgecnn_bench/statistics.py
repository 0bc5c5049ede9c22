"""Proportions, paired comparison and classification scores, with numpy and the standard library alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn_bench.results import ClassScore, McNemar
from edgecnn_firmware.card import Interval, ScoreCard

Labels: TypeAlias = npt.NDArray[np.int64]
"""`(n,)` class numbers."""


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a proportion (Wilson 1927); with `n` 0 nothing is known and it is 0 to 1.

    Raises:
        ValueError: `successes` is not within 0 and `n`, or `confidence` not between 0 and 1.
    """
    if not 0 <= successes <= n or not 0 < confidence < 1:
        raise ValueError(f"wilson({successes}, {n}, {confidence}): needs 0 <= successes <= n and 0 < confidence < 1")
    if n == 0:
        return Interval(value=0.0, low=0.0, high=1.0, n=0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    proportion = successes / n
    shrink = 1 + z * z / n
    center = (proportion + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(proportion * (1 - proportion) / n + z * z / (4 * n * n))
    # At the ends the formula gives exactly 0 and 1; in floating point it misses them by a rounding error.
    low = 0.0 if successes == 0 else max(0.0, center - half)
    high = 1.0 if successes == n else min(1.0, center + half)
    return Interval(value=proportion, low=low, high=high, n=n)


def mcnemar_exact(reference_correct: npt.NDArray[np.bool_], candidate_correct: npt.NDArray[np.bool_]) -> McNemar:
    """Exact two-sided McNemar test (McNemar 1947) of two classifiers on the same `(n,)` windows.

    Under the null hypothesis each window that only one of the two gets right is a fair coin, so the p-value is that of
    the two-sided binomial test with probability 1/2.

    Raises:
        ValueError: the two differ in shape.
    """
    if reference_correct.shape != candidate_correct.shape:
        raise ValueError(f"shapes {reference_correct.shape} and {candidate_correct.shape} differ")
    reference_only = int(np.count_nonzero(reference_correct & ~candidate_correct))
    candidate_only = int(np.count_nonzero(candidate_correct & ~reference_correct))
    p_value = _fair_coin_p_value(min(reference_only, candidate_only), reference_only + candidate_only)
    return McNemar(reference_only=reference_only, candidate_only=candidate_only, p_value=p_value)


def _fair_coin_p_value(fewer: int, tosses: int) -> float:
    """Twice the probability of at most `fewer` heads; summed from the largest term down, so no power overflows."""
    if 2 * fewer >= tosses:
        return 1.0
    log_largest = math.lgamma(tosses + 1) - math.lgamma(fewer + 1) - math.lgamma(tosses - fewer + 1)
    term = total = 1.0
    for heads in range(fewer, 0, -1):
        term *= heads / (tosses - heads + 1)
        total += term
        if term < total * 1e-18:
            break
    return min(1.0, 2 * math.exp(log_largest - tosses * math.log(2)) * total)


def confusion(truth: Labels, predicted: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Count windows as `(classes, classes)`: rows true class, columns predicted class.

    Raises:
        ValueError: the two differ in shape, or hold a label outside `0..classes-1`.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"shapes {truth.shape} and {predicted.shape} differ")
    both = np.concatenate([truth, predicted])
    if both.size and (both.min() < 0 or both.max() >= classes):
        raise ValueError(f"labels {both.min()} to {both.max()} are outside 0 to {classes - 1}")
    counts = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def score(truth: Labels, predicted: Labels, labels: Sequence[str]) -> ScoreCard:
    """Score predictions on windows whose true class is known.

    Balanced accuracy is the mean recall of the classes present in `truth`; macro F1 is the mean F1 of the classes
    present in `truth` or `predicted`, where a class without true positives has F1 0.

    Raises:
        ValueError: there are no windows, or see `confusion`.
    """
    if truth.size == 0:
        raise ValueError("no windows to score")
    counts = confusion(truth, predicted, len(labels))
    rates = _rates(counts)
    in_truth = counts.sum(axis=1) > 0
    present = in_truth | (counts.sum(axis=0) > 0)
    return ScoreCard(
        accuracy=wilson(int(np.trace(counts)), int(counts.sum())),
        balanced_accuracy=_unit(rates.recall[in_truth].mean()),
        macro_f1=_unit(rates.f1[present].mean()),
        confusion=tuple(tuple(int(cell) for cell in row) for row in counts),
    )


def class_scores(truth: Labels, predicted: Labels, labels: Sequence[str]) -> tuple[ClassScore, ...]:
    """Support, precision, recall and F1 of every class, 0 where a ratio has no denominator.

    Raises:
        ValueError: see `confusion`.
    """
    counts = confusion(truth, predicted, len(labels))
    rates = _rates(counts)
    support = counts.sum(axis=1)
    return tuple(
        ClassScore(
            label=label,
            support=int(support[index]),
            precision=_unit(rates.precision[index]),
            recall=_unit(rates.recall[index]),
            f1=_unit(rates.f1[index]),
        )
        for index, label in enumerate(labels)
    )


@dataclass(frozen=True)
class _Rates:
    """`(classes,)` each."""

    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    f1: npt.NDArray[np.float64]


def _rates(counts: npt.NDArray[np.int64]) -> _Rates:
    hits = np.diag(counts).astype(np.float64)
    in_truth, in_predicted = counts.sum(axis=1), counts.sum(axis=0)
    return _Rates(_ratio(hits, in_predicted), _ratio(hits, in_truth), _ratio(2 * hits, in_truth + in_predicted))


def _ratio(above: npt.NDArray[np.float64], below: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _unit(value: Any) -> float:
    """A fraction; the mean of ones may come out one rounding step over 1."""
    return min(1.0, float(value))
