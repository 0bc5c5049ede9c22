"""Assign whole groups to train, validation and test.

Nobody's recordings may be in two parts: `split_windows` assigns groups, never windows, and `edgecnn.data.proof` then
checks the result without knowing how it came about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

import numpy as np
import numpy.typing as npt

from edgecnn.data.holdout import choose_groups
from edgecnn.data.labels import did_you_mean, listed
from edgecnn.data.proof import prove
from edgecnn.data.recording import Part
from edgecnn.data.windows import WindowIndex
from edgecnn.project import Names, SplitSettings
from edgecnn_firmware.errors import DataError

Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

PARTS: Final[tuple[Part, ...]] = get_args(Part)


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of a `WindowIndex` per part, sorted; `proof` says what the parts share: nothing."""

    method: str
    train: Int64
    validation: Int64
    test: Int64
    proof: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Classes that a part lacks because too few groups have them."""

    @property
    def parts(self) -> Mapping[Part, Int64]:
        """The rows of each part, in the order train, validation, test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def split_windows(index: WindowIndex, settings: SplitSettings, seed: int) -> Split:
    """Assign every window to a part by its group, or by the publisher's split, and prove that nothing is shared.

    `settings.test` is a share of all windows, `settings.validation` a share of the windows outside the test part; whole
    groups come as near to a share as they can, with every class in every part where enough groups have it.

    Raises:
        DataError: an unknown group, too few groups, no official split, or an official split whose parts share a group.
        MissingDependency: scikit-learn is missing.
    """
    if settings.method == "official":
        method, test, validation = _official(index, settings, seed)
    else:
        method, test, validation = _by_group(index, settings, seed)
    train = ~test & ~validation
    _check_parts(index, {"train": train, "validation": validation, "test": test})
    rows = [np.flatnonzero(mask).astype(np.int64) for mask in (train, validation, test)]
    proof = prove(index, dict(zip(PARTS, rows, strict=True)))
    return Split(method, rows[0], rows[1], rows[2], proof, _missing_classes(index, rows))


def _by_group(index: WindowIndex, settings: SplitSettings, seed: int) -> tuple[str, Mask, Mask]:
    everything = np.ones(len(index), dtype=bool)
    if isinstance(settings.test, tuple) and isinstance(settings.validation, tuple):
        both = set(settings.test) & set(settings.validation)
        if both:
            raise DataError(f"split: group '{min(both)}' is named for both test and validation; a group is in one part")
    # Groups that are named for validation must not be drawn for the test part.
    reserved, needed = ~everything, 3
    if isinstance(settings.validation, tuple):
        reserved, needed = _named(index, settings.validation, "validation"), 2
    test = _hold_out(index, settings.test, everything & ~reserved, "test", len(index), seed, needed)
    outside = everything & ~test
    validation = _hold_out(index, settings.validation, outside, "validation", int(outside.sum()), seed + 1)
    shares = [setting for setting in (settings.test, settings.validation) if not isinstance(setting, tuple)]
    how = "groups named in the project" if not shares else "whole groups, stratified by class"
    return how, test, validation


def _official(index: WindowIndex, settings: SplitSettings, seed: int) -> tuple[str, Mask, Mask]:
    recordings = index.dataset.recordings
    without = [recording.name for recording in recordings if recording.part is None]
    if without:
        raise DataError(
            f"{index.dataset.name}: split.method 'official', but '{without[0]}' is in no official part; use 'group'"
        )
    part = np.array([PARTS.index(recording.part) for recording in recordings if recording.part is not None])
    of_window = part[index.recording]
    test, validation = of_window == PARTS.index("test"), of_window == PARTS.index("validation")
    if not test.any():
        raise DataError(f"{index.dataset.name}: the official test part has no windows; use split.method 'group'")
    if validation.any():
        return "official", test, validation
    train = ~test
    validation = _hold_out(index, settings.validation, train, "validation", int(train.sum()), seed + 1)
    return "official test part; validation: whole groups of the train part, stratified by class", test, validation


def _hold_out(
    index: WindowIndex, wanted: float | Names, available: Mask, part: str, total: int, seed: int, needed_groups: int = 2
) -> Mask:
    if isinstance(wanted, tuple):
        named = _named(index, wanted, part)
        if (named & ~available).any():
            group = index.group_names[index.group[np.flatnonzero(named & ~available)[0]]]
            raise DataError(f"split.{part}: group '{group}' is in the official test part; name others")
        return named
    rows = np.flatnonzero(available)
    groups, group = np.unique(index.group[rows], return_inverse=True)
    if len(groups) < needed_groups:
        _too_few(index, part, len(groups))
    share = min(wanted * total / len(rows), 0.95)
    chosen = choose_groups(index.label[rows], group, len(index.classes), share, seed)
    held_out = np.zeros(len(index), dtype=bool)
    held_out[rows] = chosen[group]
    return held_out


def _named(index: WindowIndex, names: Names, part: str) -> Mask:
    known = tuple(dict.fromkeys(recording.group for recording in index.dataset.recordings))
    for name in names:
        if name not in known:
            raise DataError(
                f"split.{part}: no group '{name}' in {index.dataset.name}{did_you_mean(name, known)} "
                f"(groups: {listed(known)})"
            )
    wanted = np.array([recording.group in set(names) for recording in index.dataset.recordings])
    return wanted[index.recording]


def _too_few(index: WindowIndex, part: str, left: int) -> None:
    names = index.group_names
    are = "group has" if len(names) == 1 else "groups have"
    raise DataError(
        f"{index.dataset.name}: {len(names)} {are} windows ({listed(names, 5)}), {left} left to choose {part} from; "
        "train, validation and test need one each: record more people or devices, or, if a recording may count as its "
        "own group, leave data.group_column and {group} out"
    )


def _check_parts(index: WindowIndex, masks: Mapping[str, Mask]) -> None:
    for part, mask in masks.items():
        if not mask.any():
            raise DataError(f"{index.dataset.name}: the {part} part has no windows; name other groups in split")
    lacking = np.flatnonzero(index.class_counts(np.flatnonzero(masks["train"])) == 0)
    if len(lacking):
        name, having = index.classes[lacking[0]], np.unique(index.group[index.label == lacking[0]])
        groups = listed((index.group_names[number] for number in having), 5)
        raise DataError(
            f"{index.dataset.name}: the train part has no window of class '{name}', which only {groups} has; record it "
            "with more groups, leave the class out, or name other groups in split"
        )


def _missing_classes(index: WindowIndex, rows: list[Int64]) -> tuple[str, ...]:
    notes = []
    for part, part_rows in zip(PARTS, rows, strict=True):
        missing = np.flatnonzero(index.class_counts(part_rows) == 0)
        if len(missing):
            names = listed(index.classes[number] for number in missing)
            notes.append(f"the {part} part has no window of class {names}: too few groups have it")
    return tuple(notes)
