"""Matrices of counts with shades: confusion matrices, and who recorded how much of what."""

from collections.abc import Callable, Sequence
from typing import Final

from markupsafe import Markup

from edgecnn_bench.report.svg import Canvas, fit, text_width
from edgecnn_bench.report.text import clean, count, percent, real

MAX_DRAWN: Final = 40
"""Rows or columns beyond which a matrix cannot be read as a drawing."""
SCROLLED_FROM_PX: Final = 470.0
"""Matrices wider than this keep their size on a phone and scroll."""
_LABEL_PX: Final = 118.0
_STRONGEST: Final = 0.62
_CELL_PX: Final = ((7, 46.0), (10, 40.0), (14, 34.0), (24, 27.0))
_SMALLEST_CELL_PX: Final = 22.0

Shade = Callable[[int, int], tuple[float, str]]
"""(row, column) -> strength from 0 to 1, and the style of the color."""


def confusion_matrix(labels: Sequence[str], counts: Sequence[Sequence[int]], name: str) -> Markup:
    """Draw true classes as rows and predicted ones as columns, shaded by the share of the row."""
    totals = [max(real(sum(row)), 1.0) for row in counts]

    def shade(row: int, column: int) -> tuple[float, str]:
        return real(counts[row][column]) / totals[row], "s-int8" if row == column else "s-miss"

    return matrix(labels, labels, counts, shade, ("true class", "predicted class"), f"Confusion matrix of {name}")


def heat(
    rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]], titles: tuple[str, str]
) -> Markup:
    """Draw counts shaded by their share of the largest one."""
    largest = max((real(value) for row in counts for value in row), default=0.0) or 1.0
    label = f"Counts by {titles[0]} and {titles[1]}"
    return matrix(rows, columns, counts, lambda r, c: (real(counts[r][c]) / largest, "s-int8"), titles, label)


def matrix(
    rows: Sequence[str],
    columns: Sequence[str],
    counts: Sequence[Sequence[int]],
    shade: Shade,
    titles: tuple[str, str],
    label: str,
) -> Markup:
    """Draw a matrix of counts with named rows and columns; a zero is left empty."""
    cell = next((size for most, size in _CELL_PX if max(len(rows), len(columns)) <= most), _SMALLEST_CELL_PX)
    left = _label_room(rows) + 22
    upright = any(text_width(clean(name), 11) > cell - 4 for name in columns)
    top = 24 + (_label_room(columns) if upright else 16)
    canvas = Canvas(left + cell * len(columns) + 2, top + cell * len(rows) + 2, label)
    canvas.text((left, 12), f"{titles[1]} →", "t-tick")
    canvas.vertical_text((12, top + cell * len(rows)), f"← {titles[0]}", "t-tick")
    _names(canvas, rows, columns, (left, top, cell), upright=upright)
    for r, row in enumerate(rows):
        for c, column in enumerate(columns):
            strength, style = shade(r, c)
            x, y = left + c * cell, top + r * cell
            title = f"{row} → {column}: {count(counts[r][c])}"
            if style == "s-miss" or r == c:
                title += f" ({percent(min(strength, 1.0))} of the row)"
            _cell(canvas, (x, y, cell), counts[r][c], (strength, style), title)
    return canvas.markup("chart scrolled" if canvas.width > SCROLLED_FROM_PX else "chart")


def _label_room(names: Sequence[str]) -> float:
    return min(max((text_width(clean(name), 11) for name in names), default=0.0) + 8, _LABEL_PX)


def _names(
    canvas: Canvas, rows: Sequence[str], columns: Sequence[str], frame: tuple[float, float, float], *, upright: bool
) -> None:
    left, top, cell = frame
    for index, name in enumerate(rows):
        canvas.label_text((left - 8, top + (index + 0.5) * cell + 4), name, left - 28, "t-small", "end")
    for index, name in enumerate(columns):
        x = left + (index + 0.5) * cell
        if upright:
            canvas.vertical_text((x + 4, top - 7), fit(name, top - 34, 11), "t-small")
        else:
            canvas.text((x, top - 7), name, "t-small", "middle")


def _cell(canvas: Canvas, box: tuple[float, float, float], value: int, shade: tuple[float, str], title: str) -> None:
    x, y, size = box
    strength, style = shade
    if value <= 0:
        canvas.rect(x + 1, y + 1, size - 2, size - 2, "cell-empty", radius=2)
        return
    # A small share of a row matters: the exponent keeps 2 % visible; the upper limit keeps dark text readable on it.
    opacity = 0.05 + (_STRONGEST - 0.05) * min(max(strength, 0.0), 1.0) ** 0.7
    canvas.rect(x + 1, y + 1, size - 2, size - 2, f"fill {style}", opacity=opacity, radius=2, title=title)
    text = count(value)
    font = next(
        (style for width, style in ((12, "t-cell"), (10, "t-cell-s")) if text_width(text, width) <= size - 2),
        "t-cell-xs",
    )
    canvas.text((x + size / 2, y + size / 2 + 4), text, font, "middle")
