"""The windows whose label changed, thinned out for a plot."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from edgecnn_bench.engines.protocol import Windows
from edgecnn_bench.gates import FLOAT_ENGINES, INT8_ENGINES
from edgecnn_bench.results import Parity, PlottedWindow
from edgecnn_firmware.card import Card

MOST_WINDOWS: Final = 12
MOST_SAMPLES: Final = 200
MOST_CHANNELS: Final = 4
_DIGITS: Final = 5
"""Significant digits: finer than any plot."""


def plotted(parity: Sequence[Parity], windows: Windows, card: Card) -> tuple[PlottedWindow, ...]:
    """Up to 12 windows that any two engines label differently, those of float against int8 first.

    Args:
        parity: of the report, in its order; its `changed` name the windows.
        windows: `(n, window_samples, channels)` in physical units.
        card: names the channels, of which the first 4 are kept.

    Returns:
        Each window once, every `sample_step`-th sample from the first, at most 200; windows with infinite samples are
        left out.
    """
    step = -(-card.input.window_samples // MOST_SAMPLES)
    kept = len(card.input.channels[:MOST_CHANNELS])
    found: list[PlottedWindow] = []
    for number in changed_windows(parity):
        if len(found) == MOST_WINDOWS:
            break
        samples = windows[number, ::step, :kept].T
        if np.isfinite(samples).all():
            found.append(
                PlottedWindow(
                    window=number,
                    sample_step=step,
                    samples=tuple(tuple(_rounded(value) for value in row) for row in samples.tolist()),
                    channels=tuple(channel.name for channel in card.input.channels[:kept]),
                )
            )
    return tuple(found)


def changed_windows(parity: Sequence[Parity]) -> tuple[int, ...]:
    """Numbers of windows whose label changed, each once: float against int8 first, else in the report's order."""

    def quantized(pair: Parity) -> bool:
        return pair.reference in FLOAT_ENGINES and pair.candidate in INT8_ENGINES

    ordered = sorted(parity, key=lambda pair: not quantized(pair))
    return tuple(dict.fromkeys(row.window for pair in ordered for row in pair.changed))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
