"""From a folder of recordings to a project file that works as it is.

`propose` reads the recordings and chooses the settings; `propose_project` writes them down with comments.
"""

import os
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from edgecnn.data.labels import listed, natural_key
from edgecnn.data.proposal_text import render, tri_axial
from edgecnn.data.readers import read_dataset
from edgecnn.data.readers.columns import find_roles
from edgecnn.data.readers.csv import sniff, table_files
from edgecnn.data.readers.detect import detect_format
from edgecnn.data.readers.sources import check_exists, relative_name
from edgecnn.data.readers.timing import UnevenStamps
from edgecnn.data.recording import Dataset
from edgecnn.data.tree import find_pattern
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

ARDUINO_ROWS: Final = 119
"""Rows (and Hz) of a recording of the Arduino gesture tutorial."""
MAGIC_WAND_HZ: Final = 25.0
UNKNOWN_HZ: Final = 50.0
ECTOPIC: Final = ("V", "F", "E")
HAR_CLASSES: Final = ("WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING")
MAX_WHOLE_SAMPLES: Final = 4096
SHORT_SAMPLES: Final = 256
LEAST_GROUPS: Final = 3

_LABEL_NAME = re.compile(r"(label|class|activity|gesture|target|state)(_?(name|id))?", re.IGNORECASE)
_GROUP_NAME = re.compile(
    r"(group|subject|user|person|participant|patient|volunteer|device)(_?(name|id|no|nr))?", re.IGNORECASE
)


@dataclass
class Proposal:
    """Tables of a project file: key -> value, with the comments that go above a key (or at its table's head: '')."""

    name: str
    settings: DataSettings
    dataset: Dataset
    tables: dict[str, dict[str, object]] = field(default_factory=dict)
    comments: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def put(self, table: str, key: str, value: object, *comments: str) -> None:
        """Set a key, with comments that say what was found and chosen."""
        self.tables.setdefault(table, {})[key] = value
        self.say(table, key, *comments)

    def say(self, table: str, key: str, *comments: str) -> None:
        """Add comments above a key, or at the head of a table (key '')."""
        self.comments.setdefault((table, key), []).extend(comments)


def propose_project(data_dir: Path, *, relative_to: Path, name: str | None = None) -> str:
    """Write the text of a project file for the recordings in `data_dir`.

    Paths in it are relative to the folder `relative_to`, where the file will be.

    Raises:
        EdgeCnnError: the folder holds no recordings that can be read.
    """
    return render(propose(data_dir, relative_to=relative_to, name=name))


def propose(data_dir: Path, *, relative_to: Path, name: str | None = None) -> Proposal:
    """Read the recordings in `data_dir` and choose settings for them.

    Raises:
        EdgeCnnError: the folder holds no recordings that can be read.
    """
    check_exists(data_dir)
    settings, comments = _data_settings(data_dir)
    try:
        dataset = read_dataset(settings)
    except UnevenStamps as error:
        settings = settings.model_copy(update={"resample_hz": error.rate_hz})
        comments["resample_hz"] = ["The time stamps are uneven: interpolated onto an even grid."]
        dataset = read_dataset(settings)
    if settings.pattern is not None and "{group}" in settings.pattern and _groups(dataset) < LEAST_GROUPS:
        settings = settings.model_copy(update={"pattern": settings.pattern.replace("{group}", "{person}")})
        comments["pattern"] = [f"{_groups(dataset)} subjects are too few for a split by subject: recordings are split."]
        dataset = read_dataset(settings)
    proposal = Proposal(_project_name(name or data_dir.resolve().name), settings, dataset)
    proposal.put("project", "name", proposal.name)
    proposal.put("data", "path", _relative(data_dir, relative_to))
    for key in (
        "format",
        "pattern",
        "channels",
        "label_column",
        "group_column",
        "sample_rate_hz",
        "resample_hz",
        "rows_per_recording",
    ):
        value = getattr(settings, key)
        if value is not None:
            proposal.put("data", key, value, *comments.get(key, []))
    _CHOICES.get(dataset.format, _windows_of_recordings)(proposal)
    _rotations(proposal)
    return proposal


def _rotations(proposal: Proposal) -> None:
    axes = tri_axial(proposal.dataset.channels)
    if axes:
        why = "The sensor may sit differently on the next person: random rotations of the tri-axial signals."
        proposal.put("training.augment", "rotation_deg", 20.0, why)
        proposal.put("training.augment", "rotation_axes", [list(triple) for triple in axes])


def _relative(data_dir: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(data_dir.resolve(), folder.resolve())).as_posix()
    except ValueError:
        # Another drive.
        return data_dir.resolve().as_posix()


def _project_name(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:60]
    return name if name[:1].isalpha() else f"project_{name}".rstrip("_")


def _groups(dataset: Dataset) -> int:
    return len({recording.group for recording in dataset.recordings})


def _data_settings(data_dir: Path) -> tuple[DataSettings, dict[str, list[str]]]:
    """The `[data]` table, and comments by key."""
    kind = detect_format(data_dir)
    settings = DataSettings(path=data_dir, format=kind)
    if kind == "wfdb":
        names = [channel.name for channel in read_dataset(settings).channels]
        chosen = "MLII" if "MLII" in names else names[0]
        return settings.model_copy(update={"channels": (chosen,)}), {"channels": [f"In all records: {listed(names)}."]}
    if kind == "csv":
        return _table_settings(settings, table_files(data_dir))
    if kind in {"parquet", "wav"}:
        files = [path for path in sorted(data_dir.rglob(f"*.{kind}")) if path.is_file()] if data_dir.is_dir() else []
        return settings.model_copy(
            update={"pattern": find_pattern([relative_name(path, data_dir) for path in files])}
        ), {}
    return settings, {}


def _table_settings(settings: DataSettings, files: tuple[Path, ...]) -> tuple[DataSettings, dict[str, list[str]]]:
    if not files:
        raise DataError(f"{settings.path}: no .csv, .tsv or .txt files")
    layout = sniff(files[0])
    roles = find_roles(layout.names, layout.numeric, settings, files[0])
    update: dict[str, object] = {}
    comments: dict[str, list[str]] = {}
    label = next((name for name in layout.header or () if _LABEL_NAME.fullmatch(name)), None)
    group = next((name for name in layout.header or () if _GROUP_NAME.fullmatch(name)), None)
    update["label_column"], update["group_column"] = label, group
    if settings.path.is_dir() and label is None:
        update["pattern"] = find_pattern([relative_name(path, settings.path) for path in files])
        comments["pattern"] = ["Found in the tree: what in a file's path is its label, and who was recorded."]
        if update["pattern"] is None:
            comments["sample_rate_hz"] = ["The label is a file's folder, or its name where there are no folders."]
    if roles.time is None:
        rate_hz, why = UNKNOWN_HZ, "The files do not carry the rate: PUT THE REAL ONE HERE."
        if layout.marked:
            rate_hz, why = MAGIC_WAND_HZ, "The files do not carry the rate: the magic wand's accelerometer gives 25 Hz."
        elif _is_arduino(settings, files):
            rate_hz, why = float(ARDUINO_ROWS), "The files do not carry the rate: the board's sensor gives 119 Hz."
            update["rows_per_recording"] = ARDUINO_ROWS
            comments["rows_per_recording"] = ["Every file is a whole number of recordings of 119 rows, run together."]
        update["sample_rate_hz"] = rate_hz
        comments.setdefault("sample_rate_hz", []).append(why)
    return settings.model_copy(update=update), comments


def _is_arduino(settings: DataSettings, files: tuple[Path, ...]) -> bool:
    """Whether every recording is a whole number of 119 rows, as the Arduino gesture tutorial writes them."""
    trial = DataSettings(path=settings.path, format="csv", sample_rate_hz=float(ARDUINO_ROWS))
    lengths = [recording.length for recording in read_dataset(trial).recordings]
    return len(files) > 0 and all(length % ARDUINO_ROWS == 0 for length in lengths)


def _channels_comment(proposal: Proposal) -> None:
    names = [channel.name for channel in proposal.dataset.channels]
    proposal.say("data", "path", f"{len(proposal.dataset.recordings)} recordings; channels: {listed(names)}.")


def _hapt(proposal: Proposal) -> None:
    _channels_comment(proposal)
    found = {segment.label for recording in proposal.dataset.recordings for segment in recording.segments}
    classes = [name for name in HAR_CLASSES if name in found]
    others = sorted(found - set(classes))
    proposal.put("labels", "classes", classes, f"Left out, the postural transitions: {listed(others)}.")
    proposal.put(
        "windows", "length", 128, "2.56 s, as the publisher cuts it, at half overlap, inside labelled segments."
    )
    proposal.put("windows", "hop", 64)
    proposal.put("windows", "align", "segment")
    _official(proposal)


def _har(proposal: Proposal) -> None:
    _channels_comment(proposal)
    proposal.put("windows", "length", 128, "A row of the files is one window of 2.56 s.")
    proposal.put("windows", "hop", 128)
    _official(proposal)


def _wfdb(proposal: Proposal) -> None:
    _channels_comment(proposal)
    dataset = proposal.dataset
    counts = Counter(segment.label for recording in dataset.recordings for segment in recording.segments)
    ectopic = [symbol for symbol in ECTOPIC if counts[symbol]]
    if not ectopic:
        ectopic = sorted((symbol for symbol in counts if symbol != "N"), key=natural_key)
    beats = ", ".join(f"{symbol} {count}" for symbol, count in counts.most_common())
    proposal.put(
        "labels", "rule", "any-of", f"Beats: {beats}.", "A window is 'ectopic' when one of these beats is in it."
    )
    proposal.put("labels", "classes", {"ectopic": ectopic})
    proposal.put("labels", "background", "normal")
    samples = max(8, round(1000 * dataset.sample_rate_hz / 360.0))
    proposal.put("windows", "length", samples, f"{samples / dataset.sample_rate_hz:.3g} s, two to four beats.")
    proposal.put("windows", "hop", samples)
    quarter = max(1, samples // 4)
    proposal.put("windows", "train_hop", quarter, "More windows to learn from: a beat may lie anywhere in one.")
    proposal.put("training", "epochs", 6, "Windows overlap: one epoch sees every beat four times.")
    proposal.put(
        "training.augment", "filter", 0.5, "The same beat has another shape on another patient: random smooth filters."
    )
    proposal.put(
        "training.augment", "offset", 0.5, "The baseline is the electrodes', not the patient's: random offsets."
    )
    proposal.put("split", "method", "group", "By record: no patient is in two parts.")
    proposal.put("split", "test", 0.3, 'A share of the windows, or the names of the records, such as ["100", "105"].')


def _windows_of_recordings(proposal: Proposal) -> None:
    _channels_comment(proposal)
    dataset = proposal.dataset
    lengths = np.array([recording.length for recording in dataset.recordings])
    median, rate_hz = int(np.median(lengths)), dataset.sample_rate_hz
    if (lengths == median).all() and median <= MAX_WHOLE_SAMPLES:
        proposal.put("windows", "length", median, f"Every recording has {median} samples: one window each.")
        proposal.put("windows", "hop", median)
    elif median <= SHORT_SAMPLES or dataset.format == "ucr":
        found = f"Recordings have {lengths.min()} to {lengths.max()} samples, {median} in the middle."
        proposal.put("windows", "length", median, found, "Shorter ones are padded, longer ones cut.")
        proposal.put("windows", "hop", median)
        proposal.put("windows", "short", "pad")
    else:
        seconds = f"{lengths.min() / rate_hz:.3g} to {lengths.max() / rate_hz:.3g}"
        proposal.put("windows", "length", "2 s", f"Recordings last {seconds} s.")
        proposal.put("windows", "hop", "1 s")
    if dataset.has_official_split:
        _official(proposal)
        return
    groups = _groups(dataset)
    if groups == len(dataset.recordings):
        why = "Nothing says who was recorded: each recording is its own group; new people may do worse."
    else:
        names = sorted({recording.group for recording in dataset.recordings}, key=natural_key)
        why = f"{groups} groups, none in two parts: {listed(names, 8)}."
    proposal.put("split", "method", "group", why)
    proposal.put("split", "test", 0.2)


def _official(proposal: Proposal) -> None:
    dataset = proposal.dataset
    parts = Counter(recording.part for recording in dataset.recordings)
    found = ", ".join(f"{parts[part]} recordings in {part}" for part in ("train", "validation", "test") if parts[part])
    if dataset.has_official_split:
        proposal.put("split", "method", "official", f"The publisher's: {found}.")
    else:
        proposal.put("split", "method", "group")


_CHOICES: Final = {"uci-hapt": _hapt, "uci-har": _har, "wfdb": _wfdb}
