"""Windows on disk -> shuffled, augmented, normalized batches with targets and weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn.augmentation import Augmenter
from edgecnn_firmware.card import NormalizationCard
from edgecnn_firmware.errors import DataError
from edgecnn_firmware.numerics import normalize

Floats: TypeAlias = npt.NDArray[np.float32]
OutputKind: TypeAlias = Literal["softmax", "sigmoid"]

_SHUFFLE: Final = 2
_VALIDATION_BATCH: Final = 256


class WindowPart(Protocol):
    """One part of a split; `windows` may be mapped from disk and larger than memory."""

    @property
    def windows(self) -> Floats:
        """`(n, window_samples, channels)` in physical units."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """`(n,)` classes."""


@dataclass(frozen=True)
class Batch:
    """`windows` `(n, window_samples, channels)` normalized, `targets` `(n, outputs)`, `weights` `(n,)`."""

    windows: Floats
    targets: Floats
    weights: Floats


@dataclass(frozen=True)
class TrainingBatches:
    """The training part, in another order every epoch; batch sizes differ by one at most, so that none is tiny."""

    part: WindowPart
    normalization: NormalizationCard
    augmenter: Augmenter
    class_weights: Floats
    output: OutputKind
    batch_size: int

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return -(-len(self.part.labels) // self.batch_size)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """All batches of one epoch; the same for the same seed and epoch."""
        key = np.random.SeedSequence([self.augmenter.seed, epoch, _SHUFFLE])
        order = np.random.default_rng(key).permutation(len(self.part.labels))
        for number, indices in enumerate(np.array_split(order, self.steps)):
            yield self._batch(np.sort(indices), epoch, number)

    def _batch(self, indices: npt.NDArray[np.intp], epoch: int, number: int) -> Batch:
        windows = self.augmenter.physical(self.part.windows[indices], epoch, number)
        windows = normalize(windows, self.normalization)
        targets = targets_of(self.part.labels[indices], self.output, len(self.class_weights))
        windows, targets = self.augmenter.normalized(windows, targets, epoch, number)
        return Batch(windows, targets, weights_of(targets, self.class_weights, self.output))


def validation_batches(
    part: WindowPart, normalization: NormalizationCard, output: OutputKind, classes: int
) -> Iterator[Batch]:
    """The validation part in its own order, without augmentation, all weights 1."""
    for start in range(0, len(part.labels), _VALIDATION_BATCH):
        labels = part.labels[start : start + _VALIDATION_BATCH]
        windows = normalize(np.asarray(part.windows[start : start + _VALIDATION_BATCH]), normalization)
        yield Batch(windows, targets_of(labels, output, classes), np.ones(len(labels), np.float32))


def targets_of(labels: npt.NDArray[np.int64], output: OutputKind, classes: int) -> Floats:
    """What the model should answer: `(n, 1)` probability of class 1, or `(n, classes)` one-hot."""
    if output == "sigmoid":
        return labels[:, None].astype(np.float32)
    return np.eye(classes, dtype=np.float32)[labels]


def weights_of(targets: Floats, class_weights: Floats, output: OutputKind) -> Floats:
    """Weight of each window: its class's, or the mean over its classes where the target is mixed."""
    if output == "sigmoid":
        ones = targets[:, 0]
        return np.asarray(class_weights[1] * ones + class_weights[0] * (1 - ones), np.float32)
    return np.asarray(targets @ class_weights, np.float32)


def class_counts(part: WindowPart, classes: int, name: str) -> npt.NDArray[np.int64]:
    """Windows of each class.

    Raises:
        DataError: a label is outside `0..classes - 1`.
    """
    labels = np.asarray(part.labels)
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise DataError(f"{name} part: label {wrong}; the model has {classes} classes, 0 to {classes - 1}")
    return np.bincount(labels, minlength=classes)


def balanced_weights(counts: npt.NDArray[np.int64]) -> Floats:
    """Weights that make every class count the same: `n / (classes * n_class)`; their mean over windows is 1."""
    return np.asarray(counts.sum() / (len(counts) * counts), np.float32)
