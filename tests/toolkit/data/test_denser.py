import numpy as np
import pytest

from edgecnn.data.denser import denser_training
from edgecnn.data.recording import Channel, Dataset, Recording, Segment
from edgecnn.data.splits import split_windows
from edgecnn.data.windows import cut_windows
from edgecnn.project import LabelSettings, SplitSettings, WindowSettings
from edgecnn_firmware.errors import DataError


def recording(number: int, length: int = 400) -> Recording:
    segments = (Segment(0, length // 2, "a"), Segment(length // 2, length, "b"))
    samples = np.random.default_rng(number).normal(size=(length, 1)).astype(np.float32)
    read = lambda start, stop: samples[start:stop]  # noqa: E731
    return Recording(f"r{number}", (Channel("x"),), 100.0, length, segments, f"g{number}", read)


@pytest.fixture
def dataset() -> Dataset:
    return Dataset("made", "made", tuple(recording(number) for number in range(10)), ())


def cut(dataset: Dataset, windows: WindowSettings) -> tuple:
    index = cut_windows(dataset, windows, LabelSettings())
    split = split_windows(index, SplitSettings(test=0.3, validation=0.3), 0)
    return index, split, *denser_training(index, split, windows, LabelSettings())


def test_without_train_hop_nothing_changes(dataset):
    index, split, same_index, same_split = cut(dataset, WindowSettings(length=40, hop=40))
    assert same_index is index
    assert same_split is split


def test_training_and_validation_are_cut_denser_and_the_test_part_is_kept(dataset):
    index, split, dense, dense_split = cut(dataset, WindowSettings(length=40, hop=40, train_hop=10))
    brute = cut_windows(dataset, WindowSettings(length=40, hop=10), LabelSettings())
    for part in ("train", "validation"):
        rows, old = dense_split.parts[part], split.parts[part]
        wanted = np.isin(brute.recording, index.recording[old])
        assert dense.recording[rows].tolist() == brute.recording[wanted].tolist()
        assert dense.start[rows].tolist() == brute.start[wanted].tolist()
        assert dense.label[rows].tolist() == brute.label[wanted].tolist()
        assert len(rows) > 3 * len(old)
    assert dense.start[dense_split.test].tolist() == index.start[split.test].tolist()
    assert dense.recording[dense_split.test].tolist() == index.recording[split.test].tolist()
    order = dense.recording.astype(np.int64) * 10**6 + dense.start
    assert (np.diff(order) > 0).all()
    assert f"{len(dense_split.train)} and {len(dense_split.test)} windows, 0 overlap" in " ".join(dense_split.proof)


def test_other_classes_are_refused(dataset):
    short = Segment(390, 400, "c")
    last = dataset.recordings[-1]
    changed = Recording(
        last.name, last.channels, last.sample_rate_hz, last.length, (*last.segments[:1], short), last.group, last.read
    )
    bad = Dataset("made", "made", (*dataset.recordings[:-1], changed), ())
    windows = WindowSettings(length=10, hop=20, train_hop=1)
    with pytest.raises(DataError, match="train_hop finds the classes a, b, c"):
        cut(bad, windows)
