"""What holds for the packages of every format."""

import re
import zipfile
from pathlib import Path

import pytest

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.errors import BundleError, MissingDependency, SettingsError
from edgecnn_firmware.packages import write
from edgecnn_firmware.packages.formats import FORMATS, find_format
from edgecnn_firmware.packages.layout import Format, plain
from edgecnn_firmware.packages.product import Product
from edgecnn_firmware.packages.write import write_package, write_packages, zip_bytes


@pytest.mark.parametrize("key", FORMATS)
def test_a_package_is_whole_and_repeatable(key: str, product: Product, tmp_path: Path) -> None:
    files = dict(find_format(key).files(product))
    assert dict(find_format(key).files(product)) == files
    assert any(name.rsplit("/", 1)[-1] == "LICENSE" for name in files)
    readmes = [data for name, data in files.items() if name.rsplit("/", 1)[-1] == "README.md"]
    assert len(readmes) == 1
    lines = [line for line in readmes[0].decode().splitlines() if line.strip()]
    assert 3 <= len(lines) <= 16
    first, second = (write_package(find_format(key), product, tmp_path / place) for place in ("a", "b"))
    assert first.name == second.name
    if first.is_file():
        assert first.read_bytes() == second.read_bytes()
    else:
        assert {str(path.relative_to(first)) for path in first.rglob("*") if path.is_file()} == set(files)


@pytest.mark.parametrize("key", FORMATS)
def test_texts_of_users_stay_texts(key: str, nasty: Product) -> None:
    for name, data in find_format(key).files(nasty).items():
        if name.endswith((".c", ".h", ".cpp", ".ino", ".bin", ".wasm", ".rs", ".js", ".html", ".py")) or b"\0" in data:
            continue
        text = data.decode()
        assert "$(rm" not in text, name
        assert "`x`" not in text, name
        assert "${HOME}" not in text, name
        assert not re.search(r"^\[section\]", text, re.MULTILINE), name


def test_all_formats_at_once(bundle: Bundle, tmp_path: Path) -> None:
    written = write_packages(bundle, FORMATS, tmp_path)
    assert set(written) == set(FORMATS)
    assert all(path.exists() for path in written.values())
    assert len({path.name for path in written.values()}) == len(FORMATS)


def test_unknown_format(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown package format 'keil'; accepted: "):
        write_packages(bundle, ["keil"], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a//b", "a/./b", "a\\b", ""])
def test_names_cannot_leave_the_package(name: str, product: Product, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="leaves its folder"):
        write_package(Format("made", "made", lambda _: {name: b""}), product, tmp_path)


def test_a_file_in_the_way(product: Product, tmp_path: Path) -> None:
    (tmp_path / "wrist_cmake").write_text("mine")
    with pytest.raises(BundleError, match="is a file"):
        write_package(find_format("cmake"), product, tmp_path)
    assert (tmp_path / "wrist_cmake").read_text() == "mine"


def test_archives_hold_no_time(tmp_path: Path) -> None:
    data = zip_bytes({"b": b"2", "a/c": b"1"})
    (tmp_path / "x.zip").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert [(entry.filename, entry.date_time) for entry in archive.infolist()] == [
            ("a/c", (1980, 1, 1, 0, 0, 0)),
            ("b", (1980, 1, 1, 0, 0, 0)),
        ]
        assert archive.testzip() is None


def test_plain_text_for_manifests() -> None:
    assert plain('a "b"\n$(c)\t<d> é=e') == "a b (c) d e"
    assert len(plain("x" * 999)) == 200


def test_a_format_without_its_tools_costs_itself_alone(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks(product: Product) -> dict[str, bytes]:
        raise MissingDependency("no compiler")

    formats = {"cmake": find_format("cmake"), "made": Format("made", "made", lacks)}
    monkeypatch.setattr(write, "find_format", formats.__getitem__)
    missing: dict[str, str] = {}
    assert list(write_packages(bundle, ["made", "cmake"], tmp_path, missing=missing)) == ["cmake"]
    assert missing == {"made": "no compiler"}
    with pytest.raises(MissingDependency, match="no compiler"):
        write_packages(bundle, ["made"], tmp_path)
