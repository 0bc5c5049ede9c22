"""Many windows through `.tflite` interpreters, one window a call, on every core: interpreters let go of the GIL."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MIN_WINDOWS_PER_WORKER: Final = 64
MAX_WORKERS: Final = 8


def run_windows(
    first: Any,
    make_another: Callable[[], Any],
    chunks: Iterator[npt.NDArray[Any]],
    windows: int,
    tick: Callable[[int], None],
) -> npt.NDArray[Any]:
    """Run chunks of encoded inputs `(n, ...)`, in all `windows`, and return the raw outputs `(windows, outputs)`.

    `first` is an interpreter with one input and one output at batch 1; others like it are made where they pay off. The
    outputs do not depend on how many there are. `tick` is told how many windows are done.
    """
    workers = max(1, min(MAX_WORKERS, os.cpu_count() or 1, windows // MIN_WINDOWS_PER_WORKER))
    interpreters = [first, *(make_another() for _ in range(workers - 1))]
    found: list[npt.NDArray[Any]] = []
    done = 0
    with ThreadPoolExecutor(workers) as pool:
        for chunk in chunks:
            found += pool.map(_run_share, interpreters, np.array_split(chunk, workers))
            done += len(chunk)
            tick(done)
    return np.concatenate(found)


def _run_share(interpreter: Any, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
    raw = np.empty((len(inputs), int(np.prod(out["shape"][1:]))), out["dtype"])
    for index, window in enumerate(inputs):
        interpreter.set_tensor(into["index"], window[np.newaxis])
        interpreter.invoke()
        raw[index] = interpreter.get_tensor(out["index"]).reshape(-1)
    return raw
