"""Where the rows of a chart go: names left of the plot, or above their rows on a phone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from edgecnn_bench.report.svg import Canvas, Scale, fit, text_width
from edgecnn_bench.report.text import clean, number

_STACKED_BELOW_PX: Final = 420


@dataclass(frozen=True)
class Rows:
    """Where named rows go: names to the left of the plot, or above it where the chart is narrow."""

    width: float
    gutter: float
    row_height: float
    right: float

    @property
    def stacked(self) -> bool:
        """Whether names stand above their rows."""
        return self.gutter == 0

    def plot(self) -> tuple[float, float]:
        """Return the left and the right end of the plot in pixels."""
        return max(self.gutter, 4.0), self.width - self.right

    def middle(self, index: int) -> float:
        """Return the height in pixels of a row's middle."""
        return index * self.row_height + (30.0 if self.stacked else self.row_height / 2)


def lay_out(names: Sequence[str], width: float, row_height: float, right: float = 14.0) -> Rows:
    """Choose where rows of these names go."""
    if width < _STACKED_BELOW_PX:
        return Rows(width, 0.0, row_height + 14.0, min(right, 14.0))
    longest = max((text_width(clean(name), 12.5) for name in names), default=0.0)
    return Rows(width, min(longest + 14.0, width * 0.34), row_height, right)


def row_name(canvas: Canvas, rows: Rows, index: int, name: str, value_text: str = "", under: str = "") -> None:
    """Write a row's name, `under` it a second line; its value too where the name stands above the row."""
    y = rows.middle(index)
    if not rows.stacked:
        canvas.label_text((rows.gutter - 12, y + (-3 if under else 4)), name, rows.gutter - 12, "t-name", "end")
        if under:
            canvas.label_text((rows.gutter - 12, y + 12), under, rows.gutter - 12, "t-tick", "end")
        return
    room = rows.width - (text_width(value_text) + 10 if value_text else 0)
    # What tells two rows of one name apart must not be what is cut.
    shown = f"{fit(name, room - text_width(under) - 14)}, {under}" if under else name
    canvas.label_text((0, y - 15), shown, room, "t-name")
    if value_text:
        canvas.text((rows.width, y - 15), value_text, "t-value", "end")


def value_axis(canvas: Canvas, scale: Scale, top: float, bottom: float, show: Callable[[float], str]) -> None:
    """Draw an axis under the plot with its upright lines."""
    wanted = max(int((scale.stop - scale.start) / 90), 2)
    last_end = -1e9
    for tick in scale.ticks(wanted):
        x, text = scale(tick), show(tick)
        canvas.line((x, top), (x, bottom), "grid")
        half = text_width(text, 11) / 2
        center = min(max(x, half), canvas.width - half)
        if center - half > last_end + 6:
            canvas.text((center, bottom + 16), text, "t-tick", "middle")
            last_end = center + half


def byte_ticks(tallest: float) -> list[float]:
    """Choose round numbers of bytes or KiB up to `tallest`."""
    unit = 1024.0 if tallest >= 2048 else 1.0
    return [tick * unit for tick in Scale(0, tallest / unit, 0, 1).ticks(4)]


def byte_tick(value: float) -> str:
    """Show bytes at a tick."""
    return f"{number(value / 1024)} KiB" if value >= 1024 else f"{number(value)} B"
