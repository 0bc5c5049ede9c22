"""UCR and UEA archive: one series a row, in `.ts`, `.tsv`, `.txt`, `.arff` or `.npy`; `NAME_TRAIN`, `NAME_TEST` files.

Where a part is there in several formats, the best one is read: `.ts` before `.tsv`, `.txt`, `.arff`, `.npy`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from edgecnn.data.labels import listed
from edgecnn.data.readers.detect import UCR_PART
from edgecnn.data.readers.missing import bridge_missing
from edgecnn.data.readers.selection import select_channels
from edgecnn.data.readers.sources import list_files, relative_name
from edgecnn.data.readers.store import SampleStore
from edgecnn.data.readers.ucr_rows import Row, npy_rows, plain_rows
from edgecnn.data.readers.ucr_text import arff_rows, ts_rows
from edgecnn.data.recording import Channel, Dataset, Part, Recording, Segment
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

FORMAT: Final = "ucr"

_ROWS: Final[dict[str, Callable[[Path], Iterator[Row]]]] = {
    ".ts": ts_rows,
    ".tsv": plain_rows,
    ".txt": plain_rows,
    ".arff": arff_rows,
    ".npy": npy_rows,
}
_PARTS: Final[dict[str, Part]] = {"TRAIN": "train", "TEST": "test"}


def read(settings: DataSettings) -> Dataset:
    """Read one data set of the archive; each row is a recording and a group of its own.

    Raises:
        DataError: no such files, several data sets in the folder, or a row that cannot be read.
    """
    name, chosen, notes = _choose_files(settings.path)
    store = SampleStore()
    recordings: list[Recording] = []
    for part_name, path in chosen.items():
        # One part alone is no split.
        part = _PARTS.get(part_name) if len(chosen) > 1 else None
        recordings += _recordings(path, part_name, part, settings, store)
    if settings.sample_rate_hz is None:
        notes.append("the files carry no sample rate: one sample counts as one second")
    notes.append("each row is its own group, for the files do not say who or what was recorded")
    return Dataset(name, FORMAT, tuple(recordings), tuple(chosen.values()), tuple(notes))


def _choose_files(root: Path) -> tuple[str, dict[str, Path], list[str]]:
    """Find the data set's name, the file of each part, and what was decided."""
    copies: dict[str, dict[str, dict[str, Path]]] = {}
    for path in list_files(root, tuple(f"{suffix}{packed}" for suffix in _ROWS for packed in ("", ".gz"))):
        match = UCR_PART.fullmatch(path.name)
        if match:
            copies.setdefault(match[1], {}).setdefault(match[2].upper(), {}).setdefault(f".{match[3].lower()}", path)
    for name in [name for name in copies if name.endswith("_eq") and name[:-3] in copies]:
        del copies[name]
    if not copies:
        return _unpaired(root)
    if len(copies) > 1:
        raise DataError(
            f"{root}: holds several data sets ({listed(sorted(copies))}); name the folder of one in data.path"
        )
    ((name, parts),) = copies.items()
    chosen, notes = {}, []
    for part in sorted(parts, reverse=True):
        formats = [suffix for suffix in _ROWS if suffix in parts[part]]
        chosen[part] = parts[part][formats[0]]
        if len(formats) > 1:
            notes.append(
                f"{part} is read from {chosen[part].name}; its copies as {', '.join(formats[1:])} are not used"
            )
    return name, chosen, notes


def _unpaired(root: Path) -> tuple[str, dict[str, Path], list[str]]:
    files = list_files(root, (".ts", ".arff")) if root.is_dir() else (root,)
    if len(files) != 1 or files[0].suffix.lower() not in _ROWS:
        raise DataError(f"{root}: no NAME_TRAIN and NAME_TEST files (.ts, .tsv, .txt, .arff or .npy)")
    return files[0].stem, {files[0].stem: files[0]}, []


def _recordings(
    path: Path, part_name: str, part: Part | None, settings: DataSettings, store: SampleStore
) -> Iterator[Recording]:
    where = relative_name(path, settings.path)
    first: Row | None = None
    for number, row in enumerate(_ROWS[_suffix(path)](path), start=1):
        first = first or row
        if row.values.shape[1] != first.values.shape[1]:
            raise DataError(
                f"{path}: line {row.line}: {row.values.shape[1]} channels; line {first.line} has "
                f"{first.values.shape[1]}"
            )
        count = row.values.shape[1]
        found = [Channel("value")] if count == 1 else [Channel(f"c{index}") for index in range(count)]
        channels, columns = select_channels(found, settings, path)
        line = row.line
        values = bridge_missing(
            row.values[:, columns],
            settings,
            settings.sample_rate_hz or 1.0,
            lambda value, channel, line=line: f"{path}: line {line}: value {value + 1}, channel {channel}",  # type: ignore[misc]
        )
        yield Recording(
            name=f"{part_name}/{number:04d}",
            channels=channels,
            sample_rate_hz=settings.sample_rate_hz or 1.0,
            length=len(values),
            segments=(Segment(0, len(values), row.label),) if row.label else (),
            group=f"{part_name}/{number:04d}",
            read=store.add(np.asarray(values, dtype=np.float32)),
            part=part,
        )
    if first is None:
        raise DataError(f"{where}: holds no series")


def _suffix(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return name[name.rfind(".") :]
