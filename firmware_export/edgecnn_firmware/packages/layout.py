"""A format: a product as files in their places, with a README of ten lines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, TypeAlias

from jinja2 import Environment, PackageLoader, StrictUndefined

from edgecnn_firmware.c_text import c_string, comment_text, float_literal
from edgecnn_firmware.packages.product import SPDX, Product, license_text

Files: TypeAlias = Mapping[str, bytes]
"""Content by path inside the package, with `/`."""

Container: TypeAlias = Literal["folder", "zip"]


@dataclass(frozen=True)
class Format:
    """One build system's package."""

    key: str
    title: str
    """The build system, for people."""
    files: Callable[[Product], Files]
    container: Container = "folder"
    suffix: str = ""
    """Of the archive's name, where it is not `.zip`."""
    archive: str = ""
    """The archive's whole name, where tools prescribe it; `{name}` and `{version}` are filled in."""


def render(template: str, product: Product, **more: Any) -> bytes:
    """Fill `templates/FORMAT/FILE.j2` with what all templates may use."""
    text = _environment().get_template(f"{template}.j2").render(**_context(product), **more)
    return (text.rstrip("\n") + "\n").encode("utf-8")


def text_files(folder: str, files: Mapping[str, str]) -> dict[str, bytes]:
    """Files in a folder of the package; `folder` is empty or ends in `/`."""
    return {f"{folder}{name}": text.encode("utf-8") for name, text in files.items()}


def common_files() -> dict[str, bytes]:
    """LICENSE, which every package has."""
    return {"LICENSE": license_text().encode("utf-8")}


@cache
def _environment() -> Environment:
    # The outputs are C, CMake and the like, not HTML; texts of users are escaped for their places by the filters below.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("edgecnn_firmware.packages", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["c_string"] = c_string
    environment.filters["comment"] = comment_text
    return environment


def _context(product: Product) -> dict[str, Any]:
    card = product.card
    return {
        "product": product,
        "card": card,
        "name": card.name,
        "upper": card.name.upper(),
        "version": card.version,
        "summary": one_line(product),
        "labels": card.labels,
        "license": SPDX,
        "has_selftest": product.has_selftest,
        "is_sliding": product.is_sliding,
        "sources": list(product.sources),
        "headers": list(product.headers),
        "window_samples": card.input.window_samples,
        "channels": len(card.input.channels),
        "example_label": product.example.label,
    }


def plain(text: str, most: int = 200) -> str:
    """Text of a user as one line of plain ASCII without characters that manifests, shells or markup give a meaning."""
    allowed = "".join(c if c.isascii() and (c.isalnum() or c in " .,:;+-_()/%") else " " for c in text)
    return " ".join(allowed.split())[:most]


def one_line(product: Product) -> str:
    """What the classifier is, for a manifest; a description of which ASCII leaves nothing says no more than its kind."""
    return plain(product.summary) or "Classifier of sensor windows"


_VALUES_A_LINE: Final = 8


def example_window(product: Product) -> bytes:
    """`example_window.h`: one test window in physical units and the label that the classifier gives it."""
    return render("common/example_window.h", product, lines=example_lines(product, c_float))


def example_lines(product: Product, literal: Callable[[float], str]) -> list[str]:
    """The values of the test window as lines of a language's literals."""
    values = [literal(value) for value in product.example.window.reshape(-1).tolist()]
    return [", ".join(values[start : start + _VALUES_A_LINE]) for start in range(0, len(values), _VALUES_A_LINE)]


def c_float(value: float) -> str:
    """A float literal of C."""
    return float_literal(value, "example window")


def plain_float(value: float) -> str:
    """The same number without C's suffix, for Python and JavaScript."""
    return c_float(value)[:-1]
