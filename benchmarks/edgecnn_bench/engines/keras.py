"""The float Keras model: what was trained, before anything was quantized."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from edgecnn_bench.engines.protocol import Precision, RunOutputs, Tick, Window, Windows, chunk_windows
from edgecnn_bench.engines.quiet import quiet
from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import MAX_MODEL_BYTES, Bundle
from edgecnn_firmware.card import Card
from edgecnn_firmware.errors import MissingDependency, ModelError

_CPU: Final = "/CPU:0"
_INSTALL: Final = "TensorFlow is not installed: pip install 'edgecnn[train]'"


@dataclass(frozen=True)
class KerasEngine:
    """`model.keras` in TensorFlow on the CPU."""

    key: str = "keras"
    title: str = "Keras, float32"
    precision: Precision = "float32"
    file: str = "model.keras"

    needs_trial = False

    def concerns(self, bundle: Bundle) -> bool:
        """Every report says how the float model does, or why it was not run."""
        return True

    def available(self, bundle: Bundle) -> str | None:
        """Whether the file is there and TensorFlow is installed; imports nothing."""
        if self.file not in bundle.card.files:
            return f"{self.file} is not in the bundle"
        return _INSTALL if find_spec("tensorflow") is None else None

    def load(self, bundle: Bundle) -> "LoadedKeras":
        """Load the model in Keras' safe mode, which refuses code inside the file; see `Engine.load`."""
        bundle.read(self.file, MAX_MODEL_BYTES)  # checks that it is the file of the card
        try:
            with quiet():
                import keras
                import tensorflow as tf
        except ImportError as error:
            raise MissingDependency(_INSTALL) from error
        _use_one_thread(tf)
        try:
            with quiet(), tf.device(_CPU):
                model = keras.models.load_model(bundle.path / self.file, compile=False, safe_mode=True)
                return LoadedKeras(tf, model, bundle.card)
        except (OSError, TypeError, ValueError) as error:
            raise ModelError(f"{self.file}: Keras cannot load it: {error}") from error


def _use_one_thread(tensorflow: Any) -> None:
    """As the other engines; TensorFlow refuses once it has run anything, and then the report says how many it has."""
    try:
        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return


class LoadedKeras:
    """A Keras model, and its graph traced at batch 1 for timing: eager calls cost more than small networks do."""

    def __init__(self, tensorflow: Any, model: Any, card: Card) -> None:
        self._tensorflow = tensorflow
        self._model = model
        self._card = card
        shape = (1, card.input.window_samples, len(card.input.channels))

        def infer(batch: Any) -> Any:
            with tensorflow.device(_CPU):
                return model(batch, training=False)

        signature = tensorflow.TensorSpec(shape, tensorflow.float32)
        self._batch_of_one = tensorflow.function(infer).get_concrete_function(signature)

    @property
    def threads(self) -> int:
        """Threads inside one TensorFlow op; 0 in its settings stands for every core."""
        threads: int = self._tensorflow.config.threading.get_intra_op_parallelism_threads()
        return threads or os.cpu_count() or 1

    def outputs(self, windows: Windows, tick: Tick) -> RunOutputs:
        """Run `(n, window_samples, channels)` in chunks."""
        step = chunk_windows(self._card) if self._model.input_shape[0] is None else int(self._model.input_shape[0])
        found = []
        for start in range(0, len(windows), step):
            chunk = numerics.normalize(windows[start : start + step], self._card.normalization)
            with self._tensorflow.device(_CPU):
                found.append(np.asarray(self._model(chunk, training=False), np.float32))
            tick(min(start + step, len(windows)))
        probabilities = np.concatenate(found)
        return RunOutputs(probabilities, probabilities)

    def prepare(self, window: Window) -> Callable[[], object]:
        """Make the input tensor; the returned call runs the traced graph."""
        return partial(self._batch_of_one, self._tensor(window))

    def classify(self, window: Window) -> int:
        """One window in physical units to the number of its label."""
        probabilities = self._batch_of_one(self._tensor(window)).numpy()
        return int(numerics.decide(probabilities, self._card.output)[0])

    def _tensor(self, window: Window) -> Any:
        return self._tensorflow.constant(numerics.normalize(window[np.newaxis], self._card.normalization))
