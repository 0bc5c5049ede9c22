"""Choose the groups of a held-out part: near the asked share, with every class where enough groups have it.

Folds of scikit-learn's `StratifiedGroupKFold` are the starting points; moving single groups in and out then improves
the best of them. Where every group has one class (each recording its own group, as in UCR data), groups are drawn per
class.
"""

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.errors import MissingDependency

Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
"""Over groups: which are held out. `(candidates, groups)` where several are compared."""

_MAX_FOLDS: Final = 10
_MAX_TRIES: Final = 5
_WORK: Final = 2_000_000
"""Bounds the windows and groups that the tries go through; large sets get one try."""
_MAX_IMPROVED_GROUPS: Final = 200


def choose_groups(label: npt.NDArray[np.int32], group: Int64, classes: int, share: float, seed: int) -> Mask:
    """Mark the groups to hold out, so that about `share` of the windows are held out.

    `label` and `group` number each window's class and group (`0..n`), of which there are at least two; at least one
    group is marked and one is not. A class that one group alone has is not held out; one that two groups have is left
    to one of them.

    Raises:
        MissingDependency: scikit-learn is missing.
    """
    groups = int(group.max()) + 1
    counts = np.zeros((groups, classes), dtype=np.int64)
    np.add.at(counts, (group, label), 1)
    counts = counts[:, counts.any(axis=0)]
    if np.all((counts > 0).sum(axis=1) == 1):
        return _per_class(counts, share, seed)
    goal = _Goal(counts, share)
    candidates = _fold_candidates(label, group, groups, share, seed)
    if groups > _MAX_IMPROVED_GROUPS:
        return _repaired(candidates[goal.best(candidates)], counts)
    candidates = np.concatenate((candidates, np.eye(groups, dtype=bool)))
    return _improve(candidates[goal.best(candidates)], goal)


@dataclass(frozen=True, eq=False)
class _Goal:
    """What a good choice is. `counts` are windows per group and class."""

    counts: Int64
    share: float

    def costs(self, chosen: Mask) -> npt.NDArray[np.float64]:
        """Costs `(candidates, 6)`; the first column in which two candidates differ decides which is better.

        Nothing chosen or left; classes that training loses; no group left that validation could take from training;
        classes that the held-out part lacks; classes too scarce for a validation part; distance from the share, over
        all windows and over the classes.
        """
        present = (self.counts > 0).astype(np.int64)
        having, totals = present.sum(axis=0), self.counts.sum(axis=0)
        held = chosen.astype(np.int64) @ self.counts
        held_groups = chosen.astype(np.int64) @ present
        kept_groups = having - held_groups
        scarce_in_group = (kept_groups < 2).astype(np.int64) @ present.T
        columns = (
            ~(chosen.any(axis=1) & ~chosen.all(axis=1)),
            (kept_groups == 0).sum(axis=1),
            ~(~chosen & (scarce_in_group == 0)).any(axis=1),
            ((held_groups == 0) & (having >= 2)).sum(axis=1),
            (kept_groups < np.minimum(2, having - 1)).sum(axis=1),
            np.abs(held.sum(axis=1) / totals.sum() - self.share) + np.abs(held / totals - self.share).mean(axis=1),
        )
        # Rounded, so that the order of additions does not decide between equals.
        return np.asarray(np.round(np.stack(columns, axis=1).astype(np.float64), 9), dtype=np.float64)

    def best(self, chosen: Mask) -> int:
        """The number of the best candidate, the first of equals."""
        return int(np.lexsort(self.costs(chosen).T[::-1])[0])


def _fold_candidates(label: npt.NDArray[np.int32], group: Int64, groups: int, share: float, seed: int) -> Mask:
    try:
        from sklearn.model_selection import StratifiedGroupKFold
    except ImportError as error:
        raise MissingDependency("splitting by group needs scikit-learn: pip install 'edgecnn[train]'") from error

    folds, taken = _folds(share, min(groups, int(np.bincount(label).max())))
    candidates = np.zeros((1, groups), dtype=bool)
    candidates[0, np.random.default_rng(seed).integers(groups)] = True
    if folds < 2:
        return candidates
    tries = int(np.clip(_WORK // (len(label) + 20 * groups * folds), 1, _MAX_TRIES))
    for attempt in range(tries):
        splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=(seed + 1000 * attempt) % 2**32)
        with warnings.catch_warnings():
            # A class with fewer windows than folds cannot be in every fold; the cost of a candidate accounts for it.
            warnings.simplefilter("ignore", UserWarning)
            held = [np.unique(group[test]) for _, test in splitter.split(np.empty(len(label)), label, group)]
        for first in range(folds):
            chosen = [held[fold % folds] for fold in range(first, first + taken)]
            candidates = np.concatenate((candidates, np.isin(np.arange(groups), np.concatenate(chosen))[None, :]))
    return candidates


def _folds(share: float, most: int) -> tuple[int, int]:
    """Find the number of folds and how many of them to take, so that their quotient is nearest to `share`."""
    pairs = [(folds, taken) for folds in range(2, min(_MAX_FOLDS, most) + 1) for taken in range(1, folds)]
    return min(pairs, key=lambda pair: (round(abs(pair[1] / pair[0] - share), 9), pair), default=(1, 0))


def _improve(chosen: Mask, goal: _Goal) -> Mask:
    """Move or exchange single groups while the cost falls."""
    current: Mask = chosen[None, :]
    for _ in range(2 * len(chosen)):
        candidates = np.concatenate((current, _neighbors(current[0])))
        best = goal.best(candidates)
        if best == 0:
            break
        current = candidates[best : best + 1]
    return np.asarray(current[0])


def _neighbors(chosen: Mask) -> Mask:
    moved = chosen ^ np.eye(len(chosen), dtype=bool)
    first, second = np.nonzero(chosen[:, None] & ~chosen[None, :])
    exchanged = np.repeat(chosen[None, :], len(first), axis=0)
    exchanged[np.arange(len(first)), first] = False
    exchanged[np.arange(len(first)), second] = True
    return np.concatenate((moved, exchanged))


def _repaired(chosen: Mask, counts: Int64) -> Mask:
    """Give training back the classes it lost, one small group each."""
    chosen = chosen.copy()
    size = counts.sum(axis=1)
    for number in range(counts.shape[1]):
        having = np.flatnonzero(counts[:, number])
        if chosen[having].all():
            chosen[having[np.argmin(size[having])]] = False
    return chosen


def _per_class(counts: Int64, share: float, seed: int) -> Mask:
    """Draw groups class by class until the class has its share; one group stays, and a second where there are three."""
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(counts), dtype=bool)
    for number in range(counts.shape[1]):
        members = rng.permutation(np.flatnonzero(counts[:, number]))
        if len(members) < 2:
            continue
        reached = np.cumsum(counts[members, number])
        nearest = int(np.argmin(np.abs(reached - share * reached[-1]))) + 1
        chosen[members[: min(nearest, max(1, len(members) - 2))]] = True
    if not chosen.any():
        # Every class has one group only; the class of this one cannot be trained on, which the caller reports.
        chosen[rng.integers(len(counts))] = True
    return chosen
