"""The classifier as WebAssembly: an ES module for programs, and a page that tries it on recordings without a server."""

import base64
import hashlib
import json
import sys
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from edgecnn_firmware.boards.extras import load
from edgecnn_firmware.boards.process import finish
from edgecnn_firmware.classifier.memory import layout, result_type
from edgecnn_firmware.packages.layout import Files, Format, common_files, example_lines, plain_float, render, text_files
from edgecnn_firmware.packages.product import Product

_LIMIT_S: Final = 300.0
_PAGE_BYTES: Final = 1 << 16
# Products and sums stay two roundings. SIMD of WebAssembly gives the same bytes on every machine; it is three times as
# fast. No path, time or host gets into the file.
_FLAGS: Final = (
    *("-target", "wasm32-freestanding", "-msimd128", "-std=c99", "-O3", "-g0", "-ffp-contract=off"),
    *("-fno-sanitize=all", "-fno-builtin", "-nostdlib", "-Wl,--no-entry", "-Wl,-s"),
)
_SCRIPTS: Final = ("csv.js", "run.js", "marks.js", "signal.js", "plot.js", "show.js", "page.js")
"""Of the page, behind the ES module; one script, so names are different from each other."""


def _files(product: Product) -> Files:
    name, context = product.name, _context(product)
    sources = {**product.headers, **product.sources, f"{name}_wasm.c": _exports_c(product)}
    module = build_module(product)
    script = render("wasm/module.js", product, **context)
    return {
        **common_files(),
        **text_files("src/", sources),
        f"{name}.wasm": module,
        f"{name}.js": script,
        f"{name}.d.ts": render("wasm/module.d.ts", product),
        "example.mjs": render("wasm/example.mjs", product, lines=example_lines(product, plain_float)),
        "package.json": render("wasm/package.json", product),
        "README.md": render("wasm/README.md", product, **context),
        "index.html": _page(product, module, script.decode("utf-8")),
    }


def build_module(product: Product) -> bytes:
    """Compile a product to WebAssembly that imports nothing; the same sources and compiler give the same bytes.

    Raises:
        MissingDependency: the package ziglang, whose clang compiles it, is not installed.
        BoardError: the sources do not compile, as with kernels of another processor.
    """
    load("ziglang", "the package wasm")
    sources = {**product.headers, **product.sources, f"{product.name}_wasm.c": _exports_c(product)}
    stack_bytes = product.classifier.network.stack_bytes + 8 * len(product.card.labels) + _PAGE_BYTES
    return _build(tuple(sorted(sources.items())), _exported(product), -(-stack_bytes // _PAGE_BYTES) * _PAGE_BYTES)


@lru_cache(maxsize=4)
def _build(sources: tuple[tuple[str, str], ...], exported: tuple[str, ...], stack_bytes: int) -> bytes:
    with TemporaryDirectory(prefix="edgecnn-package-") as folder:
        for file, text in sources:
            (Path(folder) / file).write_text(text, encoding="utf-8", newline="\n")
        flags = (*_FLAGS, f"-Wl,-z,stack-size={stack_bytes}", *(f"-Wl,--export={name}" for name in exported))
        command = (sys.executable, "-m", "ziglang", "cc", *flags)
        c_files = [file for file, _ in sources if file.endswith(".c")]
        finish(
            [*command, *c_files, "-o", "made.wasm"], folder=Path(folder), limit_s=_LIMIT_S, doing="compiling to wasm"
        )
        return (Path(folder) / "made.wasm").read_bytes()


def _exported(product: Product) -> tuple[str, ...]:
    names = ["init", "check", "classify", "push", "monitor", "wasm_input", "wasm_result", "wasm_drift"]
    if product.has_selftest:
        names.append("selftest")
    if product.card.deployment.counts:
        names += ["classify_counts", "push_counts"]
    return tuple(f"{product.name}_{name}" for name in names)


def _exports_c(product: Product) -> str:
    return render("wasm/exports.c", product, places=_places(product)).decode("utf-8")


def _places(product: Product) -> dict[str, int]:
    """Offsets of the members of `NAME_result`."""
    card = product.card
    return layout(result_type(card.output_count, len(card.labels)))


def _context(product: Product) -> dict[str, Any]:
    card = product.card
    channels = [{"name": channel.name, "unit": channel.unit} for channel in card.input.channels]
    return {
        "places": _places(product),
        "outputs": card.output_count,
        "hop_samples": card.input.hop_samples,
        "rate": script_json(card.input.sample_rate_hz if card.input.rate_known else None),
        "has_counts": script_json(card.deployment.counts is not None),
        "channels_json": script_json(channels),
        "labels_json": script_json(list(card.labels)),
    }


def script_json(value: Any) -> str:
    """JSON that stays a value in a script and in HTML around it: ASCII, no `<`, `>` or `&`, whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _page(product: Product, module: bytes, script: str) -> bytes:
    css = _resource("page.css")
    whole = "\n".join((script, *map(_resource, _SCRIPTS)))
    return render(
        "wasm/index.html",
        product,
        css=css,
        css_hash=_csp_hash(css),
        script=whole,
        script_hash=_csp_hash(whole),
        data=script_json(_page_data(product, module)),
    )


def _page_data(product: Product, module: bytes) -> dict[str, Any]:
    card = product.card
    return {
        "description": card.description,
        "example": product.example.window.reshape(-1).tolist(),
        "exampleLabel": product.example.label,
        "isSigmoid": card.output == "sigmoid",
        "outputScale": card.quantization.output.scale,
        "outputZeroPoint": card.quantization.output.zero_point,
        "smoothing": card.deployment.smoothing,
        "results": card.deployment.results,
        "debounce": card.deployment.debounce,
        "hasSelftest": product.has_selftest,
        "isSliding": product.is_sliding,
        "wasm": base64.b64encode(module).decode("ascii"),
    }


def _csp_hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _resource(name: str) -> str:
    found = files("edgecnn_firmware.packages") / "templates" / "wasm" / name
    return found.read_text(encoding="utf-8").replace("\r\n", "\n")


FORMAT = Format("wasm", "WebAssembly with a page to try it", _files)
