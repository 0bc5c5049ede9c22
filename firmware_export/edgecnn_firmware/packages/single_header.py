"""One header that holds everything: no build system at all."""

from edgecnn_firmware.packages.layout import Files, Format, common_files, example_window, render
from edgecnn_firmware.packages.one_file import Parts, join
from edgecnn_firmware.packages.product import Product


def parts_of(product: Product) -> Parts:
    """The parts of a product's one header; the network's own functions are public too, as in the other packages."""
    public = (product.classifier.public_header, product.classifier.network.header)
    return join(product.name, public, product.headers, product.sources)


def _files(product: Product) -> Files:
    return {
        **common_files(),
        product.classifier.public_header: render("single_header/header.h", product, parts=parts_of(product)),
        "example/main.c": render("single_header/main.c", product),
        "example/example_window.h": example_window(product),
        "README.md": render("single_header/README.md", product),
    }


FORMAT = Format("single-header", "one C or C++ header", _files)
