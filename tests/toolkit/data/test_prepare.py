import dataclasses
import hashlib
import json

import numpy as np
import pytest

from edgecnn.data import prepare as prepare_module
from edgecnn.data.prepare import load_prepared, prepare
from edgecnn.data.windows import cut_windows
from edgecnn.project import Project
from edgecnn_firmware.errors import DataError

PARTS = ("train", "validation", "test")


def project(**tables):
    raw = {
        "project": {"name": "gesture", "seed": 7},
        "data": {"path": "nowhere"},
        "windows": {"length": 20, "hop": 10},
        **tables,
    }
    return Project.model_validate(raw)


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def folder_of(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    return folder


def test_parts_hold_the_windows_in_physical_units(tmp_path, people):
    dataset = people(10)
    prepared = prepare(project(), tmp_path, dataset)
    index = cut_windows(dataset, project().windows, project().labels)
    by_name = {recording.name: recording for recording in dataset.recordings}
    assert prepared.classes == ("a", "b")
    assert sum(len(prepared.parts[part]) for part in PARTS) == len(index)
    for part in PARTS:
        found = prepared.parts[part]
        assert isinstance(found.windows, np.memmap)
        assert (found.windows.dtype, found.windows.shape[1:]) == (np.float32, (20, 2))
        assert found.labels.dtype == found.starts.dtype == np.int64
        for row in range(len(found)):
            recording = by_name[found.recordings[row]]
            start = int(found.starts[row])
            np.testing.assert_array_equal(found.windows[row], recording.read(start, start + 20))
            assert found.groups[row] == recording.group
            middle = [segment.label for segment in recording.segments if segment.start <= start < segment.stop]
            assert prepared.classes[found.labels[row]] == middle[0]
        assert prepared.data.parts[part].windows == len(found)
        assert prepared.data.parts[part].groups == tuple(dict.fromkeys(found.groups))
        assert prepared.data.parts[part].recordings == len(set(found.recordings))
        assert prepared.data.parts[part].class_windows == tuple(np.bincount(found.labels, minlength=2))


def test_what_is_loaded_is_what_was_prepared(tmp_path, people):
    dataset = people(6)
    made = prepare(project(), tmp_path, dataset)
    loaded = load_prepared(tmp_path)
    for name in ("classes", "input", "normalization", "data", "channels"):
        assert getattr(loaded, name) == getattr(made, name)
    for part in PARTS:
        for column in ("windows", "labels", "groups", "recordings", "starts"):
            np.testing.assert_array_equal(getattr(loaded.parts[part], column), getattr(made.parts[part], column))
    assert (loaded.window_samples, loaded.hop_samples, loaded.sample_rate_hz, loaded.rate_known) == (
        20,
        10,
        100.0,
        True,
    )
    assert loaded.channels == dataset.channels


def test_normalization_is_fitted_on_the_training_part_only(tmp_path, people, make_dataset, make_recording):
    loud = [
        make_recording(
            np.full((200, 2), 1e4, np.float32) + np.arange(400, dtype=np.float32).reshape(200, 2),
            [(0, 100, "a"), (100, 200, "b")],
            name=f"{group}/loud",
            group=group,
        )
        for group in ("t", "v")
    ]
    dataset = make_dataset(*people(4).recordings, *loud)
    prepared = prepare(project(split={"test": ("t",), "validation": ("v",)}), tmp_path, dataset)
    training = np.asarray(prepared.parts["train"].windows, dtype=np.float64).reshape(-1, 2)
    np.testing.assert_allclose(prepared.normalization.offset, training.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(prepared.normalization.gain, 1 / training.std(axis=0), rtol=1e-6)


def test_the_same_input_gives_the_same_bytes_and_another_seed_does_not(tmp_path, people):
    folders = [folder_of(tmp_path, name) for name in "abc"]
    for folder in folders[:2]:
        prepare(project(), folder, people(10))
    prepare(project(project={"name": "gesture", "seed": 8}), folders[2], people(10))
    first, again, other = (digests(folder) for folder in folders)
    assert first == again
    assert len(first) == 13
    assert first["prepared.json"] != other["prepared.json"]


def test_block_sizes_do_not_change_the_windows(tmp_path, people, monkeypatch):
    folders = [folder_of(tmp_path, name) for name in "ab"]
    prepare(project(), folders[0], people(5))
    monkeypatch.setattr("edgecnn.data.window_reader.read_windows.__defaults__", (64,))
    prepare(project(), folders[1], people(5))
    assert digests(folders[0]) == digests(folders[1])


def test_windows_are_written_without_holding_them_all(tmp_path, make_recording, make_dataset, monkeypatch):
    """Windows that overlap 50-fold: what is asked of a recording at a time stays far below what is written."""
    monkeypatch.setattr("edgecnn.data.window_reader.read_windows.__defaults__", (6000,))
    largest = 0
    recordings = []
    for number in range(3):
        whole = make_recording(40_000, [(0, 20_000, "a"), (20_000, 40_000, "b")], name=f"r{number}")

        def read(start, stop, whole=whole):
            nonlocal largest
            largest = max(largest, stop - start)
            return whole.read(start, stop)

        recordings.append(dataclasses.replace(whole, read=read))
    prepared = prepare(project(windows={"length": 1000, "hop": 20}), tmp_path, make_dataset(*recordings))
    assert (tmp_path / "windows_train.npy").stat().st_size > 14_000_000
    assert sum(len(part) for part in prepared.parts.values()) > 5000
    assert largest <= 3000


def test_identical_windows_across_parts_are_counted(tmp_path, people, make_dataset):
    dataset = people(5)
    twin = dataclasses.replace(dataset.recordings[0], name="twin", group="twin")
    prepared = prepare(
        project(split={"test": ("twin",), "validation": ("p4",)}), tmp_path, make_dataset(*dataset.recordings, twin)
    )
    count = len(prepared.parts["test"])
    assert prepared.data.proof[3:] == (
        f"train and validation: 0 of {2 * count} validation windows identical byte for byte",
        f"train and test: {count} of {count} test windows identical byte for byte",
        f"validation and test: 0 of {count} test windows identical byte for byte",
    )
    assert prepared.data.proof[1].startswith("train and test: 4 and 1 groups, 0 shared; 8 and 1 recordings, 0 shared;")


def test_padding_left_out_windows_and_the_readers_notes_are_in_the_card(tmp_path, people, make_recording, make_dataset):
    dataset = people(6, length=410)
    short = make_recording(15, [(0, 15, "a")], name="short", group="p0")
    dataset = dataclasses.replace(make_dataset(*dataset.recordings, short), notes=("read with care",))
    padded = prepare(project(windows={"length": 20, "hop": 10, "short": "pad"}), folder_of(tmp_path, "a"), dataset)
    assert padded.data.notes[0] == "read with care"
    assert "1 windows are padded with their last sample" in padded.data.notes
    skipped = prepare(project(labels={"min_share": 0.9}), folder_of(tmp_path, "b"), dataset)
    assert "left out: 1 recordings shorter than a window" in skipped.data.notes
    assert any("windows of which no class covers 90%" in note for note in skipped.data.notes)


def test_a_series_without_a_time_axis_says_so(tmp_path, make_recording, make_dataset):
    recordings = [
        make_recording(
            np.random.default_rng(number).normal(size=(30, 1)).astype(np.float32),
            [(0, 30, "ab"[number % 2])],
            name=f"r{number}",
            rate=1.0,
        )
        for number in range(12)
    ]
    dataset = make_dataset(*recordings, file_format="ucr")
    prepared = prepare(project(windows={"length": 30, "hop": 30}), tmp_path, dataset)
    assert prepared.rate_known is False
    assert prepared.input.sample_rate_hz == 1.0


def test_the_fingerprint_follows_contents_and_names_not_places(tmp_path, people):
    for place in ("one", "two"):
        for name in ("a.csv", "sub/b.csv"):
            path = tmp_path / place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"content of {name}")
    fingerprints = []
    for number, place in enumerate(("one", "two")):
        files = tuple(tmp_path / place / name for name in ("a.csv", "sub/b.csv"))
        dataset = dataclasses.replace(people(4), files=files[::-1] if number else files)
        fingerprints.append(prepare(project(), folder_of(tmp_path, f"out{number}"), dataset).data.fingerprint)
    assert fingerprints[0] == fingerprints[1]
    (tmp_path / "two" / "a.csv").write_text("changed")
    changed = prepare_module.dataset_fingerprint(dataset)
    (tmp_path / "two" / "a.csv").rename(tmp_path / "two" / "c.csv")
    renamed = dataclasses.replace(dataset, files=(tmp_path / "two" / "c.csv", dataset.files[0]))
    assert len({fingerprints[0], changed, prepare_module.dataset_fingerprint(renamed)}) == 3


def test_the_fingerprint_of_data_without_files_follows_their_description(people):
    base = people(3)
    noted = dataclasses.replace(base, notes=("seed 1",))
    longer = people(3, length=500)
    assert prepare_module.dataset_fingerprint(base) == prepare_module.dataset_fingerprint(people(3))
    assert len({prepare_module.dataset_fingerprint(dataset) for dataset in (base, noted, longer)}) == 3


def test_windows_that_cannot_fit_the_disk_are_refused_before_writing(tmp_path, people, monkeypatch):
    monkeypatch.setattr(prepare_module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(DataError, match=r"windows take 0\.1 GB, 0\.0 GB are free .* use a larger windows\.hop"):
        prepare(project(windows={"length": 1000, "hop": 1}), tmp_path, people(4, length=3000))
    assert list(tmp_path.iterdir()) == []


def test_damaged_prepared_data_is_reported(tmp_path, people):
    with pytest.raises(DataError, match=r"prepared\.json: no prepared data; run again with --force"):
        load_prepared(tmp_path)
    prepare(project(), tmp_path, people(4))
    whole = (tmp_path / "windows_test.npy").read_bytes()
    (tmp_path / "windows_test.npy").write_bytes(whole[:-100])
    with pytest.raises(DataError, match="the test part is damaged"):
        load_prepared(tmp_path)
    (tmp_path / "windows_test.npy").write_bytes((tmp_path / "windows_train.npy").read_bytes())
    with pytest.raises(DataError, match=r"windows_test\.npy is .*, expected .*; run with --force"):
        load_prepared(tmp_path)
    content = json.loads((tmp_path / "prepared.json").read_text())
    content["extra"] = 1
    (tmp_path / "prepared.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="no prepared data"):
        load_prepared(tmp_path)


def test_progress_counts_the_windows_of_each_part(tmp_path, people):
    told = {}

    def progress(task, done, total, note=""):
        told[task] = (done, total)

    prepared = prepare(project(), tmp_path, people(5), progress)
    for part in PARTS:
        count = len(prepared.parts[part])
        assert told[f"write {part} windows"] == (count, count)
