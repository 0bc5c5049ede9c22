import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.recording import Channel, Dataset, Recording, Segment
from edgecnn.data.windows import cut_windows
from edgecnn.project import LabelSettings, WindowSettings
from edgecnn_firmware.errors import DataError, SettingsError

ANY = LabelSettings(min_share=0.5)


def rows(index):
    return list(zip(index.recording.tolist(), index.start.tolist(), index.label.tolist(), strict=True))


def slow_windows(dataset, length, hop, align, short, min_share):
    """Window by window: (recording, start, label, available)."""
    found = []
    for number, recording in enumerate(dataset.recordings):
        if align == "segment":
            spans = [(segment.start, segment.stop) for segment in recording.segments]
        else:
            spans = [(0, recording.length)]
        own = []
        for begin, end in spans:
            available = min(length, end - begin)
            if available < length and short == "skip":
                continue
            start = begin
            while start + available <= end:
                counts = {
                    label: sum(
                        any(s.start <= at < s.stop and s.label == label for s in recording.segments)
                        for at in range(start, start + available)
                    )
                    for label in "ab"
                }
                best = max("ab", key=lambda label: counts[label])
                if counts[best] >= min_share * available - 1e-9 and counts[best]:
                    own.append((number, start, "ab".index(best), available))
                start += hop
        found += sorted(own, key=lambda row: row[1])
    return found


@st.composite
def small_datasets(draw):
    recordings = []
    for number in range(draw(st.integers(1, 3))):
        cuts = sorted(draw(st.sets(st.integers(1, 30), min_size=2, max_size=6)))
        segments = tuple(
            Segment(begin, end, draw(st.sampled_from("ab")))
            for begin, end in itertools.pairwise(cuts)
            if draw(st.booleans())
        )
        recordings.append(
            Recording(
                f"r{number}", (Channel("x"),), 10.0, draw(st.integers(cuts[-1], 32)), segments, "g", lambda a, b: None
            )
        )
    whole = (Segment(0, 20, "a"), Segment(20, 40, "b"))
    recordings.append(Recording("whole", (Channel("x"),), 10.0, 40, whole, "h", lambda a, b: None))
    return Dataset("set", "memory", tuple(recordings), ())


@given(
    dataset=small_datasets(),
    length=st.integers(1, 12),
    hop=st.integers(1, 9),
    align=st.sampled_from(["recording", "segment"]),
    short=st.sampled_from(["skip", "pad"]),
    min_share=st.sampled_from([0.5, 0.75, 1.0]),
)
def test_windows_equal_a_window_by_window_search(dataset, length, hop, align, short, min_share):
    settings = WindowSettings(length=length, hop=hop, align=align, short=short)
    index = cut_windows(dataset, settings, LabelSettings(min_share=min_share))
    expected = slow_windows(dataset, length, hop, align, short, min_share)
    found = list(
        zip(index.recording.tolist(), index.start.tolist(), index.label.tolist(), index.available.tolist(), strict=True)
    )
    assert found == expected
    assert (index.recording.dtype, index.start.dtype, index.label.dtype) == (np.int32, np.int64, np.int32)
    assert index.class_counts().tolist() == [sum(row[2] == number for row in expected) for number in (0, 1)]


def test_hapt_gives_the_known_number_of_windows(shared_data, make_dataset):
    """UCI HAPT, activities 1-6, windows of 128 at 50 % inside segments: 7,415 train and 2,996 test."""
    official_test = {2, 4, 9, 10, 12, 13, 18, 20, 24}
    table = np.loadtxt(shared_data / "hapt" / "RawData" / "labels.txt", dtype=np.int64)
    recordings = []
    for experiment in np.unique(table[:, 0]):
        own = table[table[:, 0] == experiment]
        user = int(own[0, 1])
        segments = tuple(Segment(int(first) - 1, int(last), str(label)) for _, _, label, first, last in own)
        part = "test" if user in official_test else "train"
        length = int(own[:, 4].max())
        recordings.append(
            Recording(f"e{experiment}", (Channel("x"),), 50.0, length, segments, str(user), lambda a, b: None, part)
        )
    dataset = make_dataset(*recordings)
    settings = WindowSettings(length="2.56 s", hop="1.28 s", align="segment")
    index = cut_windows(dataset, settings, LabelSettings(classes=("1", "2", "3", "4", "5", "6")))
    in_test = np.array([recording.part == "test" for recording in dataset.recordings])[index.recording]
    assert (int((~in_test).sum()), int(in_test.sum())) == (7415, 2996)
    assert (index.window_samples, index.hop_samples) == (128, 64)
    every = cut_windows(dataset, settings, LabelSettings())
    assert every.classes == tuple(str(label) for label in range(1, 13))


def test_short_recordings_are_skipped_padded_or_refused(make_dataset, make_recording):
    dataset = make_dataset(
        make_recording(20, [(0, 20, "a")], name="long"),
        make_recording(6, [(0, 6, "b")], name="short"),
        make_recording(10, [(0, 10, "b")], name="exact"),
    )
    skipped = cut_windows(dataset, WindowSettings(length=10, hop=10), ANY)
    assert rows(skipped) == [(0, 0, 0), (0, 10, 0), (2, 0, 1)]
    assert skipped.left_out == {"recordings shorter than a window": 1}
    padded = cut_windows(dataset, WindowSettings(length=10, hop=10, short="pad"), ANY)
    assert rows(padded) == [(0, 0, 0), (0, 10, 0), (1, 0, 1), (2, 0, 1)]
    assert padded.available.tolist() == [10, 10, 6, 10]
    assert padded.left_out == {}
    with pytest.raises(DataError, match=r"short: 6 samples, a window 10; use windows\.short"):
        cut_windows(dataset, WindowSettings(length=10, hop=10, short="error"), ANY)


def test_short_segments_are_skipped_padded_or_refused(make_dataset, make_recording):
    dataset = make_dataset(make_recording(30, [(0, 12, "a"), (12, 16, "b"), (16, 30, "b")]))
    settings = WindowSettings(length=10, hop=2, align="segment")
    skipped = cut_windows(dataset, settings, ANY)
    assert rows(skipped) == [(0, 0, 0), (0, 2, 0), (0, 16, 1), (0, 18, 1), (0, 20, 1)]
    assert skipped.left_out == {"segments shorter than a window": 1}
    padded = cut_windows(dataset, settings.model_copy(update={"short": "pad"}), ANY)
    assert (0, 12, 1) in rows(padded)
    assert padded.available[padded.start == 12].tolist() == [4]
    with pytest.raises(DataError, match="segment 'b' at sample 12 has 4 samples, a window 10"):
        cut_windows(dataset, settings.model_copy(update={"short": "error"}), ANY)


def test_left_out_windows_are_counted_by_reason(make_dataset, make_recording):
    dataset = make_dataset(make_recording(50, [(0, 10, "a"), (15, 30, "b")]))
    index = cut_windows(dataset, WindowSettings(length=10, hop=5), LabelSettings(min_share=0.75))
    assert rows(index) == [(0, 0, 0), (0, 15, 1), (0, 20, 1)]
    assert index.left_out == {
        "windows of which no class covers 75%": 3,
        "windows without a label of a class": 3,
    }
    center = cut_windows(dataset, WindowSettings(length=10, hop=5), LabelSettings(rule="center"))
    assert rows(center) == [(0, 0, 0), (0, 10, 1), (0, 15, 1), (0, 20, 1)]
    assert center.left_out == {"windows whose middle sample has no label of a class": 5}


def test_any_of_gives_every_window_a_class(make_dataset, make_recording):
    dataset = make_dataset(
        make_recording(40, [(3, 4, "N"), (12, 13, "V"), (13, 14, "F"), (31, 32, "F"), (39, 40, "N")])
    )
    labels = LabelSettings(rule="any-of", classes={"v": ("V",), "f": ("F",)}, background="normal")
    index = cut_windows(dataset, WindowSettings(length=10, hop=10), labels)
    assert index.classes == ("normal", "v", "f")
    assert index.label.tolist() == [0, 1, 0, 2]
    with pytest.raises(SettingsError, match=r"windows\.align 'recording'"):
        cut_windows(dataset, WindowSettings(length=10, hop=10, align="segment"), labels)


def test_labels_without_windows_are_dropped_unless_they_are_named(make_dataset, make_recording):
    dataset = make_dataset(make_recording(40, [(0, 20, "b"), (20, 22, "a"), (22, 40, "c")]))
    settings = WindowSettings(length=10, hop=10)
    index = cut_windows(dataset, settings, LabelSettings())
    assert index.classes == ("b", "c")
    assert index.label.tolist() == [0, 0, 1, 1]
    assert index.left_out["labels that give no window: a"] == 1
    with pytest.raises(DataError, match="class a gives no windows of 10 samples"):
        cut_windows(dataset, settings, LabelSettings(classes=("a", "b", "c")))


def test_no_windows_says_why(make_dataset, make_recording):
    short = make_dataset(make_recording(8, [(0, 4, "a"), (4, 8, "b")]))
    with pytest.raises(DataError, match=r"longest recording has 8 samples .*1 recordings shorter than a window"):
        cut_windows(short, WindowSettings(length=10, hop=10), ANY)
    mixed = make_dataset(make_recording(100, [(0, 5, "a"), (50, 55, "b")]))
    with pytest.raises(DataError, match=r"no windows of 50 samples; .*2 windows of which no class covers 75%"):
        cut_windows(mixed, WindowSettings(length=50, hop=50), LabelSettings())
    one = make_dataset(make_recording(100, [(0, 50, "a"), (50, 55, "b")]))
    with pytest.raises(DataError, match="needs two classes; only 'a' gives windows of 50 samples"):
        cut_windows(one, WindowSettings(length=50, hop=50), LabelSettings())
    with pytest.raises(DataError, match="set: no recordings"):
        cut_windows(make_dataset(), WindowSettings(length=5, hop=5), ANY)
    twins = make_dataset(make_recording(9, [(0, 9, "a")], name="x"), make_recording(9, [(0, 9, "b")], name="x"))
    with pytest.raises(DataError, match="2 recordings are named 'x'"):
        cut_windows(twins, WindowSettings(length=5, hop=5), ANY)


def test_durations_need_a_rate(make_dataset, make_recording):
    segments = [(0, 200, "a"), (200, 400, "b")]
    index = cut_windows(
        make_dataset(make_recording(400, segments, rate=50.0)), WindowSettings(length="2 s", hop="500 ms"), ANY
    )
    assert (index.window_samples, index.hop_samples) == (100, 25)
    bare = make_dataset(make_recording(400, segments, rate=1.0), file_format="ucr")
    with pytest.raises(SettingsError, match=r"windows\.length = '2 s': set has no sample rate; give samples"):
        cut_windows(bare, WindowSettings(length="2 s", hop=1), ANY)
    assert cut_windows(bare, WindowSettings(length=100, hop=100), ANY).window_samples == 100


def test_absurd_extents_are_refused_before_anything_is_allocated(make_dataset, make_recording):
    dataset = make_dataset(make_recording(400, [(0, 200, "a"), (200, 400, "b")]))
    with pytest.raises(SettingsError, match="at most 16777216"):
        cut_windows(dataset, WindowSettings(length=1 << 40, hop=1, short="pad"), ANY)
    endless = Recording(
        "r", (Channel("x"),), 1.0, 1 << 50, (Segment(0, 9, "a"), Segment(9, 18, "b")), "g", lambda a, b: None
    )
    with pytest.raises(DataError, match="use a larger"):
        cut_windows(make_dataset(endless), WindowSettings(length=1, hop=1), ANY)


def test_groups_are_numbered_in_the_order_of_recordings(make_dataset, make_recording):
    dataset = make_dataset(
        make_recording(10, [(0, 10, "a")], name="1", group="zoe"),
        make_recording(3, [(0, 3, "a")], name="2", group="ann"),
        make_recording(10, [(0, 10, "b")], name="3", group="bob"),
        make_recording(10, [(0, 10, "b")], name="4", group="zoe"),
    )
    index = cut_windows(dataset, WindowSettings(length=5, hop=5), ANY)
    assert index.group_names == ("zoe", "bob")
    assert index.group.tolist() == [0, 0, 1, 1, 0, 0]
