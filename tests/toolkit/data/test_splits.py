import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data.proof import prove
from edgecnn.data.splits import split_windows
from edgecnn.data.windows import WindowIndex, cut_windows
from edgecnn.project import LabelSettings, SplitSettings, WindowSettings
from edgecnn_firmware.errors import DataError

CUT = WindowSettings(length=20, hop=10)


def cut(dataset):
    return cut_windows(dataset, CUT, LabelSettings(min_share=0.5))


def names(index, rows):
    return {index.dataset.recordings[number].group for number in index.recording[rows]}


def test_groups_stay_whole_and_shares_are_near(people):
    index = cut(people(20, classes="abc"))
    split = split_windows(index, SplitSettings(test=0.2, validation=0.25), seed=0)
    assert sorted(np.concatenate(list(split.parts.values())).tolist()) == list(range(len(index)))
    groups = [names(index, rows) for rows in split.parts.values()]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    assert [len(group) for group in groups] == [12, 4, 4]
    assert split.method == "whole groups, stratified by class"
    assert split.notes == ()
    twelve = "12 and 4 groups, 0 shared; 24 and 8 recordings, 0 shared; 936 and 312 windows, 0 overlap"
    assert split.proof == (
        f"train and validation: {twelve}",
        f"train and test: {twelve}",
        "validation and test: 4 and 4 groups, 0 shared; 8 and 8 recordings, 0 shared; 312 and 312 windows, 0 overlap",
    )


def test_the_same_seed_gives_the_same_split(people):
    index = cut(people(12))
    first, again, other = (split_windows(index, SplitSettings(), seed) for seed in (3, 3, 4))
    assert all(np.array_equal(first.parts[part], again.parts[part]) for part in first.parts)
    assert any(not np.array_equal(first.parts[part], other.parts[part]) for part in first.parts)


@st.composite
def indexes(draw):
    """Window indexes with any distribution of classes over at least 3 groups."""
    from edgecnn.data.recording import Channel, Dataset, Recording, Segment

    recordings = []
    for group in range(draw(st.integers(3, 8))):
        for take in range(draw(st.integers(1, 2))):
            labels = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6))
            segments = tuple(Segment(10 * at, 10 * at + 10, label) for at, label in enumerate(labels))
            name = f"{group}/{take}"
            recordings.append(
                Recording(name, (Channel("x"),), 1.0, 10 * len(labels), segments, f"g{group}", lambda a, b: None)
            )
    return Dataset("set", "memory", tuple(recordings), ())


def some_split_trains_every_class(index):
    """Whether any assignment of groups to three parts leaves every class in training."""
    groups = len(index.group_names)
    classes_of = [set(index.label[index.group == number].tolist()) for number in range(groups)]
    everything = set(range(len(index.classes)))
    return any(
        set(parts) == {0, 1, 2}
        and set().union(*(classes for classes, part in zip(classes_of, parts, strict=True) if part == 0)) == everything
        for parts in itertools.product(range(3), repeat=groups)
    )


@settings(deadline=None, max_examples=60)
@given(dataset=indexes(), seed=st.integers(0, 2**31 - 1), test=st.sampled_from([0.1, 0.3]), validation=st.just(0.3))
def test_every_class_is_in_every_part_where_groups_allow(dataset, seed, test, validation):
    try:
        index = cut_windows(dataset, WindowSettings(length=10, hop=10), LabelSettings())
    except DataError:
        return
    shares = SplitSettings(test=test, validation=validation)
    if not some_split_trains_every_class(index):
        with pytest.raises(DataError, match=r"train part has no window of class|groups have windows|group has windows"):
            split_windows(index, shares, seed)
        return
    split = split_windows(index, shares, seed)
    assert (index.class_counts(split.train) > 0).all()
    for part, rows in split.parts.items():
        missing = [index.classes[number] for number in np.flatnonzero(index.class_counts(rows) == 0)]
        noted = [note for note in split.notes if f"the {part} part" in note]
        assert bool(missing) == bool(noted)
        assert all(name in noted[0] for name in missing)


def test_a_class_that_one_group_has_stays_in_training(people, make_recording, make_dataset):
    dataset = people(9)
    rare = make_recording(40, [(0, 40, "rare")], name="rare", group="p4")
    index = cut(make_dataset(*dataset.recordings, rare))
    for seed in range(5):
        split = split_windows(index, SplitSettings(), seed)
        assert "p4" in names(index, split.train)
        assert split.notes == (
            "the validation part has no window of class rare: too few groups have it",
            "the test part has no window of class rare: too few groups have it",
        )


def test_ucr_like_data_with_two_recordings_of_a_class(make_recording, make_dataset):
    """ECG5000's training part: 292, 177, 10, 19 and 2 recordings per class, each its own group."""
    counts = {"1": 292, "2": 177, "3": 10, "4": 19, "5": 2}
    recordings = [
        make_recording(140, [(0, 140, label)], name=f"{label}#{take}", part="train")
        for label, count in counts.items()
        for take in range(count)
    ]
    recordings += [make_recording(140, [(0, 140, label)], name=f"test{label}", part="test") for label in counts]
    index = cut_windows(make_dataset(*recordings), WindowSettings(length=140, hop=140), LabelSettings())
    official = split_windows(index, SplitSettings(method="official", validation=0.2), seed=1)
    assert index.class_counts(official.validation).tolist() == [58, 35, 2, 4, 1]
    assert index.class_counts(official.train).tolist() == [234, 142, 8, 15, 1]
    assert index.class_counts(official.test).tolist() == [1] * 5
    assert official.notes == ()
    by_group = split_windows(index, SplitSettings(test=0.2, validation=0.2), seed=1)
    assert index.class_counts(by_group.test).tolist() == [59, 36, 2, 4, 1]
    assert (index.class_counts(by_group.train) > 0).all()


def test_a_class_with_a_single_recording_goes_to_training(make_recording, make_dataset):
    recordings = [make_recording(10, [(0, 10, "ab"[take % 2])], name=f"r{take}") for take in range(20)]
    recordings.append(make_recording(10, [(0, 10, "one")], name="one"))
    recordings += [make_recording(10, [(0, 10, "two")], name=f"two{take}") for take in range(2)]
    index = cut_windows(make_dataset(*recordings), WindowSettings(length=10, hop=10), LabelSettings())
    split = split_windows(index, SplitSettings(), seed=0)
    assert index.classes == ("a", "b", "one", "two")
    assert index.class_counts(split.test).tolist() == [2, 2, 0, 1]
    assert index.class_counts(split.validation)[2:].tolist() == [0, 0]
    assert index.class_counts(split.train)[2:].tolist() == [1, 1]
    assert split.notes == (
        "the validation part has no window of class one, two: too few groups have it",
        "the test part has no window of class one: too few groups have it",
    )


def test_named_groups(people):
    index = cut(people(6))
    split = split_windows(index, SplitSettings(test=("p1", "p4"), validation=("p0",)), seed=0)
    assert [names(index, rows) for rows in split.parts.values()] == [{"p2", "p3", "p5"}, {"p0"}, {"p1", "p4"}]
    assert split.method == "groups named in the project"
    mixed = split_windows(index, SplitSettings(test=0.3, validation=("p0",)), seed=0)
    assert names(index, mixed.validation) == {"p0"}
    assert "p0" not in names(index, mixed.test)


def test_named_groups_that_cannot_be_used(people):
    index = cut(people(4))
    with pytest.raises(
        DataError, match=r"split\.test: no group 'P1' in set; did you mean 'p1'\? \(groups: p0, p1, p2, p3\)"
    ):
        split_windows(index, SplitSettings(test=("P1",)), seed=0)
    with pytest.raises(DataError, match="group 'p1' is named for both test and validation"):
        split_windows(index, SplitSettings(test=("p1", "p2"), validation=("p1",)), seed=0)
    with pytest.raises(DataError, match="the train part has no windows"):
        split_windows(index, SplitSettings(test=("p0", "p1", "p2"), validation=("p3",)), seed=0)
    with pytest.raises(DataError, match="the validation part has no windows"):
        split_windows(index, SplitSettings(test=("p0",), validation=()), seed=0)


@pytest.mark.parametrize("groups", [1, 2])
def test_too_few_groups_says_what_to_do(people, groups):
    index = cut(people(groups))
    with pytest.raises(DataError, match=rf"set: {groups} groups? ha(s|ve) windows .*record more people"):
        split_windows(index, SplitSettings(), seed=0)


def test_three_groups_are_enough(people):
    index = cut(people(3))
    split = split_windows(index, SplitSettings(), seed=0)
    assert [len(names(index, rows)) for rows in split.parts.values()] == [1, 1, 1]
    two = cut(people(2))
    with pytest.raises(DataError, match="1 left to choose validation from"):
        split_windows(two, SplitSettings(test=("p0",), validation=0.5), seed=0)


def test_a_class_only_the_test_group_has_cannot_be_trained(people, make_recording, make_dataset):
    dataset = people(4)
    index = cut(make_dataset(*dataset.recordings, make_recording(40, [(0, 40, "rare")], name="x", group="p3")))
    with pytest.raises(DataError, match="train part has no window of class 'rare', which only p3 has"):
        split_windows(index, SplitSettings(test=("p3",)), seed=0)


def with_parts(dataset, parts):
    recordings = [
        dataclasses.replace(recording, part=parts(number, recording))
        for number, recording in enumerate(dataset.recordings)
    ]
    return dataclasses.replace(dataset, recordings=tuple(recordings))


def test_official_split_uses_the_publishers_parts(people):
    dataset = people(8)
    test_groups = {"p1", "p5"}
    index = cut(with_parts(dataset, lambda _, recording: "test" if recording.group in test_groups else "train"))
    split = split_windows(index, SplitSettings(method="official", test=0.9, validation=("p0",)), seed=0)
    assert [names(index, rows) for rows in split.parts.values()] == [
        {"p2", "p3", "p4", "p6", "p7"},
        {"p0"},
        test_groups,
    ]
    shared = split_windows(index, SplitSettings(method="official"), seed=0)
    assert names(index, shared.test) == test_groups
    assert len(names(index, shared.validation)) == 1
    with pytest.raises(DataError, match="group 'p1' is in the official test part"):
        split_windows(index, SplitSettings(method="official", validation=("p0", "p1")), seed=0)


def test_official_split_with_a_validation_part(people):
    parts = {"p0": "validation", "p1": "test"}
    index = cut(with_parts(people(4), lambda _, recording: parts.get(recording.group, "train")))
    split = split_windows(index, SplitSettings(method="official"), seed=0)
    assert split.method == "official"
    assert [names(index, rows) for rows in split.parts.values()] == [{"p2", "p3"}, {"p0"}, {"p1"}]


def test_official_split_that_does_not_exist_or_leaks(people):
    dataset = people(4)
    with pytest.raises(DataError, match=r"'p0/0' is in no official part; use 'group'"):
        split_windows(cut(dataset), SplitSettings(method="official"), seed=0)
    no_test = with_parts(dataset, lambda _number, _recording: "train")
    with pytest.raises(DataError, match="official test part has no windows"):
        split_windows(cut(no_test), SplitSettings(method="official"), seed=0)
    leaking = with_parts(dataset, lambda number, recording: "test" if number in (0, 2) else "train")
    with pytest.raises(DataError, match=r"share \d groups \(p\d(, p1)?\); use split\.method 'group'"):
        split_windows(cut(leaking), SplitSettings(method="official", validation=0.25), seed=0)


class TestProof:
    """Every kind of leak is made on purpose."""

    def halves(self, index: WindowIndex):
        return np.flatnonzero(index.group < 2), np.flatnonzero(index.group == 2), np.flatnonzero(index.group == 3)

    def parts(self, index, **changes):
        train, validation, test = self.halves(index)
        return {"train": train, "validation": validation, "test": test} | changes

    def test_a_clean_split_passes(self, people):
        index = cut(people(4))
        assert len(prove(index, self.parts(index))) == 3

    def test_one_window_in_two_parts(self, people):
        index = cut(people(4))
        _, _, test = self.halves(index)
        leak = np.append(test, 0)
        with pytest.raises(
            DataError, match="train and test share samples: 2 windows overlap, the first at sample 0 of 'p0/0'"
        ):
            prove(index, self.parts(index, test=leak))

    def test_overlapping_neighbors_of_one_recording(self, people):
        index = cut(people(4))
        _train, _, test = self.halves(index)
        # Window 0 covers samples 0-19 and window 1 samples 10-29: no window is shared, ten samples are.
        with pytest.raises(DataError, match="share samples: 1 windows overlap"):
            prove(index, self.parts(index, train=np.array([0]), test=np.append(test, 1)))

    def test_one_recording_without_overlap(self, people):
        index = cut(people(4))
        _, _, test = self.halves(index)
        with pytest.raises(DataError, match=r"train and test share 1 recordings \(p0/0\)"):
            prove(index, self.parts(index, train=np.array([0]), test=np.append(test, 2)))

    def test_one_group_in_other_recordings(self, people):
        index = cut(people(4))
        other = int(np.flatnonzero(index.recording == 1)[0])
        _, _, test = self.halves(index)
        with pytest.raises(DataError, match=r"train and test share 1 groups \(p0\)"):
            prove(index, self.parts(index, train=np.array([0]), test=np.append(test, other)))

    def test_leak_between_validation_and_test(self, people):
        index = cut(people(4))
        _, validation, test = self.halves(index)
        with pytest.raises(DataError, match="validation and test share"):
            prove(index, self.parts(index, validation=np.append(validation, test[:1])))

    def test_rows_that_are_no_rows(self, people):
        index = cut(people(4))
        with pytest.raises(DataError, match="test part holds a window twice"):
            prove(index, self.parts(index, test=np.array([5, 5])))
        with pytest.raises(DataError, match="does not exist"):
            prove(index, self.parts(index, test=np.array([len(index)])))
        with pytest.raises(DataError, match="does not exist"):
            prove(index, self.parts(index, test=np.array([-1])))

    def test_padded_windows_count_only_samples_that_exist(self, make_recording, make_dataset):
        segments = [(0, 4, "a"), (4, 20, "b"), (20, 30, "a")]
        dataset = make_dataset(make_recording(30, segments))
        index = cut_windows(dataset, WindowSettings(length=10, hop=10, align="segment", short="pad"), LabelSettings())
        assert index.start.tolist() == [0, 4, 20]
        with pytest.raises(DataError, match="share 1 recordings"):
            prove(index, {"train": np.array([0]), "test": np.array([1])})

    @given(data=st.data())
    def test_overlap_equals_a_comparison_of_samples(self, people, data):
        index = cut(people(2, recordings=2, length=90))
        pick = st.sets(st.integers(0, len(index) - 1), min_size=1, max_size=6)
        first, second = (np.array(sorted(data.draw(pick))) for _ in range(2))
        samples = [
            {(int(index.recording[row]), at) for row in rows for at in range(index.start[row], index.start[row] + 20)}
            for rows in (first, second)
        ]
        try:
            prove(index, {"train": first, "test": second})
            said = ""
        except DataError as error:
            said = str(error)
        assert ("share samples" in said) == bool(samples[0] & samples[1])
