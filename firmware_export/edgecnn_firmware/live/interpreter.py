"""The `.tflite` interpreter of this environment with the reference kernels, whose bytes are the bundle's."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from edgecnn_firmware.card import Card
from edgecnn_firmware.errors import MissingDependency, ModelError
from edgecnn_firmware.numerics import Int8

_MODULES: Final = {"ai_edge_litert": "LiteRT", "tflite_runtime": "TFLite Runtime"}


class Interpreter:
    """A loaded model."""

    def __init__(self, model: bytes, card: Card) -> None:
        """Load it.

        Raises:
            MissingDependency: no interpreter is installed.
            ModelError: the interpreter refuses the model, or it is not the card's.
        """
        module = next((name for name in _MODULES if find_spec(name) is not None), None)
        if module is None:
            raise MissingDependency("no .tflite interpreter is installed: pip install ai-edge-litert")
        self.title = _MODULES[module]
        library: Any = import_module(f"{module}.interpreter")
        try:
            self._interpreter = library.Interpreter(
                model_content=model,
                num_threads=1,
                experimental_op_resolver_type=library.OpResolverType.BUILTIN_REF,
            )
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self.title} refuses the model: {error}") from None
        taken, made = self._interpreter.get_input_details()[0], self._interpreter.get_output_details()[0]
        self._input, self._output = taken["index"], made["index"]
        self._shape = tuple(int(size) for size in taken["shape"])
        _check("input", taken, card.input.window_samples * len(card.input.channels))
        _check("output", made, card.output_count)
        self.keeps_state = keeps_state(self._interpreter)
        """Whether a window's outputs depend on those before it."""

    def run(self, window: Int8) -> Int8:
        """`(window_samples, channels)` to `(outputs,)`."""
        self._interpreter.set_tensor(self._input, window.reshape(self._shape))
        self._interpreter.invoke()
        outputs: Int8 = self._interpreter.get_tensor(self._output).reshape(-1)
        return outputs


def _check(role: str, tensor: dict[str, Any], elements: int) -> None:
    shape, dtype = tuple(int(size) for size in tensor["shape"]), np.dtype(tensor["dtype"])
    if int(np.prod(shape)) != elements or dtype != np.int8:
        raise ModelError(f"the model's {role} is {dtype} {shape}; the card says {elements} int8 values")


def keeps_state(interpreter: Any) -> bool:
    """Whether an interpreter's model has variables. Its `reset_all_variables` does not give them their first values."""
    details = getattr(interpreter, "_get_ops_details", list)
    return any(op["op_name"] == "VAR_HANDLE" for op in details())
