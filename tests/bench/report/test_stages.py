"""Loss by stage as the report shows it."""

import re
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn_bench.report.html import render_html
from edgecnn_bench.report.markdown import render_markdown
from edgecnn_bench.report.stage_views import MAX_STEPS, sentence, ways
from edgecnn_bench.report.waterfall import End, Fall, Gap, waterfall
from edgecnn_bench.results import Report, parse_report

from .hostile import hostile
from .parts import stages
from .test_rich import plain, section

NUMBER: Final = r'="(-?[\d.]+)"'
RECT: Final = re.compile(rf'<rect class="fill (s-miss|s-int8)" x{NUMBER} y{NUMBER} width{NUMBER} height')
LINE: Final = re.compile(rf'<line class="median" x1{NUMBER} y1{NUMBER}')


def test_every_figure_of_a_way_is_in_its_table(rich: Report) -> None:
    words = plain(section(render_html(rich), "stages"))
    one, other = rich.stages
    for split in (one, other):
        for step in split.steps:
            assert step.title in words
            assert step.part in words
            if step.change is None:
                assert f"not run: {step.reason}" in words
                continue
            assert step.change.mcnemar is not None
            assert f"{step.change.mcnemar.reference_only} : {step.change.mcnemar.candidate_only}" in words
    assert "hapt_small_classify " in words
    assert "hapt_small_classify_counts " in words
    rounding = other.steps[1].change
    assert rounding is not None
    assert f"{rounding.inputs_differing} by at most 1 step" in words


def test_the_sentence_adds_up(rich: Report) -> None:
    for split in rich.stages:
        text = sentence(split)
        total = re.search(r"points? \(([+−]\d+) windows?\)", text)
        parts = re.findall(r"(?:quantization|preprocessing|kernels) ([+−]?\d+)", text)
        assert total is not None, text
        assert sum(int(part.replace("−", "-")) for part in parts) == int(total[1].replace("−", "-"))
    assert "kernels not run" in sentence(rich.stages[1])
    assert "kernels 0" in sentence(rich.stages[0])


def test_the_section_is_drawn_from_json_alone(rich: Report) -> None:
    again = parse_report(rich.to_json().encode("utf-8"), "report.json")
    assert section(render_html(again), "stages") == section(render_html(rich), "stages")
    assert section(render_html(rich), "stages").count("<svg") == 4


def test_an_older_report_has_no_stages(sample: Report) -> None:
    text = sample.to_json().replace(' "stages": [],\n', "")
    assert '"stages"' not in text
    again = parse_report(text.encode("utf-8"), "report.json")
    assert "not split by stage in this report" in plain(section(render_html(again), "stages"))
    assert "Loss by stage" not in render_markdown(again)


def test_markdown_has_a_row_for_each_stage(rich: Report) -> None:
    text = render_markdown(rich)
    assert text.count("**Loss by stage.**") == 2
    for split in rich.stages:
        for step in split.steps:
            assert f"| {step.title}: {step.part} |" in text
    assert "not run: no C compiler \\(cc, gcc or clang on PATH\\)" in text
    assert text.count("| The whole: ") == 2


def test_windows_without_labels_have_a_table_and_no_drawing(rich: Report) -> None:
    labels = np.array([0, 1, 1])
    split = stages(np.full(3, -1), labels, labels, np.array([0, 1, 0]))[1]
    (way,) = ways(rich.model_copy(update={"stages": (split,)}))
    assert way.figure is None
    assert way.sentence.endswith("1 of 3 windows change their label. No window has a label, so accuracy is not known.")
    assert [row.accuracy for row in way.rows] == ["–", "–", "–"]
    assert [row.labels for row in way.rows] == ["0", "1", "–"]


def test_hostile_stages_are_cut(rich: Report) -> None:
    found = ways(hostile(rich))
    assert len(found) < 40
    assert all(len(way.rows) == MAX_STEPS and way.left_off == 60 - MAX_STEPS for way in found)


@given(
    before=st.floats(0.3, 0.9),
    steps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=5),
    width=st.sampled_from([330.0, 860.0]),
)
def test_bars_lead_from_one_accuracy_to_the_next(before: float, steps: list[tuple[int, int]], width: float) -> None:
    rows: list[End | Fall | Gap] = [End("Keras", "", before, before - 0.02, before + 0.02, "s-float")]
    for lost, gained in steps:
        latest = rows[-1]
        at = latest.value if isinstance(latest, End) else latest.after if isinstance(latest, Fall) else 0.0
        rows.append(Fall("A stage", "kernels", at, lost / 4000, gained / 4000, "text", "title"))
    drawing = str(waterfall(rows, width, "label"))
    _legend, _other, *bars = [(style, float(x), float(wide)) for style, x, _, wide in RECT.findall(drawing)]
    ends = [float(x) for x, _ in LINE.findall(drawing)]
    assert len(ends) == len(steps)
    start = float(re.findall(rf'<circle class="dot s-float" cx{NUMBER}', drawing)[0])
    for (lost, gained), end in zip(steps, ends, strict=True):
        x = start
        if lost:
            style, left, wide = bars.pop(0)
            assert style == "s-miss"
            assert left + wide == pytest.approx(start, abs=0.3)
            x = left
        if gained:
            style, left, wide = bars.pop(0)
            assert style == "s-int8"
            assert left == pytest.approx(x, abs=0.3)
            x = left + wide
        assert end == pytest.approx(x, abs=0.3)
        # As many pixels for each window that moves, to either side.
        assert (end > start) == (gained > lost) or abs(end - start) < 0.3
        start = end
    assert bars == []


def test_a_stage_that_did_not_run_is_not_drawn_as_no_change() -> None:
    rows: list[End | Fall | Gap] = [End("Keras", "", 0.9, 0.88, 0.92, "s-float"), Gap("Compiled kernels", "kernels")]
    drawing = str(waterfall(rows, 860, "label"))
    assert "not run" in drawing
    assert LINE.findall(drawing) == []
