"""More windows to train on than to test on: the training and validation recordings cut again with a smaller hop.

Overlapping windows teach a model that the place of an event in the window does not matter. On the test part they would
only count the same samples several times over, so that part keeps the project's hop.
"""

from dataclasses import replace

import numpy as np

from edgecnn.data.proof import prove
from edgecnn.data.splits import Split
from edgecnn.data.windows import WindowIndex, cut_windows
from edgecnn.project import LabelSettings, WindowSettings
from edgecnn_firmware.errors import DataError


def denser_training(
    index: WindowIndex, split: Split, windows: WindowSettings, labels: LabelSettings
) -> tuple[WindowIndex, Split]:
    """Cut the recordings of the training and validation parts every `windows.train_hop` samples.

    Returns:
        An index and a split that hold the denser windows of these two parts and the old ones of the test part; the split's
        proof is made anew over all of them.

    Raises:
        DataError: the denser cut finds other classes than the project's hop does.
    """
    if windows.train_hop is None:
        return index, split
    dense = cut_windows(index.dataset, windows.model_copy(update={"hop": windows.train_hop}), labels)
    if dense.classes != index.classes:
        raise DataError(
            f"{index.dataset.name}: windows.train_hop finds the classes {', '.join(dense.classes)}, windows.hop finds "
            f"{', '.join(index.classes)}; name them in labels.classes"
        )
    parts = {"train": split.train, "validation": split.validation}
    chosen = {
        part: np.flatnonzero(np.isin(dense.recording, np.unique(index.recording[rows]))) for part, rows in parts.items()
    }
    pieces = [(dense, chosen["train"]), (dense, chosen["validation"]), (index, split.test)]
    order = np.lexsort(
        [np.concatenate([getattr(s, key)[rows] for s, rows in pieces]) for key in ("start", "recording")]
    )
    recording, start, label, available = (
        np.concatenate([getattr(source, name)[rows] for source, rows in pieces])[order]
        for name in ("recording", "start", "label", "available")
    )
    joined = replace(index, recording=recording, start=start, label=label, available=available)
    part_of = np.repeat([0, 1, 2], [len(rows) for _, rows in pieces])[order]
    rows = [np.flatnonzero(part_of == part).astype(np.int64) for part in range(3)]
    proof = prove(joined, dict(zip(("train", "validation", "test"), rows, strict=True)))
    return joined, replace(split, train=rows[0], validation=rows[1], test=rows[2], proof=proof)
