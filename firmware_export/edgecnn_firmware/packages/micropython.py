"""A user C module for MicroPython, which is built into the firmware."""

from edgecnn_firmware.packages.layout import Files, Format, common_files, example_lines, plain_float, render, text_files
from edgecnn_firmware.packages.product import Product


def _files(product: Product) -> Files:
    card, name = product.card, product.name
    return {
        **common_files(),
        # Make looks for modules in the folders of one that it is given.
        **text_files(f"{name}/", {**product.headers, **product.sources}),
        f"{name}/{name}module.c": render("micropython/module.c", product, counts=card.deployment.counts is not None),
        f"{name}/micropython.mk": render("micropython/micropython.mk", product),
        f"{name}/micropython.cmake": render("micropython/micropython.cmake", product),
        "example.py": render("micropython/example.py", product, lines=example_lines(product, plain_float)),
        "README.md": render("micropython/README.md", product, rate=_rate(product)),
    }


def _rate(product: Product) -> str:
    given = product.card.input
    return f"at {given.sample_rate_hz:g} Hz" if given.rate_known else "at the rate of the training data"


FORMAT = Format("micropython", "MicroPython user C module", _files)
