"""TensorFlow Lite Micro's own interpreter on this machine, from its Python package: a host build with reference kernels."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines.int8 import Int8Ends, Tensor
from edgecnn_bench.engines.protocol import Precision, RunOutputs, Tick, Window, Windows, chunk_windows
from edgecnn_bench.engines.quiet import quiet
from edgecnn_firmware.bundle import MODEL, Bundle
from edgecnn_firmware.errors import MissingDependency, ModelError
from edgecnn_firmware.tflite.model import Subgraph
from edgecnn_firmware.tflite.reader import read_model

ARENA_BYTES: Final = 1 << 27
"""Pages that the interpreter does not use are never touched, and cost nothing."""

_MODULE: Final = "tflite_micro"
_MISSING: Final = (
    "TensorFlow Lite Micro's Python package is not installed: pip install 'edgecnn[boards]' (Linux x86-64 only)"
)


@dataclass(frozen=True)
class TflmEngine:
    """The bundle's int8 file in TensorFlow Lite Micro, in this process."""

    key: str = "tflm"
    title: str = "TensorFlow Lite Micro, int8, host build, reference kernels"
    precision: Precision = "int8"
    file: str = MODEL
    needs_trial: bool = True

    def concerns(self, bundle: Bundle) -> bool:
        """Always: the report says why it did not run."""
        return True

    def available(self, bundle: Bundle) -> str | None:
        """Whether the package is installed."""
        return _MISSING if find_spec(_MODULE) is None else None

    def load(self, bundle: Bundle) -> "LoadedTflm":
        """Open the file in the interpreter; see `Engine.load`."""
        return LoadedTflm(open_tflm(bundle.model_bytes, MODEL), bundle)

    def run_model(self, model: bytes, inputs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """Run another int8 file in the same way; see `cut.RunsAnyModel`."""
        opened = open_tflm(model, MODEL)
        return np.stack([opened.run(window[np.newaxis]).reshape(-1) for window in inputs])


TFLM: Final = TflmEngine()


@dataclass(frozen=True)
class OpenTflm:
    """The interpreter, set up for a file."""

    interpreter: Any
    keeps_state: bool
    """Whether the network has variables: each window then starts from their first values."""

    def run(self, encoded: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """One input `(1, ...)` to its output `(1, ...)`."""
        if self.keeps_state:
            self.interpreter.reset()
        self.interpreter.set_input(encoded, 0)
        self.interpreter.invoke()
        # An array of its own, not a view of the arena.
        found: npt.NDArray[np.int8] = self.interpreter.get_output(0)
        return found


class LoadedTflm:
    """A model in the interpreter, with the bundle's numbers around it."""

    threads = 1

    def __init__(self, opened: OpenTflm, bundle: Bundle) -> None:
        self._opened, interpreter = opened, opened.interpreter
        into, out = interpreter.get_input_details(0), interpreter.get_output_details(0)
        self._ends = Int8Ends(bundle.card, _tensor(into, "input"), _tensor(out, "output"))

    def outputs(self, windows: Windows, tick: Tick) -> RunOutputs:
        """Run `(n, window_samples, channels)` one by one; the interpreter lets no other thread run meanwhile."""
        step = chunk_windows(self._ends.card)
        found = []
        for start in range(0, len(windows), step):
            encoded = self._ends.encode(windows[start : start + step])
            found.append(np.stack([self._opened.run(window[np.newaxis])[0] for window in encoded]))
            tick(min(start + step, len(windows)))
        return self._ends.outputs(found)

    def prepare(self, window: Window) -> Callable[[], object]:
        """Set the input; the returned call is `invoke` alone."""
        self._opened.interpreter.set_input(self._ends.encode(window)[np.newaxis], 0)
        invoke: Callable[[], object] = self._opened.interpreter.invoke
        return invoke

    def classify(self, window: Window) -> int:
        """One window in physical units to the number of its label."""
        return self._ends.label(self._opened.run(self._ends.encode(window)[np.newaxis])[0])


def open_tflm(model: bytes, name: str) -> OpenTflm:
    """An interpreter that is set up for a file.

    Raises:
        MissingDependency: the package is not installed.
        ModelError: the interpreter refuses the model, or it has several inputs or outputs.
    """
    if find_spec(_MODULE) is None:
        raise MissingDependency(_MISSING)
    # The package's own reader of files is not made for broken ones.
    graph = read_model(model, name).main
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ModelError(f"{name}: {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; expected one of each")
    with quiet():
        from tflite_micro.python.tflite_micro import runtime

        try:
            interpreter = runtime.Interpreter.from_bytes(model, arena_size=ARENA_BYTES)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"TensorFlow Lite Micro refuses the model: {error}") from error
    return OpenTflm(interpreter, _keeps_state(graph))


def _keeps_state(graph: Subgraph) -> bool:
    return any(op.code.name == "VAR_HANDLE" for op in graph.operators) or any(
        tensor.is_variable for tensor in graph.tensors
    )


def _tensor(details: Any, role: str) -> Tensor:
    quantization = details["quantization_parameters"]
    if len(quantization["scales"]) != 1 or len(quantization["zero_points"]) != 1:
        raise ModelError(f"the model's {role} has no single scale")
    shape = tuple(int(size) for size in details["shape"])
    return Tensor(
        np.dtype(details["dtype"]).name, shape, float(quantization["scales"][0]), int(quantization["zero_points"][0])
    )
