"""One Python file over a shared library, through ctypes, with no dependency at all."""

from edgecnn_firmware.packages.layout import Files, Format, common_files, example_lines, plain_float, render, text_files
from edgecnn_firmware.packages.prebuilt import GLIBC, build_libraries, sources_digest, why_not_all
from edgecnn_firmware.packages.product import Product


def _files(product: Product) -> Files:
    libraries = build_libraries(product)
    keys = [machine.key for machine in libraries]
    return {
        **common_files(),
        **text_files("src/", {**product.headers, **product.sources}),
        **{f"{product.name}.{machine.key}.so": data for machine, data in libraries.items()},
        f"{product.name}.py": render("python/wrapper.py", product, **_texts(product)),
        "example.py": render("python/example.py", product, lines=example_lines(product, plain_float)),
        "README.md": render("python/README.md", product, keys=keys, why_not_all=why_not_all(), glibc=GLIBC),
    }


def _texts(product: Product) -> dict[str, object]:
    card = product.card
    return {
        # `ascii` writes a literal that reads back as the same text, whatever it holds.
        "labels_literal": ascii(card.labels),
        "channels_literal": ascii(tuple(channel.name for channel in card.input.channels)),
        "units_literal": ascii(tuple(channel.unit for channel in card.input.channels)),
        "rate_literal": repr(card.input.sample_rate_hz) if card.input.rate_known else "None",
        "hop_samples": card.input.hop_samples,
        "outputs": card.output_count,
        "digest": sources_digest(product),
        "model_sha256": product.model_sha256,
        "c_files": sorted(product.sources),
    }


FORMAT = Format("python", "Python without dependencies", _files)
