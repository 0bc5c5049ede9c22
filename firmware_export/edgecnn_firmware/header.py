"""The C header for TensorFlow Lite Micro users: the model as an array, and all that is needed to call it right."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from edgecnn_firmware import numerics
from edgecnn_firmware.c_card import card_context
from edgecnn_firmware.c_text import comment_text
from edgecnn_firmware.card import Card
from edgecnn_firmware.resolver import RESOLVER_METHODS
from edgecnn_firmware.tflite.inspect import ModelSummary

UNMEASURED_ARENA_BYTES: Final = 64 * 1024
"""What the snippet reserves where the arena was not measured; the header says so."""

_BYTES_A_LINE: Final = 16
_SNIPPET_TITLE: Final = "How to call it (C++):"


def write_header(model: bytes, card: Card, summary: ModelSummary) -> str:
    """Write `NAME_model.h`, the same bytes for the same input.

    Args:
        model: the int8 `.tflite` file.
        card: names, labels, window, normalization and quantization; its text may hold any character.
        summary: the model's ops.

    Raises:
        DataError: a normalization constant does not fit float32.
    """
    environment = _environment()
    context = _context(model, card, summary)
    snippet = environment.get_template("snippet.cpp.j2").render(context).splitlines()
    head = environment.get_template("model.h.j2").render(context, snippet=snippet, snippet_title=_SNIPPET_TITLE)
    return "\n".join([head, *_array_lines(model), "};", "", f"#endif /* {card.name.upper()}_MODEL_H */", ""])


def snippet_of(header: str) -> str:
    """Take the usage snippet out of a header's opening comment."""
    lines = header[: header.index("*/")].splitlines()
    start = lines.index(f" * {_SNIPPET_TITLE}") + 2
    return "\n".join(line.removeprefix(" *").removeprefix("    ") for line in lines[start:]).strip() + "\n"


@cache
def _environment() -> Environment:
    # The output is C, not HTML: texts are escaped for C below.
    return Environment(  # noqa: S701
        loader=PackageLoader("edgecnn_firmware", "templates"), undefined=StrictUndefined, keep_trailing_newline=False
    )


def _context(model: bytes, card: Card, summary: ModelSummary) -> dict[str, Any]:
    return card_context(model, card) | {
        "output_text": _output_text(card),
        "threshold": _threshold(card),
        "model_bytes": len(model),
        "arena_bytes": card.arena.measured_bytes if card.arena else None,
        "arena_size": f"{card.name.upper()}_ARENA_BYTES" if card.arena else str(UNMEASURED_ARENA_BYTES),
        "arena_text": _arena_text(card),
        "ops": [RESOLVER_METHODS[op] for op in summary.op_set if op in RESOLVER_METHODS],
        "unknown_ops": [comment_text(op) for op in summary.op_set if op not in RESOLVER_METHODS],
        "has_variables": "VAR_HANDLE" in summary.op_set,
    }


def _output_text(card: Card) -> str:
    if card.output == "sigmoid":
        return f"1 int8: the probability of label 1, '{comment_text(card.labels[1])}'"
    return f"{len(card.labels)} int8: one probability per label"


def _arena_text(card: Card) -> str:
    if card.arena is None:
        note = comment_text(card.arena_note or "not measured")
        return f"{note}; the example below reserves {UNMEASURED_ARENA_BYTES} bytes"
    arena = card.arena
    how = f"measured by {arena.runtime} with {arena.kernels} kernels on a {arena.word_bits}-bit host"
    smaller = "; 32-bit boards need less" if arena.word_bits == 64 else ""
    return comment_text(f"{arena.measured_bytes} bytes, {how}{smaller}")


def _threshold(card: Card) -> int:
    """The smallest int8 output whose probability is over 0.5; 128 if there is none."""
    values = np.arange(numerics.INT8_MIN, numerics.INT8_MAX + 1).astype(np.int8)
    over = numerics.probabilities(values, card.quantization.output) > 0.5
    return int(values[over][0]) if over.any() else numerics.INT8_MAX + 1


def _array_lines(model: bytes) -> Iterator[str]:
    for start in range(0, len(model), _BYTES_A_LINE):
        line = model[start : start + _BYTES_A_LINE].hex(",").replace(",", ", 0x")
        yield f"    0x{line},"
