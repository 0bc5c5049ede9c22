import contextlib
import hashlib
import http.client
import io
import urllib.error
import zipfile

import pytest

from edgecnn.data import fetch as fetch_module
from edgecnn.data.downloads.sources import Download, Source, find_source
from edgecnn.data.fetch import fetch, open_https
from edgecnn_firmware.errors import DataError, SettingsError


def zipped(entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, data in entries.items():
            opened.writestr(name, data)
    return buffer.getvalue()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def source(data, sha256="right", **changes):
    known = sha(data) if sha256 == "right" else sha256
    download = Download("https://example.org/set.zip", "set.zip", changes.pop("max_bytes", len(data)), known)
    values = {
        "name": "set",
        "title": "A set",
        "license": "CC0",
        "citation": "Nobody",
        "page": "https://example.org",
        "read_as": "csv",
        "downloads": (download,),
    }
    return Source(**values | changes)


class Web:
    """Addresses and what they answer; remembers what was asked."""

    def __init__(self, pages):
        self.pages = pages
        self.asked = []

    @contextlib.contextmanager
    def __call__(self, url):
        self.asked.append(url)
        answer = self.pages[url]
        if isinstance(answer, Exception):
            raise answer
        yield io.BytesIO(answer)


@pytest.fixture
def known(monkeypatch):
    def register(made):
        monkeypatch.setattr(fetch_module, "find_source", lambda name: made)
        return made

    return register


def web(data):
    return Web({"https://example.org/set.zip": data})


def test_a_download_with_the_right_sum_appears_whole(tmp_path, known):
    data = zipped({"a/x.csv": b"1", "b.txt": b"22"})
    known(source(data))
    told = []
    folder = fetch("set", tmp_path / "new" / "set", opener=web(data), progress=lambda *told_of: told.append(told_of))
    assert folder == tmp_path / "new" / "set"
    assert (folder / "a" / "x.csv").read_bytes() == b"1"
    assert [path.name for path in folder.parent.iterdir()] == ["set"]
    assert told[0] == ("download set.zip", len(data), len(data), "")
    assert told[-1] == ("unpack set.zip", 2, 2)


def test_a_wrong_sum_is_refused_before_anything_is_unpacked(tmp_path, known, monkeypatch):
    data = zipped({"x": b"1"})
    known(source(data, sha256="0" * 64))
    monkeypatch.setattr(fetch_module, "unpack", lambda *_, **__: pytest.fail("unpacked an unchecked file"))
    with pytest.raises(DataError, match=rf"set\.zip: SHA-256 {sha(data)} of {len(data)} bytes, expected 000.*removed"):
        fetch("set", tmp_path / "set", opener=web(data))
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_does_not_end_is_cut_off(tmp_path, known):
    class Endless:
        served = 0

        def read(self, size):
            Endless.served += size
            return b"\0" * size

    @contextlib.contextmanager
    def endless(url):
        yield Endless()

    known(source(b"", max_bytes=3_000_000))
    with pytest.raises(DataError, match="sends more than the 3000000 bytes expected"):
        fetch("set", tmp_path / "set", opener=endless)
    assert Endless.served < 5_000_000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("no route"),
        urllib.error.HTTPError("https://example.org/set.zip", 404, "Not Found", None, None),
        http.client.IncompleteRead(b"", 10),
        TimeoutError("timed out"),
        ConnectionResetError("reset"),
    ],
)
def test_network_errors_are_one_line_and_leave_nothing(tmp_path, known, error):
    known(source(b"x"))
    with pytest.raises(DataError, match=r"https://example\.org/set\.zip: cannot be downloaded \(.+\); try again later"):
        fetch("set", tmp_path / "set", opener=web(error))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_destination_is_left_alone(tmp_path, known):
    data = zipped({"x": b"1"})
    known(source(data))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    asked = web(data)
    with pytest.raises(DataError, match="exists already"):
        fetch("set", tmp_path / "set", opener=asked)
    assert asked.asked == []
    assert (tmp_path / "set" / "mine.txt").read_text() == "mine"


def test_a_set_without_a_known_sum_needs_one_from_the_user(tmp_path, known):
    data = zipped({"x": b"1"})
    known(source(data, sha256=None))
    asked = web(data)
    with pytest.raises(
        SettingsError, match=r"no SHA-256 .*get https://example\.org/set\.zip yourself \(CC0\), or give"
    ):
        fetch("set", tmp_path / "set", opener=asked)
    assert asked.asked == []
    with pytest.raises(DataError, match="SHA-256"):
        fetch("set", tmp_path / "set", sha256="1" * 64, opener=asked)
    with pytest.raises(SettingsError, match="'xyz': a SHA-256 is 64 hexadecimal digits"):
        fetch("set", tmp_path / "set", sha256="xyz", opener=asked)
    folder = fetch("set", tmp_path / "set", sha256=sha(data).upper(), opener=asked)
    assert (folder / "x").read_bytes() == b"1"


def test_archives_inside_the_archive_are_checked_and_unpacked(tmp_path, known):
    inner = zipped({"Set/train/x.txt": b"1", "__MACOSX/x": b""})
    data = zipped({"inner.zip": inner, "about.txt": b"hello"})
    known(source(data, nested=(("inner.zip", sha(inner)),), root="Set"))
    folder = fetch("set", tmp_path / "set", opener=web(data))
    assert [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*"))] == ["train", "train/x.txt"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"nested": (("inner.zip", "0" * 64),)}, "'inner.zip' inside the archive has another SHA-256"),
        ({"nested": (("other.zip", ""),)}, "holds no 'other.zip'"),
        ({"root": "Set"}, "holds no folder 'Set'"),
        ({"nested": (("inner.zip", ""),), "max_unpacked_bytes": 400}, "unpacks to more than is allowed"),
        ({"nested": (("inner.zip", ""),), "max_unpacked_bytes": 10}, "unpacks to more than is allowed"),
    ],
)
def test_archives_that_are_not_as_expected_leave_nothing(tmp_path, known, changes, line):
    data = zipped({"inner.zip": zipped({"x": b"1" * 300})})
    known(source(data, **changes))
    with pytest.raises(DataError, match=line):
        fetch("set", tmp_path / "set", opener=web(data))
    assert list(tmp_path.iterdir()) == []


def test_a_hostile_archive_with_the_right_sum_leaves_nothing(tmp_path, known):
    data = zipped({"good.txt": b"1", "../evil.txt": b"2"})
    known(source(data))
    with pytest.raises(DataError, match="may leave the folder"):
        fetch("set", tmp_path / "deep" / "set", opener=web(data))
    assert [path.name for path in tmp_path.rglob("*")] == ["deep"]


def test_a_set_of_plain_files_is_checked_file_by_file(tmp_path, known):
    pages = {f"https://example.org/{name}": name.encode() for name in ("a.dat", "a.hea")}
    downloads = tuple(Download(url, url[-5:], 10, sha(data)) for url, data in pages.items())
    known(source(b"", downloads=downloads))
    folder = fetch("set", tmp_path / "set", opener=Web(pages))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.dat": b"a.dat", "a.hea": b"a.hea"}
    with pytest.raises(SettingsError, match="has 2 files with known sums; leave --sha256 out"):
        fetch("set", tmp_path / "two", sha256="0" * 64, opener=Web(pages))
    pages["https://example.org/a.hea"] = b"changed"
    with pytest.raises(DataError, match=r"a\.hea: SHA-256"):
        fetch("set", tmp_path / "three", opener=Web(pages))
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_only_https_is_opened_also_after_a_redirect():
    for url in ("http://example.org/x", "file:///etc/passwd", "ftp://example.org/x"):
        with pytest.raises(DataError, match="not an https address"), open_https(url):
            pass
    handler = fetch_module._HttpsOnly()
    with pytest.raises(DataError, match="not an https address"):
        handler.redirect_request(None, None, 302, "Found", {}, "http://example.org/x")


def test_the_known_sets_are_pinned_except_one(tmp_path):
    for name in ("uci-har", "hapt", "mitdb"):
        assert all(download.sha256 for download in find_source(name).downloads)
    with pytest.raises(SettingsError, match="ecg5000: its publisher states no SHA-256"):
        fetch("ecg5000", tmp_path / "x", opener=web(b""))
