"""What a card says, as C text that templates put into headers."""

import hashlib
import textwrap
from typing import Any, Final

from edgecnn_firmware.c_text import c_string, comment_text, float_literal
from edgecnn_firmware.card import Card

_COMMENT_WIDTH: Final = 112


def card_context(model: bytes, card: Card) -> dict[str, Any]:
    """Names, window, labels, normalization and quantization; texts are escaped for where they stand.

    Args:
        model: the int8 `.tflite` file.
        card: its text may hold any character.

    Raises:
        DataError: a constant does not fit float32.
    """
    quantization, rate_hz = card.quantization, card.input.sample_rate_hz
    return {
        "name": card.name,
        "upper": card.name.upper(),
        "version": card.version,
        "description": [comment_text(line) for line in textwrap.wrap(card.description, _COMMENT_WIDTH)],
        "window_samples": card.input.window_samples,
        "hop_samples": card.input.hop_samples,
        "rate": f"{rate_hz:g}" if card.input.rate_known else "",
        "rate_c": float_literal(rate_hz, "input.sample_rate_hz"),
        "seconds": f"{card.input.window_samples / rate_hz:.3g}",
        "channels": [
            comment_text(f"{channel.name} in {channel.unit}" if channel.unit else channel.name)
            for channel in card.input.channels
        ],
        "labels": [c_string(label) for label in card.labels],
        "label_comments": [comment_text(label) for label in card.labels],
        "outputs": card.output_count,
        "sha256": hashlib.sha256(model).hexdigest(),
        "input_scale": float_literal(quantization.input.scale, "quantization.input.scale"),
        "input_zero_point": quantization.input.zero_point,
        "output_scale": float_literal(quantization.output.scale, "quantization.output.scale"),
        "output_zero_point": quantization.output.zero_point,
        "offset": [float_literal(value, "normalization.offset") for value in card.normalization.offset],
        "gain": [float_literal(value, "normalization.gain") for value in card.normalization.gain],
    }
