import contextlib
import io
import stat
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data.downloads import unpack as unpack_module
from edgecnn.data.downloads.unpack import unpack
from edgecnn_firmware.errors import DataError


def archive(tmp_path, entries, name="set.zip"):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for entry, data in entries:
            opened.writestr(entry, data)
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    return path, folder


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_and_folders_are_unpacked_and_litter_is_not(tmp_path):
    entries = [("a/", b""), ("a/b/c.txt", b"one"), ("d é.txt", b"two"), ("__MACOSX/x", b"no"), ("a/.DS_Store", b"no")]
    path, folder = archive(tmp_path, entries)
    assert unpack(path, folder, max_bytes=100) == 6
    assert files(folder) == {"a/b/c.txt": b"one", "d é.txt": b"two"}


@pytest.mark.parametrize(
    "name",
    [
        "../evil.txt",
        "a/../../evil.txt",
        "/etc/evil.txt",
        "//server/evil.txt",
        "C:/evil.txt",
        "C:evil.txt",
        "..\\evil.txt",
        "a\\..\\evil.txt",
        "a/\x00evil.txt",
        "bell\x07.txt",
        "stream.txt:evil",
        "a/con",
        "a/NUL.txt",
        "lpt1",
        "..",
    ],
)
def test_paths_that_may_leave_the_folder_are_refused(tmp_path, name):
    path, folder = archive(tmp_path, [("good.txt", b"x"), ("placeholder", b"evil")])
    # zipfile tidies names when it writes; a hostile archive states them as they are.
    raw = path.read_bytes()
    encoded = name.encode()
    path, folder = archive(tmp_path, [("good.txt", b"x"), ("p" * len(encoded), b"evil")])
    raw = path.read_bytes().replace(b"p" * len(encoded), encoded)
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"set\.zip: entry .* has a path that may leave the folder"):
        unpack(path, folder, max_bytes=1000)
    assert files(folder) == {}
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path, kind):
    entry = zipfile.ZipInfo("link")
    entry.create_system = 3
    entry.external_attr = (kind | 0o777) << 16
    path, folder = archive(tmp_path, [(entry, b"/etc/passwd")])
    with pytest.raises(DataError, match="'link' is a link or device"):
        unpack(path, folder, max_bytes=1000)
    assert list(folder.iterdir()) == []


def test_more_bytes_than_allowed_are_refused_while_unpacking(tmp_path):
    path, folder = archive(tmp_path, [("small", b"x" * 10), ("bomb", b"\0" * 50_000_000)])
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="unpacks to more than is allowed; last at 'bomb'"):
        unpack(path, folder, max_bytes=1_000_000)
    assert sum(len(data) for data in files(folder).values()) <= 2_100_000


def test_a_bomb_that_states_a_small_size_is_refused(tmp_path):
    path, folder = archive(tmp_path, [("bomb", b"\0" * 50_000_000)])
    raw = path.read_bytes().replace(struct.pack("<I", 50_000_000), struct.pack("<I", 10))
    path.write_bytes(raw)
    with pytest.raises(DataError):
        unpack(path, folder, max_bytes=1_000_000)
    assert sum(len(data) for data in files(folder).values()) <= 2_100_000


def test_too_many_entries_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_module, "MAX_FILES", 5)
    path, folder = archive(tmp_path, [(f"{number}", b"") for number in range(6)])
    with pytest.raises(DataError, match="6 entries; at most 5"):
        unpack(path, folder, max_bytes=1000)


def test_names_that_collide_are_refused(tmp_path):
    path, folder = archive(tmp_path, [("Data.txt", b"1"), ("data.TXT", b"2")])
    with pytest.raises(DataError, match=r"two entries are named 'data\.TXT'"):
        unpack(path, folder, max_bytes=1000)
    path, folder = archive(tmp_path, [("a", b"1"), ("a/b", b"2")])
    with pytest.raises(DataError, match="'a/b' is a file and a folder at once"):
        unpack(path, folder, max_bytes=1000)


def test_long_and_deep_paths_are_refused(tmp_path):
    for name in ("x" * 300, "/".join("d" * 40)):
        path, folder = archive(tmp_path, [(name, b"1")])
        with pytest.raises(DataError, match="more than 240 characters or 16 folders"):
            unpack(path, folder, max_bytes=1000)


def test_encrypted_entries_are_refused(tmp_path):
    path, folder = archive(tmp_path, [("secret", b"1")])
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02")
    raw[at + 8] |= 1
    raw[6] |= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match="'secret' is encrypted"):
        unpack(path, folder, max_bytes=1000)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_the_usual_compression_is_unpacked(tmp_path, method):
    path, folder = tmp_path / "set.zip", tmp_path
    with zipfile.ZipFile(path, "w", method) as opened:
        opened.writestr("a", b"1")
    with pytest.raises(DataError, match=f"'a' is compressed by method {method}; only deflate"):
        unpack(path, folder, max_bytes=1000)


def test_a_damaged_entry_is_named(tmp_path):
    path, folder = archive(tmp_path, [("a.txt", bytes(range(256)) * 20)])
    raw = bytearray(path.read_bytes())
    raw[60] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"set\.zip: 'a\.txt' cannot be unpacked"):
        unpack(path, folder, max_bytes=10_000)
    path.write_bytes(b"no archive at all")
    with pytest.raises(DataError, match=r"set\.zip: not a zip archive"):
        unpack(path, folder, max_bytes=10_000)


def small_archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.txt", b"abc" * 50)
        opened.writestr("b/c.txt", b"def" * 50)
    return buffer.getvalue()


GOOD = small_archive()


@settings(deadline=None, max_examples=300)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=8), cut=st.integers(0, 400)
)
def test_damaged_archives_give_an_error_or_files_inside_the_folder(tmp_path_factory, changes, cut):
    tmp_path = tmp_path_factory.mktemp("damaged")
    raw = bytearray(GOOD)
    for at, value in changes:
        raw[at] = value
    (tmp_path / "set.zip").write_bytes(raw[: len(raw) - cut] if cut < 200 else raw)
    folder = tmp_path / "out"
    folder.mkdir()
    with contextlib.suppress(DataError):
        assert unpack(tmp_path / "set.zip", folder, max_bytes=10_000) <= 10_000
    assert {path.name for path in tmp_path.iterdir()} == {"set.zip", "out"}
