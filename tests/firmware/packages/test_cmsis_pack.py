"""The CMSIS-Pack: its description against the published rules, and its sources as a project takes them."""

import os
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product

from .conftest import check_golden, run

Write = Callable[[str], Path]
PDSC = "edgecnn.wrist.pdsc"
SCHEMA = Path(__file__).parent / "pack.xsd"
CATEGORIES = {"doc", "include", "header", "source"}


def test_golden(product: Product) -> None:
    files = find_format("cmsis-pack").files(product)
    for name in (PDSC, "README.md"):
        check_golden(f"cmsis-pack/{name}", files[name])


def test_the_description(product: Product) -> None:
    files = find_format("cmsis-pack").files(product)
    package = ET.fromstring(files[PDSC])  # noqa: S314 - our own
    assert package.tag == "package"
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?", package.attrib["schemaVersion"])
    # The elements that every description has.
    assert [package.findtext(tag) for tag in ("vendor", "name", "license")] == ["edgecnn", "wrist", "LICENSE"]
    assert package.find("url") is not None
    assert package.findtext("description") == "Three gestures of a wrist."
    assert [release.attrib["version"] for release in package.iterfind("releases/release")] == ["1.2.3"]
    (component,) = package.iterfind("components/component")
    assert {"Cclass", "Cgroup", "Csub", "Cversion"} == set(component.attrib)
    for file in component.iterfind("files/file"):
        name = file.attrib["name"]
        assert file.attrib["category"] in CATEGORIES
        assert any(other.startswith(name) for other in files) if name.endswith("/") else name in files
    listed = {file.attrib["name"] for file in component.iterfind("files/file")}
    assert {f"src/{name}" for name in product.sources} <= listed


def test_texts_of_users_leave_it_well_formed(nasty: Product) -> None:
    package = ET.fromstring(find_format("cmsis-pack").files(nasty)[PDSC])  # noqa: S314 - our own
    assert (package.findtext("description") or "").startswith("Wrist; (rm -rf /)")


def test_the_archive_has_the_name_that_tools_expect(package: Write) -> None:
    path = package("cmsis-pack")
    assert path.name == "edgecnn.wrist.1.2.3.pack"
    with zipfile.ZipFile(path) as archive:
        assert [name for name in archive.namelist() if name.endswith(".pdsc")] == [PDSC]


@pytest.mark.skipif(shutil.which("xmllint") is None, reason="xmllint is not installed")
@pytest.mark.parametrize("schema", [SCHEMA, os.environ.get("EDGECNN_PACK_XSD")], ids=["used", "whole"])
@pytest.mark.parametrize(
    "texts", [{}, {"name": "w" * 63, "description": "d" * 500}, {"name": "w", "description": "说明"}]
)
def test_xmllint(product: Product, tmp_path: Path, schema: object, texts: dict[str, str]) -> None:
    if schema is None:
        pytest.skip("EDGECNN_PACK_XSD does not name the published PACK.xsd")
    product = replace(product, card=product.card.model_copy(update=texts))
    (tmp_path / PDSC).write_bytes(find_format("cmsis-pack").files(product)[f"edgecnn.{product.name}.pdsc"])
    run(["xmllint", "--noout", "--schema", str(schema), PDSC], tmp_path)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_listed_files_make_the_example(package: Write, tmp_path: Path) -> None:
    with zipfile.ZipFile(package("cmsis-pack")) as archive:
        archive.extractall(tmp_path)
    listed = ET.parse(tmp_path / PDSC).getroot().iterfind("components/component/files/file")  # noqa: S314 - our own
    sources = [file.attrib["name"] for file in listed if file.attrib["category"] == "source"]
    run(["gcc", "-O2", "-std=c99", "-Wall", "-Wextra", "-Werror", "-Iinclude", *sources, "-o", "program"], tmp_path)
    assert run(["./program"], tmp_path).startswith("self-test passed; window is ")
