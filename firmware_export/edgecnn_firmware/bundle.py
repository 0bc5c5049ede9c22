"""The bundle: a folder written whole or not at all, and read without trusting it."""

import contextlib
import hashlib
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.card import MAX_CARD_BYTES, Card, parse_card
from edgecnn_firmware.errors import BundleError

CARD: Final = "card.json"
MODEL: Final = "model.tflite"
VECTORS: Final = "vectors.npz"
REPORTS: Final = ("report.html", "report.json", "report.md")
"""Written after the card and not listed in it: they hold the timings of one machine."""

MAX_MODEL_BYTES: Final = 1 << 30
MAX_VECTOR_BYTES: Final = 16 << 30

_ZIP_DATE: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Vectors:
    """Test windows and what the model makes of them.

    `windows` float32 `(n, window_samples, channels)` in physical units; `labels` int64 `(n,)`, -1 where unknown; `groups`
    text `(n,)`; `inputs` int8 as `windows`; `outputs` int8 `(n, outputs)` of the reference kernels; `keras_outputs` float32
    `(n, outputs)` of the float model, or None.
    """

    windows: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.str_]
    inputs: npt.NDArray[np.int8]
    outputs: npt.NDArray[np.int8]
    keras_outputs: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk, its card validated."""

    path: Path
    card: Card

    @property
    def model_bytes(self) -> bytes:
        """The int8 `.tflite` file, checked against the card's SHA-256.

        Raises:
            BundleError: the file is missing, too large, or not the one the card lists.
        """
        return self.read(MODEL, MAX_MODEL_BYTES)

    def read(self, name: str, max_bytes: int) -> bytes:
        """Read one listed file and check its SHA-256.

        Raises:
            BundleError: the card does not list it, or it is missing, too large, a link, or changed.
        """
        expected = self.card.files.get(name)
        path = self.path / name
        if expected is None:
            raise BundleError(f"{path}: the card lists no such file")
        _require_plain(self.path, path)
        with _named(path):
            size = path.stat().st_size
            if size > max_bytes:
                raise BundleError(f"{path}: {size} bytes; at most {max_bytes} are read")
            data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != expected:
            raise BundleError(f"{path}: SHA-256 {found[:16]}..., but the card lists {expected[:16]}...; export it again")
        return data

    def verify(self) -> None:
        """Check every listed file.

        Raises:
            BundleError: the first file that is missing or changed.
        """
        for name, expected in self.card.files.items():
            path = self.path / name
            _require_plain(self.path, path)
            with _named(path):
                found = sha256_of(path)
            if found != expected:
                raise BundleError(
                    f"{path}: SHA-256 {found[:16]}..., but the card lists {expected[:16]}...; export it again"
                )

    def vectors(self) -> Vectors:
        """Read the test windows.

        Raises:
            BundleError: missing, changed, not of the card's shape, or of absurd size.
        """
        return _parse_vectors(self.read(VECTORS, MAX_VECTOR_BYTES), self.path / VECTORS, self.card)


def read_bundle(path: Path, *, verify: bool = False) -> Bundle:
    """Open a bundle folder; `verify` checks every file now instead of when it is used.

    Raises:
        BundleError: not a bundle, of another schema version, or changed.
    """
    file = path / CARD
    if not path.is_dir() or not file.is_file():
        raise BundleError(f"{path}: not an edgecnn bundle (no {CARD} in it); 'edgecnn export' makes one")
    _require_plain(path, file)
    with _named(file), file.open("rb") as stream:
        bundle = Bundle(path, parse_card(stream.read(MAX_CARD_BYTES + 1), str(file)))
    if verify:
        bundle.verify()
    return bundle


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


class BundleWriter:
    """Collects a bundle in a folder beside its place; `commit` puts it there whole.

    Leaving the `with` block without `commit`, for whatever reason, removes the folder and leaves an older bundle as it was.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._partial: Path | None = None
        self._files: dict[str, str] = {}

    def __enter__(self) -> "BundleWriter":
        """Make the folder.

        Raises:
            BundleError: the place is taken by something that is no bundle, or cannot be written.
        """
        recover(self._target)
        if self._target.exists() and not (self._target / CARD).is_file():
            raise BundleError(f"{self._target}: exists and is not an edgecnn bundle; choose another name or remove it")
        with _named(self._target):
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._partial = Path(tempfile.mkdtemp(prefix=f".{self._target.name}.new.", dir=self._target.parent))
            self._partial.chmod(0o755)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove what was not committed."""
        if self._partial is not None:
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial = None

    def add(self, name: str, data: bytes) -> None:
        """Write one file of the bundle; `name` is relative, with `/`.

        Raises:
            BundleError: an unusable name, or the disk refuses.
        """
        path = self._place(name)
        with _named(self._target / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self._files[name] = hashlib.sha256(data).hexdigest()

    def add_file(self, name: str, source: Path) -> None:
        """Copy a file into the bundle."""
        path = self._place(name)
        with _named(self._target / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
            self._files[name] = sha256_of(path)

    def add_vectors(self, vectors: Vectors) -> None:
        """Write `vectors.npz`; the same arrays give the same bytes."""
        path = self._place(VECTORS)
        with _named(self._target / VECTORS):
            _write_vectors(path, vectors)
            self._files[VECTORS] = sha256_of(path)

    def commit(self, card: Card) -> Path:
        """Write the card with the SHA-256 of every file, and put the bundle in its place.

        Raises:
            BundleError: the disk refuses; an older bundle is then still there.
        """
        if self._partial is None:
            raise BundleError(f"{self._target}: this bundle is not open for writing")
        whole = card.model_copy(update={"files": dict(sorted(self._files.items()))})
        old = _set_aside(self._target)
        with _named(self._target):
            (self._partial / CARD).write_text(whole.to_json(), encoding="utf-8")
            if self._target.exists():
                self._target.rename(old)
            self._partial.rename(self._target)
        self._partial = None
        shutil.rmtree(old, ignore_errors=True)
        return self._target

    def _place(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if self._partial is None or not parts or name.startswith("/") or ".." in parts or "\\" in name:
            raise BundleError(f"'{name}': not a name for a file inside {self._target}")
        return self._partial.joinpath(*parts)


def recover(target: Path) -> None:
    """Put an older bundle back that a crash left aside, half-way through `commit`."""
    old = _set_aside(target)
    with _named(target):
        if old.exists() and not target.exists():
            old.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def write_file_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        BundleError: the disk refuses.
    """
    with _named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _set_aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror or error}") from error


def _require_plain(root: Path, path: Path) -> None:
    """Refuse links inside an untrusted folder: they could point anywhere."""
    for place in (path, *path.parents):
        if place == root:
            return
        if place.is_symlink():
            raise BundleError(f"{place}: is a link; a bundle holds plain files only")


def _write_vectors(path: Path, vectors: Vectors) -> None:
    arrays = {name: value for name, value in vars(vectors).items() if value is not None}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, value in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy", _ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.ascontiguousarray(value), allow_pickle=False)


def _parse_vectors(data: bytes, path: Path, card: Card) -> Vectors:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            declared = sum(info.file_size for info in archive.infolist())
            if declared > MAX_VECTOR_BYTES:
                raise BundleError(f"{path}: unpacks to {declared} bytes; at most {MAX_VECTOR_BYTES} are read")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            vectors = Vectors(**{name: arrays[name] for name in arrays.files})
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise BundleError(f"{path}: not readable as test windows ({error})") from error
    count, window = len(vectors.labels), (card.input.window_samples, len(card.input.channels))
    outputs = 1 if card.output == "sigmoid" else len(card.labels)
    expected: dict[str, tuple[tuple[int, ...], str]] = {
        "windows": ((count, *window), "f"),
        "labels": ((count,), "i"),
        "groups": ((count,), "U"),
        "inputs": ((count, *window), "i"),
        "outputs": ((count, outputs), "i"),
        "keras_outputs": ((count, outputs), "f"),
    }
    for name, (shape, kind) in expected.items():
        value = getattr(vectors, name)
        if value is not None and (value.shape != shape or value.dtype.kind != kind):
            raise BundleError(f"{path}: {name} is {value.dtype} {value.shape}; expected {shape}, by the card")
    return vectors
