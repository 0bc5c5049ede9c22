"""What classifies: the compiled C of this machine, or an interpreter, with the same numbers."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.classifier.monitor import Drift
from edgecnn_firmware.classifier.results import Result
from edgecnn_firmware.classifier.stream import Stream
from edgecnn_firmware.errors import DataError, ModelError
from edgecnn_firmware.live.interpreter import Interpreter
from edgecnn_firmware.numerics import Int8

CHECKED_WINDOWS: Final = 4


class Engine(Protocol):
    """Samples one by one to results."""

    title: str

    def push(self, values: Sequence[float]) -> Result | None:
        """Take a sample in physical units; a result where it completes a window. NaN empties the window."""

    def restart(self) -> None:
        """Empty the window: samples are missing."""

    def drift(self) -> tuple[Drift, ...] | None:
        """By channel; None without training statistics or samples."""


class InterpreterEngine:
    """The Python definition of the classifier around an interpreter."""

    def __init__(self, bundle: Bundle) -> None:
        """Load the bundle's model.

        Raises:
            MissingDependency: no interpreter is installed.
            ModelError: the interpreter refuses the model, or gives other bytes than the bundle promises.
        """
        self._network = network = Interpreter(bundle.model_bytes, bundle.card)
        self.title = f"{network.title}, reference kernels"
        if not network.keeps_state:
            check_windows(network.run, bundle, network.title)
        self._stream = Stream(bundle.card, network.run)

    def push(self, values: Sequence[float]) -> Result | None:
        """As the compiled one."""
        with np.errstate(over="ignore"):
            sample = np.array(values, np.float64).astype(np.float32)
        try:
            return self._stream.push(sample)
        except DataError:
            return None

    def push_quantized(self, sample: Int8) -> Result | None:
        """The same for a sample that is normalized and quantized already."""
        return self._stream.push_quantized(sample)

    def restart(self) -> None:
        """Empty the window."""
        self._stream.restart()

    def drift(self) -> tuple[Drift, ...] | None:
        """By channel."""
        return self._stream.monitor.drift()


def check_windows(run: Callable[[Int8], Int8], bundle: Bundle, title: str) -> None:
    """Run a few of the bundle's windows and compare.

    Raises:
        ModelError: a byte differs.
    """
    vectors = bundle.vectors()
    for index, (window, wanted) in enumerate(zip(vectors.inputs, vectors.outputs, strict=True)):
        if index == CHECKED_WINDOWS:
            return
        if not np.array_equal(run(window), wanted):
            raise ModelError(f"{title}: window {index} gives other bytes than the bundle promises; it is not used")
