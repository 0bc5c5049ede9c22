"""A PlatformIO library, for every framework and platform."""

from edgecnn_firmware.packages.layout import Files, Format, common_files, example_window, render, text_files
from edgecnn_firmware.packages.product import Product


def _files(product: Product) -> Files:
    return {
        **common_files(),
        **text_files("include/", product.headers),
        **text_files("src/", product.sources),
        "library.json": render("platformio/library.json", product),
        "examples/selftest/platformio.ini": render("platformio/platformio.ini", product),
        "examples/selftest/src/main.cpp": render("platformio/main.cpp", product),
        "examples/selftest/src/example_window.h": example_window(product),
        "README.md": render("platformio/README.md", product),
    }


FORMAT = Format("platformio", "PlatformIO library", _files)
