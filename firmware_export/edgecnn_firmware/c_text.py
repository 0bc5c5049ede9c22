"""Text and numbers as C source: safe whatever they hold, the same value when a compiler reads them back."""

import re
from typing import Final

import numpy as np

from edgecnn_firmware.errors import DataError

_COMMENT_MARKS: Final = re.compile(r"(?<=\*)(?=/)|(?<=/)(?=\*)|(?<=\?)(?=\?)")
"""Between the characters that end a comment, look like the start of one, or begin a trigraph."""


def comment_text(text: str) -> str:
    """Make text harmless inside a block comment, on one line; letters of any script stay readable.

    No end of the comment, no start of another, no line splice, no trigraph, no control or direction mark.
    """
    clean = "".join(character if character.isprintable() else " " for character in text)
    return _COMMENT_MARKS.sub(" ", clean.replace("\\", "/"))


def c_string(text: str) -> str:
    """A C string literal of the text in UTF-8, in plain ASCII whatever the text holds."""
    pieces = []
    for byte in text.encode("utf-8", "replace"):
        character = chr(byte)
        if character in '"\\?':
            pieces.append("\\" + character)
        elif 32 <= byte < 127:
            pieces.append(character)
        else:
            # Three octal digits end by themselves; a hexadecimal escape would go on into the next character.
            pieces.append(f"\\{byte:03o}")
    return '"' + "".join(pieces) + '"'


def float_literal(value: float, what: str) -> str:
    """A C float literal that reads back as the float32 nearest to `value`; `what` names it in errors.

    Nine significant digits tell all float32 apart.

    Raises:
        DataError: float32 cannot hold the value.
    """
    with np.errstate(over="ignore", under="ignore"):
        single = float(np.float32(value))
    if not np.isfinite(single):
        raise DataError(f"{what} = {value!r}: does not fit float32 (up to 3.4e38), which the board computes in")
    text = f"{single:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"
