"""One board on a serial port, from opening the port to what the report takes over."""

from dataclasses import dataclass

from edgecnn_bench.places.serial import open_serial
from edgecnn_bench.places.serial_run import SerialRun
from edgecnn_bench.results import Place
from edgecnn_firmware.bundle import Bundle, Vectors
from edgecnn_firmware.progress import Progress


@dataclass(frozen=True)
class MeasuredBoard:
    """A board that ran."""

    place: Place
    run: SerialRun


def measure_board(port: str, baud: int, bundle: Bundle, vectors: Vectors, progress: Progress) -> MeasuredBoard:
    """Drive a board.

    Raises:
        EdgeCnnError: the port cannot be opened, or what is there does not answer or has another model.
    """
    with open_serial(port, baud) as board:
        run = board.measure(bundle, vectors, progress=progress)
        stack = () if run.stack is None else (f"deepest stack of a call: {run.stack.call_bytes:,} bytes",)
        return MeasuredBoard(board.place.model_copy(update={"notes": (*run.notes, *stack)}), run)
