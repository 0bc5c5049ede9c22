"""A Zephyr module, with a sample."""

from edgecnn_firmware.packages.layout import Files, Format, common_files, example_window, render, text_files
from edgecnn_firmware.packages.product import Product


def _files(product: Product) -> Files:
    return {
        **common_files(),
        **text_files("include/", product.headers),
        **text_files("src/", product.sources),
        "zephyr/module.yml": render("zephyr/module.yml", product),
        "Kconfig": render("zephyr/Kconfig", product),
        "CMakeLists.txt": render("zephyr/CMakeLists.txt", product),
        "samples/selftest/CMakeLists.txt": render("zephyr/sample.txt", product),
        "samples/selftest/prj.conf": render("zephyr/prj.conf", product),
        "samples/selftest/sample.yaml": render("zephyr/sample.yaml", product),
        "samples/selftest/src/main.c": render("common/main.c", product),
        "samples/selftest/src/example_window.h": example_window(product),
        "README.md": render("zephyr/README.md", product),
    }


FORMAT = Format("zephyr", "Zephyr module", _files)
