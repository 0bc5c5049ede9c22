"""One SHA-256 that stands for a data set: over its files, or over its description where it has none."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgecnn.data.recording import Dataset

_BLOCK_BYTES: Final = 1 << 20


def dataset_fingerprint(dataset: Dataset) -> str:
    """SHA-256 over names and contents of the source files, the same wherever the folder lies.

    A data set without files (simulated, or made in memory) is described by its recordings' metadata and its notes, in
    which a simulator states its settings.

    Raises:
        OSError: a file went away.
    """
    if not dataset.files:
        return hashlib.sha256(_description(dataset)).hexdigest()
    folder = Path(os.path.commonpath([path.absolute().parent for path in dataset.files]))
    return fingerprint(dataset.files, folder)


def fingerprint(files: Sequence[Path], root: Path) -> str:
    """SHA-256 over names relative to `root` and contents of `files`, in the order of the names.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not under `root`.
    """
    total = hashlib.sha256()
    base = root.absolute()
    named = sorted((path.absolute().relative_to(base).as_posix(), path) for path in files)
    for name, path in named:
        total.update(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
        total.update(_file_digest(path))
    return total.hexdigest()


def _file_digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.digest()


def _description(dataset: Dataset) -> bytes:
    recordings = [
        (
            recording.name,
            recording.group,
            recording.part,
            recording.length,
            recording.sample_rate_hz,
            [(channel.name, channel.unit) for channel in recording.channels],
            [(segment.start, segment.stop, segment.label) for segment in recording.segments],
        )
        for recording in dataset.recordings
    ]
    return json.dumps([dataset.name, dataset.format, dataset.notes, recordings], ensure_ascii=True).encode()
