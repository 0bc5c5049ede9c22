"""Files to drop into an STM32CubeIDE project: `Core/Inc` and `Core/Src`."""

from edgecnn_firmware.packages.layout import Files, Format, common_files, example_window, render, text_files
from edgecnn_firmware.packages.product import Product


def _files(product: Product) -> Files:
    # Not LICENSE and README.md at the top: a Cube project may have its own there.
    about = {**common_files(), "README.md": render("stm32/README.md", product)}
    return {
        **{f"{product.name}/{name}": data for name, data in about.items()},
        **text_files("Core/Inc/", product.headers),
        **text_files("Core/Src/", product.sources),
        f"Core/Inc/{product.name}_app.h": render("stm32/app.h", product),
        f"Core/Src/{product.name}_app.c": render("stm32/app.c", product),
        f"Core/Inc/{product.name}_example_window.h": example_window(product),
    }


FORMAT = Format("stm32", "STM32CubeIDE", _files)
"""Drop-in files: they lie where the IDE's projects look, so that no setting has to change."""
