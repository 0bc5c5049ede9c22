"""Frames between this process and a worker, and the checks of what a worker sends: it may be anything."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.errors import EdgeCnnError

PREFIX: Final = struct.Struct("<4sHIQ")
"""Magic, version, bytes of the header, bytes of the body."""
MAGIC: Final = b"ECNN"
VERSION: Final = 1
MAX_HEADER_BYTES: Final = 1 << 16
MAX_BODY_BYTES: Final = 1 << 28

_SHOWN: Final = 200
_PIECE: Final = 1 << 20


class PlaceError(EdgeCnnError):
    """A place cannot be reached or used, or what it answers makes no sense."""


@dataclass(frozen=True)
class Frame:
    """One message."""

    header: Mapping[str, Any]
    body: bytes = b""


class Garbage(Exception):
    """What was read is no frame, for a reason in words."""


def pack(header: Mapping[str, Any], body_bytes: int) -> bytes:
    """Everything of a frame before its body."""
    text = json.dumps(header, allow_nan=False).encode("utf-8")
    if len(text) > MAX_HEADER_BYTES or body_bytes > MAX_BODY_BYTES:
        found = f"{len(text)} + {body_bytes} bytes"
        raise PlaceError(f"a message of {found}; at most {MAX_HEADER_BYTES} + {MAX_BODY_BYTES} are sent")
    return PREFIX.pack(MAGIC, VERSION, len(text), body_bytes) + text


def read_frame(stream: BinaryIO, max_body_bytes: int) -> Frame | None:
    """Read the next frame; None where the stream has ended.

    Raises:
        Garbage: it is cut short, too large, of another version, or nothing of this protocol.
    """
    prefix = _read_prefix(stream)
    if not prefix:
        return None
    if len(prefix) < PREFIX.size:
        raise Garbage("it ends in the middle")
    _, version, header_bytes, body_bytes = PREFIX.unpack(prefix)
    if version != VERSION:
        raise Garbage(f"it has version {version} instead of {VERSION}")
    if header_bytes > MAX_HEADER_BYTES or body_bytes > max_body_bytes:
        raise Garbage(
            f"it claims {header_bytes} + {body_bytes} bytes; at most {MAX_HEADER_BYTES} + {max_body_bytes} are read"
        )
    text, body = _read(stream, header_bytes), _read(stream, body_bytes)
    if len(text) < header_bytes or len(body) < body_bytes:
        raise Garbage("it ends in the middle")
    return Frame(_header(text), body)


def array_of(frame: Frame, dtype: str, shape: Sequence[int]) -> npt.NDArray[Any]:
    """The body as an array, if the header says just that type and shape.

    Raises:
        Garbage: another type, shape or length.
    """
    found = (frame.header.get("dtype"), frame.header.get("shape"))
    if found != (dtype, list(shape)):
        raise Garbage(
            f"outputs of type {shown(repr(found[0]))} and shape {shown(repr(found[1]))}; expected {dtype} {tuple(shape)}"
        )
    return numbers(frame.body, dtype, shape)


def numbers(body: bytes, dtype: str, shape: Sequence[int]) -> npt.NDArray[Any]:
    """Bytes as an array of its own.

    Raises:
        Garbage: too many or too few bytes.
    """
    expected = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if len(body) != expected:
        raise Garbage(f"{len(body)} bytes of numbers; expected {expected}")
    found: npt.NDArray[Any] = np.frombuffer(body, dtype).reshape(tuple(shape)).copy()
    return found


def shown(text: str) -> str:
    """A stranger's text, short and on one line."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text[: 4 * _SHOWN]).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."


def _read_prefix(stream: BinaryIO) -> bytes:
    """Read a prefix, or what there is at the end; what is none is told by its first bytes, before more are waited for."""
    prefix = b""
    while len(prefix) < PREFIX.size and (part := stream.read(PREFIX.size - len(prefix))):
        prefix += part
        if prefix[: len(MAGIC)] != MAGIC[: len(prefix)]:
            what = shown(prefix.decode("utf-8", "replace"))
            raise Garbage(f"it begins with '{what}'")
    return prefix


def _header(text: bytes) -> Mapping[str, Any]:
    try:
        header = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise Garbage("its header is no JSON object")
    return header


def _read(stream: BinaryIO, size: int) -> bytes:
    """Read `size` bytes, or fewer at the end; memory grows with what has come and not with what was claimed."""
    parts = []
    while size:
        part = stream.read(min(size, _PIECE))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
