"""Bytes of tensor arena that TFLite Micro asks for, measured by its own interpreter.

TFLite Micro's Python package runs its C++ interpreter with the reference kernels on the host. The smallest arena with
which it sets up and runs the model is found by bisection: the interpreter's own record leaves out what setting up takes
for a while. Pointers have 64 bits there, so that the figure is an upper bound for the 32-bit boards that the model is
meant for. The interpreter may crash its process on a model it cannot handle, or an arena that is too small: it runs in
a process of its own, `python -m edgecnn_firmware.arena`, which reads the model from stdin.
"""

import contextlib
import importlib.util
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from edgecnn_firmware.card import ArenaCard
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.reader import read_model

STEP_BYTES: Final = 16
"""The arena's alignment; the figure is a multiple of it."""
TIMEOUT_S: Final = 120

_SMALLEST_BYTES: Final = 1 << 10
_LARGEST_BYTES: Final = 1 << 28
_MAX_REASON: Final = 200
_PACKAGE: Final = "tflite-micro"
_MODULE: Final = "tflite_micro"


def measure_arena(model: bytes, *, timeout_s: float = TIMEOUT_S) -> ArenaCard | str:
    """Measure the arena, or say in a sentence why that is not possible."""
    if importlib.util.find_spec(_MODULE) is None:
        return "not measured: TFLite Micro's interpreter is not installed (pip install 'edgecnn[boards]', Linux x86-64)"
    try:
        read_model(model, "the model")
    except ModelError as error:
        return f"not measured: {error}"
    try:
        done = subprocess.run(
            [sys.executable, "-m", "edgecnn_firmware.arena"],
            input=model,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            # Python looks for modules in the working directory first, and the user's may hold anything.
            cwd=Path(__file__).resolve().parents[1],
        )
    except subprocess.TimeoutExpired:
        return f"not measured: TFLite Micro did not finish within {timeout_s:g} s"
    lines = done.stdout.splitlines()
    if done.returncode == 0 and lines:
        with contextlib.suppress(ValidationError):
            return ArenaCard.model_validate_json(lines[-1])
    return f"not measured: TFLite Micro cannot run this model ({_reason(done)})"


def _reason(done: "subprocess.CompletedProcess[bytes]") -> str:
    """What the interpreter said before Python's traceback, else the traceback's last line."""
    said = [line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    trace = next((number for number, line in enumerate(said) if line.startswith("Traceback")), len(said))
    if not said:
        return f"its process ended with code {done.returncode}"
    return (said[0] if trace else said[-1])[:_MAX_REASON]


def _runs(runtime: Any, model: bytes, arena_bytes: int) -> bool:
    """Try one arena in a forked process: with some arenas that are too small the interpreter crashes."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            runtime.Interpreter.from_bytes(model, arena_size=arena_bytes).invoke()
            os._exit(0)
        os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _smallest(runtime: Any, model: bytes) -> int:
    high = _SMALLEST_BYTES
    while high < _LARGEST_BYTES and not _runs(runtime, model, high):
        high *= 2
    if high >= _LARGEST_BYTES:
        # Once more in this process: the interpreter tells the op or the reason on stderr.
        runtime.Interpreter.from_bytes(model, arena_size=_LARGEST_BYTES).invoke()
        raise RuntimeError(f"it needs over {_LARGEST_BYTES // 2} bytes")
    low = high // 2 if high > _SMALLEST_BYTES else 0
    while high - low > STEP_BYTES:
        middle = (low + high) // 2 // STEP_BYTES * STEP_BYTES
        low, high = (low, middle) if _runs(runtime, model, middle) else (middle, high)
    return high


def _main() -> None:
    from tflite_micro.python.tflite_micro import runtime

    card = ArenaCard(
        measured_bytes=_smallest(runtime, sys.stdin.buffer.read()),
        word_bits=64 if sys.maxsize > 2**32 else 32,
        kernels="reference",
        runtime=f"{_PACKAGE} {version(_PACKAGE)}",
    )
    sys.stdout.write("\n" + card.model_dump_json() + "\n")


if __name__ == "__main__":
    _main()
