"""The bundle's files in the `.tflite` interpreter of another place, timed by the clock there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines.interpreter import Kernels
from edgecnn_bench.engines.litert import LITERT_ENGINES, InterpreterEngine
from edgecnn_bench.engines.protocol import (
    Precision,
    RunOutputs,
    Tick,
    Window,
    Windows,
    chunk_windows,
)
from edgecnn_bench.places.protocol import MAX_BODY_BYTES, Frame, Garbage, PlaceError, array_of, numbers, shown
from edgecnn_bench.places.session import Session
from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.card import Card, TensorQuantization
from edgecnn_firmware.errors import EdgeCnnError, ModelError

LOAD_S: Final = 180.0
RUN_S: Final = 600.0
"""For one chunk of windows."""
_MAX_CALL_NS: Final = 10**15


@dataclass(frozen=True)
class Request:
    """What a worker must be sent to have a network."""

    header: Mapping[str, Any]
    body: bytes


@dataclass(frozen=True)
class PlaceEngine:
    """One `.tflite` file with one set of kernels at a place."""

    key: str
    session: Session
    how: str
    precision: Precision
    file: str
    kernels: Kernels

    needs_trial = False
    """Its process is another one anyway."""

    @property
    def title(self) -> str:
        """Runtime and kernels."""
        return f"{self.session.hello.interpreter_title or 'TensorFlow Lite'}, {self.how}"

    def concerns(self, bundle: Bundle) -> bool:
        """Where the bundle has the file."""
        return self.file in bundle.card.files

    def available(self, bundle: Bundle) -> str | None:
        """Whether there is an interpreter at the place, and the file."""
        if not self.session.hello.interpreter:
            return self.session.hello.why or "there is no .tflite interpreter"
        return None if self.file in bundle.card.files else f"{self.file} is not in the bundle"

    def load(self, bundle: Bundle) -> "LoadedPlace":
        """Send the file; see `Engine.load`."""
        body = bundle.read(self.file, MAX_BODY_BYTES)
        header = {"command": "load", "kind": "tflite", "kernels": self.kernels, "ends": ends(bundle.card)}
        return LoadedPlace(self.key, self.session, Request(header, body), bundle.card)


def interpreter_engines(place: str, session: Session, bundle: Bundle) -> tuple[PlaceEngine, ...]:
    """The engines of a place, with the names that they have on this machine behind the place's."""
    made = (_engine(place, session, engine) for engine in LITERT_ENGINES)
    return tuple(engine for engine in made if engine.concerns(bundle))


def _engine(place: str, session: Session, local: InterpreterEngine) -> PlaceEngine:
    return PlaceEngine(f"{place}/{local.key}", session, local.how, local.precision, local.file, local.kernels)


def ends(card: Card) -> dict[str, Any]:
    """The card's constants that a worker needs to go from a window to a label."""
    return {"offset": card.normalization.offset, "gain": card.normalization.gain, "output": card.output}


@dataclass(frozen=True)
class _Tensor:
    dtype: str
    scale: float
    zero_point: int

    @property
    def quantization(self) -> TensorQuantization | None:
        """Of an int8 tensor."""
        return TensorQuantization(scale=self.scale, zero_point=self.zero_point) if self.dtype == "int8" else None


class LoadedPlace:
    """A network in a worker; it is sent again to the worker that takes a dead one's place."""

    threads = 1

    def __init__(self, key: str, session: Session, request: Request, card: Card) -> None:
        self._key, self._session, self._request, self._card = key, session, request, card
        self._window = (card.input.window_samples, len(card.input.channels))
        self._generation = -1
        self._ready()

    def outputs(self, windows: Windows, tick: Tick) -> RunOutputs:
        """Run `(n, window_samples, channels)` one by one, chunk after chunk."""
        step, found = chunk_windows(self._card), []
        for start in range(0, len(windows), step):
            found.append(self._run(windows[start : start + step]))
            tick(start + len(found[-1]))
        raw = np.concatenate(found)
        return RunOutputs(raw, self._probabilities(raw), self._output.quantization)

    def prepare(self, window: Window) -> Callable[[], object]:
        """A call with the way there and back around it; `turn` tells what the engine alone takes."""
        return lambda: self._run(window[np.newaxis])

    def classify(self, window: Window) -> int:
        """One window in physical units to the number of its label."""
        frame = self._timed(window[np.newaxis], 1)
        label = (frame.header.get("labels") or [None])[0]
        if type(label) is not int or not 0 <= label < len(self._card.labels):
            raise self._nonsense(f"label {shown(repr(label))}")
        return label

    def turn(self, windows: Windows, calls: int) -> tuple[list[int], list[int]]:
        """Nanoseconds by the clock of the place; see `engines.protocol.SelfTimed`.

        Raises:
            PlaceError: the worker has died or its times make no sense; the place's notes tell, too.
        """
        try:
            times = self._numbers(self._timed(windows, calls).body, "int64", (2, calls))
            if times.min() < 0 or times.max() > _MAX_CALL_NS:
                raise self._nonsense(f"times of {times.min()} to {times.max()} ns")
        except EdgeCnnError as error:
            self._session.notes[f"{self._key} was not timed: {error}"] = None
            raise
        invoke_ns, whole_ns = times.tolist()
        return invoke_ns, whole_ns

    def _ready(self) -> None:
        """Make sure that the worker that lives has the network."""
        self._session.revive()
        if self._generation == self._session.generation:
            return
        answer = self._session.ask(self._request.header, self._request.body, limit_s=LOAD_S).header
        outputs = self._card.output_count
        self._input = self._tensor(answer.get("input"), "input", (1, *self._window))
        self._output = self._tensor(answer.get("output"), "output", (1, outputs))
        if type(answer.get("model")) is not int:
            raise self._nonsense(f"model number {shown(repr(answer.get('model')))}")
        self._model, self._generation = answer["model"], self._session.generation

    def _tensor(self, said: Any, role: str, shape: tuple[int, ...]) -> _Tensor:
        said = said if isinstance(said, dict) else {}
        dtype, scale, zero_point = (said.get(name) for name in ("dtype", "scale", "zero_point"))
        if said.get("shape") != list(shape) or dtype not in ("int8", "int16", "float32"):
            found = shown(f"{dtype} {said.get('shape')}")
            raise ModelError(f"the model's {role} is {found}; by the card it has shape {list(shape)}")
        limit = 1 << (7 if dtype == "int8" else 15)
        numeric = type(scale) in (int, float) and type(zero_point) is int and -limit <= zero_point < limit
        if not numeric or not abs(scale) < 1e30 or (dtype != "float32" and scale <= 0):
            raise self._nonsense(f"{role} with scale {shown(repr(scale))}, zero point {shown(repr(zero_point))}")
        return _Tensor(dtype, float(scale), zero_point)

    def _run(self, windows: Windows) -> npt.NDArray[Any]:
        self._ready()
        quantization = self._input.quantization
        header = {"command": "run", "model": self._model, "windows": len(windows), "encoded": quantization is not None}
        body: npt.NDArray[Any] = windows.astype(np.float32, copy=False)
        if quantization is not None:
            # A quarter of the bytes.
            body = numerics.quantize(numerics.normalize(windows, self._card.normalization), quantization)
        shape = (len(windows), self._card.output_count)
        room = shape[0] * shape[1] * np.dtype(self._output.dtype).itemsize
        answer = self._session.ask(header, body.tobytes(), limit_s=RUN_S, max_body_bytes=room)
        try:
            return array_of(answer, self._output.dtype, shape)
        except Garbage as error:
            raise self._nonsense(str(error)) from error

    def _timed(self, windows: Windows, calls: int) -> Frame:
        self._ready()
        header = {"command": "time", "model": self._model, "windows": len(windows), "calls": calls}
        body = windows.astype(np.float32, copy=False).tobytes()
        return self._session.ask(header, body, limit_s=RUN_S, max_body_bytes=16 * calls)

    def _numbers(self, body: bytes, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        try:
            return numbers(body, dtype, shape)
        except Garbage as error:
            raise self._nonsense(str(error)) from error

    def _probabilities(self, raw: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        if self._output.quantization is not None:
            return numerics.probabilities(raw, self._output.quantization)
        if self._output.dtype == "int16":
            centered = (raw.astype(np.int32) - self._output.zero_point).astype(np.float32)
            scaled: npt.NDArray[np.float32] = np.clip(centered * np.float32(self._output.scale), 0, 1)
            return scaled
        return raw.astype(np.float32, copy=False)

    def _nonsense(self, what: str) -> PlaceError:
        return PlaceError(f"{self._session.name}: the worker's answer makes no sense: {what}")
