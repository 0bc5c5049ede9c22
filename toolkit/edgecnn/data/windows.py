"""Cut recordings into windows without copying samples: which recording, from which sample, which class."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn.data.labels import MIXED, NO_LABEL, LabelRule, listed, make_label_rule
from edgecnn.data.recording import Dataset, Recording
from edgecnn.project import LabelSettings, WindowSettings, to_samples
from edgecnn_firmware.errors import DataError, SettingsError

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

MAX_WINDOW_SAMPLES: Final = 1 << 24
MAX_WINDOWS: Final = 1 << 24


@dataclass(frozen=True, eq=False)
class WindowIndex:
    """Every window of a data set, in the order of its recordings and, within one, of its starts.

    Window `i` is `window_samples` samples from sample `start[i]` of recording `recording[i]`, of class `label[i]`. Only
    `available[i]` of them exist where a short recording or segment is padded: the last existing sample is repeated.
    """

    dataset: Dataset = field(repr=False)
    classes: tuple[str, ...]
    window_samples: int
    hop_samples: int
    recording: Int32
    start: Int64
    label: Int32
    available: Int32
    left_out: Mapping[str, int]
    """Reason -> how many windows (or recordings, segments) are left out for it."""

    def __len__(self) -> int:
        """Count the windows."""
        return len(self.start)

    @cached_property
    def group_names(self) -> tuple[str, ...]:
        """The groups that have windows, in the order of their first recording."""
        used = np.unique(self.recording)
        return tuple(dict.fromkeys(self.dataset.recordings[number].group for number in used))

    @cached_property
    def group(self) -> Int32:
        """The position of each window's group in `group_names`."""
        position = {name: number for number, name in enumerate(self.group_names)}
        of_recording = [position.get(recording.group, -1) for recording in self.dataset.recordings]
        return np.array(of_recording, dtype=np.int32)[self.recording]

    def class_counts(self, rows: Int64 | None = None) -> Int64:
        """Count the windows of each class, among all windows or among `rows`."""
        labels = self.label if rows is None else self.label[rows]
        return np.bincount(labels, minlength=len(self.classes)).astype(np.int64)


def cut_windows(dataset: Dataset, windows: WindowSettings, labels: LabelSettings) -> WindowIndex:
    """Cut every recording of `dataset` and keep the windows that have a class.

    Labels that give no window are dropped from the classes where the project does not name classes.

    Raises:
        DataError: a label is missing, a recording is too short (`short = "error"`), a named class gives no window, or
            no two classes have windows; the line says why.
        SettingsError: a duration without a known rate, or settings that contradict each other.
    """
    if windows.align == "segment" and labels.rule == "any-of":
        raise SettingsError("labels.rule 'any-of' looks for events in whole recordings; use windows.align 'recording'")
    _check_names(dataset)
    window_samples, hop_samples = _extents(dataset, windows)
    rule = make_label_rule(dataset, labels)
    cut = _cut_segments if windows.align == "segment" else _cut_recording
    left_out: Counter[str] = Counter()
    total, pieces = 0, []
    for number, recording in enumerate(dataset.recordings):
        total += max(0, recording.length - window_samples) // hop_samples
        if total > MAX_WINDOWS:
            raise DataError(f"{dataset.name}: more than {MAX_WINDOWS} windows; use a larger windows.hop")
        piece = cut(recording, rule, windows, window_samples, hop_samples, left_out)
        pieces.append((np.full(len(piece.start), number, dtype=np.int32), piece))
    index = WindowIndex(
        dataset=dataset,
        classes=rule.classes,
        window_samples=window_samples,
        hop_samples=hop_samples,
        recording=np.concatenate([numbers for numbers, _ in pieces]),
        start=np.concatenate([piece.start for _, piece in pieces]),
        label=np.concatenate([piece.label for _, piece in pieces]),
        available=np.concatenate([piece.available for _, piece in pieces]),
        left_out=dict(sorted(left_out.items())),
    )
    return _with_classes_that_occur(index, labels)


def rate_is_known(dataset: Dataset) -> bool:
    """Whether the data have a time axis: UCR files hold bare series, which count as 1 sample per second."""
    return not (dataset.format == "ucr" and dataset.sample_rate_hz == 1.0)


@dataclass(frozen=True, eq=False)
class _Piece:
    """The windows of one recording."""

    start: Int64
    label: Int32
    available: Int32


def _check_names(dataset: Dataset) -> None:
    if not dataset.recordings:
        raise DataError(f"{dataset.name}: no recordings")
    name, count = Counter(recording.name for recording in dataset.recordings).most_common(1)[0]
    if count > 1:
        raise DataError(f"{dataset.name}: {count} recordings are named '{name}'; names must be different")


def window_length(dataset: Dataset, windows: WindowSettings) -> int:
    """Samples of one window of `dataset`.

    Raises:
        SettingsError: the length is a duration and the data have no sample rate, or it is too long.
    """
    return _extents(dataset, windows)[0]


def _extents(dataset: Dataset, windows: WindowSettings) -> tuple[int, int]:
    for key, extent in (("length", windows.length), ("hop", windows.hop)):
        if isinstance(extent, str) and not rate_is_known(dataset):
            raise SettingsError(
                f"windows.{key} = '{extent}': {dataset.name} has no sample rate; give samples, or data.sample_rate_hz"
            )
    window_samples = to_samples(windows.length, dataset.sample_rate_hz)
    hop_samples = to_samples(windows.hop, dataset.sample_rate_hz)
    if max(window_samples, hop_samples) > MAX_WINDOW_SAMPLES:
        raise SettingsError(
            f"windows.length and windows.hop: {window_samples} and {hop_samples} samples; at most {MAX_WINDOW_SAMPLES}"
        )
    return window_samples, hop_samples


def _cut_recording(
    recording: Recording,
    rule: LabelRule,
    windows: WindowSettings,
    window_samples: int,
    hop_samples: int,
    left_out: Counter[str],
) -> _Piece:
    available = min(window_samples, recording.length)
    if available < window_samples:
        _check_short(f"{recording.name}: {recording.length} samples", windows, window_samples)
        if windows.short == "skip" or available == 0:
            left_out["recordings shorter than a window"] += 1
            return _piece([], [], 0)
    starts = np.arange(0, recording.length - available + 1, hop_samples, dtype=np.int64)
    labels = rule.classify(recording, starts, available)
    for code, reason in _reasons(rule).items():
        left_out.update({reason: int(np.count_nonzero(labels == code))})
        if left_out[reason] == 0:
            del left_out[reason]
    kept = labels >= 0
    return _piece(starts[kept], labels[kept], available)


def _cut_segments(
    recording: Recording,
    rule: LabelRule,
    windows: WindowSettings,
    window_samples: int,
    hop_samples: int,
    left_out: Counter[str],
) -> _Piece:
    pieces = [_piece([], [], 0)]
    for segment in recording.segments:
        number = rule.class_of.get(segment.label)
        begin, end = max(segment.start, 0), min(segment.stop, recording.length)
        if number is None or end <= begin:
            continue
        available = min(window_samples, end - begin)
        if available < window_samples:
            what = f"{recording.name}: segment '{segment.label}' at sample {begin} has {end - begin} samples"
            _check_short(what, windows, window_samples)
            if windows.short == "skip":
                left_out["segments shorter than a window"] += 1
                continue
        starts = np.arange(begin, end - available + 1, hop_samples, dtype=np.int64)
        pieces.append(_piece(starts, np.full(len(starts), number), available))
    joined = _Piece(
        np.concatenate([piece.start for piece in pieces]),
        np.concatenate([piece.label for piece in pieces]),
        np.concatenate([piece.available for piece in pieces]),
    )
    # Segments may overlap; a recording is later read once, from front to back.
    order = np.argsort(joined.start, kind="stable")
    return _Piece(joined.start[order], joined.label[order], joined.available[order])


def _piece(starts: npt.ArrayLike, labels: npt.ArrayLike, available: int) -> _Piece:
    start = np.asarray(starts, dtype=np.int64)
    return _Piece(start, np.asarray(labels, dtype=np.int32), np.full(len(start), available, dtype=np.int32))


def _check_short(what: str, windows: WindowSettings, window_samples: int) -> None:
    if windows.short == "error":
        raise DataError(f"{what}, a window {window_samples}; use windows.short 'skip' or 'pad', or a shorter length")


def _reasons(rule: LabelRule) -> dict[int, str]:
    if rule.settings.rule == "center":
        return {NO_LABEL: "windows whose middle sample has no label of a class"}
    return {
        NO_LABEL: "windows without a label of a class",
        MIXED: f"windows of which no class covers {rule.settings.min_share:.0%}",
    }


def _with_classes_that_occur(index: WindowIndex, labels: LabelSettings) -> WindowIndex:
    counts = index.class_counts()
    empty = [name for name, count in zip(index.classes, counts, strict=True) if count == 0]
    why = "; ".join(f"{count} {reason}" for reason, count in index.left_out.items())
    why = f" (left out: {why})" if why else ""
    sizes = f"windows of {index.window_samples} samples"
    if len(index) == 0:
        longest = max(recording.length for recording in index.dataset.recordings)
        raise DataError(f"{index.dataset.name}: no {sizes}; the longest recording has {longest} samples{why}")
    if empty and labels.classes is not None:
        raise DataError(f"{index.dataset.name}: class {listed(empty)} gives no {sizes}{why}")
    kept = np.flatnonzero(counts)
    if len(kept) < 2:
        only = index.classes[kept[0]]
        raise DataError(f"{index.dataset.name}: a classifier needs two classes; only '{only}' gives {sizes}{why}")
    if not empty:
        return index
    renumbered = np.full(len(counts), -1, dtype=np.int32)
    renumbered[kept] = np.arange(len(kept))
    left_out = {**index.left_out, f"labels that give no window: {listed(empty)}": len(empty)}
    return WindowIndex(
        dataset=index.dataset,
        classes=tuple(index.classes[number] for number in kept),
        window_samples=index.window_samples,
        hop_samples=index.hop_samples,
        recording=index.recording,
        start=index.start,
        label=renumbered[index.label],
        available=index.available,
        left_out=left_out,
    )
