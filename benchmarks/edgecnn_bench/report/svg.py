"""Drawing without a plotting library: an SVG canvas, axes' scales and ticks that people would choose.

Colors are classes of the style sheet (`report.css`), never values in the markup, so that one drawing serves light, dark
and print. All text is escaped here; callers pass names as they are.
"""

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final, Literal

from markupsafe import Markup

from edgecnn_bench.report.text import clean, cut, real

FONT_PX: Final = 12
HOVER_CHARACTERS: Final = 80
_SMALL_PX: Final = 11
_SMALL_STYLES: Final = ("t-tick", "t-small")
"""Styles of the style sheet with letters of that size."""
_NARROW_EM: Final = 0.6
_CAPITAL_EM: Final = 0.72
_WIDE_EM: Final = 1.05
_BROAD_EM: Final = 0.95
_BROAD: Final = frozenset("%@MWmw…→×+−±≈")

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]


def coordinate(value: float) -> str:
    """Write a coordinate to a tenth of a pixel, the same on every machine."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def text_width(text: str, font_px: float = FONT_PX) -> float:
    """Estimate the width of `text` in pixels, on the generous side; there are no font metrics to ask."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    broad = sum(character in _BROAD for character in text)
    capitals = sum(character.isupper() and character not in _BROAD for character in text)
    narrow = len(text) - wide - capitals - broad
    return font_px * (_NARROW_EM * narrow + _CAPITAL_EM * capitals + _BROAD_EM * broad + _WIDE_EM * wide)


def fit(text: str, width: float, font_px: float = FONT_PX) -> str:
    """Clean `text` and cut it so that it takes at most about `width` pixels."""
    line = clean(text)
    while len(line) > 1 and text_width(line, font_px) > width:
        line = cut(line, min(len(line) - 1, max(int(len(line) * width / text_width(line, font_px)), 1)))
    return line


@dataclass
class Canvas:
    """An SVG drawing in the making; coordinates are pixels, y grows downward."""

    width: float
    height: float
    label: str
    """What a screen reader says in place of the drawing."""
    parts: list[str] = field(default_factory=list)

    def rect(self, x: float, y: float, width: float, height: float, style: str, **more: object) -> None:
        """Draw a rectangle; more: `opacity` of the fill, `radius`, `title` shown on hover."""
        attributes = f'x="{coordinate(x)}" y="{coordinate(y)}" width="{_size(width)}" height="{_size(height)}"'
        if "opacity" in more:
            attributes += f' fill-opacity="{real(float(str(more["opacity"]))):.3f}"'
        if "radius" in more:
            attributes += f' rx="{coordinate(float(str(more["radius"])))}"'
        self._element("rect", attributes, style, str(more.get("title", "")))

    def line(self, start: Point, end: Point, style: str) -> None:
        """Draw a straight line."""
        x1, y1, x2, y2 = map(coordinate, (*start, *end))
        self._element("line", f'x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"', style)

    def circle(self, center: Point, radius: float, style: str, title: str = "") -> None:
        """Draw a dot."""
        x, y, r = map(coordinate, (*center, radius))
        self._element("circle", f'cx="{x}" cy="{y}" r="{r}"', style, title)

    def path(self, points: Sequence[Point], style: str, *, closed: bool = False) -> None:
        """Draw a polyline, or the polygon it encloses."""
        if points:
            steps = " ".join(f"{coordinate(x)},{coordinate(y)}" for x, y in points)
            self._element("polygon" if closed else "polyline", f'points="{steps}"', style)

    def strokes(self, segments: Sequence[tuple[Point, Point]], style: str) -> None:
        """Draw many straight lines as one element."""
        if segments:
            steps = "".join(
                f"M{coordinate(a)},{coordinate(b)}L{coordinate(c)},{coordinate(d)}" for (a, b), (c, d) in segments
            )
            self._element("path", f'd="{steps}"', style)

    def text(self, at: Point, text: str, style: str = "", anchor: Anchor = "start", title: str = "") -> None:
        """Write one line of text with its baseline at `at`."""
        x, y = map(coordinate, at)
        names = " ".join(filter(None, [style, "" if anchor == "start" else f"a-{anchor}"]))
        attributes = f'x="{x}" y="{y}"' + (f' class="{names}"' if names else "")
        hover = f"<title>{escape(clean(title, HOVER_CHARACTERS))}</title>" if title else ""
        self.parts.append(f"<text {attributes}>{hover}{escape(clean(text))}</text>")

    def label_text(self, at: Point, text: str, width: float, style: str = "", anchor: Anchor = "start") -> None:
        """Write a name of any length into `width` pixels; the whole name shows on hover if it had to be cut."""
        shown = fit(text, width, _SMALL_PX if style.startswith(_SMALL_STYLES) else FONT_PX)
        self.text(at, shown, style, anchor, title="" if shown == clean(text) else text)

    def vertical_text(self, at: Point, text: str, style: str = "") -> None:
        """Write text that climbs from `at`."""
        x, y = map(coordinate, at)
        attributes = f'transform="translate({x} {y}) rotate(-90)"' + (f' class="{style}"' if style else "")
        self.parts.append(f"<text {attributes}>{escape(clean(text))}</text>")

    def markup(self, style: str = "chart") -> Markup:
        """Finish: an `<svg>` element to be put into a page."""
        width, height = coordinate(self.width), coordinate(self.height)
        opening = (
            f'<svg class="{style}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" aria-label="{escape(clean(self.label, 600))}">'
        )
        return Markup(opening + "".join(self.parts) + "</svg>")  # noqa: S704 - every text above is escaped

    def _element(self, tag: str, attributes: str, style: str, title: str = "") -> None:
        inner = f"<title>{escape(clean(title, HOVER_CHARACTERS))}</title>" if title else ""
        self.parts.append(f'<{tag} class="{style}" {attributes}' + (f">{inner}</{tag}>" if inner else "/>"))


def _size(value: float) -> str:
    return coordinate(max(value, 0.0))


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` onto pixels from `start` to `stop`; what lies outside lands on the border."""

    low: float
    high: float
    start: float
    stop: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of `value`."""
        position: Callable[[float], float] = _log10 if self.logarithmic else real
        low, high = position(self.low), position(self.high)
        share = (position(value) - low) / (high - low) if high > low else 0.5
        return self.start + (self.stop - self.start) * min(max(share, 0.0), 1.0)

    def ticks(self, wanted: int) -> list[float]:
        """Choose about `wanted` round values inside the scale."""
        return log_ticks(self.low, self.high, wanted) if self.logarithmic else nice_ticks(self.low, self.high, wanted)


def nice_ticks(low: float, high: float, wanted: int) -> list[float]:
    """Choose about `wanted` multiples of 1, 2, 2.5 or 5 times a power of ten from `low` to `high`."""
    if not high > low:
        return [low]
    rough = (high - low) / max(wanted, 1)
    power = 10.0 ** math.floor(_log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if last - first > 10 * wanted:  # `low` is so far from 0 that steps this small cannot be told apart
        return [low, high]
    digits = max(2 - math.floor(_log10(step)), 0)
    return [round(index * step, digits) for index in range(first, last + 1)]


def log_ticks(low: float, high: float, wanted: int) -> list[float]:
    """Choose powers of ten from `low` to `high`, with their multiples 2 and 5 while there are few."""
    first, last = math.floor(_log10(low)), math.ceil(_log10(high))
    factors = (1, 2, 5) if last - first <= max(wanted // 2, 1) else (1,)
    stride = max(1, math.ceil((last - first) / max(wanted, 1)))
    tries = [
        [factor * 10.0**power for power in range(start, last + 1, stride) for factor in factors]
        for start in range(first, first + stride)
    ]
    inside = max(([value for value in row if low * 0.999 <= value <= high * 1.001] for row in tries), key=len)
    return inside if len(inside) > 1 else nice_ticks(low, high, wanted)


def _log10(value: float) -> float:
    return math.log10(max(value, 1e-12))
