import hashlib

import numpy as np
import pytest

from edgecnn.data.demo import demo_dataset, demo_project
from edgecnn.data.prepare import prepare
from edgecnn.data.windows import cut_windows
from edgecnn_firmware.errors import SettingsError


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare(demo_project(), tmp_path_factory.mktemp("demo"), demo_dataset())


def digest(dataset):
    total = hashlib.sha256()
    for recording in dataset.recordings:
        total.update(recording.read(0, recording.length).tobytes())
        total.update(repr(recording.segments).encode())
    return total.hexdigest()


def test_the_same_seed_gives_the_same_bytes():
    first, again, other = (demo_dataset(seed, patients=3, windows_per_patient=4) for seed in (5, 5, 6))
    assert digest(first) == digest(again) != digest(other)
    assert first.notes == again.notes != other.notes
    assert first.recordings == again.recordings


def test_more_patients_do_not_change_the_first_ones():
    few, many = demo_dataset(patients=2, windows_per_patient=3), demo_dataset(patients=4, windows_per_patient=3)
    assert few.recordings == many.recordings[:2]
    for before, after in zip(few.recordings, many.recordings, strict=False):
        np.testing.assert_array_equal(before.read(0, 3000), after.read(0, 3000))


def test_any_stretch_of_a_recording_is_the_same_as_the_whole():
    recording = demo_dataset(patients=1, windows_per_patient=5).recordings[0]
    whole = recording.read(0, recording.length)
    assert whole.shape == (5000, 1)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(recording.read(1234, 2345), whole[1234:2345])
    part = recording.read(0, 10)
    part[:] = 0
    np.testing.assert_array_equal(recording.read(0, 10), whole[:10])


def test_signals_are_in_the_range_of_an_electrode_and_quantized():
    for recording in demo_dataset(windows_per_patient=10).recordings[::6]:
        samples = recording.read(0, recording.length).astype(np.float64)
        assert np.isfinite(samples).all()
        assert 0.1 < samples.std() < 1.5
        assert np.abs(samples).max() < 8
        steps = samples / 0.005
        assert np.abs(steps - np.rint(steps)).max() < 1e-3


def test_labels_are_at_the_r_peaks_of_every_kind_of_beat():
    dataset = demo_dataset()
    kinds = [segment.label for recording in dataset.recordings for segment in recording.segments]
    assert set(kinds) == {"N", "V", "A"}
    assert kinds.count("A") > 300
    for recording in dataset.recordings:
        starts = [segment.start for segment in recording.segments]
        assert starts == sorted(set(starts))
        assert all(segment.stop == segment.start + 1 <= recording.length for segment in recording.segments)


def test_the_demo_has_balanced_windows_of_patients_kept_apart(prepared):
    counts = np.array([prepared.data.parts[part].class_windows for part in ("train", "validation", "test")])
    assert prepared.classes == ("normal", "pvc")
    assert counts.sum() == 48 * 52
    assert (np.abs(counts[:, 1] / counts.sum(axis=1) - 0.5) < 0.06).all()
    groups = [set(prepared.data.parts[part].groups) for part in ("train", "validation", "test")]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 48
    assert prepared.data.proof[1].startswith("train and test: ")
    assert "simulated" in prepared.data.notes[0]


def test_a_linear_model_fails_on_the_demo(prepared):
    """Beats are at any place of a window and leads may be inverted: what counts is shape, not place."""
    from sklearn.linear_model import LogisticRegression

    train, test = prepared.parts["train"], prepared.parts["test"]
    gain, offset = prepared.normalization.gain[0], prepared.normalization.offset[0]
    for strength in (1e-4, 1e-2):
        model = LogisticRegression(C=strength, max_iter=300)
        model.fit((train.windows[:, :, 0] - offset) * gain, train.labels)
        assert model.score((test.windows[:, :, 0] - offset) * gain, test.labels) <= 0.62


def test_the_range_of_a_window_does_not_tell_its_class(prepared):
    """Neither its largest deflection nor its power separates the classes across patients."""
    train, test = prepared.parts["train"], prepared.parts["test"]

    def features(part):
        windows = np.asarray(part.windows)[:, :, 0]
        return np.stack([windows.max(1), windows.min(1), np.ptp(windows, axis=1), windows.std(1)], axis=1)

    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(features(train), train.labels)
    assert model.score(features(test), test.labels) < 0.85


def test_the_project_and_the_data_fit_together():
    project, dataset = demo_project(), demo_dataset(patients=8, windows_per_patient=10)
    index = cut_windows(dataset, project.windows, project.labels)
    assert len(index) == 80
    assert (dataset.sample_rate_hz, dataset.channels[0].name, dataset.channels[0].unit) == (250.0, "ecg", "mV")
    assert project.data.format == dataset.format == "demo"


@pytest.mark.parametrize("arguments", [{"seed": -1}, {"patients": 0}, {"patients": 10**9}, {"windows_per_patient": 0}])
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(SettingsError, match=r"demo: seed .* expected"):
        demo_dataset(**arguments)
