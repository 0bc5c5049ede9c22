"""Write the windows of each part to disk: from a data set to what training and export read.

    prepared.json               classes, channels, rate, normalization, and where the numbers come from
    windows_PART.npy            float32 (windows, window_samples, channels), physical units
    labels_PART.npy             int64, class number per window
    recordings_PART.npy         int32, position in the list of recordings of prepared.json
    starts_PART.npy             int64, first sample of each window in its recording

One recording at a time is read, front to back in blocks, so that neither the recordings nor the windows need to fit in
memory. The same data set, settings and seed give the same bytes.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from edgecnn.data.denser import denser_training
from edgecnn.data.duplicates import duplicate_sentences
from edgecnn.data.fingerprint import dataset_fingerprint
from edgecnn.data.normalization import fit, statistics, total_moments
from edgecnn.data.recording import Channel, Dataset, Part
from edgecnn.data.splits import PARTS, Split, split_windows
from edgecnn.data.window_reader import read_windows
from edgecnn.data.windows import WindowIndex, cut_windows, rate_is_known
from edgecnn.project import Project
from edgecnn_firmware.card import (
    CardPart,
    ChannelCard,
    DataCard,
    InputCard,
    NormalizationCard,
    PartCard,
    StatisticsCard,
)
from edgecnn_firmware.errors import DataError
from edgecnn_firmware.progress import Progress, silent

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

PREPARED_FILE: Final = "prepared.json"
_BLOCK_BYTES: Final = 16 << 20


@dataclass(frozen=True, eq=False)
class PreparedPart:
    """The windows of one part, in the order of recordings and starts; `windows` is memory-mapped.

    `windows` is float32 `(n, window_samples, channels)` in physical units; the other arrays have one entry per window.
    """

    windows: Float32
    labels: Int64
    groups: npt.NDArray[np.str_]
    recordings: npt.NDArray[np.str_]
    starts: Int64

    def __len__(self) -> int:
        """Count the windows."""
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Windows on disk, and all that a model's card says about them."""

    classes: tuple[str, ...]
    input: InputCard
    normalization: NormalizationCard
    statistics: StatisticsCard
    data: DataCard
    parts: Mapping[Part, PreparedPart]

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of every window."""
        return tuple(Channel(channel.name, channel.unit) for channel in self.input.channels)

    @property
    def window_samples(self) -> int:
        """Samples of a window."""
        return self.input.window_samples

    @property
    def hop_samples(self) -> int:
        """Samples from one window to the next."""
        return self.input.hop_samples

    @property
    def sample_rate_hz(self) -> float:
        """Sample rate; 1.0 where `rate_known` is false."""
        return self.input.sample_rate_hz

    @property
    def rate_known(self) -> bool:
        """Whether the data have a time axis."""
        return self.input.rate_known


class _RecordingEntry(CardPart):
    """A recording that windows are cut from."""

    name: str
    group: str


class _PreparedFile(CardPart):
    """The content of `prepared.json`."""

    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    input: InputCard
    normalization: NormalizationCard
    statistics: StatisticsCard
    data: DataCard
    recordings: tuple[_RecordingEntry, ...]


def prepare(project: Project, folder: Path, dataset: Dataset, progress: Progress = silent) -> Prepared:
    """Cut, split, write and normalize the windows of `dataset` into the existing, empty `folder`.

    Raises:
        EdgeCnnError: the recordings cannot be used as the project asks; the line says why.
    """
    index = cut_windows(dataset, project.windows, project.labels)
    split = split_windows(index, project.split, project.project.seed)
    index, split = denser_training(index, split, project.windows, project.labels)
    _check_space(index, folder)
    for part, rows in split.parts.items():
        _write_part(folder, part, index, rows, progress)
    training = _blocks(_open_windows(folder, "train"))
    normalization = fit(training, project.normalization, dataset.channels)
    windows = {part: _blocks(_open_windows(folder, part)) for part in PARTS}
    proof = split.proof + duplicate_sentences(windows, progress)
    content = _PreparedFile(
        classes=index.classes,
        input=_input_card(index),
        normalization=normalization,
        statistics=statistics(total_moments(_blocks(_open_windows(folder, "train"))), dataset.channels),
        data=_data_card(index, split, proof),
        recordings=tuple(_RecordingEntry(name=item.name, group=item.group) for item in dataset.recordings),
    )
    (folder / PREPARED_FILE).write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8", newline="\n")
    return load_prepared(folder)


def load_prepared(folder: Path) -> Prepared:
    """Open what `prepare` wrote; windows are memory-mapped.

    Raises:
        DataError: a file is missing or is not what `prepare` writes.
    """
    path = folder / PREPARED_FILE
    try:
        content = _PreparedFile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{path}: no prepared data; run again with --force") from error
    names = np.array([recording.name for recording in content.recordings], dtype=np.str_)
    groups = np.array([recording.group for recording in content.recordings], dtype=np.str_)
    parts = {part: _load_part(folder, part, content, names, groups) for part in PARTS}
    return Prepared(content.classes, content.input, content.normalization, content.statistics, content.data, parts)


def _check_space(index: WindowIndex, folder: Path) -> None:
    needed = len(index) * index.window_samples * len(index.dataset.channels) * 4
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{index.dataset.name}: {len(index)} windows take {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free in "
            "the build folder; use a larger windows.hop"
        )


def _write_part(folder: Path, part: Part, index: WindowIndex, rows: Int64, progress: Progress) -> None:
    shape = (len(rows), index.window_samples, len(index.dataset.channels))
    done = 0
    with (folder / f"windows_{part}.npy").open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block in read_windows(index, rows):
            file.write(np.ascontiguousarray(block, dtype="<f4").tobytes())
            done += len(block)
            progress(f"write {part} windows", done, len(rows))
    columns = {
        "labels": index.label[rows].astype("<i8"),
        "recordings": index.recording[rows].astype("<i4"),
        "starts": index.start[rows].astype("<i8"),
    }
    for name, column in columns.items():
        np.save(folder / f"{name}_{part}.npy", column, allow_pickle=False)


def _open_windows(folder: Path, part: Part) -> Float32:
    windows: Float32 = np.load(folder / f"windows_{part}.npy", mmap_mode="r", allow_pickle=False)
    return windows


def _blocks(windows: Float32) -> Iterator[Float32]:
    """Go through memory-mapped windows in blocks whose size depends on their shape only."""
    per_block = max(1, _BLOCK_BYTES // max(1, windows[:1].nbytes))
    for first in range(0, len(windows), per_block):
        yield np.asarray(windows[first : first + per_block])


def _input_card(index: WindowIndex) -> InputCard:
    dataset = index.dataset
    return InputCard(
        window_samples=index.window_samples,
        hop_samples=index.hop_samples,
        sample_rate_hz=dataset.sample_rate_hz,
        rate_known=rate_is_known(dataset),
        channels=tuple(ChannelCard(name=channel.name, unit=channel.unit) for channel in dataset.channels),
    )


def _data_card(index: WindowIndex, split: Split, proof: tuple[str, ...]) -> DataCard:
    dataset = index.dataset
    left_out = tuple(f"left out: {count} {reason}" for reason, count in index.left_out.items())
    padded = int(np.count_nonzero(index.available < index.window_samples))
    if padded:
        left_out += (f"{padded} windows are padded with their last sample",)
    return DataCard(
        name=dataset.name,
        format=dataset.format,
        fingerprint=dataset_fingerprint(dataset),
        split_method=split.method,
        parts={part: _part_card(index, rows) for part, rows in split.parts.items()},
        proof=proof,
        notes=(*dataset.notes, *left_out, *split.notes),
    )


def _part_card(index: WindowIndex, rows: Int64) -> PartCard:
    return PartCard(
        windows=len(rows),
        recordings=len(np.unique(index.recording[rows])),
        groups=tuple(index.group_names[number] for number in np.unique(index.group[rows])),
        class_windows=tuple(int(count) for count in index.class_counts(rows)),
    )


def _load_part(
    folder: Path, part: Part, content: _PreparedFile, names: npt.NDArray[np.str_], groups: npt.NDArray[np.str_]
) -> PreparedPart:
    try:
        windows = _open_windows(folder, part)
        labels, recordings, starts = (
            np.load(folder / f"{name}_{part}.npy", allow_pickle=False) for name in ("labels", "recordings", "starts")
        )
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{folder}: the {part} part is damaged; run again with --force") from error
    expected = (content.data.parts[part].windows, content.input.window_samples, len(content.input.channels))
    if windows.shape != expected or any(len(column) != expected[0] for column in (labels, recordings, starts)):
        raise DataError(f"{folder}: windows_{part}.npy is {windows.shape}, expected {expected}; run with --force")
    return PreparedPart(windows, labels.astype(np.int64), groups[recordings], names[recordings], starts)
