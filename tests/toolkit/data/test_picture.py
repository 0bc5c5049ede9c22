"""The windows that a survey shows are the recordings' own samples, from the right places."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data.picture import MAX_CHANNELS, survey_picture, thinned
from edgecnn.data.proposal import propose
from edgecnn.data.recording import Dataset, Recording
from edgecnn.data.survey import survey
from edgecnn_bench.report.survey import SurveyPicture, render_survey

MakeRecording = Callable[..., Recording]
MakeDataset = Callable[..., Dataset]


def drawn(dataset: Dataset, window_samples: int) -> SurveyPicture:
    return survey_picture(dataset, survey(dataset), window_samples)


def test_a_window_is_the_middle_of_the_segment_of_middle_length(
    make_recording: MakeRecording, make_dataset: MakeDataset
) -> None:
    samples = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    segments = [(0, 30, "walk"), (100, 300, "walk"), (400, 1000, "walk"), (30, 100, "rest")]
    picture = drawn(make_dataset(make_recording(samples, segments, name="a")), 80)
    rest, walk = (item.example for item in picture.classes)
    assert walk is not None
    assert rest is not None
    assert (walk.recording, walk.start, walk.length, walk.labeled) == ("a", 1.6, 0.8, None)
    for number, signal in enumerate(walk.signals):
        times, values = zip(*signal.points, strict=True)
        np.testing.assert_array_equal(np.float32(values), samples[160:240, number])
        np.testing.assert_allclose(times, np.arange(80) / 100)
    # 70 samples do not fill 80: from 25 on, labeled from 30 to 100.
    assert (rest.start, rest.labeled) == (0.25, (0.05, 0.75))
    assert [(signal.channel, signal.unit) for signal in rest.signals] == [("c0", "g"), ("c1", "g")]


def test_windows_stay_inside_recordings_that_may_be_shorter(
    make_recording: MakeRecording, make_dataset: MakeDataset
) -> None:
    dataset = make_dataset(
        make_recording(300, [(0, 20, "start"), (280, 300, "end")], name="a"),
        make_recording(50, [(0, 50, "short")], name="b"),
    )
    found = {item.label: item.example for item in drawn(dataset, 100).classes}
    places = {label: (item.start, item.length, item.labeled) for label, item in found.items() if item is not None}
    assert places == {"start": (0, 1, (0, 0.2)), "end": (2, 1, (0.8, 1)), "short": (0, 0.5, None)}


def test_events_lie_in_the_middle_with_their_neighbors(
    make_recording: MakeRecording, make_dataset: MakeDataset
) -> None:
    beats = [(place, place + 1, "V" if place == 500 else "N") for place in range(100, 1000, 100)]
    picture = drawn(make_dataset(make_recording(1000, beats)), 250)
    normal, ectopic = picture.classes
    assert (normal.is_event, normal.amount, ectopic.amount) == (True, 8, 1)
    assert ectopic.example is not None
    assert (ectopic.example.start, ectopic.example.labeled) == (3.75, None)
    assert [(mark.time, mark.label) for mark in ectopic.example.marks] == [(0.25, "N"), (1.25, "V"), (2.25, "N")]
    assert picture.groups[0].amounts == (8, 1)


def test_long_windows_are_thinned_to_their_extremes() -> None:
    values = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    values[[12_345, 67_890]] = 50, -50
    points = thinned(values, 1000.0)
    assert len(points) <= 802
    assert list(points) == sorted(points)
    assert {(12.345, 50.0), (67.89, -50.0)} <= set(points)
    assert (points[0][0], points[-1][0]) == (0.0, 99.999)
    assert all(np.float32(value) == values[round(time * 1000)] for time, value in points)
    assert len(thinned(values[:800], 1000.0)) == 800


def test_many_channels_are_cut(make_recording: MakeRecording, make_dataset: MakeDataset) -> None:
    samples = np.zeros((100, MAX_CHANNELS + 5), dtype=np.float32)
    example = drawn(make_dataset(make_recording(samples, [(0, 100, "a")])), 50).classes[0].example
    assert example is not None
    assert len(example.signals) == MAX_CHANNELS


@pytest.mark.parametrize(("folder", "classes"), [("hapt", 12), ("mitdb", 10), ("nano33_imu_gestures", 4)])
def test_real_data_make_a_page(shared_data: Path, folder: str, classes: int) -> None:
    dataset = propose(shared_data / folder, relative_to=Path()).dataset
    picture = drawn(dataset, 128)
    assert len([item for item in picture.classes if item.example is not None]) == classes
    for item in picture.classes:
        assert item.example is not None
        recording = next(one for one in dataset.recordings if one.name == item.example.recording)
        start = round(item.example.start * dataset.sample_rate_hz)
        column = recording.read(start, start + 128)[:, 0]
        np.testing.assert_array_equal(np.float32([y for _, y in item.example.signals[0].points]), column)
    assert len(render_survey(picture)) < 1 << 20
