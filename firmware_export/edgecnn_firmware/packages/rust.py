"""A Rust crate: `#![no_std]`, a safe interface over the C sources, which its build script compiles."""

import re
from collections import Counter
from typing import Final

import numpy as np

from edgecnn_firmware.classifier.memory import drift_type, layout, result_type
from edgecnn_firmware.packages.layout import Files, Format, common_files, example_lines, plain, render, text_files
from edgecnn_firmware.packages.product import Product

_RESERVED: Final = re.compile(
    # What the language, its own crates and the build dependency are called.
    r"abstract|alloc|as|async|await|become|box|break|cc|const|continue|core|crate|do|dyn|else|enum|extern|false|final"
    r"|fn|for|gen|if|impl|in|let|loop|macro|match|mod|move|mut|override|priv|proc_macro|pub|ref|return|self|static|std"
    r"|struct|super|test|trait|true|try|type|typeof|union|unsafe|unsized|use|virtual|where|while|yield"
)


def crate_name(name: str) -> str:
    """The crate's name: the product's in lower case, made longer where that means something to Rust or Cargo."""
    lower = name.lower()
    return f"{lower}_classifier" if _RESERVED.fullmatch(lower) else lower


def variant_names(labels: tuple[str, ...]) -> list[str]:
    """A variant of an enum for each label: its ASCII words in camel case, or its number where those do not tell it."""
    found = []
    for label in labels:
        words = re.findall(r"[A-Za-z0-9]+", label)
        found.append("".join(word[0].upper() + (word[1:].lower() if word.isupper() else word[1:]) for word in words))
    count = Counter(found)
    return [
        name
        if count[name] == 1 and name[:1].isalpha() and not re.fullmatch(r"Self|Label\d+", name)
        else f"Label{index}"
        for index, name in enumerate(found)
    ]


def rust_string(text: str) -> str:
    """A string literal of the text, in plain ASCII whatever the text holds."""
    pieces = []
    # As in the C sources, what UTF-8 cannot hold becomes a question mark.
    for character in text.encode("utf-8", "replace").decode("utf-8"):
        if character in '"\\':
            pieces.append("\\" + character)
        elif " " <= character <= "~":
            pieces.append(character)
        else:
            pieces.append(f"\\u{{{ord(character):x}}}")
    return '"' + "".join(pieces) + '"'


def rust_float(value: float) -> str:
    """The shortest literal that reads back as the float32 nearest to `value`."""
    return str(np.float32(value).item() if np.float32(value).is_integer() else np.float32(value))


def _files(product: Product) -> Files:
    more = _context(product)
    templates = {name: name for name in ("Cargo.toml", "build.rs", "README.md")}
    templates |= {f"src/{name}.rs": f"{name}.rs" for name in ("ffi", "label", "lib", "outcome", "tests")}
    templates |= {f"examples/selftest/{name}.rs": f"{name}.rs" for name in ("main", "window")}
    templates[f"csrc/{product.name}_layout.c"] = "layout.c"
    return {
        **common_files(),
        **text_files("csrc/", {**product.headers, **product.sources}),
        **{path: render(f"rust/{template}", product, **more) for path, template in templates.items()},
    }


def _context(product: Product) -> dict[str, object]:
    card = product.card
    labels, channels = card.labels, card.input.channels
    return {
        "crate": crate_name(product.name),
        # Cargo wants numbers without leading zeros.
        "crate_version": ".".join(str(int(number)) for number in card.version.split(".")),
        "variants": list(zip(variant_names(labels), (plain(label) for label in labels), strict=True)),
        "label_strings": [rust_string(label) for label in labels],
        "channel_strings": [rust_string(channel.name) for channel in channels],
        "unit_strings": [rust_string(channel.unit) for channel in channels],
        "rate": rust_float(card.input.sample_rate_hz) if card.input.rate_known else "",
        "hop_samples": card.input.hop_samples,
        "outputs": card.output_count,
        "has_counts": card.deployment.counts is not None,
        "has_monitor": card.statistics is not None,
        # Both languages check it as they compile.
        "layout": {
            "result": layout(result_type(card.output_count, len(labels))),
            "drift": layout(drift_type(len(channels))),
        },
        "remembers": product.classifier.network.state_bytes > 0 and not product.is_sliding,
        "golden_count": _golden_count(product),
        "lines": example_lines(product, rust_float),
    }


def _golden_count(product: Product) -> int:
    """Windows that the self-test holds; 0 where there is none."""
    text = product.headers.get(f"{product.name}_network_selftest.h", "")
    found = re.search(r"_SELFTEST_COUNT (\d+)", text)
    return int(found[1]) if found else 0


FORMAT = Format("rust", "Rust crate", _files)
