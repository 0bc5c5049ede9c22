"""A user C module for MicroPython, which is built into the firmware."""

from edgecnn_firmware.c_text import float_literal
from edgecnn_firmware.packages.layout import Files, Format, common_files, render, text_files
from edgecnn_firmware.packages.product import Product

_VALUES_A_LINE = 8


def _files(product: Product) -> Files:
    card, name = product.card, product.name
    return {
        **common_files(),
        # Make looks for modules in the folders of one that it is given.
        **text_files(f"{name}/", {**product.headers, **product.sources}),
        f"{name}/{name}module.c": render("micropython/module.c", product, counts=card.deployment.counts is not None),
        f"{name}/micropython.mk": render("micropython/micropython.mk", product),
        f"{name}/micropython.cmake": render("micropython/micropython.cmake", product),
        "example.py": render("micropython/example.py", product, lines=_example_lines(product)),
        "README.md": render("micropython/README.md", product, rate=_rate(product)),
    }


def _rate(product: Product) -> str:
    given = product.card.input
    return f"at {given.sample_rate_hz:g} Hz" if given.rate_known else "at the rate of the training data"


def _example_lines(product: Product) -> list[str]:
    values = [float_literal(value, "example window")[:-1] for value in product.example.window.reshape(-1).tolist()]
    return [", ".join(values[start : start + _VALUES_A_LINE]) for start in range(0, len(values), _VALUES_A_LINE)]


FORMAT = Format("micropython", "MicroPython user C module", _files)
