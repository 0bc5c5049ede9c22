"""Batches: every window once an epoch, and weights that balance classes."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from edgecnn.augmentation import Augmenter
from edgecnn.project import AugmentSettings
from edgecnn.training.batches import (
    TrainingBatches,
    balanced_weights,
    class_counts,
    targets_of,
    validation_batches,
    weights_of,
)
from edgecnn_firmware.card import NormalizationCard

NORMALIZATION = NormalizationCard(method="constants", offset=(10.0,), gain=(2.0,))
OFF = AugmentSettings(jitter=0, scaling=0, offset=0, wander=0, stretch=0, shift=0)


def numbered(count, classes=3):
    """Windows that hold their own number."""
    windows = np.broadcast_to(np.arange(count, dtype=np.float32)[:, None, None], (count, 5, 1))
    return SimpleNamespace(windows=windows, labels=np.arange(count) % classes)


def batches_of(part, batch_size=8, seed=0, augment=OFF, weights=(1, 1, 1)):
    return TrainingBatches(part, NORMALIZATION, Augmenter(augment, seed), np.float32(weights), "softmax", batch_size)


@pytest.mark.parametrize(("count", "batch_size"), [(24, 8), (25, 8), (7, 8), (8, 1), (9, 8)])
def test_every_window_comes_once_an_epoch_normalized(count, batch_size):
    batches = batches_of(numbered(count), batch_size)
    found = list(batches.epoch(1))
    assert len(found) == batches.steps == -(-count // batch_size)
    sizes = [len(batch.windows) for batch in found]
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    numbers = np.concatenate([batch.windows[:, 0, 0] / 2 + 10 for batch in found])
    assert sorted(numbers) == list(range(count))
    labels = np.concatenate([batch.targets.argmax(axis=1) for batch in found])
    assert np.array_equal(labels, numbers % 3)


def test_order_depends_on_seed_and_epoch():
    def first(seed, epoch):
        return next(batches_of(numbered(100), seed=seed).epoch(epoch)).windows.tobytes()

    assert first(1, 1) == first(1, 1)
    assert len({first(1, 1), first(1, 2), first(2, 1)}) == 3


def test_validation_keeps_its_order_and_is_not_augmented():
    found = list(validation_batches(numbered(600), NORMALIZATION, "softmax", 3))
    assert len(found) > 1
    numbers = np.concatenate([batch.windows[:, 0, 0] / 2 + 10 for batch in found])
    assert np.array_equal(numbers, np.arange(600))


def test_balanced_weights_are_scikit_learns():
    labels = np.repeat([0, 1, 2, 3], [50, 3, 20, 7])
    counts = class_counts(SimpleNamespace(labels=labels), 4, "training")
    oracle = compute_class_weight("balanced", classes=np.arange(4), y=labels)
    assert np.allclose(balanced_weights(counts), oracle)
    assert balanced_weights(counts)[labels].mean() == pytest.approx(1)


@pytest.mark.parametrize(("output", "classes"), [("sigmoid", 2), ("softmax", 2), ("softmax", 4)])
def test_each_window_has_the_weight_of_its_class(output, classes):
    labels = np.arange(10) % classes
    weights = np.linspace(0.5, 2, classes).astype(np.float32)
    assert np.allclose(weights_of(targets_of(labels, output, classes), weights, output), weights[labels])


def test_mixed_targets_have_the_mixed_weight():
    assert weights_of(np.float32([[0.25]]), np.float32([1, 3]), "sigmoid") == pytest.approx([1.5])
    assert weights_of(np.float32([[0.75, 0.25]]), np.float32([1, 3]), "softmax") == pytest.approx([1.5])
