"""What a survey finds, and that the proposed project goes through whole for every real data set."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from edgecnn.data.proposal import propose
from edgecnn.data.proposal_text import toml_value, tri_axial
from edgecnn.data.readers import read_dataset
from edgecnn.data.recording import Channel, Dataset, Recording
from edgecnn.data.survey import propose_project, survey
from edgecnn.data.tree import find_pattern
from edgecnn.data.windows import cut_windows
from edgecnn.project import AugmentSettings, Project, parse_project


def test_a_survey_counts_and_measures(
    make_recording: Callable[..., Recording], make_dataset: Callable[..., Dataset]
) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(length, 2)).astype(np.float32) for length in (400, 400, 20)]
    dataset = make_dataset(
        make_recording(arrays[0], [(0, 100, "walk"), (100, 200, "run")], name="a", group="p1"),
        make_recording(arrays[0], [(0, 400, "walk")], name="b", group="p1"),
        make_recording(arrays[2], [(0, 20, "walk")], name="c", group="p2"),
    )
    found = survey(dataset)
    assert [(item.label, item.recordings, item.segments, item.seconds) for item in found.classes] == [
        ("run", 1, 1, 1.0),
        ("walk", 3, 3, 5.2),
    ]
    assert found.groups[0].classes == {"run": 1.0, "walk": 5.0}
    assert (found.length_min, found.length_median, found.length_max) == (20, 400, 400)
    every = np.concatenate((arrays[0], arrays[0], arrays[2])).astype(np.float64)
    channel = found.channels[1]
    np.testing.assert_allclose(
        (channel.minimum, channel.maximum, channel.mean, channel.std),
        (every[:, 1].min(), every[:, 1].max(), every[:, 1].mean(), every[:, 1].std()),
        rtol=1e-5,
    )
    text = "\n".join(found.problems)
    for problem in ("copies of others: a = b", "class run is in 1 of 2 groups: p1", "class run has 1 segment,", "20%"):
        assert problem in text
    json.dumps(asdict(found))


def test_labels_of_one_sample_are_events_and_have_no_seconds(
    make_recording: Callable[..., Recording], make_dataset: Callable[..., Dataset]
) -> None:
    beats = [(place, place + 1, "V" if place == 50 else "N") for place in range(0, 300, 50)]
    dataset = make_dataset(
        make_recording(400, [*beats, (300, 400, "noise")], name="a", group="p1"),
        make_recording(400, [(7, 8, "N"), (9, 10, "noise")], name="b", group="p2"),
    )
    found = survey(dataset)
    rows = [(item.label, item.segments, item.seconds, item.events) for item in found.classes]
    assert rows == [("N", 6, None, 6), ("noise", 2, 1.01, None), ("V", 1, None, 1)]
    assert [(group.classes, group.events) for group in found.groups] == [
        ({"noise": 1.0}, {"N": 5, "V": 1}),
        ({"noise": 0.01}, {"N": 1}),
    ]
    assert [found.groups[1].amount(label) for label in ("N", "noise", "V")] == [1, 0.01, 0]
    assert "class V has 1 event, few" in "\n".join(found.problems)
    assert "class V is in 1 of 2 groups" not in "\n".join(found.problems)


def test_mitdb_beats_are_counted(shared_data: Path) -> None:
    found = survey(propose(shared_data / "mitdb", relative_to=Path()).dataset)
    counts = {item.label: item.events for item in found.classes}
    assert {label: counts[label] for label in "NVLAF"} == {"N": 26867, "V": 5419, "L": 2003, "A": 528, "F": 412}
    assert {item.seconds for item in found.classes} == {None}


def test_constant_and_clipped_channels(
    make_recording: Callable[..., Recording], make_dataset: Callable[..., Dataset]
) -> None:
    samples = np.stack((np.full(500, 2.0), np.clip(np.sin(np.arange(500)), -0.5, 2)), axis=1).astype(np.float32)
    problems = "\n".join(survey(make_dataset(make_recording(samples, [(0, 500, "a")]))).problems)
    assert "channel c0 is constant (2)" in problems
    assert "channel c1 may be clipped" in problems
    assert "are -0.5" in problems


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["Ana/wave_1.csv", "Ana/rest_1.csv", "Bo/wave_1.csv", "Bo/rest_1.csv"], "{group}/{label}_{take}.csv"),
        (["wave/1.csv", "wave/2.csv", "rest/1.csv"], None),
        (
            ["wave/wave_ana.txt", "wave/wave_bo.txt", "rest/rest_ana.txt", "rest/rest_bo.txt"],
            "{label}/{take}_{group}.txt",
        ),
        (["wave_1.csv", "wave_2.csv", "rest_1.csv"], "{label}_{take}.csv"),
        (["wave.csv", "rest.csv"], None),
        (["wave/p01/1.csv", "wave/p02/1.csv", "rest/p01/1.csv"], "{label}/{group}/{take}.csv"),
        (["p01/wave/1.csv", "p02/wave/1.csv", "p01/rest/1.csv"], "{group}/{label}/{take}.csv"),
        (["a.csv", "b/c.csv"], None),
    ],
)
def test_patterns_found_in_trees(names: list[str], pattern: str | None) -> None:
    assert find_pattern(names) == pattern


def test_tri_axial_channels_are_found_by_name() -> None:
    names = ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z", "temp", "mX", "mY"]
    assert tri_axial([Channel(name) for name in names]) == ((0, 1, 2), (3, 4, 5))
    assert tri_axial([Channel(name) for name in ("aX", "aY", "aZ")]) == ((0, 1, 2),)


def test_toml_values_survive() -> None:
    value = {"text": 'a"\\\x7f é\n', "list": ["x", "y"], "number": 0.3, "yes": True, "inner": {"a b": ["V"]}}
    text = "".join(f"{key} = {toml_value(item)}\n" for key, item in value.items())
    assert tomllib.loads(text) == value


def proposed(folder: Path, tmp_path: Path) -> tuple[Project, str]:
    text = propose_project(folder, relative_to=tmp_path)
    return parse_project(tomllib.loads(text), tmp_path / "edgecnn.toml"), text


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("hapt", (128, 64, "official", 6)),
        ("ecg5000", (140, 140, "official", 5)),
        ("mitdb", (1000, 1000, "group", 2)),
        ("nano33_imu_gestures", (200, 100, "group", 4)),
        ("arduino_punch_flex/rawalc", (119, 119, "group", 2)),
        ("arduino_punch_flex/devnithw", (119, 119, "group", 2)),
        ("magic_wand", (71, 71, "group", 4)),
        ("ucr_uea/BasicMotions", (100, 100, "official", 4)),
        ("ucr_uea/JapaneseVowels", (15, 15, "official", 9)),
    ],
)
def test_a_proposed_project_cuts_windows_as_it_is(
    shared_data: Path, tmp_path: Path, folder: str, expected: tuple[int, int, str, int]
) -> None:
    project, _ = proposed(shared_data / folder, tmp_path)
    index = cut_windows(read_dataset(project.data), project.windows, project.labels)
    assert (index.window_samples, index.hop_samples, project.split.method, len(index.classes)) == expected
    assert index.class_counts().min() > 0


def test_the_mitdb_proposal_can_be_edited_by_line(shared_data: Path, tmp_path: Path) -> None:
    project, text = proposed(shared_data / "mitdb", tmp_path)
    assert "\ntest = 0.3\n" in text
    assert project.labels.classes == {"ectopic": ("V", "F", "E")}
    assert project.data.channels == ("MLII",)
    augment = project.training.augment
    assert (augment.filter, augment.offset) == (0.5, 0.5)
    # Other data sets keep the defaults of the settings.
    others, _ = proposed(shared_data / "ecg5000", tmp_path)
    assert others.training.augment == AugmentSettings()


def test_uneven_stamps_are_resampled_in_the_proposal(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        times = np.arange(300) * 0.02 + rng.uniform(-0.009, 0.009, size=300)
        rows = "".join(f"{time:.4f},{value:.3f}\n" for time, value in zip(times, rng.normal(size=300), strict=True))
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "1.csv").write_text("time,ax\n" + rows)
    project, text = proposed(tmp_path / "data", tmp_path)
    assert project.data.resample_hz is not None
    assert abs(project.data.resample_hz - 50) < 2
    assert 'path = "data"' in text
