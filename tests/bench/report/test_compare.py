"""What a comparison of reports says, and what it leaves unsaid."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecnn_bench.differences import Difference, Pairing
from edgecnn_bench.report.candidates import candidates
from edgecnn_bench.report.compare import compare, compare_html, compare_markdown
from edgecnn_bench.report.comparison import ComparedCell, Comparison
from edgecnn_bench.results import BoardRun, CompiledFit, Place, Report, Verdict
from edgecnn_bench.statistics import wilson
from edgecnn_firmware.card import CompiledCard
from edgecnn_firmware.errors import SettingsError


def cell(result: Comparison, key: str, number: int = 1) -> ComparedCell:
    return next(row for row in result.rows if row.key == key).cells[number]


def keys(result: Comparison) -> list[str]:
    return [row.key for row in result.rows]


def with_footprint(report: Report, **changes: Any) -> Report:
    return report.model_copy(update={"footprint": report.footprint.model_copy(update=changes)})


def with_card(report: Report, **changes: Any) -> Report:
    return report.model_copy(update={"card": report.card.model_copy(update=changes)})


def with_environment(report: Report, **changes: Any) -> Report:
    return report.model_copy(update={"environment": report.environment.model_copy(update=changes)})


def with_accuracy(report: Report, right: int, n: int) -> Report:
    """The int8 engines are right on `right` of `n` windows."""
    engines = tuple(
        engine.model_copy(update={"score": engine.score.model_copy(update={"accuracy": wilson(right, n)})})
        if engine.score and engine.precision == "int8"
        else engine
        for engine in report.engines
    )
    return report.model_copy(update={"engines": engines})


def slower(report: Report, times: float) -> Report:
    engines = tuple(
        engine.model_copy(
            update={"latency": tuple(t.model_copy(update={"median_us": times * t.median_us}) for t in engine.latency)}
        )
        for engine in report.engines
    )
    return report.model_copy(update={"engines": engines})


def run(board: str, instructions: float, flash: int = 29_264, **changes: Any) -> BoardRun:
    return BoardRun(
        board=board,
        title=board,
        status="run",
        kernels="armv7e-m",
        toolchain="gcc 12",
        flags=("-O2",),
        byte_equal=True,
        instructions_mean=instructions,
        flash_bytes=flash,
        arena_bytes=2_184,
        state_bytes=0,
        input_bytes=768,
        stack_bytes=180,
    ).model_copy(update=changes)


def with_boards(report: Report, *runs: BoardRun) -> Report:
    return report.model_copy(update={"boards": runs})


def pairing(value: float, low: float, high: float) -> Pairing:
    return Pairing(Difference(value, low, high, "paired", 2996, 91, 24, 0.0001), None, None)


def time_row(result: Comparison) -> ComparedCell:
    key = next(key for key in keys(result) if key.startswith("median_us.litert"))
    return cell(result, key)


def test_the_same_report_is_neither_better_nor_worse(sample: Report) -> None:
    result = compare([sample, sample])
    assert not result.better
    assert not result.worse
    assert not result.warnings
    judged = {row.cells[1].judgment for row in result.rows}
    # Two samples of the same size and accuracy differ by nothing, but it is not known that nothing differs.
    assert judged <= {"same", "unclear"}
    assert all(row.cells[0].judgment == "baseline" for row in result.rows)


@pytest.mark.parametrize("number", [0, 1, 13])
def test_a_comparison_takes_two_to_twelve_reports(sample: Report, number: int) -> None:
    with pytest.raises(SettingsError, match="expected 2 to 12"):
        compare([sample] * number)


def test_bytes_are_judged_exactly(sample: Report) -> None:
    less = with_footprint(sample, model_bytes=sample.footprint.model_bytes - 1)
    result = compare([sample, less])
    assert cell(result, "model_bytes").judgment == "better"
    assert [change.key for change in result.better] == ["model_bytes"]
    assert "38,776 B → 38,775 B" in result.better[0].sentence
    back = compare([less, sample])
    assert cell(back, "model_bytes").judgment == "worse"
    assert [change.key for change in back.worse] == ["model_bytes"]


def test_what_was_not_measured_is_not_judged(sample: Report) -> None:
    unknown = with_footprint(sample, arena_bytes=None)
    assert cell(compare([sample, unknown]), "arena_bytes").judgment == "not measured"
    assert cell(compare([unknown, sample]), "arena_bytes").judgment == "not comparable"
    assert "arena_bytes" not in keys(compare([unknown, unknown]))


@pytest.mark.parametrize(
    ("right", "judgment"), [(2700, "worse"), (2800, "unclear"), (2808, "unclear"), (2820, "unclear"), (2950, "better")]
)
def test_accuracy_is_judged_by_the_interval_of_its_difference(sample: Report, right: int, judgment: str) -> None:
    result = compare([with_accuracy(sample, 2808, 2996), with_accuracy(sample, right, 2996)])
    found = cell(result, "int8_accuracy")
    assert found.judgment == judgment
    assert "unpaired" in found.note
    told = [change.key for change in (*result.better, *result.worse)]
    assert ("int8_accuracy" in told) is (judgment in {"better", "worse"})


def test_paired_windows_decide_over_unpaired_ones(sample: Report) -> None:
    reports = [with_accuracy(sample, 2808, 2996), with_accuracy(sample, 2820, 2996)]
    found = cell(compare(reports, pairings=[pairing(0.004, 0.001, 0.007)]), "int8_accuracy")
    assert found.judgment == "better"
    assert found.change == "+0.4 points (+0.1 to +0.7)"
    assert "paired on 2,996 windows: true only of the first on 91, only here on 24" in found.note
    assert cell(compare(reports, pairings=["the two hold other windows"]), "int8_accuracy").judgment == "unclear"
    equal = Pairing(Difference(0.0, 0.0, 0.0, "paired", 2996, 0, 0, 1.0), None, None)
    assert cell(compare(reports, pairings=[equal]), "int8_accuracy").judgment == "same"


def test_figures_without_an_interval_are_shown_and_not_judged(sample: Report) -> None:
    scores = tuple(
        engine.model_copy(update={"score": engine.score.model_copy(update={"balanced_accuracy": 0.5})})
        if engine.score
        else engine
        for engine in sample.engines
    )
    result = compare([sample, sample.model_copy(update={"engines": scores})])
    assert cell(result, "balanced_accuracy").judgment == "not judged"
    assert cell(result, "balanced_accuracy").change.startswith("−")
    assert not result.worse


def other_fingerprint(report: Report) -> Report:
    assert report.card.data is not None
    return with_card(report, data=report.card.data.model_copy(update={"fingerprint": "f" * 64}))


@pytest.mark.parametrize(
    ("change", "warning", "note"),
    [
        (other_fingerprint, "Another data set than", "another data set"),
        (
            lambda r: with_card(r, labels=(*r.card.labels[:-1], "running")),
            "and running; ",
            "other labels",
        ),
        (lambda r: with_card(r, data=None), "Another data set than", "does not say which data"),
    ],
)
def test_accuracies_of_other_tasks_are_not_comparable(
    sample: Report, change: Callable[[Report], Report], warning: str, note: str
) -> None:
    result = compare([with_accuracy(sample, 2000, 2996), change(with_accuracy(sample, 2950, 2996))])
    assert any(warning in text for text in result.warnings)
    for key in ("int8_accuracy", "float_accuracy"):
        assert cell(result, key).judgment == "not comparable"
        assert note in cell(result, key).note
    assert not result.better
    assert cell(result, "model_bytes").judgment == "same"


def test_other_windows_are_said_and_still_compared(sample: Report) -> None:
    window = sample.card.input.model_copy(update={"window_samples": 256})
    result = compare([with_accuracy(sample, 2000, 2996), with_accuracy(with_card(sample, input=window), 2950, 2996)])
    assert any("Other test windows than" in text for text in result.warnings)
    assert cell(result, "int8_accuracy").judgment == "better"


@pytest.mark.parametrize(("times", "judgment"), [(1.09, "same"), (1.5, "worse"), (0.5, "better")])
def test_times_of_one_machine_are_judged_beyond_a_margin(sample: Report, times: float, judgment: str) -> None:
    assert time_row(compare([sample, slower(sample, times)])).judgment == judgment


@pytest.mark.parametrize("change", [{"cpu": "another"}, {"cores": 64}, {"machine": "aarch64"}, {"system": "another"}])
def test_times_of_two_machines_are_not_comparable(sample: Report, change: dict[str, Any]) -> None:
    result = compare([sample, with_environment(slower(sample, 10.0), **change)])
    assert time_row(result).judgment == "not comparable"
    assert not result.worse
    assert any("Measured on another machine" in text for text in result.warnings)


def test_times_of_another_place_depend_on_that_place(sample: Report) -> None:
    def on_pi(report: Report, cpu: str | None) -> Report:
        environment = None if cpu is None else report.environment.model_copy(update={"cpu": cpu})
        engines = tuple(
            engine.model_copy(update={"place": "pi"}) if engine.key == "litert" else engine for engine in report.engines
        )
        places = (Place(key="pi", title="a Raspberry Pi", environment=environment),)
        return report.model_copy(update={"engines": engines, "places": places})

    def judged(first: Report, second: Report) -> str:
        result = compare([first, second])
        return cell(result, next(key for key in keys(result) if key.endswith(" on pi"))).judgment

    here = slower(sample, 3.0)
    assert judged(on_pi(sample, "BCM2712"), on_pi(with_environment(here, cpu="another"), "BCM2712")) == "worse"
    assert judged(on_pi(sample, "BCM2712"), on_pi(here, "BCM2711")) == "not comparable"
    assert judged(on_pi(sample, None), on_pi(here, None)) == "not comparable"


def test_instructions_on_each_board(sample: Report) -> None:
    first = with_boards(sample, run("cortex-m4", 1000.0), run("cortex-m3", 2000.0), run("rv32imc", 3000.0))
    second = with_boards(
        sample,
        run("cortex-m4", 900.0, flash=30_000),
        run("cortex-m3", 0.0, status="not run", reason="no gcc"),
        run("rv32imc", 3000.0, toolchain="zig"),
    )
    result = compare([first, second])
    assert cell(result, "instructions.cortex-m4").judgment == "better"
    assert cell(result, "instructions.cortex-m4").change == "−10.0 %"
    assert cell(result, "flash_bytes.cortex-m4").judgment == "worse"
    assert cell(result, "ram_bytes.cortex-m4").judgment == "same"
    assert (cell(result, "instructions.cortex-m3").judgment, cell(result, "instructions.cortex-m3").note) == (
        "not measured",
        "no gcc",
    )
    assert cell(result, "instructions.rv32imc").note == "other toolchain"


def test_verdicts_move_between_equal_and_different(sample: Report) -> None:
    def verdict(kind: str) -> Report:
        told = Verdict.model_validate({"verdict": kind, "margin": 0.01, "p_equivalent": None, "rule": "a rule"})
        parity = tuple(pair.model_copy(update={"verdict": told}) for pair in sample.parity)
        return sample.model_copy(update={"parity": parity})

    judged = {
        pair: cell(compare([verdict(pair[0]), verdict(pair[1])]), "verdict").judgment
        for pair in [
            ("equal", "equivalent"),
            ("equivalent", "different"),
            ("different", "equal"),
            ("equal", "undecided"),
        ]
    }
    assert list(judged.values()) == ["same", "worse", "better", "not judged"]


def test_parts_are_counted_only_against_the_same_table(sample: Report) -> None:
    boards = sample.footprint.boards
    none = with_footprint(sample, boards=tuple(board.model_copy(update={"fits": False}) for board in boards))
    assert cell(compare([sample, none]), "parts_with_tflm").judgment == "worse"
    assert (
        cell(compare([sample, with_footprint(sample, boards=boards[:3])]), "parts_with_tflm").judgment
        == "not comparable"
    )
    fit = CompiledFit(flash_needed_bytes=1, ram_needed_bytes=1, fits=True, reason="", basis="")
    compiled = with_footprint(sample, boards=tuple(board.model_copy(update={"compiled": fit}) for board in boards))
    assert cell(compare([compiled, compiled]), "parts_with_c").value == len(boards)


def test_compiled_bytes_come_from_the_card(sample: Report) -> None:
    def compiled(constants: int, arena: int) -> Report:
        card = CompiledCard(
            target="portable", constant_bytes=constants, arena_bytes=arena, state_bytes=16, macs=1, checked_windows=1
        )
        return with_card(sample, compiled=card)

    result = compare([compiled(1000, 200), compiled(900, 300)])
    assert cell(result, "compiled_constant_bytes").judgment == "better"
    assert (cell(result, "compiled_ram_bytes").judgment, cell(result, "compiled_ram_bytes").value) == ("worse", 316.0)


def test_rows_and_changes_go_from_the_most_important_down(sample: Report) -> None:
    worse = with_footprint(with_accuracy(slower(sample, 3.0), 2000, 2996), model_bytes=10**6)
    first = with_boards(with_accuracy(sample, 2808, 2996), run("cortex-m4", 1000.0))
    result = compare([first, with_boards(worse, run("cortex-m4", 2000.0))])
    groups = [row.group for row in result.rows]
    assert groups == sorted(groups, key=("accuracy", "memory", "work", "time").index)
    assert keys(result)[0] == "int8_accuracy"
    told = [change.key for change in result.worse]
    assert told[:3] == ["int8_accuracy", "model_bytes", "instructions.cortex-m4"]
    assert told[3].startswith("median_us")


def test_two_commits_of_one_bundle_are_told_apart(sample: Report) -> None:
    assert compare([sample, sample], ["old/report.json", "new"]).names == ("old/report.json", "new")
    assert compare([sample, sample]).names == ("hapt_small 0.3.1 (1)", "hapt_small 0.3.1 (2)")
    assert compare([sample, sample], ["same", "same"]).names == ("hapt_small 0.3.1 (1)", "hapt_small 0.3.1 (2)")
    assert compare([sample, with_card(sample, version="0.4.0")], ["a", "b"]).names == (
        "hapt_small 0.3.1",
        "hapt_small 0.4.0",
    )


def test_many_boards_make_one_sentence(sample: Report) -> None:
    names = ("cortex-m0plus", "cortex-m3", "cortex-m4")
    first = with_boards(sample, *(run(name, 1000.0) for name in names))
    second = with_boards(sample, *(run(name, 1100.0 + 100 * at) for at, name in enumerate(names)))
    (found,) = candidates(compare([first, second]))
    assert found.worse == ("instructions on 3 virtual boards: +10.0 % to +30.0 %",)
    assert len(compare([first, second]).worse) == 3
    assert [tile.tone for tile in found.tiles] == ["neutral", "neutral", "neutral", "bad"]


def test_every_form_says_the_same(sample: Report) -> None:
    reports = [sample, with_environment(with_footprint(slower(sample, 5.0), model_bytes=100), cpu="another")]
    result = compare(reports)
    assert json.loads(result.to_json()) == result.model_dump(mode="json")
    assert Comparison.model_validate_json(result.to_json()) == result
    html, markdown = compare_html(reports), compare_markdown(reports)
    assert (html, markdown) == (compare_html(reports), compare_markdown(reports))
    for text in (html, markdown):
        assert "Better" in text
        assert "38,776 B" in text
        assert "100 B" in text
        assert "Measured on another machine" in text
    assert "<script" not in html
    assert "http://" not in html.replace("http://www.w3.org", "")


def test_reports_without_labels_or_layers_are_compared_too(sample: Report, bare: Report) -> None:
    for reports in ([bare, bare], [sample, bare], [bare, sample]):
        result = compare(reports)
        assert "model_bytes" in keys(result)
        assert compare_html(reports).startswith("<!doctype html>")
        assert compare_markdown(reports).startswith("## ")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_hostile_names_and_numbers_are_drawn(sample: Report, data: st.DataObject) -> None:
    text = st.text(max_size=30) | st.sampled_from(["<script>", "|\n#", "\x00", "\u202e", "]]>", "a" * 3000])
    number = st.integers(0, 10**400) | st.sampled_from([0, 2**63])
    hostile = with_footprint(
        with_boards(
            with_environment(sample, cpu=data.draw(text)),
            run(data.draw(text), data.draw(st.floats(0, 1e308)), flash=data.draw(number), toolchain=data.draw(text)),
        ),
        model_bytes=data.draw(number),
        arena_bytes=data.draw(number),
    )
    names = [data.draw(text), data.draw(text)]
    for reports in ([sample, hostile], [hostile, sample], [hostile, hostile]):
        assert "<script" not in compare_html(reports, names).split("</style>")[1]
        assert not any(
            line.startswith("#") and "##" not in line for line in compare_markdown(reports, names).splitlines()
        )


def test_a_fraction_of_no_windows_is_not_compared(sample: Report) -> None:
    result = compare([with_accuracy(sample, 0, 0), with_accuracy(sample, 5, 10)])
    assert cell(result, "int8_accuracy").judgment == "not comparable"
    assert np.isfinite(cell(result, "int8_accuracy").value or 0.0)
