"""UCI 341, smartphone activities and postural transitions: raw acceleration and angular velocity at 50 Hz.

RawData/acc_expXX_userYY.txt[.gz], gyro_...    three columns, a row a sample
RawData/labels.txt                             experiment, user, activity, first and last sample (1-based, inclusive)
activity_labels.txt                            activity number, name
Train/subject_id_train.txt, Test/...           the subjects of the publisher's parts, a row a window
"""

import re
from pathlib import Path
from typing import Final

import numpy as np

from edgecnn.data.readers.selection import select_channels
from edgecnn.data.readers.sources import read_whole, relative_name, text_lines
from edgecnn.data.readers.store import SampleStore
from edgecnn.data.recording import Channel, Dataset, Part, Recording, Samples, Segment
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

FORMAT: Final = "uci-hapt"
RATE_HZ: Final = 50.0
CHANNELS: Final = (
    *(Channel(f"acc_{axis}", "g") for axis in "xyz"),
    *(Channel(f"gyro_{axis}", "rad/s") for axis in "xyz"),
)
_MAX_BYTES: Final = 64 << 20
_ACC = re.compile(r"acc_(exp(\d{2,4})_user(\d{2,4}))\.txt(\.gz)?")


def read(settings: DataSettings) -> Dataset:
    """Read the folder that holds `RawData`.

    Raises:
        DataError: a file is missing or is not as the publisher describes it.
    """
    root = settings.path
    raw = root / "RawData"
    found = [(path, match) for path in sorted(raw.glob("acc_*")) if (match := _ACC.fullmatch(path.name))]
    if not found:
        raise DataError(f"{raw}: no acc_expXX_userYY.txt files")
    activities, parts = _activities(root), _parts(root)
    segments = _segments(raw / "labels.txt", activities)
    channels, columns = select_channels(CHANNELS, settings, root)
    store = SampleStore()
    recordings, files = [], [raw / "labels.txt", root / "activity_labels.txt", *parts[1]]
    for path, match in found:
        gyro = path.with_name(path.name.replace("acc_", "gyro_", 1))
        samples = _both(path, gyro)
        own = tuple(sorted(segments.pop((int(match[2]), int(match[3])), []), key=lambda segment: segment.start))
        if own and max(segment.stop for segment in own) > len(samples):
            raise DataError(f"{relative_name(path, root)}: {len(samples)} samples, but labels.txt labels more")
        recordings.append(
            Recording(
                name=match[1],
                channels=channels,
                sample_rate_hz=RATE_HZ,
                length=len(samples),
                segments=own,
                group=f"user {match[3]}",
                read=store.add(samples[:, columns]),
                part=parts[0].get(int(match[3])),
            )
        )
        files += [path, gyro]
    if segments:
        experiment, user = min(segments)
        raise DataError(f"{raw / 'labels.txt'}: experiment {experiment} of user {user} has labels but no acc_ file")
    return Dataset(root.resolve().name, FORMAT, tuple(recordings), tuple(files))


def _activities(root: Path) -> dict[int, str]:
    rows = (line.split() for _, line in text_lines(root / "activity_labels.txt") if line.strip())
    names = {int(row[0]): row[1] for row in rows if len(row) == 2 and row[0].isdecimal()}
    if not names:
        raise DataError(f"{root / 'activity_labels.txt'}: no rows of activity number and name")
    return names


def _parts(root: Path) -> tuple[dict[int, Part], list[Path]]:
    """The part of each subject; empty where the publisher's lists are not there."""
    parts: dict[int, Part] = {}
    files = [root / "Train" / "subject_id_train.txt", root / "Test" / "subject_id_test.txt"]
    if not all(path.is_file() for path in files):
        return {}, []
    names: tuple[Part, Part] = ("train", "test")
    for part, path in zip(names, files, strict=True):
        for row, line in text_lines(path):
            if line.strip():
                subject = _whole(line.strip(), path, row)
                if parts.setdefault(subject, part) != part:
                    raise DataError(f"{path}: line {row}: subject {subject} is in both parts")
    return parts, files


def _segments(path: Path, activities: dict[int, str]) -> dict[tuple[int, int], list[Segment]]:
    segments: dict[tuple[int, int], list[Segment]] = {}
    for row, line in text_lines(path):
        if not line.strip():
            continue
        cells = line.split()
        if len(cells) != 5:
            raise DataError(
                f"{path}: line {row}: {len(cells)} values; expected experiment, user, activity, first, last"
            )
        experiment, user, activity, first, last = (_whole(cell, path, row) for cell in cells)
        if activity not in activities or not 1 <= first <= last:
            raise DataError(f"{path}: line {row}: '{line.strip()}' is no known activity with 1 <= first <= last sample")
        segments.setdefault((experiment, user), []).append(Segment(first - 1, last, activities[activity]))
    return segments


def _whole(text: str, path: Path, row: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 13):
        raise DataError(f"{path}: line {row}: '{text[:40]}' is no whole number")
    return int(text)


def _both(acc: Path, gyro: Path) -> Samples:
    left, right = _columns(acc), _columns(gyro)
    if len(left) != len(right):
        raise DataError(f"{acc}: {len(left)} samples, but {gyro.name} has {len(right)}")
    return np.hstack((left, right))


def _columns(path: Path) -> Samples:
    content = read_whole(path, _MAX_BYTES)
    rows = content.count(b"\n") + (not content.endswith(b"\n"))
    try:
        samples = np.array(content.split(), dtype=np.float32)
    except ValueError as error:
        raise DataError(f"{path}: {' '.join(str(error).split())[:100]}; expected three numbers a line") from error
    if samples.size != 3 * rows or not np.isfinite(samples).all():
        raise DataError(f"{path}: {samples.size} values in {rows} lines; expected three finite numbers a line")
    return samples.reshape(-1, 3)
