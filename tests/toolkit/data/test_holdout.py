import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data.holdout import choose_groups
from edgecnn_firmware.errors import MissingDependency


def windows(counts):
    """Labels and groups of `counts[group][class]` windows."""
    label, group = [], []
    for number, row in enumerate(counts):
        for kind, count in enumerate(row):
            label += [kind] * count
            group += [number] * count
    return np.array(label, dtype=np.int32), np.array(group, dtype=np.int64)


def shares(counts, chosen):
    counts = np.asarray(counts)
    return counts[chosen].sum(axis=0) / counts.sum(axis=0)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.33, 0.5, 0.8])
def test_equal_groups_come_as_near_to_the_share_as_whole_groups_can(share):
    counts = [[10, 20, 5]] * 20
    chosen = choose_groups(*windows(counts), 3, share, seed=0)
    assert abs(chosen.sum() / 20 - share) <= 0.025 + 1e-9


def test_unequal_groups_are_balanced_over_classes():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 60, (30, 4))
    for seed in range(5):
        found = shares(counts, choose_groups(*windows(counts), 4, 0.25, seed))
        assert np.abs(found - 0.25).max() < 0.03


def test_many_groups_take_one_pass_and_keep_every_class_in_training():
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 5, (400, 2))
    rare = np.zeros((400, 3), dtype=int)
    for number, group in enumerate((7, 200, 399)):
        rare[group, number] = 1
    counts = np.concatenate((counts, rare), axis=1)
    for seed in range(5):
        chosen = choose_groups(*windows(counts), 5, 0.3, seed)
        assert np.abs(shares(counts, chosen)[:2] - 0.3).max() < 0.03
        assert not chosen[[7, 200, 399]].any()


@settings(deadline=None, max_examples=40)
@given(
    counts=st.lists(st.integers(1, 9), min_size=2, max_size=30),
    classes=st.integers(1, 4),
    share=st.sampled_from([0.1, 0.2, 0.5]),
    seed=st.integers(0, 100),
)
def test_groups_of_one_class_are_drawn_per_class(counts, classes, share, seed):
    table = np.zeros((len(counts), classes), dtype=int)
    for number, count in enumerate(counts):
        table[number, number % classes] = count
    chosen = choose_groups(*windows(table), classes, share, seed)
    assert 0 < chosen.sum() < len(counts)
    for kind in range(classes):
        members = chosen[kind::classes]
        if len(members) >= 3:
            assert 1 <= members.sum() <= len(members) - 2
        if len(members) == 2:
            assert members.sum() == 1
    assert np.array_equal(chosen, choose_groups(*windows(table), classes, share, seed))


def test_a_missing_scikit_learn_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.model_selection", None)
    with pytest.raises(MissingDependency, match=r"pip install 'edgecnn\[train\]'"):
        choose_groups(*windows([[1, 1]] * 5), 2, 0.2, seed=0)
