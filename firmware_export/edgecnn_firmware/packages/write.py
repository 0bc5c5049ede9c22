"""A package on disk: a folder or an archive, whole or not at all, the same bytes for the same bundle."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.errors import BundleError, MissingDependency
from edgecnn_firmware.files import write_file_atomically
from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.layout import Files, Format
from edgecnn_firmware.packages.product import Product, make_product

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o100644


def write_packages(
    bundle: Bundle,
    keys: Iterable[str],
    folder: Path,
    *,
    target: str = "portable",
    least_ram: bool = False,
    sliding: bool = False,
    missing: dict[str, str] | None = None,
) -> dict[str, Path]:
    """Write a bundle's packages into a folder; what each became, by format.

    Args:
        bundle: whose classifier is packaged.
        keys: formats.
        folder: where the packages go.
        target: whose kernels the network uses.
        least_ram: as of the compiler.
        sliding: as of `write_classifier`.
        missing: takes the formats whose tools are not installed, with the reason; if None, the first one is an error.

    Raises:
        EdgeCnnError: an unknown format, a bundle that is not whole or whose network does not compile, or a place that
            cannot be written.
    """
    formats = [find_format(key) for key in dict.fromkeys(keys)]
    product = make_product(bundle, target, least_ram=least_ram, sliding=sliding)
    written = {}
    for found in formats:
        try:
            written[found.key] = write_package(found, product, folder)
        except MissingDependency as error:
            if missing is None:
                raise
            missing[found.key] = str(error)
    return written


def write_package(found: Format, product: Product, folder: Path) -> Path:
    """Write one package: `NAME_FORMAT/`, or `NAME-VERSION-FORMAT.zip`."""
    files = found.files(product)
    _check_names(files)
    if found.container == "zip":
        archive = found.archive or f"{{name}}-{{version}}{found.suffix or f'-{found.key}.zip'}"
        path = folder / archive.format(name=product.name, version=product.card.version)
        write_file_atomically(path, zip_bytes(files))
        return path
    path = folder / f"{product.name}_{found.key}"
    if path.exists() and not path.is_dir():
        raise BundleError(f"{path}: is a file; expected a folder for the package")
    for name in sorted(files):
        write_file_atomically(path / name, files[name])
    return path


def zip_bytes(files: Files) -> bytes:
    """An archive in the order of names, without the time of day."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = _MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    return stream.getvalue()


def _check_names(files: Files) -> None:
    for name in files:
        parts = name.split("/")
        if name.startswith("/") or not all(parts) or {".", ".."} & set(parts) or "\\" in name:
            raise BundleError(f"package: the name {name!r} leaves its folder")
