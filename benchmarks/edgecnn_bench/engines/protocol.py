"""What every engine is: something that may be loaded from a bundle and then turns windows into class probabilities."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.card import Card, TensorQuantization
from edgecnn_firmware.errors import ModelError

Precision: TypeAlias = Literal["float32", "float16", "dynamic", "int16x8", "int8"]

Windows: TypeAlias = npt.NDArray[np.float32]
"""`(n, window_samples, channels)` in physical units."""

Window: TypeAlias = npt.NDArray[np.float32]
"""`(window_samples, channels)` in physical units."""

Probabilities: TypeAlias = npt.NDArray[np.float32]
"""`(n, outputs)`: one probability per label, or the one of `labels[1]`."""

Tick: TypeAlias = Callable[[int], None]
"""Receives how many windows are done."""

_CHUNK_VALUES: Final = 1 << 18
"""Input values per chunk: the first layer's activations of a chunk stay near 100 MB even with 100 filters."""


@dataclass(frozen=True)
class RunOutputs:
    """What an engine gave for `n` windows."""

    raw: npt.NDArray[Any]
    """`(n, outputs)` as they leave the engine: int8, int16 or float32."""
    probabilities: Probabilities
    quantization: TensorQuantization | None = None
    """Of `raw`, where it is int8."""


class LoadedEngine(Protocol):
    """An engine that holds the model and is ready to run it."""

    @property
    def threads(self) -> int:
        """Threads that one call may use."""

    def outputs(self, windows: Windows, tick: Tick) -> RunOutputs:
        """Run all windows; `tick` is told how many are done."""

    def prepare(self, window: Window) -> Callable[[], object]:
        """Make the window ready as the engine's input and return the engine's call alone, for timing."""

    def classify(self, window: Window) -> int:
        """One window in physical units to the number of its label: everything an application does."""


@runtime_checkable
class SelfTimed(Protocol):
    """A loaded engine that times its calls itself, because it runs where this process' clock would time the way, too."""

    def turn(self, windows: Windows, calls: int) -> tuple[list[int], list[int]]:
        """Time `calls` calls on `windows`, from the first on and around, after one that is not timed.

        Returns:
            Nanoseconds of each engine's call alone, and of as many calls from a window in physical units to its label.

        Raises:
            EdgeCnnError: the engine cannot be timed any more.
        """


class Engine(Protocol):
    """A way to run one of the bundle's files; constructing it is cheap and imports nothing heavy."""

    @property
    def key(self) -> str:
        """Short unique name, such as `litert-reference`."""

    @property
    def title(self) -> str:
        """Name for people."""

    @property
    def precision(self) -> Precision:
        """Of the file's arithmetic."""

    @property
    def file(self) -> str:
        """Name of the file inside the bundle."""

    @property
    def needs_trial(self) -> bool:
        """Whether native code that a bad file can crash runs it, so that it is tried in a process of its own first."""

    def concerns(self, bundle: Bundle) -> bool:
        """Whether a report on this bundle has a row for the engine even if nobody asked for it by name."""

    def available(self, bundle: Bundle) -> str | None:
        """Why the engine cannot run here; None where it can."""

    def load(self, bundle: Bundle) -> LoadedEngine:
        """Load the model.

        Raises:
            EdgeCnnError: the file does not suit the engine, or something is not installed.
        """


@dataclass(frozen=True)
class EngineRun:
    """An engine's outputs on the bundle's windows, and the labels they mean."""

    key: str
    outputs: RunOutputs
    predicted: npt.NDArray[np.int64]
    """`(n,)` label numbers."""


def decided(key: str, outputs: RunOutputs, windows: int, card: Card) -> EngineRun:
    """Check the outputs' shape and values and decide the labels.

    Raises:
        ModelError: not one row a window, not as many outputs as the card says, or values that are not finite.
    """
    expected = (windows, card.output_count)
    if outputs.probabilities.shape != expected:
        raise ModelError(f"engine '{key}': outputs of shape {outputs.probabilities.shape}; the card says {expected}")
    finite = np.isfinite(outputs.probabilities).all(axis=1)
    if not finite.all():
        raise ModelError(f"engine '{key}': window {int(np.argmin(finite))} gives outputs that are not finite")
    return EngineRun(key, outputs, numerics.decide(outputs.probabilities, card.output))


def chunk_windows(card: Card) -> int:
    """How many windows to hold in memory at once."""
    values = card.input.window_samples * len(card.input.channels)
    return max(1, min(256, _CHUNK_VALUES // values))
