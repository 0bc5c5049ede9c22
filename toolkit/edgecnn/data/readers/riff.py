"""The header of a WAV file: chunks `fmt ` and `data`, also in the form with a sub-format (WAVE_FORMAT_EXTENSIBLE)."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from edgecnn_firmware.errors import DataError

_PCM: Final = 1
_FLOAT: Final = 3
_EXTENSIBLE: Final = 0xFFFE
_SUBFORMAT_TAIL: Final = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the format's number in the sub-formats that Microsoft defines."""
_MAX_CHUNKS: Final = 1000
_MAX_CHANNELS: Final = 4096
_MAX_RATE_HZ: Final = 10_000_000


@dataclass(frozen=True)
class WavHeader:
    """Where the samples are and how they are stored; `length` counts samples per channel."""

    channels: int
    sample_bytes: int
    is_float: bool
    rate_hz: int
    length: int
    data_offset: int


def wav_header(path: Path) -> WavHeader:
    """Read the header of a WAV file.

    Raises:
        DataError: no RIFF file, samples of another kind than PCM of 8 to 32 bits or 32-bit floats, or cut off.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _read(file, size, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read(file: IO[bytes], size: int, path: Path) -> WavHeader:
    start = file.read(12)
    if len(start) != 12 or start[:4] != b"RIFF" or start[8:] != b"WAVE":
        raise DataError(f"{path}: no WAV file (it starts with {start[:4]!r}, expected b'RIFF')")
    form: bytes | None = None
    offset = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(offset)
        head = file.read(8)
        if len(head) < 8:
            break
        name, count = head[:4], int.from_bytes(head[4:], "little")
        offset += 8
        if name == b"fmt ":
            form = file.read(min(count, 40))
        elif name == b"data":
            if form is None:
                break
            return _header(form, offset, count, size, path)
        # Chunks are padded to an even size.
        offset += count + count % 2
    raise DataError(f"{path}: no chunk 'fmt ' with a chunk 'data' after it")


def _header(form: bytes, offset: int, count: int, size: int, path: Path) -> WavHeader:
    if len(form) < 16:
        raise DataError(f"{path}: chunk 'fmt ' has {len(form)} bytes; expected 16")
    kind, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if kind == _EXTENSIBLE and len(form) >= 40 and form[26:40] == _SUBFORMAT_TAIL:
        kind = int.from_bytes(form[24:26], "little")
    if (kind, bits) not in {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32)}:
        raise DataError(
            f"{path}: samples of format {kind} with {bits} bits; expected PCM of 8, 16, 24 or 32 bits, or 32-bit floats"
        )
    if not (0 < channels <= _MAX_CHANNELS and 0 < rate_hz <= _MAX_RATE_HZ):
        raise DataError(f"{path}: {channels} channels at {rate_hz} Hz; expected at most {_MAX_CHANNELS}, up to 10 MHz")
    if offset + count > size:
        raise DataError(f"{path}: cut off: its header promises {count} bytes of samples, {size - offset} are there")
    length = count // (channels * bits // 8)
    if length == 0:
        raise DataError(f"{path}: holds no samples")
    return WavHeader(channels, bits // 8, kind == _FLOAT, rate_hz, length, offset)
