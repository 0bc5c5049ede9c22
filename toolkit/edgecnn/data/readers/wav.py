"""WAV files: PCM of 8 to 32 bits as values in [-1, 1), or 32-bit floats; a folder per class or `data.pattern`."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from edgecnn.data.readers.facts import path_facts
from edgecnn.data.readers.riff import WavHeader, wav_header
from edgecnn.data.readers.selection import select_channels
from edgecnn.data.readers.sources import list_files, relative_name
from edgecnn.data.recording import Channel, Dataset, Recording, Samples, Segment
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

FORMAT: Final = "wav"


def read(settings: DataSettings) -> Dataset:
    """Read the headers of every WAV file under the data folder; samples are read when they are asked for.

    Raises:
        DataError: a file is damaged, or of another kind of samples.
    """
    files = list_files(settings.path, (".wav",))
    if not files:
        raise DataError(f"{settings.path}: no .wav files")
    chosen, notes = path_facts(files, settings)
    recordings = []
    for path, facts in chosen.items():
        name = relative_name(path, settings.path)
        header = wav_header(path)
        many = header.channels > 1
        found = [Channel(f"c{number}") for number in range(header.channels)] if many else [Channel("audio")]
        channels, columns = select_channels(found, settings, path)
        recordings.append(
            Recording(
                name=name,
                channels=channels,
                sample_rate_hz=float(header.rate_hz),
                length=header.length,
                segments=(Segment(0, header.length, facts.label),) if facts.label else (),
                group=facts.group or name,
                read=_reader(path, header, columns),
            )
        )
    if all(recording.group == recording.name for recording in recordings):
        notes.append("each file is its own group, for nothing says who or what was recorded")
    return Dataset(settings.path.resolve().name, FORMAT, tuple(recordings), tuple(chosen), tuple(notes))


def _reader(path: Path, header: WavHeader, columns: list[int]) -> Callable[[int, int], Samples]:
    frame_bytes = header.channels * header.sample_bytes

    def read_samples(start: int, stop: int) -> Samples:
        first, last, _ = slice(start, stop).indices(header.length)
        wanted = max(0, last - first) * frame_bytes
        try:
            with path.open("rb") as file:
                file.seek(header.data_offset + first * frame_bytes)
                content = file.read(wanted)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
        if len(content) != wanted:
            raise DataError(f"{path}: samples {start} to {stop}: the file is shorter than its header says")
        values = _floats(content) if header.is_float else _to_unit(content, header.sample_bytes)
        samples: Samples = np.ascontiguousarray(values.reshape(-1, header.channels)[:, columns])
        if header.is_float and not np.isfinite(samples).all():
            row = first + int(np.argwhere(~np.isfinite(samples))[0][0])
            raise DataError(f"{path}: sample {row}: not a finite number")
        return samples

    return read_samples


def _floats(content: bytes) -> Samples:
    with np.errstate(invalid="ignore"):
        return np.frombuffer(content, dtype="<f4").astype(np.float32)


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
