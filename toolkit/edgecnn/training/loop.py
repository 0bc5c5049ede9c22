"""Epoch after epoch: train, validate, keep the best, save where we are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgecnn.augmentation import Augmenter
from edgecnn.project import TrainingSettings
from edgecnn.tensorflow_setup import import_keras, import_tensorflow, make_deterministic
from edgecnn.training.batches import (
    Batch,
    TrainingBatches,
    WindowPart,
    balanced_weights,
    class_counts,
    validation_batches,
)
from edgecnn.training.schedule import Schedule
from edgecnn.training.state import Arrays, TrainingState, load_state, save_state, training_key
from edgecnn.training.step import Stepper
from edgecnn.zoo.checks import output_kind
from edgecnn_firmware.card import EpochCard, NormalizationCard
from edgecnn_firmware.errors import DataError, ModelError
from edgecnn_firmware.progress import Progress, silent

if TYPE_CHECKING:
    import keras

NO_VALIDATION = "no validation windows: trained for all epochs, the last weights are the result"


@dataclass(frozen=True)
class TrainingResult:
    """The fitted model (the one that was given, with the best weights) and how it came about; epochs count from 1."""

    model: "keras.Model"
    history: tuple[EpochCard, ...]
    best_epoch: int
    resumed_after: int = 0
    """Epochs that an earlier, interrupted call had finished."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Run:
    """What stays the same during one training."""

    stepper: Stepper
    batches: TrainingBatches
    validation: WindowPart | None
    schedule: Schedule
    settings: TrainingSettings
    checkpoint_dir: Path | None
    progress: Progress = field(repr=False)


def train(
    model: "keras.Model",
    training: WindowPart,
    validation: WindowPart | None,
    normalization: NormalizationCard,
    settings: TrainingSettings,
    *,
    seed: int,
    checkpoint_dir: Path | None = None,
    class_names: Sequence[str] = (),
    progress: Progress = silent,
) -> TrainingResult:
    """Fit `model`, in place.

    After every epoch the state is saved in `checkpoint_dir`; a call with the same model, data, settings and seed goes
    on from there and ends with exactly the weights of a call that was never interrupted.

    Args:
        model: from the zoo or the user, ending in sigmoid or softmax probabilities.
        training: windows in physical units with labels, every class present.
        validation: windows to choose the best epoch by; None or empty trains all epochs.
        normalization: applied to every window.
        settings: the `[training]` table.
        seed: of shuffling, augmentation and dropout.
        checkpoint_dir: folder of the saved state; None saves nothing.
        class_names: for errors.
        progress: told after every batch; the note has the epoch, the loss and the last validation accuracy.

    Raises:
        DataError: a part does not fit the model, or a class has no training window.
        SettingsError: the augmentation does not fit the channels.
        ModelError: the loss became NaN or infinite, or memory ran out.
    """
    make_deterministic(seed)
    classes = max(2, model.output_shape[-1])
    counts = _check_parts(model, training, validation, classes, class_names)
    balanced = settings.class_weights == "balanced"
    weights = balanced_weights(counts) if balanced else np.ones(classes, np.float32)
    augmenter = Augmenter(settings.augment, seed)
    batches = TrainingBatches(training, normalization, augmenter, weights, output_kind(model), settings.batch_size)
    schedule = Schedule(settings.schedule, settings.peak_learning_rate, batches.steps * settings.epochs)
    held_out = validation if validation is not None and len(validation.labels) else None
    run = _Run(Stepper(model, settings), batches, held_out, schedule, settings, checkpoint_dir, progress)
    state = _initial_state(run, _key(model, run, normalization, seed) if checkpoint_dir else "")
    resumed_after = len(state.history)
    state = _all_epochs(run, state)
    run.stepper.swap_in(state.best)
    notes = () if held_out is not None else (NO_VALIDATION,)
    return TrainingResult(model, state.history, state.best_epoch, resumed_after, notes)


def _check_parts(
    model: "keras.Model", training: WindowPart, validation: WindowPart | None, classes: int, names: Sequence[str]
) -> npt.NDArray[np.int64]:
    expected = tuple(model.input_shape[1:])
    for name, part in (("training", training), ("validation", validation)):
        if part is None:
            continue
        if part.windows.shape[1:] != expected or len(part.windows) != len(part.labels):
            raise DataError(
                f"{name} part: windows of shape {part.windows.shape} with {len(part.labels)} labels; "
                f"the model takes (n, {expected[0]}, {expected[1]})"
            )
        class_counts(part, classes, name)
    counts = class_counts(training, classes, "training")
    if not counts.all():
        missing = [
            names[number] if number < len(names) else str(number) for number in np.flatnonzero(counts == 0).tolist()
        ]
        raise DataError(f"training part: no window of class {', '.join(missing)}; change the split or [labels] classes")
    return counts


def _key(model: "keras.Model", run: _Run, normalization: NormalizationCard, seed: int) -> str:
    """Stands for everything that decides how training goes; a saved state of anything else is not used."""
    keras, tf = import_keras(), import_tensorflow()
    about = {
        "seed": seed,
        "training": run.settings.model_dump(mode="json"),
        "normalization": normalization.model_dump(mode="json"),
        "layers": [[layer.name, type(layer).__name__] for layer in model.layers],
        "versions": [keras.__version__, tf.__version__, np.__version__],
    }
    arrays = {f"initial {number}": value for number, value in enumerate(run.stepper.variables)}
    for name, part in (("training", run.batches.part), ("validation", run.validation)):
        if part is not None:
            arrays |= {f"{name} windows": part.windows, f"{name} labels": part.labels}
    return training_key(about, arrays)


def _initial_state(run: _Run, key: str) -> TrainingState:
    """The saved state of this very training, or the beginning."""
    fresh = TrainingState(key, run.stepper.variables, run.stepper.weights)
    saved = load_state(run.checkpoint_dir, key) if run.checkpoint_dir else None
    if saved is None or [value.shape for value in saved.variables] != [value.shape for value in fresh.variables]:
        return fresh
    run.stepper.restore(saved.variables)
    return saved


def _all_epochs(run: _Run, state: TrainingState) -> TrainingState:
    while not state.finished:
        state = _one_epoch(run, state)
        if run.checkpoint_dir:
            save_state(state, run.checkpoint_dir)
    return state


def _one_epoch(run: _Run, state: TrainingState) -> TrainingState:
    epoch = len(state.history) + 1
    loss, accuracy = _train_epoch(run, epoch, state.history[-1] if state.history else None)
    rate = run.schedule.at(epoch * run.batches.steps - 1)
    weights = run.stepper.weights
    val_loss, val_accuracy = _validate(run, weights)
    if not (math.isfinite(val_loss or 0) and all(np.isfinite(weight).all() for weight in weights)):
        raise _diverged(run, f"the weights are no longer finite after epoch {epoch}")
    card = EpochCard(
        epoch=epoch, loss=loss, accuracy=accuracy, val_loss=val_loss, val_accuracy=val_accuracy, learning_rate=rate
    )
    best_before = min((past.val_loss for past in state.history if past.val_loss is not None), default=math.inf)
    state = state.after(card, run.stepper.variables)
    if val_loss is None or val_loss < best_before:
        state = replace(state, best=weights, best_epoch=epoch)
    patience = run.settings.patience
    out_of_patience = val_loss is not None and 0 < patience <= epoch - state.best_epoch
    return replace(state, finished=epoch >= run.settings.epochs or out_of_patience)


def _train_epoch(run: _Run, epoch: int, last: EpochCard | None) -> tuple[float, float]:
    """One pass over the training part; mean loss and accuracy."""
    steps, epochs = run.batches.steps, run.settings.epochs
    total_loss, right, seen = 0.0, 0, 0
    val = "" if last is None or last.val_accuracy is None else f" val_acc {last.val_accuracy:.3f}"
    for number, batch in enumerate(run.batches.epoch(epoch)):
        step = (epoch - 1) * steps + number
        loss, hits = _step(run, batch, run.schedule.at(step))
        if not math.isfinite(loss):
            raise _diverged(run, f"the loss became {loss} in epoch {epoch}, batch {number + 1}")
        size = len(batch.weights)
        total_loss, right, seen = total_loss + loss * size, right + hits, seen + size
        note = f"epoch {epoch}/{epochs} loss {total_loss / seen:.3f}{val}"
        run.progress("train", step + 1, steps * epochs, note)
    return total_loss / seen, right / seen


def _diverged(run: _Run, what: str) -> ModelError:
    rate = run.settings.peak_learning_rate
    return ModelError(
        f"training: {what}; try a smaller training.learning_rate ({rate:g} now) and check [normalization] and the data"
    )


def _step(run: _Run, batch: Batch, learning_rate: float) -> tuple[float, int]:
    tf = import_tensorflow()
    try:
        return run.stepper.train(batch, learning_rate)
    except tf.errors.ResourceExhaustedError as error:
        size = run.settings.batch_size
        raise ModelError(f"training: out of memory; try a smaller training.batch_size ({size} now)") from error


def _validate(run: _Run, weights: Arrays) -> tuple[float | None, float | None]:
    """Mean loss and accuracy on the validation part with `weights`; None without a validation part."""
    if run.validation is None:
        return None, None
    own = run.stepper.swap_in(weights)
    batches = run.batches
    classes = len(batches.class_weights)
    total_loss, right = 0.0, 0
    for batch in validation_batches(run.validation, batches.normalization, batches.output, classes):
        loss, hits = run.stepper.validate(batch)
        total_loss, right = total_loss + loss, right + hits
    run.stepper.swap_in(own)
    count = len(run.validation.labels)
    return total_loss / count, right / count
