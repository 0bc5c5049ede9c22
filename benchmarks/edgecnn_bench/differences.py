"""By how much two classifiers' accuracies differ, with an interval: on the same windows or on others."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgecnn_bench.statistics import mcnemar_exact, wilson
from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import Vectors, read_bundle
from edgecnn_firmware.card import Card, Interval
from edgecnn_firmware.errors import EdgeCnnError

Right = npt.NDArray[np.bool_]
"""`(n,)`: whether a classifier's label is the true one."""


@dataclass(frozen=True)
class Difference:
    """Accuracy of the second less that of the first, as a fraction, with its 95 % interval."""

    value: float
    low: float
    high: float
    kind: Literal["paired", "unpaired"]
    n: int
    """Windows of each; the smaller number where they differ."""
    first_only: int | None = None
    """Windows that only the first gets right; None where windows are not paired."""
    second_only: int | None = None
    p_value: float | None = None
    """Of the exact McNemar test; None where windows are not paired."""

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Pairing:
    """Two bundles on the same windows."""

    int8: Difference
    """Of int8 accuracy, by the reference kernels."""
    float32: Difference | None
    """Of float accuracy; None where a bundle has no outputs of the float model."""
    agreement: Difference | None
    """Of the share of windows with the same label in float and int8."""


def unpaired(first: Interval, second: Interval) -> Difference:
    """Difference of two independent proportions by the hybrid score method (Newcombe 1998, Stat Med 17:873, method 10).

    Args:
        first: A proportion with its Wilson interval at 95 %, over at least one window.
        second: Another one.
    """
    low, high = _hybrid(first, second, 0.0)
    return Difference(second.value - first.value, low, high, "unpaired", min(first.n, second.n))


def paired(first_right: Right, second_right: Right) -> Difference:
    """Difference on the same `(n,)` windows by the hybrid score method (Newcombe 1998, Stat Med 17:2635, method 10).

    Raises:
        ValueError: The two differ in shape, or there are no windows.
    """
    test = mcnemar_exact(first_right, second_right)
    n = int(first_right.size)
    if n == 0:
        raise ValueError("no windows to compare on")
    both = int(np.count_nonzero(first_right & second_right))
    neither = n - both - test.reference_only - test.candidate_only
    first, second = (wilson(int(np.count_nonzero(right)), n) for right in (first_right, second_right))
    low, high = _hybrid(first, second, _correlation(both, test.reference_only, test.candidate_only, neither))
    return Difference(
        value=(test.candidate_only - test.reference_only) / n,
        low=low,
        high=high,
        kind="paired",
        n=n,
        first_only=test.reference_only,
        second_only=test.candidate_only,
        p_value=test.p_value,
    )


def _hybrid(first: Interval, second: Interval, correlation: float) -> tuple[float, float]:
    """Bounds of second less first, out of the bounds of each."""
    value = second.value - first.value
    down = _distance(second.value - second.low, first.high - first.value, correlation)
    up = _distance(second.high - second.value, first.value - first.low, correlation)
    return max(-1.0, value - down), min(1.0, value + up)


def _distance(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))


def _correlation(both: int, first_only: int, second_only: int, neither: int) -> float:
    """Phi of the table of pairs, with a continuity correction towards 0."""
    margins = (both + first_only) * (second_only + neither) * (both + second_only) * (first_only + neither)
    if margins == 0:
        return 0.0
    product = both * neither - first_only * second_only
    n = both + first_only + second_only + neither
    corrected = max(product - n / 2, 0.0) if product > 0 else float(product)
    return corrected / math.sqrt(margins)


def paired_bundles(first: Path, second: Path, cards: tuple[Card, Card]) -> Pairing | str:
    """Compare two bundles window by window, by the outputs of the reference kernels and of the float model they hold.

    Args:
        first: The folder of a bundle, or a file in it.
        second: The other one.
        cards: The cards of their reports: a bundle that was exported again since is not what its report is of.

    Returns:
        The differences, or why the windows cannot be paired.
    """
    folders = [place if place.is_dir() else place.parent for place in (first, second)]
    try:
        bundles = [read_bundle(folder) for folder in folders]
        if any(bundle.card != card for bundle, card in zip(bundles, cards, strict=True)):
            return "a report is of another export than the bundle beside it"
        vectors, others = (bundle.vectors() for bundle in bundles)
    except EdgeCnnError:
        return "at least one of the two is no whole bundle, whose windows could be paired"
    if cards[0].labels != cards[1].labels:
        return "the labels differ"
    if not (np.array_equal(vectors.windows, others.windows) and np.array_equal(vectors.labels, others.labels)):
        return "the two hold other windows"
    if not (vectors.labels >= 0).any():
        return "no window has a label"
    return _pairing(_decided(cards[0], vectors), _decided(cards[1], others), vectors.labels)


@dataclass(frozen=True)
class _Decided:
    """Label numbers `(n,)` by the two forms of a model."""

    int8: npt.NDArray[np.int64]
    float32: npt.NDArray[np.int64] | None


def _decided(card: Card, vectors: Vectors) -> _Decided:
    int8 = numerics.decide(numerics.probabilities(vectors.outputs, card.quantization.output), card.output)
    keras = vectors.keras_outputs
    return _Decided(int8, None if keras is None else numerics.decide(keras, card.output))


def _pairing(first: _Decided, second: _Decided, truth: npt.NDArray[np.int64]) -> Pairing:
    known = truth >= 0
    int8 = paired((first.int8 == truth)[known], (second.int8 == truth)[known])
    if first.float32 is None or second.float32 is None:
        return Pairing(int8, None, None)
    return Pairing(
        int8=int8,
        float32=paired((first.float32 == truth)[known], (second.float32 == truth)[known]),
        agreement=paired(first.int8 == first.float32, second.int8 == second.float32),
    )
