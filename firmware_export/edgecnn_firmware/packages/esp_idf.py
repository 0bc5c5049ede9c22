"""An ESP-IDF component, for all Espressif chips."""

from edgecnn_firmware.packages.layout import Files, Format, common_files, example_window, render, text_files
from edgecnn_firmware.packages.product import Product


def _files(product: Product) -> Files:
    return {
        **common_files(),
        **text_files("include/", product.headers),
        **text_files("src/", product.sources),
        "idf_component.yml": render("esp_idf/idf_component.yml", product),
        "CMakeLists.txt": render("esp_idf/CMakeLists.txt", product),
        "examples/selftest/CMakeLists.txt": render("esp_idf/project.txt", product),
        "examples/selftest/main/CMakeLists.txt": render("esp_idf/main.txt", product),
        "examples/selftest/main/main.c": render("esp_idf/main.c", product),
        "examples/selftest/main/example_window.h": example_window(product),
        "README.md": render("esp_idf/README.md", product),
    }


FORMAT = Format("esp-idf", "ESP-IDF component", _files)
