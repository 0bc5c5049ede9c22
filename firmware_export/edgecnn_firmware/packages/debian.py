"""Debian's package format, written without dpkg: an `ar` archive of two tar archives, the same bytes each time."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

EPOCH_S: Final = 315_532_800
"""All times in a package: the first of January 1980, UTC; older ones are taken for a mistake by Debian's checks."""

_DIGEST_LINE: Final = "{}  {}\n"


@dataclass(frozen=True)
class DebianPackage:
    """What goes in.

    Attributes:
        control: Text of the control file without `Installed-Size`, which is added.
        files: Content by path below `/`, without a leading slash.
        links: Symbolic links: path -> target.
        triggers: Text of the file `triggers`.
        shlibs: Text of the file `shlibs`.
    """

    control: str
    files: Mapping[str, bytes]
    links: Mapping[str, str]
    triggers: str
    shlibs: str


def debian_bytes(package: DebianPackage) -> bytes:
    """Write a `.deb`."""
    sums = "".join(
        _DIGEST_LINE.format(hashlib.md5(data, usedforsecurity=False).hexdigest(), name)
        for name, data in sorted(package.files.items())
    )
    kib = sum(-(-len(data) // 1024) for data in package.files.values()) + len(package.links) + len(_folders(package))
    control = {
        "control": f"{package.control.rstrip()}\nInstalled-Size: {kib}\n",
        "md5sums": sums,
        "shlibs": package.shlibs,
        "triggers": package.triggers,
    }
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _tar({name: text.encode("utf-8") for name, text in control.items()}, {}, ()),
        "data.tar.gz": _tar(package.files, package.links, _folders(package)),
    }
    return b"!<arch>\n" + b"".join(_ar_member(name, data) for name, data in members.items())


def gzipped(data: bytes) -> bytes:
    """Compress without a name and a time."""
    stream = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, stream, mtime=0) as file:
        file.write(data)
    return stream.getvalue()


def _folders(package: DebianPackage) -> tuple[str, ...]:
    paths = [*package.files, *package.links]
    return tuple(sorted({path[:end] for path in paths for end, letter in enumerate(path) if letter == "/"}))


def _tar(files: Mapping[str, bytes], links: Mapping[str, str], folders: tuple[str, ...]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(_entry("./", tarfile.DIRTYPE, 0o755))
        for path in sorted({*files, *links, *folders}):
            if path in folders:
                archive.addfile(_entry(f"./{path}/", tarfile.DIRTYPE, 0o755))
            elif path in links:
                entry = _entry(f"./{path}", tarfile.SYMTYPE, 0o777)
                entry.linkname = links[path]
                archive.addfile(entry)
            else:
                entry = _entry(f"./{path}", tarfile.REGTYPE, 0o644)
                entry.size = len(files[path])
                archive.addfile(entry, io.BytesIO(files[path]))
    return gzipped(stream.getvalue())


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, EPOCH_S
    entry.uname = entry.gname = "root"
    return entry


def _ar_member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{EPOCH_S:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
    return header.encode("ascii") + data + b"\n" * (len(data) % 2)
