"""The choice of calibration windows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.quantization import choose_representative
from edgecnn_firmware.errors import DataError


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(1, 150), st.integers(0, 9))
def test_choice_is_as_even_as_the_classes_allow(sizes, count, seed):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    chosen = choose_representative(labels, count, seed)
    assert len(chosen) == min(count, len(labels))
    assert np.array_equal(chosen, np.unique(chosen))
    per_class = np.bincount(labels[chosen], minlength=len(sizes))
    # A class that still has windows has given at least as many as any other, less one for what cannot be divided.
    for number, size in enumerate(sizes):
        if per_class[number] < size:
            assert per_class[number] >= per_class.max() - 1


def test_seed_decides():
    labels = np.arange(1000) % 3
    assert np.array_equal(choose_representative(labels, 30, 1), choose_representative(labels, 30, 1))
    assert not np.array_equal(choose_representative(labels, 30, 1), choose_representative(labels, 30, 2))


def test_no_window_is_an_error():
    with pytest.raises(DataError, match="no training window to calibrate"):
        choose_representative(np.zeros(0, np.int64), 10, 0)
