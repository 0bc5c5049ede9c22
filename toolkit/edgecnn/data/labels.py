"""From labelled segments to the class of a window.

A `LabelRule` is made once per data set, so that a misspelled label is found before anything is cut, and then classifies
all windows of a recording at once. Everything rests on one function: how many of a window's samples a class covers.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn.data.recording import Dataset, Recording
from edgecnn.project import LabelSettings
from edgecnn_firmware.errors import DataError, SettingsError

NO_LABEL: Final = -1
"""No sample that decides the rule carries a label of a class."""
MIXED: Final = -2
"""Some samples carry a class, but none covers `min_share` of the window."""

MAX_CLASSES: Final = 1024
_SHOWN_NAMES: Final = 20

_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?")
_DIGITS = re.compile(r"([0-9]+)")

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Coverage:
    """The samples that one class covers in a recording, as disjoint sorted intervals `[begin, end)`."""

    begins: Int64
    ends: Int64
    covered: Int64
    """`covered[i]`: samples in the first `i` intervals."""

    def before(self, samples: Int64) -> Int64:
        """Count the covered samples before each of the sample positions."""
        intervals = np.searchsorted(self.begins, samples, side="left")
        past_the_end = np.where(intervals > 0, self.ends[np.maximum(intervals, 1) - 1] - samples, 0)
        return self.covered[intervals] - np.maximum(past_the_end, 0)

    def within(self, starts: Int64, stops: Int64) -> Int64:
        """Count the covered samples of each window `[start, stop)`."""
        return self.before(stops) - self.before(starts)


@dataclass(frozen=True)
class LabelRule:
    """The rule of a project, with its classes resolved against the labels of a data set.

    `classes` are in output order (`any-of`: the background first); `class_of` maps a source label to its class number;
    labels that are not in it are not used.
    """

    settings: LabelSettings
    classes: tuple[str, ...]
    class_of: Mapping[str, int]

    def classify(self, recording: Recording, starts: Int64, window_samples: int) -> Int32:
        """Give the class number of each window `[start, start + window_samples)`, or `NO_LABEL` or `MIXED`."""
        coverage = self._coverage(recording)
        stops = starts + window_samples
        if self.settings.rule == "center":
            middle = starts + window_samples // 2
            return _first_covering(coverage, middle, middle + 1, otherwise=NO_LABEL)
        if self.settings.rule == "any-of":
            return _first_covering(coverage, starts, stops, otherwise=0)
        # The share times the length is rarely a whole number in binary: 1e-9 keeps 0.7 of 10 samples at 7.
        needed = max(1, int(np.ceil(self.settings.min_share * window_samples - 1e-9)))
        return _majority(coverage, starts, stops, needed)

    def _coverage(self, recording: Recording) -> dict[int, Coverage]:
        intervals: dict[int, list[tuple[int, int]]] = {}
        for segment in recording.segments:
            number = self.class_of.get(segment.label)
            if number is not None and segment.stop > segment.start:
                intervals.setdefault(number, []).append((segment.start, segment.stop))
        return {number: _merge(intervals[number]) for number in sorted(intervals)}


def make_label_rule(dataset: Dataset, settings: LabelSettings) -> LabelRule:
    """Resolve the classes of `settings` against the labels that occur in `dataset`.

    Raises:
        DataError: a label occurs nowhere (the line lists those that do), or fewer than two classes are left.
        SettingsError: a class or label is named twice.
    """
    found = {segment.label for recording in dataset.recordings for segment in recording.segments}
    if not found:
        raise DataError(f"{dataset.name}: no recording has a label; name a label_column or a pattern with {{label}}")
    gathered = _gathered(settings, found, dataset.name)
    classes = tuple(gathered)
    if settings.background is not None:
        if settings.background in gathered:
            raise SettingsError(f"labels.background '{settings.background}' is also one of labels.classes")
        classes = (settings.background, *classes)
    class_of: dict[str, int] = {}
    for name, labels in gathered.items():
        for label in labels:
            if label in class_of:
                raise SettingsError(f"labels.classes: label '{label}' is named twice")
            class_of[label] = classes.index(name)
    if len(classes) < 2:
        raise DataError(f"{dataset.name}: a classifier needs two classes; found: {listed(classes) or 'none'}")
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"{dataset.name}: {len(classes)} different labels ({listed(classes)}); name at most {MAX_CLASSES} in "
            "labels.classes, or check that label_column is the column of labels"
        )
    return LabelRule(settings, classes, class_of)


def natural_key(label: str) -> tuple[int, float, tuple[tuple[int, int, str], ...], str]:
    """Sort key: numbers by value before texts, and texts by their parts, so that `walk2` comes before `walk10`."""
    if _NUMBER.fullmatch(label):
        return (0, float(label), (), label)
    parts = []
    for part in _DIGITS.split(label.casefold()):
        digits = part.lstrip("0") if part.isascii() and part.isdigit() else None
        parts.append((1, 0, part) if digits is None else (0, len(digits), digits))
    return (1, 0.0, tuple(parts), label)


def listed(names: Iterable[str], most: int = _SHOWN_NAMES) -> str:
    """Join names for an error's line, the first `most` of them."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the closest known name, as a sentence part for an error's line; empty if none is close."""
    candidates = list(known)
    folded = [candidate for candidate in candidates if candidate.casefold() == name.casefold()]
    close = folded or difflib.get_close_matches(name, candidates, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _gathered(settings: LabelSettings, found: set[str], dataset_name: str) -> dict[str, tuple[str, ...]]:
    known = sorted(found, key=natural_key)
    if settings.classes is None:
        return {label: (label,) for label in known}
    if isinstance(settings.classes, dict):
        gathered = dict(settings.classes)
    else:
        gathered = {name: (name,) for name in settings.classes}
        if len(gathered) < len(settings.classes):
            twice = next(name for name in settings.classes if settings.classes.count(name) > 1)
            raise SettingsError(f"labels.classes: '{twice}' is named twice")
    for name, labels in gathered.items():
        if not labels:
            raise SettingsError(f"labels.classes: class '{name}' gathers no label")
        for label in labels:
            if label not in found:
                raise DataError(
                    f"{dataset_name}: label '{label}' of labels.classes occurs nowhere{did_you_mean(label, known)} "
                    f"(labels found: {listed(known)})"
                )
    return gathered


def _merge(intervals: list[tuple[int, int]]) -> Coverage:
    pairs = np.array(sorted(intervals), dtype=np.int64)
    reached = np.maximum.accumulate(pairs[:, 1])
    opens = np.concatenate(([True], pairs[1:, 0] > reached[:-1]))
    closes = np.concatenate((opens[1:], [True]))
    begins, ends = pairs[opens, 0], reached[closes]
    return Coverage(begins, ends, np.concatenate((np.zeros(1, np.int64), np.cumsum(ends - begins))))


def _first_covering(coverage: dict[int, Coverage], starts: Int64, stops: Int64, otherwise: int) -> Int32:
    labels = np.full(len(starts), otherwise, dtype=np.int32)
    for number in sorted(coverage, reverse=True):
        labels[coverage[number].within(starts, stops) > 0] = number
    return labels


def _majority(coverage: dict[int, Coverage], starts: Int64, stops: Int64, needed: int) -> Int32:
    labels = np.full(len(starts), NO_LABEL, dtype=np.int32)
    most = np.zeros(len(starts), dtype=np.int64)
    for number in sorted(coverage):
        share = coverage[number].within(starts, stops)
        larger = share > most
        labels[larger] = number
        most[larger] = share[larger]
    labels[(most > 0) & (most < needed)] = MIXED
    return labels
