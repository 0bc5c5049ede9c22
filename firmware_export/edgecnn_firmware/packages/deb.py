"""Debian packages of the compiled library, one for each architecture."""

import textwrap
from typing import Final

from edgecnn_firmware.errors import MissingDependency
from edgecnn_firmware.packages.debian import DebianPackage, debian_bytes, gzipped
from edgecnn_firmware.packages.layout import Files, Format, common_files, example_window, one_line, render, text_files
from edgecnn_firmware.packages.prebuilt import GLIBC, Machine, build_libraries, soname, why_not_all
from edgecnn_firmware.packages.product import Product

_MAINTAINER: Final = "edgecnn <edgecnn@packages.invalid>"
"""A field that every package must have; nobody reads mail there."""

_WIDTH: Final = 76


def _files(product: Product) -> Files:
    libraries = build_libraries(product)
    if not libraries:
        raise MissingDependency(f"a Debian package needs a compiler for Linux; {why_not_all()}")
    package = package_name(product)
    debs = {
        f"{package}_{product.card.version}_{machine.debian}.deb": _deb(product, machine, data)
        for machine, data in libraries.items()
    }
    return {
        **common_files(),
        **debs,
        **text_files("src/", {**product.headers, **product.sources}),
        "example/main.c": render("common/main.c", product),
        "example/example_window.h": example_window(product),
        "README.md": render(
            "deb/README.md",
            product,
            package=package,
            architectures=[machine.debian for machine in libraries],
            why_not_all=why_not_all(),
        ),
    }


def package_name(product: Product) -> str:
    """`libNAME` as Debian allows it: small letters, digits and dashes."""
    return f"lib{product.name.lower().replace('_', '-').strip('-')}"


def _deb(product: Product, machine: Machine, library: bytes) -> bytes:
    package, name, version = package_name(product), product.name, product.card.version
    folder, documents = f"usr/lib/{machine.triplet}", f"usr/share/doc/{package}"
    major = version.partition(".")[0]
    whole = f"lib{name}.so.{version}"
    headers = {f"usr/include/{name}/{header}": product.headers[header] for header in (f"{name}.h", f"{name}_network.h")}
    texts = {
        "package": package,
        "triplet": machine.triplet,
        "architecture": machine.debian,
        "glibc": GLIBC,
        "description": _description(product),
        "maintainer": _MAINTAINER,
    }
    files = {
        f"{folder}/{whole}": library,
        f"{folder}/pkgconfig/{name}.pc": render("deb/pkgconfig.pc", product, **texts),
        **{path: text.encode("utf-8") for path, text in headers.items()},
        f"{documents}/copyright": render("deb/copyright", product),
        f"{documents}/changelog.gz": gzipped(render("deb/changelog", product, **texts)),
        f"{documents}/examples/main.c": render("common/main.c", product),
        f"{documents}/examples/example_window.h": example_window(product),
    }
    links = {f"{folder}/{soname(product)}": whole, f"{folder}/lib{name}.so": soname(product)}
    return debian_bytes(
        DebianPackage(
            control=render("deb/control", product, **texts).decode("utf-8"),
            files=files,
            links=links,
            triggers="activate-noawait ldconfig\n",
            shlibs=f"lib{name} {major} {package} (>= {version})\n",
        )
    )


def _description(product: Product) -> list[str]:
    """The summary as lines of a control file: none is empty or begins with a dot, which would mean something there."""
    lines = (line.lstrip(".") for line in textwrap.wrap(one_line(product), _WIDTH))
    return [line for line in lines if line.strip()]


FORMAT = Format("deb", "Debian, Ubuntu, Raspberry Pi OS", _files)
