"""The bundle: a folder written whole or not at all, and read without trusting it."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from pydantic import TypeAdapter, ValidationError

from edgecnn_firmware.card import MAX_CARD_BYTES, Card, FileName, parse_card
from edgecnn_firmware.errors import BundleError
from edgecnn_firmware.files import naming, require_plain, sha256_of, write_file_atomically, write_flushed
from edgecnn_firmware.replacement import Replacement, recover
from edgecnn_firmware.vectors import Vectors, read_vectors, write_vectors

__all__ = [
    "CARD",
    "MAX_MODEL_BYTES",
    "MODEL",
    "REPORTS",
    "VECTORS",
    "Bundle",
    "BundleWriter",
    "Vectors",
    "read_bundle",
    "replace_report",
    "sha256_of",
    "write_file_atomically",
    "write_vectors",
]

CARD: Final = "card.json"
MODEL: Final = "model.tflite"
VECTORS: Final = "vectors.npz"
REPORTS: Final = ("report.html", "report.json", "report.md")
"""Written after the card and not listed in it: they hold the timings of one machine."""

MAX_MODEL_BYTES: Final = 1 << 30
MAX_VECTORS_BYTES: Final = 2 << 30

_FILE_NAME: Final = TypeAdapter(FileName)


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
        path, expected = self._listed(name)
        with naming(path), path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > max_bytes:
                raise BundleError(f"{path}: {size} bytes; at most {max_bytes} are read")
            data = stream.read(size)
        self._compare(path, hashlib.sha256(data).hexdigest(), expected)
        return data

    def verify(self) -> None:
        """Check every listed file.

        Raises:
            BundleError: the first file that is missing, a link, or changed.
        """
        for name in self.card.files:
            path, expected = self._listed(name)
            with naming(path):
                found = sha256_of(path)
            self._compare(path, found, expected)

    def vectors(self) -> Vectors:
        """Read the test windows.

        Raises:
            BundleError: missing, changed, not of the card's shape, or of absurd size.
        """
        return read_vectors(self.read(VECTORS, MAX_VECTORS_BYTES), str(self.path / VECTORS), self.card)

    def _listed(self, name: str) -> tuple[Path, str]:
        path = self.path / name
        if name not in self.card.files:
            raise BundleError(f"{path}: the card lists no such file")
        require_plain(self.path, path)
        return path, self.card.files[name]

    @staticmethod
    def _compare(path: Path, found: str, expected: str) -> None:
        if found != expected:
            raise BundleError(
                f"{path}: SHA-256 {found[:16]}..., but the card lists {expected[:16]}...; export it again"
            )


def read_bundle(path: Path, *, verify: bool = False) -> Bundle:
    """Open a bundle folder; `verify` checks every file now instead of when it is used.

    A bundle that a dead run left aside is put back in its place first.

    Raises:
        BundleError: not a bundle, of another schema version, or changed.
    """
    file = path / CARD
    if not os.path.lexists(path):
        with naming(path):
            recover(Path(os.path.realpath(path)))
    if not path.is_dir() or not os.path.lexists(file):
        raise BundleError(f"{path}: not an edgecnn bundle (no {CARD} in it); 'edgecnn export' makes one")
    require_plain(path, file)
    with naming(file), file.open("rb") as stream:
        bundle = Bundle(path, parse_card(stream.read(MAX_CARD_BYTES + 1), str(file)))
    if verify:
        bundle.verify()
    return bundle


def replace_report(bundle: Path, html: bytes, json: bytes, markdown: bytes) -> None:
    """Write the three files of the report, each at once.

    Raises:
        BundleError: the disk refuses.
    """
    for name, data in zip(REPORTS, (html, json, markdown), strict=True):
        write_file_atomically(bundle / name, data)


class BundleWriter:
    """Collects a bundle in a folder beside its place; `commit` puts it there whole, in place of an older one.

    Leaving the `with` block without `commit`, for whatever reason, removes the folder and leaves an older bundle as it
    was.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        # Through a link the bundle goes to where the link points, as a file would.
        self._place = Path(os.path.realpath(target))
        self._new: Replacement | None = None
        self._files: dict[str, str] = {}

    def __enter__(self) -> "BundleWriter":  # noqa: PYI034 - typing.Self came with Python 3.11
        """Make the folder, after putting in order what an earlier run that died has left.

        Raises:
            BundleError: the place is taken by something that is no bundle, or cannot be written.
        """
        with naming(self._target):
            # Before anything is put in order: a bundle that lies aside is removed once its place is taken.
            if os.path.lexists(self._place) and not (self._place / CARD).is_file():
                raise BundleError(
                    f"{self._target}: exists and is not an edgecnn bundle; choose another name or remove it"
                )
            recover(self._place)
            self._new = Replacement(self._place)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was not committed."""
        if self._new is not None:
            self._new.discard()
            self._new = None

    def add(self, name: str, data: bytes) -> None:
        """Write one file of the bundle; `name` is relative, with `/`.

        Raises:
            BundleError: an unusable name, one used before, or the disk refuses.
        """
        path = self._path_of(name)
        with naming(self._target / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_flushed(path, data)
        self._files[name] = hashlib.sha256(data).hexdigest()

    def add_file(self, name: str, source: Path) -> None:
        """Copy a file into the bundle.

        Raises:
            BundleError: an unusable name, one used before, or reading or writing fails.
        """
        path = self._path_of(name)
        with naming(source), source.open("rb") as stream, naming(self._target / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as copy:
                shutil.copyfileobj(stream, copy, 1 << 20)
                copy.flush()
                os.fsync(copy.fileno())
            self._files[name] = sha256_of(path)

    def add_vectors(self, vectors: Vectors) -> None:
        """Write `vectors.npz`; the same arrays give the same bytes.

        Raises:
            BundleError: there is one already, or the disk refuses.
        """
        path = self._path_of(VECTORS)
        with naming(self._target / VECTORS):
            write_vectors(path, vectors)
            self._files[VECTORS] = sha256_of(path)

    def commit(self, card: Card) -> Path:
        """Write the card with the SHA-256 of every file, and put the bundle in its place.

        The card's own `files` are replaced. Reports are not listed: they hold the timings of one machine.

        Raises:
            BundleError: the disk refuses; an older bundle is then still there.
        """
        new = self._opened()
        with naming(self._target):
            write_flushed(new.folder / CARD, _card_bytes(card, self._files))
            new.swap_in()
        self._new = None
        return self._target

    def _opened(self) -> Replacement:
        if self._new is None:
            raise BundleError(f"{self._target}: this bundle is not open for writing")
        return self._new

    def _path_of(self, name: str) -> Path:
        folder = self._opened().folder
        try:
            _FILE_NAME.validate_python(name)
        except ValidationError:
            raise BundleError(
                f"{name!r}: not a name for a file in {self._target}; use letters, digits, '_', '-', '.' and '/'"
            ) from None
        # Some file systems take names that differ in case for the same.
        if name.lower() in {CARD, *(taken.lower() for taken in self._files)}:
            raise BundleError(f"{self._target / name}: was added before")
        return folder.joinpath(*name.split("/"))


def _card_bytes(card: Card, files: Mapping[str, str]) -> bytes:
    listed = {name: files[name] for name in sorted(files) if name not in REPORTS}
    return card.model_copy(update={"files": listed}).to_json().encode("utf-8")
