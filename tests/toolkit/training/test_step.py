"""One step against the formulas."""

import numpy as np
import pytest

from edgecnn.project import TrainingSettings
from edgecnn.tensorflow_setup import import_keras, make_deterministic
from edgecnn.training.batches import Batch, targets_of
from edgecnn.training.step import Stepper


def linear_model(outputs, activation):
    keras = import_keras()
    make_deterministic(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(outputs, activation=activation)]
    return keras.Sequential([keras.Input((4, 2)), *layers])


def batch_of(outputs, weights=None, count=12):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, max(2, outputs), count)
    targets = targets_of(labels, "sigmoid" if outputs == 1 else "softmax", max(2, outputs))
    windows = rng.normal(size=(count, 4, 2)).astype(np.float32)
    return Batch(windows, targets, np.ones(count, np.float32) if weights is None else weights)


def cross_entropy(probabilities, targets):
    if targets.shape[1] == 1:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
        targets = np.concatenate([1 - targets, targets], axis=1)
    return -(targets * np.log(probabilities)).sum(axis=1)


@pytest.mark.parametrize(("outputs", "activation"), [(1, "sigmoid"), (3, "softmax")])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_and_hits_follow_their_formulas(outputs, activation, smoothing):
    model, batch = linear_model(outputs, activation), batch_of(outputs)
    probabilities = model(batch.windows).numpy().astype(np.float64)
    smooth = batch.targets * (1 - smoothing) + smoothing / max(2, outputs)
    expected = cross_entropy(probabilities, smooth)
    loss, right = Stepper(model, TrainingSettings(label_smoothing=smoothing)).validate(batch)
    assert loss == pytest.approx(expected.sum(), rel=1e-5)
    chosen = probabilities[:, 0] > 0.5 if outputs == 1 else probabilities.argmax(axis=1)
    assert right == (chosen == (batch.targets[:, 0] if outputs == 1 else batch.targets.argmax(axis=1))).sum()


def test_weights_multiply_the_loss_of_their_window():
    weights = np.linspace(0, 3, 12).astype(np.float32)
    model, batch = linear_model(3, "softmax"), batch_of(3, weights)
    expected = cross_entropy(model(batch.windows).numpy(), batch.targets) * weights
    loss, _ = Stepper(model, TrainingSettings(label_smoothing=0)).train(batch, 1e-3)
    assert loss == pytest.approx(expected.mean(), rel=1e-5)


def test_a_window_of_weight_0_teaches_nothing():
    moved = []
    for value in (0.0, 100.0):
        model = linear_model(3, "softmax")
        batch = batch_of(3, np.float32([0] + [1] * 11))
        batch.windows[0] = value
        Stepper(model, TrainingSettings()).train(batch, 1e-2)
        moved.append(model.layers[-1].kernel.numpy())
    assert np.allclose(moved[0], moved[1], atol=1e-7)


def test_the_learning_rate_given_is_the_one_used():
    """AdamW's first step moves every weight by the learning rate, against the sign of its gradient."""
    model = linear_model(3, "softmax")
    before = model.layers[-1].kernel.numpy()
    Stepper(model, TrainingSettings(learning_rate=1.0, weight_decay=0)).train(batch_of(3), 1e-3)
    assert np.allclose(np.abs(model.layers[-1].kernel.numpy() - before), 1e-3, rtol=1e-2)


def test_averages_follow_their_formula():
    model = linear_model(3, "softmax")
    stepper = Stepper(model, TrainingSettings(ema=0.3))
    average = model.layers[-1].kernel.numpy()
    for step in range(1, 6):
        stepper.train(batch_of(3), 1e-2)
        keep = min(0.3, (1 + step) / (10 + step))
        average = keep * average + (1 - keep) * model.layers[-1].kernel.numpy()
    assert np.allclose(stepper.weights[0], average, rtol=1e-5, atol=1e-7)


def test_restoring_variables_repeats_the_steps_to_the_bit():
    keras = import_keras()
    make_deterministic(0)
    head = [keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(3, activation="softmax")]
    model = keras.Sequential([keras.Input((4, 2)), keras.layers.Conv1D(3, 2), keras.layers.BatchNormalization(), *head])
    stepper, batch = Stepper(model, TrainingSettings(ema=0.5)), batch_of(3)
    stepper.train(batch, 1e-2)
    saved = stepper.variables
    runs = []
    for _ in range(2):
        stepper.restore(saved)
        losses = [stepper.train(batch, 1e-2)[0] for _ in range(3)]
        runs.append((losses, stepper.variables))
    assert runs[0][0] == runs[1][0]
    assert all(np.array_equal(a, b) for a, b in zip(runs[0][1], runs[1][1], strict=True))
