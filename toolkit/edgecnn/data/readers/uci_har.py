"""UCI 240, human activity recognition with smartphones: the windows of the publisher.

{train,test}/Inertial Signals/{total_acc,body_acc,body_gyro}_{x,y,z}_{train,test}.txt    128 values a row, 50 Hz
{train,test}/y_{train,test}.txt, subject_{train,test}.txt                                a row a window
activity_labels.txt
"""

from pathlib import Path
from typing import Final

import numpy as np

from edgecnn.data.readers.detect import har_root
from edgecnn.data.readers.selection import select_channels
from edgecnn.data.readers.sources import read_whole, text_lines
from edgecnn.data.readers.store import SampleStore
from edgecnn.data.recording import Channel, Dataset, Part, Recording, Samples, Segment
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

FORMAT: Final = "uci-har"
RATE_HZ: Final = 50.0
ROW_SAMPLES: Final = 128
_MAX_BYTES: Final = 256 << 20
CHANNELS: Final = tuple(
    Channel(f"{signal}_{axis}", unit)
    for signal, unit in (("total_acc", "g"), ("body_acc", "g"), ("body_gyro", "rad/s"))
    for axis in "xyz"
)


def read(settings: DataSettings) -> Dataset:
    """Read the folder that holds `train` and `test`, or the one around it; subjects are the groups.

    Raises:
        DataError: a file is missing or is not as the publisher describes it.
    """
    root = har_root(settings.path) if settings.path.is_dir() else None
    if root is None:
        raise DataError(f"{settings.path}: no folder with 'train/Inertial Signals' and 'test/Inertial Signals'")
    channels, columns = select_channels(CHANNELS, settings, root)
    used = [CHANNELS[column].name for column in columns]
    rows = (line.split() for _, line in text_lines(root / "activity_labels.txt") if line.strip())
    activities = {row[0]: row[1] for row in rows if len(row) == 2}
    store, recordings, files = SampleStore(), [], [root / "activity_labels.txt"]
    parts: tuple[Part, Part] = ("train", "test")
    for part in parts:
        labels, subjects = (_column(root / part / f"{name}_{part}.txt") for name in ("y", "subject"))
        paths = [root / part / "Inertial Signals" / f"{name}_{part}.txt" for name in used]
        signals = np.stack([_rows(path, len(labels)) for path in paths], axis=2)
        if len(subjects) != len(labels):
            raise DataError(f"{root / part}: {len(labels)} labels, {len(subjects)} subjects; expected as many")
        files += [root / part / f"y_{part}.txt", root / part / f"subject_{part}.txt", *paths]
        for number, (label, subject) in enumerate(zip(labels, subjects, strict=True)):
            if label not in activities:
                raise DataError(
                    f"{root / part / f'y_{part}.txt'}: line {number + 1}: '{label[:40]}' is no known activity"
                )
            recordings.append(
                Recording(
                    name=f"{part}/{number + 1:04d}",
                    channels=channels,
                    sample_rate_hz=RATE_HZ,
                    length=ROW_SAMPLES,
                    segments=(Segment(0, ROW_SAMPLES, activities[label]),),
                    group=f"subject {int(subject):02d}",
                    read=store.add(signals[number]),
                    part=part,
                )
            )
    return Dataset(settings.path.resolve().name, FORMAT, tuple(recordings), tuple(files))


def _column(path: Path) -> list[str]:
    cells = [line.strip() for _, line in text_lines(path) if line.strip()]
    for row, cell in enumerate(cells, start=1):
        if not (cell.isascii() and cell.isdigit() and len(cell) < 10):
            raise DataError(f"{path}: line {row}: '{cell[:40]}' is no whole number")
    return cells


def _rows(path: Path, count: int) -> Samples:
    content = read_whole(path, _MAX_BYTES).split()
    try:
        values = np.array(content, dtype=np.float32)
    except ValueError as error:
        raise DataError(f"{path}: {' '.join(str(error).split())[:100]}; expected numbers") from error
    if values.size != count * ROW_SAMPLES or not np.isfinite(values).all():
        raise DataError(f"{path}: {values.size} values for {count} rows; expected {ROW_SAMPLES} finite numbers a row")
    return values.reshape(count, ROW_SAMPLES)
