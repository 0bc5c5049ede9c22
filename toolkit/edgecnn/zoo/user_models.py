"""Models from outside the zoo: a `.keras` file, or a function in a Python file of the user's."""

import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from edgecnn.keras_io import load_model
from edgecnn.tensorflow_setup import import_keras
from edgecnn.zoo.checks import check_model
from edgecnn_firmware.errors import EdgeCnnError, ModelError

if TYPE_CHECKING:
    import keras


def from_keras_file(path: Path, input_shape: tuple[int, int], num_classes: int) -> "keras.Model":
    """Load a `.keras` file and check that it fits the data.

    Raises:
        ModelError: the file is unusable, holds code, or does not fit `input_shape` or `num_classes`.
    """
    model = load_model(path)
    check_model(model, path.name, input_shape, num_classes)
    return model


def from_function(path: Path, function: str, input_shape: tuple[int, int], num_classes: int) -> "keras.Model":
    """Call `function(input_shape, num_classes)` of a Python file and check the model it returns.

    The file is the user's own code and runs as such.

    Raises:
        ModelError: the file or the function is missing, it raises (with file and line), or the model does not fit.
    """
    name = f"{path.name}:{function}"
    if not path.is_file():
        raise ModelError(f"{path}: no such file; [model] name = 'file.py:build_model' is relative to the project file")
    # Keras numbers the layers of a process; starting over makes their names, and so the saved file, the same each time.
    import_keras().backend.clear_session()
    module = _guarded(path, lambda: _import(path))
    build = getattr(module, function, None)
    if not callable(build):
        raise ModelError(f"{path.name}: has no function '{function}(input_shape, num_classes)'")
    model = _guarded(path, lambda: build(input_shape, num_classes))
    check_model(model, name, input_shape, num_classes)
    return model


def _import(path: Path) -> ModuleType:
    name = f"edgecnn_user_model_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModelError(f"{path.name}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def _guarded(path: Path, call: Callable[[], Any]) -> Any:
    """Run the user's code; what it raises becomes one line with the line of their file."""
    try:
        return call()
    except EdgeCnnError:
        raise
    except Exception as error:
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
        raise ModelError(f"{_place(path, error)}: {type(error).__name__}: {text}") from error


def _place(path: Path, error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"{path.name}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f"{path.name}, line {lines[-1]}" if lines else path.name
