"""Which parts hold the network: flash and RAM used by the compiled C as bars, by TFLite Micro as marks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from edgecnn_bench.report.svg import Canvas, Scale, text_width
from edgecnn_bench.report.text import clean, percent, real

MAX_ROWS: Final = 80
_NARROW_PX: Final = 500
_HEADER_PX: Final = 44.0
_ROW_PX: Final = 19.0
_STACKED_ROW_PX: Final = 34.0
_OVER_PX: Final = 34.0
_NAME_PX: Final = 330.0
_GAP_PX: Final = 26.0


@dataclass(frozen=True)
class FitRow:
    """One part; shares of its memory, None where not known."""

    name: str
    mark: str
    """`✓`, `✗` or `?`: the compiled C, or TFLite Micro where there is no compiled C."""
    flash: float | None
    ram: float | None
    other_flash: float | None = None
    other_ram: float | None = None


def fit_chart(rows: Sequence[FitRow], width: float, bar_name: str, mark_name: str) -> Markup:
    """Draw a row a part: two panels from 0 to 100 % of what the part has; what needs more ends in its percentage."""
    narrow = width < _NARROW_PX
    row_px = _STACKED_ROW_PX if narrow else _ROW_PX
    canvas = Canvas(width, _HEADER_PX + len(rows) * row_px + 22, "Flash and RAM used of each part")
    left = 0.0 if narrow else min(max((text_width(clean(row.name)) for row in rows), default=0.0) + 30, _NAME_PX)
    each = (width - left - _GAP_PX) / 2
    panels = [_panel(left + place * (each + _GAP_PX), each) for place in range(2)]
    bottom = _HEADER_PX + len(rows) * row_px
    _legend(canvas, bar_name, mark_name)
    for scale, title in zip(panels, ("flash used", "RAM used"), strict=True):
        _axis(canvas, scale, title, bottom)
    for index, row in enumerate(rows):
        y = _HEADER_PX + (index + 0.5) * row_px + (8 if narrow else 0)
        _name(canvas, row, y, left, narrow=narrow)
        _cell(canvas, row.name, row.flash, row.other_flash, panels[0], y)
        _cell(canvas, row.name, row.ram, row.other_ram, panels[1], y)
    return canvas.markup()


def _panel(x: float, width: float) -> Scale:
    return Scale(0.0, 1.0, x, x + width - _OVER_PX)


def _legend(canvas: Canvas, bar_name: str, mark_name: str) -> None:
    canvas.rect(0, 4, 16, 9, "fill s-int8", radius=2)
    canvas.text((22, 13), bar_name, "t-tick")
    if mark_name:
        x = 22 + text_width(bar_name, 11) + 18
        canvas.line((x, 2), (x, 15), "tick-mark")
        canvas.text((x + 7, 13), mark_name, "t-tick")


def _axis(canvas: Canvas, scale: Scale, title: str, bottom: float) -> None:
    canvas.text((scale.start, 33), title, "t-value")
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = scale(share)
        canvas.line((x, _HEADER_PX - 4), (x, bottom), "edge" if share == 1.0 else "grid")
        if share in {0.0, 0.5, 1.0}:
            canvas.text((x, bottom + 15), percent(share, 0), "t-tick", "start" if share == 0 else "middle")


def _name(canvas: Canvas, row: FitRow, y: float, left: float, *, narrow: bool) -> None:
    mark_style = {"✓": "t-good", "✗": "t-bad"}.get(row.mark, "t-tick")
    at = (0.0, y - 10) if narrow else (0.0, y + 4)
    canvas.text(at, row.mark, mark_style)
    canvas.label_text((16, at[1]), row.name, (canvas.width if narrow else left) - 26, "t-small halo")


def _cell(canvas: Canvas, name: str, share: float | None, other: float | None, scale: Scale, y: float) -> None:
    if share is None:
        canvas.text((scale.start + 4, y + 4), "not known", "t-tick")
    else:
        over = share > 1
        end = scale(share)
        title = f"{name}: {percent(real(share))}"
        canvas.rect(
            scale.start, y - 4.5, max(end - scale.start, 1.5), 9, f"fill {'s-bad' if over else 's-int8'}", title=title
        )
        if over:
            canvas.text(
                (canvas.width if scale.stop > canvas.width - 40 else scale.stop + 31, y + 4),
                over_text(share),
                "t-over",
                "end",
            )
    if other is not None:
        x = scale(other)
        canvas.line((x, y - 7), (x, y + 7), "tick-mark over" if other > 1 else "tick-mark")


def over_text(share: float) -> str:
    """Show how many times too much it is: '1.2×', '34×'."""
    value = min(real(share), 999.0)
    return f"{value:.0f}×" if value >= 9.95 else f"{max(value, 1.1):.1f}×"
