"""Samples one by one to results: what `NAME_push` does, in Python."""

from collections.abc import Callable

import numpy as np

from edgecnn_firmware import numerics
from edgecnn_firmware.card import Card
from edgecnn_firmware.classifier.monitor import Monitor
from edgecnn_firmware.classifier.results import Result, Smoother
from edgecnn_firmware.errors import DataError
from edgecnn_firmware.numerics import Float32, Int8


class Stream:
    """Fills a window, applies the hop, classifies, smooths and debounces."""

    def __init__(self, card: Card, network: Callable[[Int8], Int8]) -> None:
        """Start with an empty window.

        Args:
            card: the bundle's.
            network: int8 input `(window_samples, channels)` to int8 outputs `(outputs,)`.
        """
        self._card = card
        self._network = network
        self._smoother = Smoother(card)
        self._window = np.zeros((card.input.window_samples, len(card.input.channels)), np.int8)
        self.monitor = Monitor(card)
        self.restart()

    def restart(self) -> None:
        """Empty the window; results before it stay in the smoothing."""
        self._next = 0
        self._missing = self._card.input.window_samples

    def push(self, sample: Float32) -> Result | None:
        """Take one sample, `(channels,)` in physical units; a result where it completes a window.

        Raises:
            DataError: a value is NaN; the window is empty then.
        """
        try:
            normalized = numerics.normalize(np.asarray(sample, np.float32), self._card.normalization)
            return self.push_quantized(numerics.quantize(normalized, self._card.quantization.input))
        except DataError:
            self.restart()
            raise

    def push_quantized(self, sample: Int8) -> Result | None:
        """The same for a sample that is normalized and quantized already."""
        self._window[self._next] = sample
        self.monitor.add(sample)
        self._next = (self._next + 1) % len(self._window)
        self._missing -= 1
        if self._missing:
            return None
        self._missing = self._card.input.hop_samples
        return self._smoother.add(self._network(np.roll(self._window, -self._next, axis=0)))
