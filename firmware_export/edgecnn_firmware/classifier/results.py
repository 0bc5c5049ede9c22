"""An output of the network to a result, and results that follow each other to a label that has settled."""

from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.card import Card, TensorQuantization
from edgecnn_firmware.numerics import INT8_MAX, INT8_MIN, Int8

ONE: Final = 1 << 15
"""1.0 in Q15; what leaves a classifier as int16 is held one step below."""


@dataclass(frozen=True)
class Result:
    """One classified window; the emitted C gives the same numbers."""

    label: int
    """The label that has settled, or -1; of a window alone its label."""
    window_label: int
    changed: bool
    outputs: tuple[int, ...]
    probabilities: tuple[int, ...]
    """Q15, at most 32767, one for each label."""
    margin: int
    """Q15: the largest probability less the next."""


@cache
def probability_table(quantization: TensorQuantization) -> npt.NDArray[np.int64]:
    """Q15 probability of each output value from -128: `scale * (q - zero_point)` within 0 and 1, to the nearest, halves up."""
    values = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.float64) - quantization.zero_point
    table = np.floor(np.clip(values * float(np.float32(quantization.scale)), 0, 1) * ONE + 0.5).astype(np.int64)
    table.setflags(write=False)
    return table


def is_plain(quantization: TensorQuantization) -> bool:
    """Whether the table is `(q + 128) * 128`, as of every softmax and sigmoid that LiteRT's converter writes."""
    return bool(np.array_equal(probability_table(quantization), (np.arange(256) * 128)))


def exact_probabilities(outputs: Int8, card: Card) -> npt.NDArray[np.int64]:
    """Outputs `(outputs,)` to one probability a label, in Q15 with 32768 for 1."""
    found: npt.NDArray[np.int64] = probability_table(card.quantization.output)[outputs.astype(np.int64) - INT8_MIN]
    return np.array([ONE - found[0], found[0]]) if card.output == "sigmoid" else found


def window_result(outputs: Int8, card: Card) -> Result:
    """The result of one window alone."""
    exact = exact_probabilities(outputs, card)
    label = _label(outputs, exact, card)
    return _result(label, label, outputs, exact)


def _label(outputs: Int8, exact: npt.NDArray[np.int64], card: Card) -> int:
    return int(exact[1] > ONE // 2) if card.output == "sigmoid" else int(np.argmax(outputs))


def _result(
    label: int, window_label: int, outputs: Int8, exact: npt.NDArray[np.int64], *, changed: bool = False
) -> Result:
    ordered = np.sort(exact)
    return Result(
        label,
        window_label,
        changed,
        tuple(outputs.tolist()),
        tuple(min(int(value), ONE - 1) for value in exact),
        min(int(ordered[-1] - ordered[-2]), ONE - 1),
    )


class Smoother:
    """Smooths results over the last ones and keeps the settled label until another one has come often enough."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self._labels: deque[int] = deque(maxlen=card.deployment.results)
        self._exact: deque[npt.NDArray[np.int64]] = deque(maxlen=card.deployment.results)
        self._candidate = self._settled = -1
        self._repeats = 0

    def add(self, outputs: Int8) -> Result:
        """Take the next window's outputs."""
        deployment = self._card.deployment
        exact = exact_probabilities(outputs, self._card)
        window_label = _label(outputs, exact, self._card)
        self._labels.append(window_label)
        self._exact.append(exact)
        label = window_label
        if deployment.smoothing == "mean":
            sums = np.sum(self._exact, axis=0)
            label, exact = int(np.argmax(sums)), sums // len(self._exact)
        elif deployment.smoothing == "majority":
            label = self._majority()
        self._repeats = min(self._repeats + 1, deployment.debounce) if label == self._candidate else 1
        self._candidate = label
        changed = self._repeats >= deployment.debounce and label != self._settled
        if changed:
            self._settled = label
        return _result(self._settled, window_label, outputs, exact, changed=changed)

    def _majority(self) -> int:
        newest_first = list(self._labels)[::-1]
        return max(newest_first, key=newest_first.count)
