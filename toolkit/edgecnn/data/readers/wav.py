"""WAV files: PCM of 8, 16, 24 or 32 bits as values in [-1, 1], a folder per class or `data.pattern`."""

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from edgecnn.data.readers.facts import path_facts
from edgecnn.data.readers.selection import select_channels
from edgecnn.data.readers.sources import list_files, relative_name
from edgecnn.data.recording import Channel, Dataset, Recording, Samples, Segment
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

FORMAT: Final = "wav"
_DAMAGE: Final = (wave.Error, EOFError, OSError, RuntimeError, ValueError)


def read(settings: DataSettings) -> Dataset:
    """Read the headers of every WAV file under the data folder; samples are read when they are asked for.

    Raises:
        DataError: a file is damaged, or its samples are no PCM.
    """
    files = list_files(settings.path, (".wav",))
    if not files:
        raise DataError(f"{settings.path}: no .wav files")
    chosen, notes = path_facts(files, settings)
    recordings = []
    for path, facts in chosen.items():
        name = relative_name(path, settings.path)
        count, width, rate_hz, length = _header(path)
        found = [Channel("audio")] if count == 1 else [Channel(f"c{number}") for number in range(count)]
        channels, columns = select_channels(found, settings, path)
        recordings.append(
            Recording(
                name=name,
                channels=channels,
                sample_rate_hz=float(rate_hz),
                length=length,
                segments=(Segment(0, length, facts.label),) if facts.label else (),
                group=facts.group or name,
                read=_reader(path, count, width, columns),
            )
        )
    if all(recording.group == recording.name for recording in recordings):
        notes.append("each file is its own group, for nothing says who or what was recorded")
    return Dataset(settings.path.resolve().name, FORMAT, tuple(recordings), tuple(chosen), tuple(notes))


def _header(path: Path) -> tuple[int, int, int, int]:
    """Channels, bytes a sample, rate in Hz and length."""
    try:
        with wave.open(str(path), "rb") as file:
            facts = file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()
    except _DAMAGE as error:
        raise DataError(f"{path}: no readable PCM WAV file ({str(error)[:100]})") from error
    count, width, rate_hz, length = facts
    if not (0 < count <= 4096 and width in (1, 2, 3, 4) and 0 < rate_hz <= 10_000_000 and length > 0):
        raise DataError(
            f"{path}: {count} channels of {width} bytes, {rate_hz} Hz, {length} samples; expected PCM with samples"
        )
    if length * count * width > path.stat().st_size:
        raise DataError(f"{path}: cut off: its header promises {length} samples")
    return facts


def _reader(path: Path, count: int, width: int, columns: list[int]) -> Callable[[int, int], Samples]:
    def read_samples(start: int, stop: int) -> Samples:
        try:
            with wave.open(str(path), "rb") as file:
                file.setpos(start)
                content = file.readframes(max(0, stop - start))
        except _DAMAGE as error:
            raise DataError(f"{path}: samples {start} to {stop} cannot be read ({str(error)[:100]})") from error
        if len(content) != max(0, stop - start) * count * width:
            raise DataError(f"{path}: samples {start} to {stop}: the file is shorter than its header says")
        return _to_unit(content, width).reshape(-1, count)[:, columns]

    return read_samples


def _to_unit(content: bytes, width: int) -> Samples:
    """PCM bytes as float32 in [-1, 1): divided by the full scale; 8 bits are unsigned."""
    if width == 1:
        unsigned: Samples = np.frombuffer(content, dtype=np.uint8).astype(np.float32)
        centered: Samples = (unsigned - np.float32(128)) / np.float32(128)
        return centered
    if width == 3:
        padded = np.zeros((len(content) // 3, 4), dtype=np.uint8)
        padded[:, 1:] = np.frombuffer(content, dtype=np.uint8).reshape(-1, 3)
        values = padded.reshape(-1).view("<i4").astype(np.float64)
        return (values / 2.0**31).astype(np.float32)
    values = np.frombuffer(content, dtype=f"<i{width}").astype(np.float64)
    scaled: Samples = (values / 2.0 ** (8 * width - 1)).astype(np.float32)
    return scaled
