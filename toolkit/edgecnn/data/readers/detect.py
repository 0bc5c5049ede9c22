"""Which format a folder is in, from its names and, where they leave it open, its content."""

import re
from collections import Counter
from pathlib import Path
from typing import Final

from edgecnn.data.readers.sources import list_files
from edgecnn_firmware.errors import DataError

TEXT_SUFFIXES: Final = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
UCR_PART: Final = re.compile(r"(.+)_(train|test)\.(ts|tsv|txt|arff|npy)(\.gz)?", re.IGNORECASE)
_BY_SUFFIX: Final = {
    ".ts": "ucr",
    ".arff": "ucr",
    ".hea": "wfdb",
    ".npz": "npz",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_BY_SUFFIX_LAST: Final = {".wav": "wav", ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".gz": "csv"}


def detect_format(path: Path) -> str:
    """Name the format of the recordings at `path`.

    Raises:
        DataError: no known kind of file is there; the line lists what is looked for.
    """
    if path.is_dir() and (path / "RawData" / "labels.txt").is_file():
        return "uci-hapt"
    if path.is_dir() and har_root(path) is not None:
        return "uci-har"
    files = list_files(path, ("",))
    if any(UCR_PART.fullmatch(file.name) for file in files):
        return "ucr"
    suffixes = Counter(file.suffix.lower() for file in files)
    for table in (_BY_SUFFIX, _BY_SUFFIX_LAST):
        known = [suffix for suffix in table if suffixes[suffix]]
        if known:
            return table[max(known, key=lambda suffix: suffixes[suffix])]
    raise DataError(
        f"{path}: no recordings found; expected .csv, .tsv, .txt, .npz, .parquet, .wav, WFDB (.hea), "
        "UCR (.ts, _TRAIN.txt), UCI HAR or UCI HAPT files"
    )


def har_root(path: Path) -> Path | None:
    """Find the folder that holds UCI HAR's `train` and `test`: `path` or one folder inside it."""
    for folder in (path, *sorted(item for item in path.iterdir() if item.is_dir())):
        if (folder / "train" / "Inertial Signals").is_dir() and (folder / "test" / "Inertial Signals").is_dir():
            return folder
    return None
