"""Bytes of tensor arena that TFLite Micro asks for, measured by its own interpreter.

TFLite Micro's Python package runs its C++ interpreter with the reference kernels on the host. The smallest arena with which
it sets up and runs the model is found by bisection. Pointers have 64 bits there, so the figure is an upper bound for the
32-bit boards that the model is meant for. The interpreter may abort its process on a model it cannot handle: it runs in a
process of its own, `python -m edgecnn_firmware.arena`, which reads the model from stdin.
"""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from importlib.metadata import version
from typing import Any, Final

from edgecnn_firmware.card import ArenaCard

STEP_BYTES: Final = 16
"""The arena's alignment; the figure is a multiple of it."""

_SMALLEST_BYTES: Final = 1 << 10
_LARGEST_BYTES: Final = 1 << 28
_TIMEOUT_S: Final = 120
_PACKAGE: Final = "tflite-micro"


def measure_arena(model: bytes) -> ArenaCard | str:
    """Measure the arena, or say in a sentence why that is not possible."""
    if importlib.util.find_spec("tflite_micro") is None:
        return "not measured: TFLite Micro's interpreter is not installed (pip install 'edgecnn[boards]', Linux x86-64)"
    command = [sys.executable, "-m", "edgecnn_firmware.arena"]
    try:
        done = subprocess.run(command, input=model, capture_output=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"not measured: TFLite Micro did not finish within {_TIMEOUT_S} s"
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if done.returncode == 0 and lines:
        return ArenaCard.model_validate(json.loads(lines[-1]))
    said = [line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    reason = said[0][:200] if said else f"its process ended with code {done.returncode}"
    return f"not measured: TFLite Micro cannot run this model ({reason})"


def _runs(interpreter_of: Any, model: bytes, arena_bytes: int) -> bool:
    """Try one arena in a forked process: with some arenas that are too small the interpreter crashes."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, 2)
            interpreter_of(model, arena_size=arena_bytes).invoke()
            os._exit(0)
        os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _smallest(interpreter_of: Any, model: bytes) -> int:
    high = _SMALLEST_BYTES
    while high < _LARGEST_BYTES and not _runs(interpreter_of, model, high):
        high *= 2
    if high >= _LARGEST_BYTES:
        # Once more in this process: the interpreter tells the op or the reason on stderr.
        interpreter_of(model, arena_size=_LARGEST_BYTES).invoke()
        raise RuntimeError(f"it needs over {_LARGEST_BYTES} bytes")
    low = high // 2 if high > _SMALLEST_BYTES else 0
    while high - low > STEP_BYTES:
        middle = (low + high) // 2 // STEP_BYTES * STEP_BYTES
        low, high = (low, middle) if _runs(interpreter_of, model, middle) else (middle, high)
    return high


def _main() -> None:
    from tflite_micro.python.tflite_micro import runtime

    card = ArenaCard(
        measured_bytes=_smallest(runtime.Interpreter.from_bytes, sys.stdin.buffer.read()),
        word_bits=64 if sys.maxsize > 2**32 else 32,
        kernels="reference",
        runtime=f"{_PACKAGE} {version(_PACKAGE)}",
    )
    sys.stdout.write("\n" + card.model_dump_json() + "\n")


if __name__ == "__main__":
    _main()
