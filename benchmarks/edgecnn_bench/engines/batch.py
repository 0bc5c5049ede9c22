"""Many windows through `.tflite` interpreters, one window a call, on every core: interpreters let go of the GIL."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.live.interpreter import keeps_state

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
    outputs do not depend on how many there are: a network that keeps state begins each window anew, in an interpreter of
    its own. `tick` is told how many windows are done.

    Raises:
        ModelError: the interpreter fails on the model.
    """
    renew = make_another if keeps_state(first) else None
    workers = max(1, min(MAX_WORKERS, os.cpu_count() or 1, windows // MIN_WINDOWS_PER_WORKER))
    interpreters = [first, *(make_another() for _ in range(workers - 1))]
    found: list[npt.NDArray[Any]] = []
    done = 0
    with ThreadPoolExecutor(workers) as pool:
        for chunk in chunks:
            found += pool.map(partial(_run_share, renew), interpreters, np.array_split(chunk, workers))
            done += len(chunk)
            tick(done)
    return np.concatenate(found)


def _run_share(renew: Callable[[], Any] | None, interpreter: Any, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
    raw = np.empty((len(inputs), int(np.prod(out["shape"][1:]))), out["dtype"])
    for index, window in enumerate(inputs):
        if renew is not None:
            interpreter = renew()
        interpreter.set_tensor(into["index"], window[np.newaxis])
        try:
            interpreter.invoke()
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"the interpreter fails on the model: {reason}") from error
        raw[index] = interpreter.get_tensor(out["index"]).reshape(-1)
    return raw
