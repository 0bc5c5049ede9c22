"""TensorFlow and Keras, imported once, quietly, and set up so that the same seed gives the same bits."""

import contextlib
import functools
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from edgecnn_firmware.errors import MissingDependency, SettingsError

THREADS_VARIABLE: Final = "EDGECNN_THREADS"
_INSTALL: Final = "pip install 'edgecnn[train]'"
_STDERR: Final = 2


@dataclass
class Muted:
    """What was written to standard error while it was muted."""

    text: str = ""


@contextlib.contextmanager
def quiet() -> Iterator[Muted]:
    """Keep native libraries' log lines off standard error; the text is in the yielded object afterwards.

    TensorFlow's C++ code writes to file descriptor 2 directly, past `sys.stderr` and past its own log level settings.
    Python warnings are muted too: they come from inside the libraries that are called here.
    """
    muted = Muted()
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        try:
            saved = os.dup(_STDERR)
        except OSError:  # no standard error at all
            yield muted
            return
        sink = stack.enter_context(tempfile.TemporaryFile())
        os.dup2(sink.fileno(), _STDERR)
        try:
            yield muted
        finally:
            os.dup2(saved, _STDERR)
            os.close(saved)
            sink.seek(0)
            muted.text = sink.read().decode("utf-8", "replace")


@functools.cache
def import_tensorflow() -> Any:
    """Import TensorFlow with Keras on top of it.

    The number of threads is part of the result: sums are cut at thread boundaries, so one more core would give other
    weights. It is therefore fixed at one, whatever the machine has, unless `EDGECNN_THREADS` says otherwise.

    Returns:
        The `tensorflow` module.

    Raises:
        MissingDependency: TensorFlow is not installed or cannot be loaded.
        SettingsError: Keras is already running on another backend, or `EDGECNN_THREADS` is no positive number.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    threads = _threads()
    with quiet():
        try:
            import keras
            import tensorflow as tf
        except ImportError as error:
            raise MissingDependency(f"TensorFlow is needed to train and convert ({error}); {_INSTALL}") from error
        _fix_threads(tf, threads)
    if keras.backend.backend() != "tensorflow":
        raise SettingsError(f"Keras runs on '{keras.backend.backend()}'; edgecnn needs KERAS_BACKEND=tensorflow")
    # A keras.json in the user's home folder can change these, and with them what a layer means.
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    return tf


def import_keras() -> Any:
    """Import Keras as `import_tensorflow` sets it up and return the `keras` module."""
    import_tensorflow()
    import keras

    return keras


def make_deterministic(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, and make TensorFlow use deterministic kernels only."""
    tf = import_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def _threads() -> int:
    text = os.environ.get(THREADS_VARIABLE, "1")
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise SettingsError(f"{THREADS_VARIABLE}={text!r}: expected a number of threads from 1 to 1024")
    return int(text)


def _fix_threads(tf: Any, threads: int) -> None:
    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() == threads:
        return
    # Once the process has run an op, its threads are what they are.
    with contextlib.suppress(RuntimeError):
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)
