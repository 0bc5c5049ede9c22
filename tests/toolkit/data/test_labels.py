import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.labels import MIXED, NO_LABEL, make_label_rule, natural_key
from edgecnn.data.recording import Channel, Dataset, Recording, Segment
from edgecnn.project import LabelSettings
from edgecnn_firmware.errors import DataError, SettingsError

LENGTH = 40


def dataset_of(segments, length=LENGTH):
    ordered = tuple(sorted((Segment(*segment) for segment in segments), key=lambda segment: segment.start))
    recording = Recording(
        "r", (Channel("x"),), 100.0, length, ordered, "g", lambda start, stop: np.zeros((stop - start, 1), np.float32)
    )
    return Dataset("set", "memory", (recording,), ())


def slow_class(rule, segments, start, length):
    """The definition, sample by sample."""
    settings = rule.settings
    covered = {number: set() for number in range(len(rule.classes))}
    for begin, end, label in segments:
        if label in rule.class_of:
            covered[rule.class_of[label]] |= set(range(begin, end))
    window = set(range(start, start + length))
    if settings.rule == "center":
        return next((n for n in covered if start + length // 2 in covered[n]), NO_LABEL)
    if settings.rule == "any-of":
        return next((n for n in covered if covered[n] & window), 0)
    shares = [len(covered[number] & window) for number in covered]
    if max(shares) == 0:
        return NO_LABEL
    if max(shares) / length < settings.min_share - 1e-9:
        return MIXED
    return shares.index(max(shares))


segment = st.tuples(st.integers(0, LENGTH - 1), st.integers(0, 15), st.sampled_from("abcd")).map(
    lambda s: (s[0], min(LENGTH, s[0] + s[1]), s[2])
)
base = [(0, 1, "a"), (1, 2, "b"), (2, 3, "c"), (3, 4, "d")]


@given(
    segments=st.lists(segment, max_size=8).map(lambda more: base + more),
    length=st.integers(1, LENGTH),
    rule=st.sampled_from(["majority", "center", "any-of"]),
    min_share=st.sampled_from([0.05, 0.3, 0.5, 0.7, 0.75, 1.0]),
    classes=st.sampled_from(
        [("b", "a"), ("d", "c", "a"), {"x": ("a", "d"), "y": ("b",)}, {"q": ("c",), "a": ("b", "d")}]
    ),
)
def test_every_rule_equals_its_definition_sample_by_sample(segments, length, rule, min_share, classes):
    background = "other" if rule == "any-of" else None
    settings = LabelSettings(rule=rule, min_share=min_share, classes=classes, background=background)
    dataset = dataset_of(segments)
    made = make_label_rule(dataset, settings)
    starts = np.arange(0, LENGTH - length + 1, dtype=np.int64)
    found = made.classify(dataset.recordings[0], starts, length)
    assert found.dtype == np.int32
    assert found.tolist() == [slow_class(made, segments, int(start), length) for start in starts]


def test_the_share_is_counted_in_whole_samples():
    segments = [(0, 7, "a"), (7, 10, "b")]
    dataset = dataset_of(segments, 10)
    starts = np.zeros(1, np.int64)
    for share, label in [(0.7, 0), (0.71, MIXED)]:
        rule = make_label_rule(dataset, LabelSettings(min_share=share))
        assert rule.classify(dataset.recordings[0], starts, 10).tolist() == [label]
    for share in (0.05, 0.1, 0.15, 0.3, 0.55, 0.7, 0.9, 0.95):
        needed = math.ceil(round(share * 20, 6))
        dataset = dataset_of([(0, needed, "a"), (needed, 20, "b"), (20, 40, "b")], 40)
        rule = make_label_rule(dataset, LabelSettings(min_share=share, classes=("a", "b")))
        label = rule.classify(dataset.recordings[0], starts, 20)[0]
        assert label == (0 if needed >= 20 - needed else 1 if 20 - needed >= needed else MIXED)


def test_overlapping_segments_of_a_class_count_their_samples_once():
    dataset = dataset_of([(0, 6, "a"), (2, 6, "a"), (3, 5, "a"), (6, 12, "b")], 12)
    rule = make_label_rule(dataset, LabelSettings(min_share=0.51))
    assert rule.classify(dataset.recordings[0], np.array([0]), 12).tolist() == [MIXED]


def test_classes_keep_the_order_given_and_map_several_labels():
    dataset = dataset_of([(0, 1, "walk"), (1, 2, "run"), (2, 3, "sit")])
    assert make_label_rule(dataset, LabelSettings(classes=("sit", "run"))).classes == ("sit", "run")
    mapped = make_label_rule(dataset, LabelSettings(classes={"still": ("sit",), "moving": ("walk", "run")}))
    assert mapped.classes == ("still", "moving")
    assert dict(mapped.class_of) == {"sit": 0, "walk": 1, "run": 1}
    any_of = make_label_rule(dataset, LabelSettings(rule="any-of", classes=("run",), background="rest"))
    assert any_of.classes == ("rest", "run")


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (["10", "9", "-1", "1"], ["-1", "1", "9", "10"]),
        (["10.5", "9", "10"], ["9", "10", "10.5"]),
        (["walk10", "walk2", "Walk1"], ["Walk1", "walk2", "walk10"]),
        (["b", "3", "a", "20"], ["3", "20", "a", "b"]),
        (["x" + "9" * 5000, "x1", "9" * 400], ["x1", "x" + "9" * 5000, "9" * 400]),
    ],
)
def test_labels_sort_as_people_count(labels, order):
    found = sorted(labels, key=natural_key)
    assert found == order or set(order) & {"9" * 400}
    assert make_label_rule(dataset_of([(0, 1, label) for label in labels]), LabelSettings()).classes == tuple(found)


def test_a_label_that_occurs_nowhere_is_an_error_that_helps():
    dataset = dataset_of([(0, 1, "walk"), (1, 2, "run"), (2, 3, "10"), (3, 4, "9")])
    with pytest.raises(
        DataError, match=r"set: label 'Walk' .*did you mean 'walk'\? \(labels found: 9, 10, run, walk\)"
    ):
        make_label_rule(dataset, LabelSettings(classes=("Walk", "run")))
    with pytest.raises(DataError, match=r"label 'wlak' .*did you mean 'walk'"):
        make_label_rule(dataset, LabelSettings(classes={"a": ("run",), "b": ("wlak",)}))
    many = dataset_of([(0, 1, f"label{number}") for number in range(30)])
    with pytest.raises(DataError, match="and 10 more"):
        make_label_rule(many, LabelSettings(classes=("zzz", "label1")))


@pytest.mark.parametrize(
    ("settings", "error", "line"),
    [
        (LabelSettings(classes=("a",)), DataError, "needs two classes; found: a"),
        (LabelSettings(classes=()), DataError, "needs two classes; found: none"),
        (LabelSettings(classes=("a", "b", "a")), SettingsError, "'a' is named twice"),
        (LabelSettings(classes={"x": ("a",), "y": ("a", "b")}), SettingsError, "label 'a' is named twice"),
        (LabelSettings(classes={"x": ("a",), "y": ()}), SettingsError, "class 'y' gathers no label"),
        (LabelSettings(rule="any-of", classes=("a", "b"), background="b"), SettingsError, "is also one of"),
    ],
)
def test_settings_that_leave_no_classifier_are_refused(settings, error, line):
    with pytest.raises(error, match=line):
        make_label_rule(dataset_of([(0, 1, "a"), (1, 2, "b")]), settings)


def test_no_labels_and_too_many_labels_are_refused():
    with pytest.raises(DataError, match="no recording has a label"):
        make_label_rule(dataset_of([]), LabelSettings())
    with pytest.raises(DataError, match="1025 different labels"):
        make_label_rule(dataset_of([(0, 1, str(number)) for number in range(1025)]), LabelSettings())


def test_many_windows_and_segments_take_a_few_array_operations():
    segments = [(at, at + 1, "NV"[at % 7 == 0]) for at in range(0, 650_000, 217)]
    dataset = dataset_of(segments, 650_000)
    rule = make_label_rule(dataset, LabelSettings(rule="any-of", classes=("V",), background="none"))
    starts = np.arange(0, 649_000, 6, dtype=np.int64)
    found = rule.classify(dataset.recordings[0], starts, 1000)
    events = np.array([at for at, _, label in segments if label == "V"])
    assert (
        found.tolist()
        == (np.searchsorted(events, starts + 1000) > np.searchsorted(events, starts)).astype(int).tolist()
    )
