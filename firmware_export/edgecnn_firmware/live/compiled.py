"""The bundle's C classifier, built for this machine and called through ctypes."""

import ctypes
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.card import Card
from edgecnn_firmware.classifier.memory import drift_type, result_of, result_type
from edgecnn_firmware.classifier.monitor import ONE, STEP, Drift
from edgecnn_firmware.classifier.results import Result
from edgecnn_firmware.classifier.write import write_classifier
from edgecnn_firmware.errors import BundleError, ModelError
from edgecnn_firmware.host.compiler import find_compiler
from edgecnn_firmware.host.library import build_library
from edgecnn_firmware.host.recipe import Recipe, native_recipe
from edgecnn_firmware.live.engine import check_windows
from edgecnn_firmware.numerics import Int8

NEW_RESULT: Final = 1


class CompiledEngine:
    """A loaded library of the classifier. Its memory is inside it: one stream for each library that is loaded."""

    def __init__(self, library: ctypes.CDLL, card: Card, title: str) -> None:
        """Start anew.

        Raises:
            ModelError: the library's constants are damaged.
            AttributeError: it is no library of this classifier.
        """
        self.title = title
        self._channels = len(card.input.channels)
        self._result: Any = result_type(card.output_count, len(card.labels))()
        self._drift: Any = drift_type(self._channels)()
        self._sample = (ctypes.c_float * self._channels)()
        self._init, self._push, self._push_q, self._classify_q, self._monitor = (
            library[f"{card.name}_{name}"] for name in ("init", "push", "push_q", "classify_q", "monitor")
        )
        self._pointer = ctypes.byref(self._result)
        self.start()

    def start(self) -> None:
        """Forget all that came in.

        Raises:
            ModelError: the library's constants are damaged.
        """
        if self._init() != 0:
            raise ModelError(f"{self.title}: the network's constants are damaged")

    def push(self, values: Sequence[float]) -> Result | None:
        """Take a sample in physical units."""
        self._sample[:] = list(values)
        return result_of(self._result) if self._push(self._sample, self._pointer) == NEW_RESULT else None

    def push_quantized(self, sample: Int8) -> Result | None:
        """The same for a sample that is normalized and quantized already."""
        return result_of(self._result) if self._push_q(sample.tobytes(), self._pointer) == NEW_RESULT else None

    def run(self, window: Int8) -> Int8:
        """Outputs of one window `(window_samples, channels)`; the stream is as it was."""
        self._classify_q(window.tobytes(), self._pointer)
        return np.array(self._result.outputs, np.int8)

    def restart(self) -> None:
        """Empty the window, which is what NaN does; results before it stay in the smoothing."""
        self._sample[:] = [math.nan] * self._channels
        self._push(self._sample, self._pointer)

    def drift(self) -> tuple[Drift, ...] | None:
        """By channel."""
        if self._monitor(ctypes.byref(self._drift)) != 0:
            return None
        found = self._drift
        return tuple(
            Drift(found.samples, shift / STEP, spread / STEP, clipped / ONE)
            for shift, spread, clipped in zip(found.mean_shift, found.spread, found.clipped, strict=True)
        )


def build_engine(bundle: Bundle, recipe: Recipe | None = None) -> CompiledEngine:
    """Build the classifier with this machine's C compiler and load it.

    Args:
        bundle: its windows are the proof that the library is right.
        recipe: compiler, kernels and flags; the best of this processor where there is none.

    Raises:
        MissingDependency: there is no C compiler.
        BoardError: it fails.
        EdgeCnnError: the network does not compile, or a byte differs.
    """
    chosen = recipe or native_recipe(find_compiler())
    classifier = write_classifier(bundle.model_bytes, bundle.card, target=chosen.target)
    library = build_library(classifier.files, classifier.sources, chosen, name=classifier.name)
    engine = CompiledEngine(library, bundle.card, f"compiled C, {chosen.text}")
    return _checked(engine, bundle, keeps_state=bool(classifier.network.state_bytes))


def load_engine(bundle: Bundle, path: Path) -> CompiledEngine:
    """Load a library that was built before, such as one out of a package.

    Raises:
        BundleError: it cannot be loaded, or is not of this bundle.
    """
    try:
        library = ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        raise BundleError(f"{path}: cannot be loaded: {error}") from None
    name = bundle.card.name
    try:
        engine = CompiledEngine(library, bundle.card, f"compiled C, {path.name}")
    except AttributeError:
        raise BundleError(f"{path}: not a library of '{name}': it has no function {name}_push") from None
    # A network's own first-state function tells that it keeps state.
    return _checked(engine, bundle, keeps_state=hasattr(library, f"{name}_network_init"))


def _checked(engine: CompiledEngine, bundle: Bundle, *, keeps_state: bool) -> CompiledEngine:
    if not keeps_state:
        check_windows(engine.run, bundle, engine.title)
    engine.start()
    return engine
