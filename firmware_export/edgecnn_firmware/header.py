"""The C header for TensorFlow Lite Micro users: the model as an array, and all that is needed to call it right."""

import hashlib
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from edgecnn_firmware import numerics
from edgecnn_firmware.card import Card
from edgecnn_firmware.tflite.inspect import ModelSummary

UNMEASURED_ARENA_BYTES: Final = 64 * 1024
"""What the snippet reserves where the arena was not measured; the header says so."""

_BYTES_A_LINE: Final = 24
_COMMENT_WIDTH: Final = 112

RESOLVER_METHODS: Final = {
    name: "Add" + "".join(part.capitalize() for part in name.split("_")).replace("2d", "2D")
    for name in (
        "ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO "
        "CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE DIV ELU "
        "EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER "
        "GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT "
        "LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PRELU "
        "QUANTIZE READ_VARIABLE REDUCE_MAX RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR ROUND RSQRT SHAPE "
        "SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE "
        "SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV UNPACK VAR_HANDLE WHILE ZEROS_LIKE"
    ).split()
} | {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "REVERSE_V2": "AddReverseV2",
    "SELECT_V2": "AddSelectV2",
    "SPLIT_V": "AddSplitV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}
"""Op -> method of `MicroMutableOpResolver` that adds it (tensorflow/lite/micro/micro_mutable_op_resolver.h)."""


def write_header(model: bytes, card: Card, summary: ModelSummary) -> str:
    """Write `NAME_model.h`, the same bytes for the same input.

    Args:
        model: the int8 `.tflite` file.
        card: names, labels, window, normalization and quantization; its text may hold any character.
        summary: the model's ops.
    """
    environment = _environment()
    context = _context(model, card, summary)
    snippet = environment.get_template("snippet.cpp.j2").render(context).splitlines()
    head = environment.get_template("model.h.j2").render(context, snippet=snippet)
    return "\n".join([head, *_array_lines(model), "};", "", f"#endif /* {card.name.upper()}_MODEL_H */", ""])


def snippet_of(header: str) -> str:
    """Take the usage snippet out of a header's opening comment."""
    lines = header[: header.index("*/")].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(" * How to call it")) + 2
    return "\n".join(line.removeprefix(" *").removeprefix("    ") for line in lines[start:]).strip() + "\n"


@cache
def _environment() -> Environment:
    # The output is C, not HTML: texts are escaped for C below.
    return Environment(  # noqa: S701
        loader=PackageLoader("edgecnn_firmware", "templates"), undefined=StrictUndefined, keep_trailing_newline=False
    )


def _context(model: bytes, card: Card, summary: ModelSummary) -> dict[str, Any]:
    upper = card.name.upper()
    arena = card.arena.measured_bytes if card.arena else None
    rate = card.input.sample_rate_hz if card.input.rate_known else None
    quantization = card.quantization
    return {
        "name": card.name,
        "upper": upper,
        "version": card.version,
        "description": [_comment(line) for line in textwrap.wrap(card.description, _COMMENT_WIDTH)],
        "window_samples": card.input.window_samples,
        "hop_samples": card.input.hop_samples,
        "rate": f"{rate:g}" if rate else "",
        "rate_c": _float(rate) if rate else "",
        "seconds": f"{card.input.window_samples / rate:.3g}" if rate else "",
        "channels": [{"name": _comment(c.name), "unit": _comment(c.unit)} for c in card.input.channels],
        "labels": [c_string(label) for label in card.labels],
        "label_comments": [_comment(label) for label in card.labels],
        "outputs": 1 if card.output == "sigmoid" else len(card.labels),
        "output_text": _output_text(card),
        "threshold": _threshold(card),
        "model_bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "arena_bytes": arena,
        "arena_size": f"{upper}_ARENA_BYTES" if arena else str(UNMEASURED_ARENA_BYTES),
        "arena_text": _arena_text(card),
        "ops": [RESOLVER_METHODS[op] for op in summary.op_set if op in RESOLVER_METHODS],
        "unknown_ops": [_comment(op) for op in summary.op_set if op not in RESOLVER_METHODS],
        "input_scale": _float(quantization.input.scale),
        "input_zero_point": quantization.input.zero_point,
        "output_scale": _float(quantization.output.scale),
        "output_zero_point": quantization.output.zero_point,
        "offset": [_float(value) for value in card.normalization.offset],
        "gain": [_float(value) for value in card.normalization.gain],
    }


def _output_text(card: Card) -> str:
    if card.output == "sigmoid":
        return f"1 int8: the probability of label 1, '{_comment(card.labels[1])}'"
    return f"{len(card.labels)} int8: one probability per label"


def _arena_text(card: Card) -> str:
    if card.arena is None:
        note = card.arena_note or "not measured"
        return f"{_comment(note)}; the example below reserves {UNMEASURED_ARENA_BYTES} bytes"
    arena = card.arena
    return (
        f"{arena.measured_bytes} bytes, measured by {arena.runtime} with {arena.kernels} kernels on a {arena.word_bits}-bit host"
        + ("; 32-bit boards need less" if arena.word_bits == 64 else "")
    )


def _threshold(card: Card) -> int:
    """The smallest int8 output whose probability is over 0.5; 128 if there is none."""
    values = np.arange(numerics.INT8_MIN, numerics.INT8_MAX + 1).astype(np.int8)
    over = numerics.probabilities(values, card.quantization.output) > 0.5
    return int(values[over][0]) if over.any() else numerics.INT8_MAX + 1


def _float(value: float) -> str:
    """A C float literal that reads back as the same float32."""
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _comment(text: str) -> str:
    """Make text harmless inside a C comment, on one line: no end of comment, no line splice, no trigraph."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return clean.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/").replace("??", "? ?")


def c_string(text: str) -> str:
    """A C string literal of the text in UTF-8, in plain ASCII whatever the text holds."""
    pieces = []
    for byte in text.encode("utf-8"):
        character = chr(byte)
        if character in '"\\?':
            pieces.append("\\" + character)
        elif 32 <= byte < 127:
            pieces.append(character)
        else:
            pieces.append(f"\\{byte:03o}")
    return '"' + "".join(pieces) + '"'


def _array_lines(model: bytes) -> Iterator[str]:
    literals = [f"{value:#04x}," for value in range(256)]
    for start in range(0, len(model), _BYTES_A_LINE):
        yield "    " + "".join([literals[value] for value in model[start : start + _BYTES_A_LINE]])
