"""Windows whose label changed, as small pictures: the signal and what the two engines said of it."""

from typing import Final

from markupsafe import Markup

from edgecnn_bench.report.svg import Canvas, Scale
from edgecnn_bench.report.text import percent, real
from edgecnn_bench.results import Changed, PlottedWindow

MAX_PLOTTED: Final = 12
WINDOW_PX: Final = 272.0
_CHANNELS: Final = 4
_MAX_POINTS: Final = 160
_PANEL_PX: Final = 34.0
_NAME_PX: Final = 64.0


def window_chart(plotted: PlottedWindow, changed: Changed, names: tuple[str, str]) -> Markup:
    """Draw the signal, a panel a channel, and below it the truth and what the two engines `names` said."""
    rows = plotted.samples[:_CHANNELS]
    signals = len(rows) * (_PANEL_PX + 4)
    label = f"Window {plotted.window}: {changed.truth}, {changed.reference} or {changed.candidate}"
    canvas = Canvas(WINDOW_PX, signals + 74, label)
    for place, samples in enumerate(rows):
        name = plotted.channels[place] if place < len(plotted.channels) else ""
        _panel(canvas, samples, name, place * (_PANEL_PX + 4))
    y = signals + 15.0
    canvas.text((0, y), "truth", "t-tick")
    canvas.label_text((_NAME_PX, y), changed.truth, WINDOW_PX - _NAME_PX, "t-value")
    said = (changed.reference, changed.reference_probability), (changed.candidate, changed.candidate_probability)
    for place, (label, probability) in enumerate(said):
        style = ("s-float", "s-int8")[place]
        _said(canvas, names[place], label, probability, changed.truth, y + 23 + 26 * place, style)
    return canvas.markup("chart window")


def _panel(canvas: Canvas, samples: tuple[float, ...], name: str, top: float) -> None:
    step = -(-len(samples) // _MAX_POINTS) or 1
    values = [real(value) for value in samples[::step]]
    low, high = min(values, default=0.0), max(values, default=1.0)
    across = Scale(0.0, max(len(values) - 1, 1), _NAME_PX, WINDOW_PX - 2)
    up = Scale(low, high, top + _PANEL_PX - 2, top + 2)
    canvas.rect(_NAME_PX, top, WINDOW_PX - _NAME_PX, _PANEL_PX, "cell-empty")
    canvas.label_text((0, top + _PANEL_PX / 2 + 4), name, _NAME_PX - 8, "t-small")
    canvas.path([(across(place), up(value)) for place, value in enumerate(values)], "curve thin s-ink")


def _said(canvas: Canvas, who: str, label: str, probability: float, truth: str, y: float, style: str) -> None:
    """One engine's label with a bar as long as its probability."""
    right, room = label == truth, WINDOW_PX - _NAME_PX
    canvas.label_text((0, y), who, _NAME_PX - 4, "t-tick")
    canvas.label_text((_NAME_PX, y), f"{'✓' if right else '✗'} {label}", room - 40, "t-good" if right else "t-bad")
    canvas.text((WINDOW_PX, y), percent(probability, 0), "t-tick", "end")
    canvas.rect(_NAME_PX, y + 5, room, 4, "fill s-track", radius=2)
    canvas.rect(_NAME_PX, y + 5, max(room * min(real(probability), 1.0), 1.0), 4, f"fill {style}", radius=2)
