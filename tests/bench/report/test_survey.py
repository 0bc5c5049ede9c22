"""The page of a data set: it draws the samples it is given, in units, whatever the names are."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecnn_bench.report.survey import ChannelPart, ClassPart, GroupPart, SurveyPicture, render_survey, span
from edgecnn_bench.report.traces import Example, Mark, Signal, common_ranges, traces

VOID = {"meta", "br"}


class Checker(HTMLParser):
    """Complains of tags that are not closed in order, and keeps the text outside the style sheet."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def read(page):
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    assert not {"script", "link", "img", "iframe", "form"} & set(checker.tags)
    return " ".join(" ".join(checker.text).split())


def wave(rate_hz=50.0, seed=0):
    values = np.random.default_rng(seed).normal(size=128)
    return tuple((number / rate_hz, float(value)) for number, value in enumerate(values))


def example(*, marks=(), labeled=None):
    signals = (Signal("acc_x", "g", wave()), Signal("gyro_x", "rad/s", wave(seed=1)))
    return Example("p1/walk.csv", 3.5, 2.56, signals, labeled, marks)


def picture(**changes):
    base = SurveyPicture(
        name="wrist",
        format="csv",
        recordings=6,
        duration=4000.0,
        sample_rate_hz=50.0,
        window_samples=128,
        classes=(
            ClassPart("walk", 4, 2, 3000.0, is_event=False, example=example()),
            ClassPart("rest", 2, 1, 130.0, is_event=False, example=example(labeled=(0.5, 1.5))),
        ),
        groups=(GroupPart("p1", 4, 2500.0, (1870.0, 130.0)), GroupPart("p2", 2, 1500.0, (1130.0, 0.0))),
        channels=(ChannelPart("acc_x", "g", -2.0, 2.0, 0.1, 0.4), ChannelPart("gyro_x", "rad/s", -3, 3, 0, 1)),
        problems=("class rest is in 1 of 2 groups: p1",),
        notes=("each file is one recording",),
    )
    return replace(base, **changes)


BEATS = picture(
    classes=(
        ClassPart("N", 6, 2, 26867.0, is_event=True, example=example(marks=(Mark(0.4, "V"), Mark(1.28, "N")))),
        ClassPart("V", 5, 2, 1.0, is_event=True, example=example(marks=(Mark(1.28, "V"),))),
    ),
    groups=(GroupPart("p1", 4, 2500.0, (20000.0, 1.0)), GroupPart("p2", 2, 1500.0, (6867.0, 0.0))),
)


def test_the_page_says_what_is_there():
    text = read(render_survey(picture()))
    assert "6 recordings of 2 groups, 66.7 min in all; 2 channels, 50 Hz; 2 classes." in text
    assert "windows of 128 samples (2.56 s)" in text
    assert "p1/walk.csv , from 3.5 s on" in text
    assert "Duration of each class" in text
    assert "50 min" in text
    # 130 s beside 3000 s: one chart has one unit.
    assert "2.17 min" in text
    assert "class rest is in 1 of 2 groups: p1" in text
    assert "each file is one recording" in text
    assert "Events" not in text


def test_a_drawing_is_its_samples():
    shown = example()
    drawing = str(traces(shown, common_ranges([shown]), "walk", "s", 416))
    lines = re.findall(r'<polyline class="curve thin s-int8" points="([^"]+)"', drawing)
    assert len(lines) == 2
    for line, signal in zip(lines, shown.signals, strict=True):
        drawn = np.array([[float(number) for number in point.split(",")] for point in line.split()])
        values = np.array(signal.points)
        assert len(drawn) == len(values)
        for axis, sign in ((0, 1), (1, -1)):
            slope, offset = np.polyfit(values[:, axis], drawn[:, axis], 1)
            assert np.sign(slope) == sign
            np.testing.assert_allclose(slope * values[:, axis] + offset, drawn[:, axis], atol=0.11)
    assert "acc_x (g)" in drawing
    assert "gyro_x (rad/s)" in drawing
    assert re.search(r'<text [^>]*a-middle">s</text>', drawing)


def test_axes_are_shared_between_classes_and_show_a_scale():
    high = Example("b", 0.0, 1.0, (Signal("x", "", ((0.0, 10.0), (1.0, 30.0))),))
    low = Example("a", 0.0, 1.0, (Signal("x", "", ((0.0, 0.0), (1.0, 0.0))),))
    (values,) = common_ranges([high, low])
    assert (values.low, values.high) == (pytest.approx(-1.8), pytest.approx(31.8))
    for shown in (high, low):
        ticks = re.findall(r'class="t-tick a-end">([^<]+)<', str(traces(shown, [values], "x", "s", 330)))
        assert ticks == ["0", "10", "20", "30"]


@pytest.mark.parametrize("constant", [0.0, 5.0, -1e-9, 3e38])
def test_a_constant_channel_has_an_axis(constant):
    flat = Example("a", 0.0, 1.0, (Signal("x", "V", ((0.0, constant), (1.0, constant))),))
    (values,) = common_ranges([flat])
    assert values.low < constant < values.high
    assert "nan" not in str(traces(flat, [values], "x", "s", 330))


def test_events_are_counted_and_marked():
    page = render_survey(BEATS)
    text = read(page)
    assert "Events of each class" in text
    assert "26,867" in text
    assert "Duration of each class" not in text
    assert "Duration of each group" in text
    drawing = str(traces(BEATS.classes[0].example, common_ranges([BEATS.classes[0].example]), "N", "s", 416))
    assert drawing.count('class="mark"') == 2  # one in each of two channels; the other class's event is a plain line
    assert re.search(r'class="t-value a-middle">N<', drawing)
    assert re.search(r'class="t-tick a-middle">V<', drawing)


def test_the_part_of_a_window_that_has_the_label_is_shaded():
    drawing = str(traces(example(labeled=(0.64, 1.28)), common_ranges([example()]), "rest", "s", 416))
    shades = re.findall(r'class="fill s-track" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawing)
    assert len(shades) == 2
    # The window's 2.56 s take the 360 pixels between 48 and 408.
    assert shades[0] == ("138", "90")


def test_without_a_time_axis_lengths_are_samples():
    text = read(render_survey(picture(sample_rate_hz=None)))
    assert "4,000 samples in all" in text
    assert "no known sample rate" in text
    assert "Samples of each class" in text
    assert "3,000" in text


def test_without_labels_there_is_a_page_that_says_so():
    text = read(render_survey(picture(classes=(), groups=(GroupPart("p1", 6, 4000.0, ()),))))
    assert "No recording has a label" in text


def test_many_classes_and_groups_are_counted_where_they_are_left_out():
    classes = tuple(replace(picture().classes[0], label=f"class {number}") for number in range(60))
    groups = tuple(GroupPart(f"p{number}", 2, 10.0, (1.0,) * 60) for number in range(100))
    text = read(render_survey(picture(recordings=200, classes=classes, groups=groups)))
    assert "36 more classes not drawn." in text
    assert "20 more are not drawn." in text
    assert "60 more groups." in text
    alone = read(render_survey(picture(recordings=100, classes=classes, groups=groups)))
    assert "Each recording is a group of its own." in alone
    assert "Duration of each group" not in alone


@pytest.mark.parametrize(
    ("value", "unit", "largest", "shown"),
    [
        (59.5, "s", None, "59.5 s"),
        (130, "s", 600, "2.17 min"),
        (20_000, "s", None, "5.56 h"),
        (1, "samples", 9, "1 sample"),
    ],
)
def test_spans(value, unit, largest, shown):
    assert span(value, unit, largest) == shown


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=1, max_size=300), st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_no_name_and_no_number_breaks_the_page(name, value):
    signals = (Signal(name, name, ((0.0, value), (1.0, -value))),)
    shown = Example(name, 0.0, 1.0, signals, None, (Mark(0.5, name),))
    one = ClassPart(name, 1, 1, abs(value), is_event=False, example=shown)
    page = render_survey(
        picture(name=name, format=name, classes=(one,), groups=(GroupPart(name, 1, 1.0, (1.0,)),), problems=(name,))
    )
    read(page)
    assert "NaN" not in re.sub("<[^>]*>", "", page) or "NaN" in name


def test_the_same_picture_gives_the_same_page():
    assert render_survey(picture()) == render_survey(picture())
