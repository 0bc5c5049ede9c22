"""The `.tflite` interpreter of this environment, whichever package brings it, and a loaded model in it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines.batch import run_windows
from edgecnn_bench.engines.protocol import RunOutputs, Tick, Window, Windows, chunk_windows
from edgecnn_bench.engines.quiet import quiet
from edgecnn_firmware import numerics
from edgecnn_firmware.card import Card, TensorQuantization
from edgecnn_firmware.errors import MissingDependency, ModelError

Kernels: TypeAlias = Literal["default", "reference", "builtin"]
"""`default`: XNNPACK where it applies; `reference`: plain kernels; `builtin`: optimized kernels without XNNPACK."""

Package: TypeAlias = Literal["ai-edge-litert", "tflite-runtime", "tensorflow"]

_MODULE_OF: Final[dict[Package, str]] = {
    "ai-edge-litert": "ai_edge_litert",
    "tflite-runtime": "tflite_runtime",
    "tensorflow": "tensorflow",
}
_RESOLVER_OF: Final[dict[Kernels, str]] = {
    "default": "AUTO",
    "reference": "BUILTIN_REF",
    "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
}


def unusable(package: Package) -> str | None:
    """Why an interpreter package cannot be used here; None where it can. Imports nothing."""
    if find_spec(_MODULE_OF[package]) is None:
        return f"{package} is not installed"
    if package == "tflite-runtime" and int(np.__version__.split(".")[0]) >= 2:
        return f"tflite-runtime needs numpy < 2: it crashes the process under the numpy {np.__version__} installed here"
    return None


def best_package() -> Package | None:
    """The interpreter to use: LiteRT, else tflite-runtime, else the one inside TensorFlow."""
    return next((package for package in _MODULE_OF if unusable(package) is None), None)


def why_no_interpreter() -> str | None:
    """Why there is no interpreter to use; None where there is one."""
    if best_package() is not None:
        return None
    reasons = [unusable(package) or "" for package in _MODULE_OF if find_spec(_MODULE_OF[package]) is not None]
    return "; ".join(reasons) or "no .tflite interpreter is installed: pip install ai-edge-litert"


def title_of(package: Package | None) -> str:
    """The runtime's name for people."""
    if package == "tflite-runtime":
        try:
            return f"TFLite Runtime {version(package)}"
        except PackageNotFoundError:
            return "TFLite Runtime"
    return "TensorFlow Lite" if package == "tensorflow" else "LiteRT"


def open_interpreter(
    model: bytes, kernels: Kernels, package: Package | None = None, *, keep_tensors: bool = False
) -> Any:
    """Make a single-threaded interpreter with its tensors allocated; `keep_tensors`: all can be read after a call.

    Raises:
        MissingDependency: no usable interpreter is installed.
        ModelError: the interpreter refuses the model.
    """
    chosen = package or best_package()
    if chosen is None:
        raise MissingDependency(why_no_interpreter())
    with quiet():
        make, resolvers = _import(chosen)
        try:
            interpreter = make(
                model_content=model,
                num_threads=1,
                experimental_op_resolver_type=getattr(resolvers, _RESOLVER_OF[kernels]),
                experimental_preserve_all_tensors=keep_tensors,
            )
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{title_of(chosen)} refuses the model: {error}") from error
    return interpreter


def _import(package: Package) -> tuple[Callable[..., Any], Any]:
    if package == "ai-edge-litert":
        from ai_edge_litert import interpreter

        return interpreter.Interpreter, interpreter.OpResolverType
    if package == "tflite-runtime":
        from tflite_runtime import interpreter

        return interpreter.Interpreter, interpreter.OpResolverType
    import tensorflow as tf

    return tf.lite.Interpreter, tf.lite.experimental.OpResolverType


@dataclass(frozen=True)
class _Tensor:
    """Input or output of the model."""

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    @property
    def quantization(self) -> TensorQuantization | None:
        """The quantization of an int8 tensor."""
        return TensorQuantization(scale=self.scale, zero_point=self.zero_point) if self.dtype == np.int8 else None


def _tensor(details: Any, role: str) -> _Tensor:
    if len(details) != 1:
        raise ModelError(f"the model has {len(details)} {role}s; expected one")
    scale, zero_point = details[0]["quantization"]
    shape = tuple(int(size) for size in details[0]["shape"])
    tensor = _Tensor(details[0]["index"], shape, np.dtype(details[0]["dtype"]), float(scale), int(zero_point))
    if tensor.dtype not in (np.int8, np.int16, np.float32):
        raise ModelError(f"the model's {role} is {tensor.dtype}; expected int8, int16 or float32")
    if tensor.dtype != np.float32 and not tensor.scale > 0:
        raise ModelError(f"the model's {role} is {tensor.dtype} without a scale")
    return tensor


class LoadedInterpreter:
    """A model in an interpreter, with the bundle's numbers around it."""

    threads = 1

    def __init__(self, open_one: Callable[[], Any], card: Card) -> None:
        self._open_one = open_one
        self._interpreter = interpreter = open_one()
        self._card = card
        self._input = _tensor(interpreter.get_input_details(), "input")
        self._output = _tensor(interpreter.get_output_details(), "output")
        for tensor, role, expected in (
            (self._input, "input", (1, card.input.window_samples, len(card.input.channels))),
            (self._output, "output", (1, card.output_count)),
        ):
            if tensor.shape != expected:
                raise ModelError(f"the model's {role} has shape {tensor.shape}; the card says {expected}")

    def outputs(self, windows: Windows, tick: Tick) -> RunOutputs:
        """Run `(n, window_samples, channels)` one by one, as a device does."""
        step = chunk_windows(self._card)
        chunks = (self._encode(windows[start : start + step]) for start in range(0, len(windows), step))
        raw = run_windows(self._interpreter, self._open_one, chunks, len(windows), tick)
        return RunOutputs(raw, self._probabilities(raw), self._output.quantization)

    def prepare(self, window: Window) -> Callable[[], object]:
        """Set the input; the returned call is `invoke` alone."""
        self._interpreter.set_tensor(self._input.index, self._encode(window[np.newaxis]))
        invoke: Callable[[], object] = self._interpreter.invoke
        return invoke

    def classify(self, window: Window) -> int:
        """One window in physical units to the number of its label."""
        raw = self._run(self._encode(window[np.newaxis])[0])
        return int(numerics.decide(self._probabilities(raw[np.newaxis]), self._card.output)[0])

    def _run(self, encoded: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self._interpreter.set_tensor(self._input.index, encoded[np.newaxis])
        self._interpreter.invoke()
        found: npt.NDArray[Any] = self._interpreter.get_tensor(self._output.index)[0]
        return found

    def _encode(self, windows: Windows) -> npt.NDArray[Any]:
        normalized = numerics.normalize(windows, self._card.normalization)
        if self._input.quantization is not None:
            return numerics.quantize(normalized, self._input.quantization)
        if self._input.dtype == np.int16:
            return _quantize_int16(normalized, self._input.scale, self._input.zero_point)
        return normalized

    def _probabilities(self, raw: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        if self._output.quantization is not None:
            return numerics.probabilities(raw, self._output.quantization)
        if self._output.dtype == np.int16:
            centered = (raw.astype(np.int32) - self._output.zero_point).astype(np.float32)
            scaled: npt.NDArray[np.float32] = np.clip(centered * np.float32(self._output.scale), 0, 1)
            return scaled
        return raw.astype(np.float32, copy=False)


def _quantize_int16(normalized: npt.NDArray[np.float32], scale: float, zero_point: int) -> npt.NDArray[np.int16]:
    """As `numerics.quantize` for int8: division in float32, halves away from zero, clamped."""
    scaled = normalized / np.float32(scale)
    rounded = np.copysign(np.floor(np.abs(scaled).astype(np.float64) + 0.5), scaled)
    bounded: npt.NDArray[np.float64] = np.clip(rounded + zero_point, -(1 << 15), (1 << 15) - 1)
    return bounded.astype(np.int16)
