"""Numbers and untrusted names as text, the same in every form of the report.

Names (labels, groups, boards, notes) come from people's files: any Unicode, any length. `clean` makes one harmless line
of them; escaping for HTML, SVG or Markdown is left to the form that shows them.
"""

import math
import unicodedata
from collections.abc import Sequence
from typing import Final, TypeVar

MAX_NAME_CHARACTERS: Final = 240
NO_VALUE: Final = "–"
MINUS: Final = "−"
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

LARGEST: Final = 1e300
_KIB: Final = 1024
_HUGE: Final = 1e15
# Characters that turn the reading direction of the text around them; plain right-to-left letters need none of them.
_DIRECTION_CONTROLS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Item = TypeVar("Item")


def clean(text: object, limit: int = MAX_NAME_CHARACTERS) -> str:
    """Make one line of at most `limit` characters that is valid in XML and cannot reorder the text around it."""
    line = " ".join("".join(_clean_character(character) for character in str(text)[: 4 * limit]).split())
    return cut(line, limit)


def cut(text: str, limit: int) -> str:
    """Shorten to `limit` characters, the last one an ellipsis, and leave no half of a combined character behind."""
    if len(text) <= limit:
        return text
    kept = text[: max(limit - 1, 0)]
    while kept and (unicodedata.combining(kept[-1]) or kept[-1] == "\u200d"):
        kept = kept[:-1]
    return kept.rstrip() + "…"


def _clean_character(character: str) -> str:
    if character.isspace():
        return " "
    code = ord(character)
    is_no_character = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    if unicodedata.category(character) in {"Cc", "Cs"} or is_no_character or character in _DIRECTION_CONTROLS:
        return REPLACEMENT
    return character


def head(rows: Sequence[Item], limit: int) -> tuple[Sequence[Item], int]:
    """Return the first `limit` rows and how many were left off."""
    return rows[:limit], max(len(rows) - limit, 0)


def real(value: float) -> float:
    """Convert to a float that can be reckoned with: an untrusted report may hold integers beyond any float."""
    return float(max(min(value, LARGEST), -LARGEST))


def number(value: float, digits: int = 3) -> str:
    """Show a number with `digits` significant digits, thousands grouped, and no exponent where one can do without."""
    value = real(value)
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < _HUGE:
        return _signed(f"{value:.{digits - 1}e}")
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:,.{decimals}f}"
    return _signed(text.rstrip("0").rstrip(".") if "." in text else text)


def exact(value: float) -> str:
    """Show a number as JSON writes it: the shortest text that reads back as the same number."""
    return repr(value)


def count(value: int) -> str:
    """Show a whole number with thousands grouped."""
    return _signed(f"{value:,}") if abs(value) < _HUGE else number(value)


def plural(value: int, singular: str, many: str = "") -> str:
    """Show a count with its noun."""
    return f"{count(value)} {singular if value == 1 else many or singular + 's'}"


def percent(fraction: float, decimals: int = 1) -> str:
    """Show a fraction in percent; what is not quite 0 % or 100 % never reads as if it were."""
    text = f"{100 * fraction:.{decimals}f}"
    step = 10.0**-decimals
    if fraction > 0 and float(text) == 0:
        return f"<{step:.{decimals}f} %"
    if fraction < 1 and float(text) == 100:
        return f">{100 - step:.{decimals}f} %"
    return _signed(f"{text} %")


def points(fraction: float) -> str:
    """Show a difference of two fractions in percentage points, with its sign."""
    value = round(100 * fraction, 2)
    if value == 0:
        return "0"
    return f"{'+' if value > 0 else MINUS}{abs(value):.2f}".rstrip("0").rstrip(".")


def byte_count(value: int) -> str:
    """Show bytes to the byte."""
    return f"{count(value)} B"


def byte_size(value: float) -> str:
    """Show bytes in the unit in which data sheets state them: B, KiB or MiB."""
    value = real(value)
    if abs(value) < _KIB:
        return f"{number(value)} B"
    if abs(value) < _KIB * _KIB:
        return f"{number(value / _KIB)} KiB"
    return f"{number(value / _KIB / _KIB)} MiB"


def duration(value_us: float) -> str:
    """Show a time given in microseconds, in the unit that suits it."""
    if abs(value_us) < 1e3:
        return f"{number(value_us)} µs"
    if abs(value_us) < 1e6:
        return f"{number(value_us / 1e3)} ms"
    return f"{number(value_us / 1e6)} s"


def operations(value: float) -> str:
    """Show a number of multiply-accumulates: 930, 412 k, 1.3 M."""
    value = real(value)
    for unit, size in ((" G", 1e9), (" M", 1e6), (" k", 1e3)):
        if abs(value) >= size:
            return number(value / size) + unit
    return number(value)


def p_value(value: float) -> str:
    """Show the p-value of a test; what is below a thousandth only as such."""
    return "p < 0.001" if value < 1e-3 else f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def listing(items: Sequence[str], limit: int = 6) -> str:
    """Join names to one phrase: 'a, b and c', or 'a, b and 7 more' beyond `limit`."""
    shown, left_off = head(list(items), limit)
    words = [*shown, f"{left_off} more"] if left_off else list(shown)
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _signed(text: str) -> str:
    return MINUS + text[1:] if text.startswith("-") else text
