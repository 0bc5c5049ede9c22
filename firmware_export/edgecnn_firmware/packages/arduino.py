"""An Arduino library: an archive for the IDE's Sketch, Include Library, Add .ZIP Library."""

from edgecnn_firmware.packages.layout import Files, Format, common_files, example_window, render, text_files
from edgecnn_firmware.packages.product import Product

_EXAMPLES = ("SelfTest", "Stream")


def _files(product: Product) -> Files:
    files = {
        **common_files(),
        **text_files("src/", {**product.headers, **product.sources}),
        "library.properties": render("arduino/library.properties", product),
        "keywords.txt": render("arduino/keywords.txt", product),
        "README.md": render("arduino/README.md", product),
    }
    for example in _EXAMPLES:
        files[f"examples/{example}/{example}.ino"] = render(f"arduino/{example}.ino", product)
        # A sketch sees the headers of its own folder and of libraries' src/, nothing else.
        files[f"examples/{example}/example_window.h"] = example_window(product)
    return {f"{product.name}/{name}": data for name, data in files.items()}


FORMAT = Format("arduino", "Arduino library", _files, "zip")
