"""A CMSIS-Pack for Keil MDK, CMSIS-Toolbox and the IDEs over them."""

from edgecnn_firmware.packages.layout import Files, Format, common_files, example_window, render, text_files
from edgecnn_firmware.packages.product import Product


def _files(product: Product) -> Files:
    return {
        **common_files(),
        **text_files("include/", product.headers),
        **text_files("src/", product.sources),
        f"edgecnn.{product.name}.pdsc": render("cmsis_pack/pack.pdsc", product),
        "example/main.c": render("common/main.c", product),
        "example/example_window.h": example_window(product),
        "README.md": render("cmsis_pack/README.md", product),
    }


FORMAT = Format("cmsis-pack", "CMSIS-Pack", _files, "zip", archive="edgecnn.{name}.{version}.pack")
