"""A plain Makefile: a static library and an example."""

from edgecnn_firmware.packages.layout import Files, Format, common_files, example_window, render, text_files
from edgecnn_firmware.packages.product import Product


def _files(product: Product) -> Files:
    return {
        **common_files(),
        **text_files("include/", product.headers),
        **text_files("src/", product.sources),
        "example/main.c": render("common/main.c", product),
        "example/example_window.h": example_window(product),
        "Makefile": render("makefile/Makefile", product),
        "README.md": render("makefile/README.md", product),
    }


FORMAT = Format("makefile", "plain Makefile", _files)
