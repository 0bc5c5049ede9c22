"""The zoo: Conv1D architectures as data, the user's own models, and what any of them costs."""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from edgecnn.project import LEARNING_RATE, ModelSettings, TrainingSettings
from edgecnn.tensorflow_setup import make_deterministic
from edgecnn.zoo.builder import build
from edgecnn.zoo.options import Option, resolve
from edgecnn.zoo.presets import PRESETS
from edgecnn.zoo.user_models import from_function, from_keras_file
from edgecnn_firmware.errors import ModelError, SettingsError

if TYPE_CHECKING:
    import keras

Description: TypeAlias = tuple[str, str, dict[str, Option]]


def build_model(
    settings: ModelSettings, input_shape: tuple[int, int], num_classes: int, *, base: Path, seed: int = 0
) -> "keras.Model":
    """Build the model a project file names.

    Args:
        settings: the `[model]` table: a preset and its options, a `.keras` file, or `file.py:build_model`.
        input_shape: `(window_samples, channels)`.
        num_classes: at least 2; a preset has one sigmoid output for 2 classes and softmax outputs for more.
        base: the folder that paths are relative to.
        seed: seed of the initial weights.

    Raises:
        SettingsError: no such preset, or a wrong option.
        ModelError: the window is too short for the preset, or the user's model cannot be used.
    """
    if num_classes < 2:
        raise ModelError(f"model '{settings.name}': {num_classes} class; a classifier needs at least 2")
    name = settings.name
    make_deterministic(seed)
    if name in PRESETS:
        return _from_preset(settings, input_shape, num_classes)
    file, colon, function = name.rpartition(":")
    if not name.endswith(".keras") and not (colon and file.endswith(".py")):
        close = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise SettingsError(
            f"model '{name}': {hint}expected one of {', '.join(PRESETS)}, a .keras file, or file.py:build_model"
        )
    if settings.options:
        raise SettingsError(f"model '{name}': options are for presets ({', '.join(PRESETS)}) only")
    if colon and file.endswith(".py"):
        return from_function(base / file, function, input_shape, num_classes)
    return from_keras_file(base / name, input_shape, num_classes)


def with_learning_rate(training: TrainingSettings, model: ModelSettings) -> TrainingSettings:
    """Fill in the learning rate that a project file leaves to the model: the preset's own, or that of most presets."""
    if training.learning_rate is not None:
        return training
    rate = PRESETS[model.name].learning_rate if model.name in PRESETS else LEARNING_RATE
    return training.model_copy(update={"learning_rate": rate})


def options_of(model: ModelSettings, window_samples: int) -> dict[str, object]:
    """Every option of a preset with the value it will have; empty for a model of the user's own.

    Raises:
        SettingsError: an option is unknown, of the wrong type, or out of range.
    """
    preset = PRESETS.get(model.name)
    if preset is None:
        return {}
    return dict(resolve(model.name, preset.options_for(window_samples), model.options).values)


def describe() -> list[Description]:
    """List the presets: name, one sentence, options by name."""
    return [(name, preset.description, dict(preset.options)) for name, preset in PRESETS.items()]


def _from_preset(settings: ModelSettings, input_shape: tuple[int, int], num_classes: int) -> "keras.Model":
    preset = PRESETS[settings.name]
    window_samples = input_shape[0]
    options = resolve(settings.name, preset.options_for(window_samples), settings.options)
    if not settings.options and window_samples < preset.min_window_samples:
        raise ModelError(
            f"model '{settings.name}': windows of {window_samples} samples; "
            f"it needs at least {preset.min_window_samples}"
        )
    return build(settings.name, preset.stages(options), input_shape, num_classes)
