"""Fetch an open data set: download, check its SHA-256, unpack, and only then let it appear under its name."""

import hashlib
import http.client
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from edgecnn.data.downloads.sources import Download, Source, find_source
from edgecnn.data.downloads.unpack import unpack
from edgecnn_firmware.errors import DataError, SettingsError
from edgecnn_firmware.progress import Progress, silent
from edgecnn_firmware.version import __version__

_BLOCK_BYTES: Final = 1 << 20
_TIMEOUT_S: Final = 60.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Readable(Protocol):
    """What an opener gives: a response that is read in blocks."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


Opener = Callable[[str], AbstractContextManager[Readable]]


def open_https(url: str) -> AbstractContextManager[Readable]:
    """Open an https address; redirects to anything else are refused.

    Raises:
        DataError: the address is not https.
    """
    _check_https(url)
    request = urllib.request.Request(url, headers={"User-Agent": f"edgecnn/{__version__}"})  # noqa: S310 (checked above)
    response: AbstractContextManager[Readable] = urllib.request.build_opener(_HttpsOnly()).open(
        request, timeout=_TIMEOUT_S
    )
    return response


def fetch(
    name: str,
    destination: Path,
    *,
    sha256: str | None = None,
    progress: Progress = silent,
    opener: Opener = open_https,
) -> Path:
    """Download the data set `name` into the new folder `destination` and return it.

    The terms (`find_source(name).terms`) are for the caller to show first. Files go to a temporary folder beside the
    destination; a file whose SHA-256 differs is removed unopened, and the folder appears whole or not at all. `sha256`
    stands in for the sum of an archive that has none here, or that its publisher has changed.

    Raises:
        SettingsError: an unknown data set, no known sum, or a `sha256` that is none.
        DataError: the destination exists, the download fails, is too large, differs, or cannot be unpacked safely.
    """
    source = _with_sum(find_source(name), sha256)
    if destination.exists() or destination.is_symlink():
        raise DataError(f"{destination}: exists already; give another folder or remove it")
    destination.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    try:
        content = work / "content"
        content.mkdir()
        for number, download in enumerate(source.downloads):
            note = f"{number + 1} of {len(source.downloads)}" if len(source.downloads) > 1 else ""
            _download(download, work / download.file, opener, progress, note)
        _place(source, work, content, progress)
        root = content / source.root
        if not root.is_dir():
            raise DataError(f"{name}: the archive holds no folder '{source.root}'; it differs from the one expected")
        root.rename(destination)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return destination


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _check_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_https(url: str) -> None:
    if urlsplit(url).scheme != "https":
        raise DataError(f"{url}: not an https address")


def _with_sum(source: Source, sha256: str | None) -> Source:
    if sha256 is not None:
        if not _SHA256.fullmatch(sha256.lower()):
            raise SettingsError(f"'{sha256[:80]}': a SHA-256 is 64 hexadecimal digits")
        if len(source.downloads) > 1:
            raise SettingsError(f"{source.name}: has {len(source.downloads)} files with known sums; leave --sha256 out")
        changed = replace(source.downloads[0], sha256=sha256.lower())
        # Another archive than the known one may hold other archives inside; the sum given covers them.
        return replace(source, downloads=(changed,), nested=tuple((inner, "") for inner, _ in source.nested))
    unknown = [download for download in source.downloads if download.sha256 is None]
    if unknown:
        raise SettingsError(
            f"{source.name}: its publisher states no SHA-256 and none is known here, so the download could not be "
            f"checked; get {unknown[0].url} yourself ({source.license}), or give --sha256 of an archive you trust"
        )
    return source


def _download(download: Download, target: Path, opener: Opener, progress: Progress, note: str) -> None:
    digest, received = hashlib.sha256(), 0
    try:
        with opener(download.url) as response, target.open("xb") as file:
            while block := response.read(_BLOCK_BYTES):
                received += len(block)
                if received > download.max_bytes:
                    raise DataError(f"{download.url}: sends more than the {download.max_bytes} bytes expected")
                digest.update(block)
                file.write(block)
                progress(f"download {download.file}", received, download.max_bytes, note)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise DataError(f"{download.url}: cannot be downloaded ({reason}); try again later") from error
    if digest.hexdigest() != download.sha256:
        target.unlink()
        raise DataError(
            f"{download.url}: SHA-256 {digest.hexdigest()} of {received} bytes, expected {download.sha256}; the file "
            "was changed on the way or by its publisher, and has been removed"
        )


def _place(source: Source, work: Path, content: Path, progress: Progress) -> None:
    left_bytes = source.max_unpacked_bytes
    for download in source.downloads:
        path = work / download.file
        if not download.file.endswith(".zip"):
            path.rename(content / download.file)
            continue
        left_bytes -= unpack(path, content, max_bytes=left_bytes, progress=progress)
        path.unlink()
    for inner, expected in source.nested:
        path = content / inner
        if not path.is_file():
            raise DataError(f"{source.name}: the archive holds no '{inner}'; it differs from the one expected")
        if expected and _digest(path) != expected:
            raise DataError(f"{source.name}: '{inner}' inside the archive has another SHA-256 than {expected}")
        left_bytes -= unpack(path, content, max_bytes=left_bytes, progress=progress)
        path.unlink()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
