"""Training: what it learns, that it repeats itself, and that an interruption leaves no trace."""

import numpy as np
import pytest

from edgecnn.training.refit import join
from edgecnn.training.state import STATE_FILE
from edgecnn_firmware.errors import DataError, ModelError, SettingsError


def weights_of(result):
    return [weight.numpy() for weight in result.model.weights]


def same_weights(first, second):
    return all(np.array_equal(a, b) for a, b in zip(weights_of(first), weights_of(second), strict=True))


class Interrupt:
    """Progress that stops training after some batches, as Ctrl-C would."""

    def __init__(self, after):
        self.after = after

    def __call__(self, task, done, total, note=""):
        if done >= self.after:
            raise KeyboardInterrupt


def test_it_learns(fit):
    result = fit(epochs=30, learning_rate=0.01)
    assert len(result.history) == 30
    assert [epoch.epoch for epoch in result.history] == list(range(1, 31))
    assert result.history[-1].loss < 0.7 * result.history[0].loss
    assert result.history[result.best_epoch - 1].val_accuracy > 0.85


def test_two_classes_end_in_one_sigmoid_and_learn(fit):
    result = fit(classes=2, epochs=15, learning_rate=0.01)
    assert result.model.output_shape == (None, 1)
    assert result.history[result.best_epoch - 1].val_accuracy > 0.9


def test_the_result_has_the_weights_of_the_best_epoch(fit, small_task):
    validation = small_task[1]
    result = fit(epochs=8, learning_rate=0.05, label_smoothing=0)
    losses = [epoch.val_loss for epoch in result.history]
    assert result.best_epoch == np.argmin(losses) + 1
    normalized = (validation.windows - np.float32([1, -2])) * np.float32([0.5, 0.25])
    probabilities = result.model.predict_on_batch(normalized)
    own = -np.log(probabilities[np.arange(len(normalized)), validation.labels]).mean()
    assert own == pytest.approx(min(losses), rel=1e-4)
    hits = probabilities.argmax(axis=1) == validation.labels
    assert result.history[result.best_epoch - 1].val_accuracy == pytest.approx(hits.mean())


def test_same_seed_same_weights_other_seed_others(fit):
    first, second, other = fit(epochs=2), fit(epochs=2), fit(epochs=2, seed=1)
    assert same_weights(first, second)
    assert first.history == second.history
    assert not same_weights(first, other)


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("after_batches", [1, 6, 8])
def test_interrupted_and_resumed_is_as_if_never_interrupted(fit, tmp_path, ema, after_batches):
    settings = {"epochs": 4, "ema": ema, "class_weights": "balanced"}
    whole = fit(**settings)
    with pytest.raises(KeyboardInterrupt):
        fit(**settings, checkpoint_dir=tmp_path, progress=Interrupt(after_batches))
    resumed = fit(**settings, checkpoint_dir=tmp_path)
    # Three batches an epoch: epochs that were finished before the interruption are not trained again.
    assert resumed.resumed_after == (after_batches - 1) // 3
    assert resumed.history == whole.history
    assert resumed.best_epoch == whole.best_epoch
    assert same_weights(resumed, whole)


def test_finished_training_is_not_repeated(fit, tmp_path):
    first = fit(epochs=2, checkpoint_dir=tmp_path)
    again = fit(epochs=2, checkpoint_dir=tmp_path, progress=Interrupt(0))
    assert again.resumed_after == 2
    assert same_weights(first, again)


@pytest.mark.parametrize("change", [{"seed": 5}, {"learning_rate": 0.01}, {"epochs": 3}, {"classes": 2}])
def test_state_of_another_training_is_not_used(fit, tmp_path, change):
    fit(epochs=2, checkpoint_dir=tmp_path)
    assert fit(**({"epochs": 2} | change), checkpoint_dir=tmp_path).resumed_after == 0


def test_state_of_other_data_is_not_used(fit, tmp_path, small_task):
    fit(epochs=1, checkpoint_dir=tmp_path)
    part = small_task[0]
    changed = type(part)(part.windows.copy(), part.labels)
    changed.windows[7, 3, 1] += 1e-3
    assert fit(epochs=1, checkpoint_dir=tmp_path, training=changed).resumed_after == 0
    assert fit(epochs=1, checkpoint_dir=tmp_path, training=changed).resumed_after == 1


def test_damaged_state_starts_over(fit, tmp_path):
    whole = fit(epochs=2, checkpoint_dir=tmp_path)
    state = tmp_path / STATE_FILE
    state.write_bytes(state.read_bytes()[:-200])
    again = fit(epochs=2, checkpoint_dir=tmp_path)
    assert again.resumed_after == 0
    assert same_weights(again, whole)


def test_it_stops_when_patience_runs_out(fit):
    result = fit(epochs=60, patience=2, learning_rate=0.3, schedule="constant")
    assert len(result.history) < 60
    assert len(result.history) == result.best_epoch + 2
    losses = [epoch.val_loss for epoch in result.history]
    assert min(losses) == losses[result.best_epoch - 1]


def test_without_validation_the_last_weights_are_the_result(fit):
    result = fit(epochs=3, patience=1, validation=None)
    assert result.best_epoch == 3
    assert [epoch.val_loss for epoch in result.history] == [None] * 3
    assert "no validation windows" in result.notes[0]
    assert same_weights(result, fit(epochs=3, validation=None))


def test_averaged_weights_are_the_result(fit):
    plain, averaged = fit(epochs=3, validation=None), fit(epochs=3, validation=None, ema=0.9)
    assert [epoch.loss for epoch in plain.history] == [epoch.loss for epoch in averaged.history]
    assert not same_weights(plain, averaged)


def test_progress_counts_batches_and_tells_loss_and_accuracy(fit):
    calls = []
    fit(epochs=2, progress=lambda *call: calls.append(call))
    assert [(task, done, total) for task, done, total, _ in calls] == [("train", done, 6) for done in range(1, 7)]
    assert calls[0][3].startswith("epoch 1/2 loss ")
    assert " val_acc 0." in calls[-1][3]


def test_class_missing_from_training_is_an_error(fit, small_task):
    part = small_task[0]
    kept = part.labels != 1
    with pytest.raises(DataError, match="training part: no window of class 1; change the split"):
        fit(training=type(part)(part.windows[kept], part.labels[kept]))


def test_label_outside_the_model_is_an_error(fit, small_task):
    part = small_task[0]
    with pytest.raises(DataError, match="training part: label 3; the model has 3 classes, 0 to 2"):
        fit(training=type(part)(part.windows, part.labels + 1))


def test_windows_of_another_shape_are_an_error(fit, small_task):
    part = small_task[0]
    with pytest.raises(DataError, match=r"training part: windows of shape \(90, 31, 2\) with 90 labels"):
        fit(training=type(part)(part.windows[:, 1:], part.labels))
    with pytest.raises(DataError, match="with 89 labels"):
        fit(training=type(part)(part.windows, part.labels[1:]))


def test_diverging_training_says_what_to_try(fit, small_task):
    part = small_task[0]
    windows = part.windows.copy()
    windows[40] = np.inf
    with pytest.raises(
        ModelError, match=r"the loss became nan in epoch 1, batch \d; try a smaller training.learning_r"
    ):
        fit(training=type(part)(windows, part.labels))


def test_rotation_without_axes_is_an_error(fit):
    with pytest.raises(SettingsError, match="rotation_deg needs rotation_axes"):
        fit(augment={"rotation_deg": 10})


def test_two_parts_joined_train_and_resume_as_their_concatenation(fit, small_task, tmp_path):
    training, validation = small_task
    windows = np.concatenate([training.windows, validation.windows])
    labels = np.concatenate([training.labels, validation.labels])
    settings = {"epochs": 2, "validation": None}
    whole = fit(training=type(training)(windows, labels), **settings, checkpoint_dir=tmp_path)
    joined = fit(training=join(training, validation), **settings)
    assert same_weights(whole, joined)
    again = fit(training=join(training, validation), **settings, checkpoint_dir=tmp_path)
    assert again.resumed_after == 2
