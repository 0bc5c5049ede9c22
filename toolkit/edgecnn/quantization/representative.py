"""The windows whose activations set the ranges of the int8 model."""

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.errors import DataError


def choose_representative(labels: npt.NDArray[np.int64], count: int, seed: int) -> npt.NDArray[np.int64]:
    """Choose `count` windows of the training part, as evenly over the classes as their sizes allow.

    A rare class has activations of its own; a plain random choice could miss them. Classes with fewer windows than
    their share give all they have, and the larger classes make up for them.

    Args:
        labels: `(n,)`, class of every training window.
        count: windows wanted; all are taken where there are fewer.
        seed: of the choice within each class.

    Returns:
        Ascending indices into the training part.

    Raises:
        DataError: there is no training window.
    """
    if len(labels) == 0:
        raise DataError("no training window to calibrate the int8 model on")
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    pools = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    chosen: list[npt.NDArray[np.int64]] = []
    wanted = min(count, len(labels))
    # From the smallest class up, so that what it cannot give is shared among those that are left.
    for left, pool in zip(range(len(pools), 0, -1), sorted(pools, key=len), strict=True):
        share = min(len(pool), -(-wanted // left) if left > 1 else wanted)
        chosen.append(pool[:share])
        wanted -= share
    return np.sort(np.concatenate(chosen)).astype(np.int64)
