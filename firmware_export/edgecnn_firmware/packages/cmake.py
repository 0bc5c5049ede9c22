"""A CMake package: `add_subdirectory`, `FetchContent` or `find_package` give the target `NAME::NAME`."""

from edgecnn_firmware.packages.layout import Files, Format, common_files, example_window, render, text_files
from edgecnn_firmware.packages.product import Product


def _files(product: Product) -> Files:
    return {
        **common_files(),
        **text_files("include/", product.headers),
        **text_files("src/", product.sources),
        "CMakeLists.txt": render("cmake/CMakeLists.txt", product),
        f"cmake/{product.name}Config.cmake.in": render("cmake/Config.cmake.in", product),
        "cmake/arm-none-eabi.cmake": render("cmake/arm-none-eabi.cmake", product),
        "example/CMakeLists.txt": render("cmake/example.txt", product),
        "example/main.c": render("common/main.c", product),
        "example/example_window.h": example_window(product),
        "README.md": render("cmake/README.md", product),
    }


FORMAT = Format("cmake", "CMake", _files)
