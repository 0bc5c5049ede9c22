import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.window_reader import read_windows
from edgecnn.data.windows import cut_windows
from edgecnn.project import LabelSettings, WindowSettings
from edgecnn_firmware.errors import DataError


@given(
    lengths=st.lists(st.integers(3, 60), min_size=1, max_size=4),
    window=st.integers(1, 20),
    hop=st.integers(1, 25),
    block_values=st.sampled_from([1, 30, 100, 1 << 20]),
    align=st.sampled_from(["recording", "segment"]),
    data=st.data(),
)
def test_blocks_hold_the_windows_cut_one_by_one(
    make_recording, make_dataset, lengths, window, hop, block_values, align, data
):
    reads = []

    def recorded(recording):
        def read(start, stop):
            assert 0 <= start < stop <= recording.length
            reads.append((recording.name, start, stop))
            return recording.read(start, stop)

        return dataclasses.replace(recording, read=read)

    recordings = []
    # The last two make sure that each class has a window.
    for number, length in enumerate([*lengths, 40, 41]):
        samples = (np.arange(length * 2, dtype=np.float32) + 1000 * number).reshape(length, 2)
        cut = {40: 0, 41: 41}.get(length, length // 2)
        segments = [(0, cut, "a"), (cut, length, "b")]
        recordings.append(recorded(make_recording(samples, segments, name=f"r{number}")))
    index = cut_windows(
        make_dataset(*recordings),
        WindowSettings(length=window, hop=hop, short="pad", align=align),
        LabelSettings(min_share=0.01),
    )
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, len(index) - 1), min_size=1))))
    reads.clear()
    blocks = list(read_windows(index, rows, block_values))
    found = np.concatenate(blocks)
    assert found.dtype == np.float32
    for row, got in zip(rows, found, strict=True):
        recording = recordings[index.recording[row]]
        start, available = index.start[row], index.available[row]
        exact = recording.read(int(start), int(start + available))
        padding = np.repeat(exact[-1:], window - available, axis=0)
        np.testing.assert_array_equal(got, np.concatenate((exact, padding)))
    assert all(block.size <= max(block_values, window * 2) for block in blocks)


def test_reading_goes_through_each_recording_once_front_to_back(make_recording, make_dataset):
    reads = []
    recording = make_recording(1000, [(0, 500, "a"), (500, 1000, "b")])

    def read(start, stop):
        reads.append((start, stop))
        return recording.read(start, stop)

    dataset = make_dataset(dataclasses.replace(recording, read=read))
    index = cut_windows(dataset, WindowSettings(length=10, hop=10), LabelSettings())
    list(read_windows(index, np.arange(len(index)), 400))
    assert reads == [(start, start + 200) for start in range(0, 1000, 200)]


@pytest.mark.parametrize(
    ("give", "line"),
    [
        (
            lambda start, stop: np.zeros((stop - start - 1, 2), np.float32),
            r"r: samples 0 to 20 come as float32 \(19, 2\)",
        ),
        (lambda start, stop: np.zeros((stop - start, 2), np.float64), "come as float64"),
        (lambda start, stop: np.full((stop - start, 2), np.nan, np.float32), "r: sample 0 is NaN or infinite"),
    ],
)
def test_a_recording_that_breaks_its_promise_is_named(make_recording, make_dataset, give, line):
    recording = dataclasses.replace(make_recording(20, [(0, 10, "a"), (10, 20, "b")]), read=give)
    index = cut_windows(make_dataset(recording), WindowSettings(length=10, hop=10), LabelSettings())
    with pytest.raises(DataError, match=line):
        list(read_windows(index, np.arange(2)))
