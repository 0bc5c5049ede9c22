"""`vectors.npz`: the test windows of a bundle and what the model makes of them.

The file is an ordinary `.npz`. Ours are written with fixed dates, so that the same arrays give the same bytes. What is
read may come from anyone: sizes are compared with the headers before the arrays are unpacked, and with the card after.
"""

import io
import math
import re
import zipfile
import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.card import Card
from edgecnn_firmware.errors import BundleError

MAX_UNPACKED_BYTES: Final = 4 << 30
"""Most bytes that the arrays of one file may take."""

_ZIP_DATE: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_NPY_MAGIC: Final = b"\x93NUMPY\x01\x00"
_NPY_HEADER: Final = re.compile(
    rb"\{'descr': '(<f[48]|<i[248]|\|i1|<U\d{1,8})', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,18},? ?){0,4})\), \} *\n"
)
_MAX_NPY_HEADER_BYTES: Final = 1024
_ENCRYPTED: Final = 1
_LAST_CODE_POINT: Final = 0x10FFFF


@dataclass(frozen=True)
class Vectors:
    """Test windows and what the model makes of them, one row a window in every array."""

    windows: npt.NDArray[np.float32]
    """`(n, window_samples, channels)` in physical units."""
    labels: npt.NDArray[np.int64]
    """`(n,)` label numbers; -1 where unknown."""
    groups: npt.NDArray[np.str_]
    """`(n,)`: the subject, device or session of each window."""
    inputs: npt.NDArray[np.int8]
    """The windows as the model takes them, shaped as `windows`."""
    outputs: npt.NDArray[np.int8]
    """`(n, outputs)` of the reference kernels."""
    keras_outputs: npt.NDArray[np.float32] | None = None
    """`(n, outputs)` of the float model, where it is known."""


_TYPES: Final = {"windows": "<f4", "labels": "<i8", "inputs": "|i1", "outputs": "|i1", "keras_outputs": "<f4"}
"""Type of each array but `groups`, whose width depends on the names."""


def write_vectors(path: Path, vectors: Vectors) -> None:
    """Write `vectors.npz`; the same arrays give the same bytes at any time and place.

    Raises:
        ValueError: the arrays do not have the same number of rows.
        OSError: the disk refuses.
    """
    arrays = {name: value for name, value in vars(vectors).items() if value is not None}
    rows = {name: len(value) for name, value in arrays.items()}
    if len(set(rows.values())) > 1:
        raise ValueError(f"vectors: arrays of different length {rows}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, value in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy", _ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = _UNIX
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, _stored(name, value), version=(1, 0), allow_pickle=False)


def read_vectors(data: bytes, name: str, card: Card) -> Vectors:
    """Read the bytes of a `vectors.npz`; `name` is used in errors. The arrays are read-only.

    Raises:
        BundleError: not such a file, or not what the card says, or absurdly large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = _members(archive, name)
            arrays = {key: _read_array(archive, info, f"{name}: {key}") for key, info in members.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise BundleError(f"{name}: not readable as test windows ({error})") from error
    _check_shapes(arrays, name, card)
    _check_values(arrays, name, card)
    return Vectors(**arrays)


def _stored(name: str, value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if name == "groups":
        # The narrowest type that holds the names, whatever the array came with.
        return np.array(value.tolist(), dtype=np.str_).astype(f"<U{max(1, max(map(len, value.tolist()), default=1))}")
    return np.ascontiguousarray(value, dtype=np.dtype(_TYPES[name]))


def _members(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    names = [field.name for field in fields(Vectors)]
    found = {info.filename.removesuffix(".npy"): info for info in infos}
    if len(infos) != len(found) or not set(names[:-1]) <= set(found) <= set(names):
        listed = ", ".join(sorted(info.filename for info in infos[:10]))[:200]
        raise BundleError(
            f"{name}: holds {listed or 'nothing'}; expected {', '.join(names[:-1])} and maybe {names[-1]}"
        )
    unpacked = sum(info.file_size for info in infos)
    if unpacked > MAX_UNPACKED_BYTES:
        raise BundleError(f"{name}: unpacks to {unpacked} bytes; at most {MAX_UNPACKED_BYTES} are read")
    for info in infos:
        if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BundleError(f"{name}: {info.filename[:100]} is encrypted or packed in a way that is not read")
    return found


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> npt.NDArray[Any]:
    """Read one array; its header is compared with the size of the member before the rest is unpacked."""
    with archive.open(info) as stream:
        dtype, shape, header_bytes = _read_header(stream, where)
        size = math.prod(shape) * dtype.itemsize
        if header_bytes + size != info.file_size:
            raise BundleError(f"{where} is {dtype} {shape}, but has {info.file_size - header_bytes} bytes")
        content = stream.read(size)
    array: npt.NDArray[Any] = np.frombuffer(content, dtype).reshape(shape)
    if dtype.kind == "U" and size and int(np.frombuffer(content, "<u4").max()) > _LAST_CODE_POINT:
        raise BundleError(f"{where} is not text")
    return array


def _read_header(stream: IO[bytes], where: str) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    head = stream.read(len(_NPY_MAGIC) + 2)
    length = int.from_bytes(head[-2:], "little")
    if not head.startswith(_NPY_MAGIC) or length > _MAX_NPY_HEADER_BYTES:
        raise BundleError(f"{where} is not an array in NumPy's format 1.0")
    match = _NPY_HEADER.fullmatch(stream.read(length))
    if match is None:
        raise BundleError(f"{where} is not an array of numbers or text in C order")
    shape = tuple(int(size) for size in match[2].replace(b" ", b"").split(b",") if size)
    return np.dtype(match[1].decode("ascii")), shape, len(head) + length


def _check_shapes(arrays: dict[str, npt.NDArray[Any]], name: str, card: Card) -> None:
    count = arrays["labels"].shape[0] if arrays["labels"].ndim else 1
    window = (count, card.input.window_samples, len(card.input.channels))
    outputs = (count, card.output_count)
    shapes: dict[str, tuple[int, ...]] = {"labels": (count,), "groups": (count,), "windows": window, "inputs": window}
    for key, array in arrays.items():
        dtype = np.dtype(_TYPES[key]) if key in _TYPES else array.dtype if array.dtype.kind == "U" else np.dtype("<U1")
        if array.shape != shapes.get(key, outputs) or array.dtype != dtype:
            raise BundleError(
                f"{name}: {key} is {array.dtype} {array.shape}; by the card it is {dtype} {shapes.get(key, outputs)}"
            )


def _check_values(arrays: dict[str, npt.NDArray[Any]], name: str, card: Card) -> None:
    labels, windows = arrays["labels"], arrays["windows"]
    strange = labels[(labels < -1) | (labels >= len(card.labels))]
    if strange.size:
        raise BundleError(f"{name}: labels holds {strange[0]}; expected 0 to {len(card.labels) - 1}, or -1 for unknown")
    for number, window in enumerate(windows):
        if np.isnan(window).any():
            raise BundleError(f"{name}: windows holds NaN in window {number}; expected numbers")
