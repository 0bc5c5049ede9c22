"""Engines that are a `.tflite` file in an interpreter: LiteRT where it is installed, else what stands in for it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines.batch import run_windows
from edgecnn_bench.engines.interpreter import (
    Kernels,
    LoadedInterpreter,
    Package,
    best_package,
    open_interpreter,
    title_of,
    unusable,
    why_no_interpreter,
)
from edgecnn_bench.engines.protocol import Precision, Tick
from edgecnn_firmware.bundle import MAX_MODEL_BYTES, MODEL, Bundle
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.progress import Progress, silent

_CHUNK: Final = 256


@dataclass(frozen=True)
class InterpreterEngine:
    """One `.tflite` file with one set of kernels."""

    key: str
    how: str
    """The kernels or the precision, for the title."""
    precision: Precision = "int8"
    file: str = MODEL
    kernels: Kernels = "default"
    package: Package | None = None
    """The interpreter package; the best one installed if None."""

    needs_trial = True

    @property
    def title(self) -> str:
        """Runtime and kernels."""
        return f"{title_of(self.package or best_package())}, {self.how}"

    def concerns(self, bundle: Bundle) -> bool:
        """Variants where the bundle has them; a named package where it is installed and not used anyway."""
        if self.package is not None:
            return self.package != best_package() and "not installed" not in (unusable(self.package) or "")
        return self.file == MODEL or self.file in bundle.card.files

    def available(self, bundle: Bundle) -> str | None:
        """Whether there is an interpreter and the file."""
        if self.package is not None and (reason := unusable(self.package)):
            return reason
        if reason := why_no_interpreter():
            return reason
        return None if self.file in bundle.card.files else f"{self.file} is not in the bundle"

    def load(self, bundle: Bundle) -> LoadedInterpreter:
        """Open the file in the interpreter; see `Engine.load`."""
        model = bundle.read(self.file, MAX_MODEL_BYTES)
        return LoadedInterpreter(partial(open_interpreter, model, self.kernels, self.package), bundle.card)

    def run_model(self, model: bytes, inputs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """Run another int8 file on this engine's kernels; see `cut.RunsAnyModel`."""
        return run_int8(partial(open_interpreter, model, self.kernels, self.package), inputs)


LITERT_ENGINES: Final = (
    InterpreterEngine("litert", "int8, default kernels, 1 thread"),
    InterpreterEngine("litert-reference", "int8, reference kernels", kernels="reference"),
    InterpreterEngine("litert-builtin", "int8, optimized kernels without XNNPACK, 1 thread", kernels="builtin"),
    InterpreterEngine("litert-float32", "float32, 1 thread", "float32", "model_float32.tflite"),
    InterpreterEngine("litert-float16", "float16 weights, 1 thread", "float16", "model_float16.tflite"),
    InterpreterEngine("litert-dynamic", "int8 weights, float activations, 1 thread", "dynamic", "model_dynamic.tflite"),
    InterpreterEngine("litert-int16x8", "int16 activations, int8 weights", "int16x8", "model_int16x8.tflite"),
)


def reference_outputs(model: bytes, inputs: npt.NDArray[np.int8], progress: Progress = silent) -> npt.NDArray[np.int8]:
    """Run int8 inputs `(n, window_samples, channels)` through the reference kernels; outputs are int8 `(n, outputs)`.

    Raises:
        MissingDependency: no `.tflite` interpreter is installed.
        ModelError: the interpreter refuses the model, or it does not take int8 `(1, window_samples, channels)`.
        ValueError: there are no inputs.
    """
    return run_int8(
        partial(open_interpreter, model, "reference"),
        inputs,
        lambda done: progress("reference outputs", done, len(inputs)),
    )


def run_int8(
    open_one: Callable[[], Any], inputs: npt.NDArray[np.int8], tick: Tick = lambda _: None
) -> npt.NDArray[np.int8]:
    """Run int8 inputs through interpreters of one int8 model; as `reference_outputs`."""
    interpreter = open_one()
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
    expected = (1, *inputs.shape[1:])
    if tuple(into["shape"]) != expected or into["dtype"] != np.int8 or out["dtype"] != np.int8:
        found = f"{np.dtype(into['dtype'])} {tuple(map(int, into['shape']))}"
        raise ModelError(f"the model's input is {found}; expected int8 {expected} and int8 outputs")
    chunks = (inputs[start : start + _CHUNK] for start in range(0, len(inputs), _CHUNK))
    return run_windows(interpreter, open_one, chunks, len(inputs), tick)
