"""The training recipe around one fit: how many epochs, and a second fit on all that is not the test part."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn.project import TrainingSettings
from edgecnn.training.batches import WindowPart

Floats: TypeAlias = npt.NDArray[np.float32]


class JoinedWindows:
    """Two arrays of windows, one behind the other, without a copy; takes slices and sorted arrays of numbers."""

    def __init__(self, first: Floats, second: Floats) -> None:
        self._first = first
        self._second = second
        self.shape = (len(first) + len(second), *first.shape[1:])

    def __len__(self) -> int:
        """Count the windows of both."""
        return len(self._first) + len(self._second)

    def __getitem__(self, key: Any) -> Floats:
        """Copy the chosen windows out, in the order asked for."""
        rows = np.arange(len(self))[key]
        split = len(self._first)
        chosen = np.empty((len(rows), *self.shape[1:]), np.float32)
        in_first = rows < split
        chosen[in_first] = self._first[rows[in_first]]
        chosen[~in_first] = self._second[rows[~in_first] - split]
        return chosen


@dataclass(frozen=True, eq=False)
class JoinedPart:
    """Two parts of a split as one."""

    windows: Any
    labels: npt.NDArray[np.int64]


def join(first: WindowPart, second: WindowPart) -> JoinedPart:
    """Put the windows of `second` behind those of `first`; nothing is copied until it is read."""
    labels = np.concatenate([np.asarray(first.labels), np.asarray(second.labels)])
    return JoinedPart(JoinedWindows(first.windows, second.windows), labels)


def with_enough_steps(settings: TrainingSettings, windows: int) -> TrainingSettings:
    """Raise `epochs` to what `min_steps` optimizer steps take: few windows need more passes."""
    steps_an_epoch = max(1, -(-windows // settings.batch_size))
    epochs = max(settings.epochs, -(-settings.min_steps // steps_an_epoch))
    return settings.model_copy(update={"epochs": epochs})


def refit_settings(settings: TrainingSettings, epochs_run: int, best_epoch: int) -> TrainingSettings:
    """Settings of the second fit: the epochs of the first, or its best epoch where it stopped early."""
    epochs = best_epoch if epochs_run < settings.epochs else settings.epochs
    return settings.model_copy(update={"epochs": max(1, epochs), "min_steps": 0, "patience": 0})
