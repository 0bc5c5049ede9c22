"""Boards on a serial port: the bundle's windows through the compiled network on the board, timed by its own clock."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines.protocol import RunOutputs, Tick, Window, Windows
from edgecnn_bench.places.serial_board import START_S, Board, Call
from edgecnn_bench.places.serial_line import SerialError, SerialLine
from edgecnn_bench.places.serial_run import SerialRun, measure, model_mismatch, run_outputs, title_of
from edgecnn_bench.results import Place
from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import MODEL, Bundle, Vectors
from edgecnn_firmware.errors import MissingDependency
from edgecnn_firmware.progress import Progress, silent

BAUD: Final = 115200
BUDGET_S: Final = 60.0
"""Seconds that the windows of one run may take."""
_TRIED: Final = 3
"""Windows that show how long all would take."""
_WRITE_S: Final = 10.0


@dataclass(frozen=True)
class SerialBoard:
    """An open board."""

    place: Place
    board: Board

    def engines(self, bundle: Bundle, budget_s: float = BUDGET_S) -> "tuple[SerialEngine, ...]":
        """The board as an engine, which runs all windows or none; `measure` runs as many as there is time for."""
        return (SerialEngine(self.place.key, title_of(self.board.hello), self.board, budget_s),)

    def measure(
        self, bundle: Bundle, vectors: Vectors, *, budget_s: float = BUDGET_S, progress: Progress = silent
    ) -> SerialRun:
        """Run the self-test, the golden vectors, and as many of the windows as `budget_s` seconds allow.

        Raises:
            SerialError: the board has another model, or cannot be driven.
        """
        return measure(self.board, self.place, bundle, vectors, budget_s, progress)


@dataclass(frozen=True)
class SerialEngine:
    """The compiled network on a board; see `engines.protocol.Engine`.

    Calls from here take the serial line's time too: what `prepare` and `classify` are timed at is not the board's.
    """

    key: str
    title: str
    board: Board
    budget_s: float
    precision: Literal["int8"] = "int8"
    file: str = MODEL
    needs_trial: bool = False

    def concerns(self, bundle: Bundle) -> bool:
        """Always: someone named the port."""
        return True

    def available(self, bundle: Bundle) -> str | None:
        """Whether the board has the bundle's model."""
        return model_mismatch(self.board, bundle)

    def load(self, bundle: Bundle) -> "LoadedSerial":
        """Check the model; see `Engine.load`."""
        if reason := model_mismatch(self.board, bundle):
            raise SerialError(reason)
        return LoadedSerial(bundle, self.board, self.budget_s)


class LoadedSerial:
    """A board that has the bundle's model."""

    threads = 1

    def __init__(self, bundle: Bundle, board: Board, budget_s: float) -> None:
        self._card = bundle.card
        self._board = board
        self._budget_s = budget_s
        self.calls: list[Call] = []
        """Of the last `outputs`, with the board's own ticks."""

    def outputs(self, windows: Windows, tick: Tick) -> RunOutputs:
        """Run all windows.

        Raises:
            SerialError: they would take longer than the budget, by the first few.
        """
        self.calls = []
        begin = time.monotonic()
        for done, window in enumerate(windows, 1):
            self.calls.append(self._board.run(self._encoded(window)))
            spent_s = time.monotonic() - begin
            if done == _TRIED and spent_s / done * len(windows) > self._budget_s:
                raise SerialError(
                    f"{self._board.port}: {len(windows)} windows would take {spent_s / done * len(windows):.0f} s; "
                    f"{self._budget_s:g} s are allowed"
                )
            tick(done)
        return run_outputs([call.outputs for call in self.calls], self._card)

    def prepare(self, window: Window) -> Callable[[], object]:
        """The call with the serial line around it."""
        encoded = self._encoded(window)
        return lambda: self._board.run(encoded)

    def classify(self, window: Window) -> int:
        """One window in physical units to the number of its label."""
        found = run_outputs([self._board.run(self._encoded(window)).outputs], self._card)
        return int(numerics.decide(found.probabilities, self._card.output)[0])

    def _encoded(self, window: Window) -> npt.NDArray[np.int8]:
        normalized = numerics.normalize(window, self._card.normalization)
        return numerics.quantize(normalized, self._card.quantization.input)


@contextmanager
def open_serial(port: str, baud: int = BAUD, *, start_s: float = START_S) -> Iterator[SerialBoard]:
    """Open a port and wait until the firmware there answers; the port is closed at the end.

    Args:
        port: a device such as `/dev/ttyACM0` or `COM3`, or a URL of pyserial's, such as `socket://host:port`.
        baud: bits per second.
        start_s: seconds that the board may take to start.

    Raises:
        MissingDependency: pyserial is not installed.
        SerialError: the port cannot be opened, or no such firmware answers.
    """
    stream = _open(port, baud)
    try:
        board = Board(SerialLine(port, stream), baud, start_s)
        yield SerialBoard(Place(key=f"serial/{port}", title=title_of(board.hello, port), environment=None), board)
    finally:
        stream.close()


def _open(port: str, baud: int) -> Any:
    try:
        pyserial = import_module("serial")
    except ImportError:
        raise MissingDependency(
            f"{port}: boards on a serial port need pyserial: pip install 'edgecnn[serial]'"
        ) from None
    if baud < 1:
        raise SerialError(f"{port}: {baud} baud; expected 1 or more, such as {BAUD}")
    try:
        return pyserial.serial_for_url(port, baudrate=baud, timeout=1.0, write_timeout=_WRITE_S, exclusive=True)
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise SerialError(f"{port}: cannot be opened at {baud} baud: {said}") from error
