"""The parts of the report beyond one machine: boards, memory, fits, verdict, places, robustness, calibration."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn_bench.report import arena
from edgecnn_bench.report.board_facts import (
    fit_count,
    fits_sentence,
    instructions_sentence,
    reference_board,
    tflm_count,
)
from edgecnn_bench.report.board_views import flash_stacks, part_fits, ram_stacks
from edgecnn_bench.report.deltas import change_text
from edgecnn_bench.report.facts import arena_text, facts, headline, verdict_rule, verdict_sentence
from edgecnn_bench.report.figures import window_figures
from edgecnn_bench.report.fits import over_text
from edgecnn_bench.report.html import render_html
from edgecnn_bench.report.markdown import render_markdown
from edgecnn_bench.report.svg import log_ticks
from edgecnn_bench.report.text import byte_count, duration
from edgecnn_bench.report.tiles import tiles
from edgecnn_bench.results import ArenaBlock, MemoryMap, Report, parse_report

from .hostile import EVIL, hostile
from .test_html import MAX_PAGE_BYTES, checked

TYPICAL_MARKDOWN_CHARACTERS = 8_192
PULL_REQUEST_COMMENT_CHARACTERS = 65_536
CSS = Path(arena.__file__).parent / "templates" / "report.css"
DRAWN_FIELDS = {
    "boards": (),
    "memory_map": None,
    "layer_noise": (),
    "robustness": (),
    "calibration": (),
    "plotted": (),
    "parity": (),
    "stages": (),
}


def plain(page: str) -> str:
    """The words of a page."""
    return " ".join(" ".join(checked(page).text).split())


def section(page: str, name: str) -> str:
    """One section of the page."""
    found = re.search(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    assert found is not None
    return found[0]


def test_every_figure_has_its_table(rich: Report) -> None:
    parts = re.split(r"(?=<h[23])", render_html(rich))
    drawn = [part for part in parts if "<figure" in part]
    assert len(drawn) >= 14
    for part in drawn:
        # A confusion matrix and its tables are followed by the mistakes; training's small table is folded.
        assert "<table" in part, part[:80]


def test_boards_are_counted_not_timed(rich: Report) -> None:
    page = section(render_html(rich), "boards")
    words = plain(page)
    for board in rich.boards:
        if board.status == "not run":
            assert f"not run: {board.reason}" in words
            continue
        assert board.flash_bytes is not None
        assert board.ram_bytes is not None
        assert byte_count(board.flash_bytes) in words
        assert byte_count(board.ram_bytes) in words
        assert board.toolchain in words
        assert board.instructions_mean is not None
        assert f"{round(board.instructions_mean):,}" in words
    assert words.count("✓ byte-equal") == 4
    assert "cycles, estimate" in words
    assert "latency" not in words.lower()
    assert all(f"{layer.instructions:,}" in words for layer in rich.boards[1].layers)


def test_a_board_with_other_outputs_is_not_called_equal(rich: Report) -> None:
    boards = tuple(board.model_copy(update={"byte_equal": False}) for board in rich.boards)
    report = rich.model_copy(update={"boards": boards})
    assert "✗ differ" in section(render_html(report), "boards")
    assert "byte-equal</strong>" not in section(render_html(report), "boards")
    assert "**differ**" in render_markdown(report)


def test_parts_that_are_not_known_are_said_on_top(rich: Report) -> None:
    def note(report: Report) -> str:
        (tile,) = (tile for tile in tiles(report, facts(report)) if tile.title == "Boards that hold it")
        return tile.note

    assert "not known" not in note(rich)
    boards = tuple(
        row.model_copy(update={"ram_needed_bytes": None, "fits": False, "reason": ""}) for row in rich.footprint.boards
    )
    footprint = rich.footprint.model_copy(update={"arena_bytes": None, "boards": boards})
    unknown = tflm_count(footprint).unknown
    assert unknown
    found = note(rich.model_copy(update={"footprint": footprint}))
    assert found == f"compiled C; with TFLite Micro 0, {unknown} not known"


def test_why_the_arena_is_missing_is_said_once(bare: Report) -> None:
    card = bare.card.model_copy(update={"arena_note": "not measured: no interpreter"})
    assert arena_text(card) == "The tensor arena was not measured: no interpreter."


def test_the_time_on_top_is_the_compiled_c_where_it_was_timed_here(sample: Report, rich: Report) -> None:
    def shown(report: Report) -> tuple[str, str]:
        (tile,) = (tile for tile in tiles(report, facts(report)) if tile.title == "Median time, this machine")
        return tile.value, tile.note

    def median(report: Report, key: str) -> str:
        (engine,) = (engine for engine in report.engines if engine.key == key)
        return duration(next(row for row in engine.latency if row.what == "invoke").median_us)

    assert shown(rich) == (median(rich, "compiled"), "compiled C, this processor's kernels")
    assert shown(sample)[0] == median(sample, "litert")
    assert "LiteRT" in shown(sample)[1]
    portable = tuple(
        engine.model_copy(update={"key": "compiled-portable"}) if engine.key == "compiled" else engine
        for engine in rich.engines
    )
    assert shown(rich.model_copy(update={"engines": portable}))[1] == "compiled C, portable kernels"
    elsewhere = tuple(engine for engine in rich.engines if engine.place)
    assert shown(rich.model_copy(update={"engines": elsewhere})) == ("not measured", "no int8 engine was timed")


def test_the_reference_board_is_one_that_ran(rich: Report) -> None:
    chosen = reference_board(rich)
    assert chosen is not None
    assert chosen.board == "cortex-m4"
    others = tuple(board for board in rich.boards if board.board != "cortex-m4")
    second = reference_board(rich.model_copy(update={"boards": others}))
    assert second is not None
    assert second.board == "cortex-m0plus"
    missing = tuple(b.model_copy(update={"status": "not run"}) for b in rich.boards)
    assert reference_board(rich.model_copy(update={"boards": missing})) is None
    assert instructions_sentence(rich.model_copy(update={"boards": missing})) == ""


def test_stacks_add_up_to_what_the_table_says(rich: Report) -> None:
    run = [board for board in rich.boards if board.status == "run"]
    assert [row.total for row in flash_stacks(rich).rows] == [board.flash_bytes for board in run]
    assert [row.total for row in ram_stacks(rich).rows] == [board.ram_bytes for board in run]
    many = run[0].model_copy(update={"sections": {f"kind {number}": 2**number for number in range(9)}})
    found = flash_stacks(rich.model_copy(update={"boards": (many,)}))
    assert found.kinds[-1] == "other"
    assert found.rows[0].total == 2**9 - 1


def test_fits_are_of_the_compiled_network_where_there_is_one(rich: Report, sample: Report) -> None:
    assert fit_count(rich.footprint).fits == sum(
        b.compiled is not None and b.compiled.fits for b in rich.footprint.boards
    )
    assert fit_count(sample.footprint).fits == sum(board.fits for board in sample.footprint.boards)
    assert "As compiled C" in fits_sentence(rich.footprint)
    assert "compiled" not in fits_sentence(sample.footprint)
    page = section(render_html(rich), "fits")
    assert page.count("<tr>") == len(rich.footprint.boards) + 1
    first = part_fits(rich)[0]
    assert first.board.ram_bytes == min(board.ram_bytes for board in rich.footprint.boards)


@pytest.mark.parametrize(("share", "text"), [(1.001, "1.1×"), (1.5, "1.5×"), (34.4, "34×"), (1e9, "999×")])
def test_too_much_is_said_in_multiples(share: float, text: str) -> None:
    assert over_text(share) == text


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8
    )
)
def test_bytes_in_use_are_counted_once(rows: list[tuple[int, int, int, int]]) -> None:
    blocks = tuple(
        ArenaBlock(name="x", kind="value", offset_bytes=offset, size_bytes=size, first_op=min(a, b), last_op=max(a, b))
        for offset, size, a, b in rows
    )
    memory = MemoryMap(target="t", arena_bytes=80, lower_bound_bytes=0, ops=("op",) * 6, blocks=blocks)
    for op in range(6):
        alive = [set(range(o, o + s)) for o, s, a, b in rows if min(a, b) <= op <= max(a, b)]
        assert arena.used_bytes(memory, op) == len(set().union(*alive))
    assert arena.fullest(memory).bytes == max(arena.used_bytes(memory, op) for op in range(6))


def test_the_memory_map_replaces_the_activation_steps(rich: Report, sample: Report) -> None:
    assert "Arena of 2,184 B" in section(render_html(rich), "footprint")
    assert "Activation bytes of each layer" not in render_html(rich)
    assert "Activation bytes of each layer" in render_html(sample)
    words = plain(section(render_html(rich), "footprint"))
    assert "most in use: 2,048 B, op 1" in words
    assert rich.memory_map is not None
    assert all(block.name in words for block in rich.memory_map.blocks)


@pytest.mark.parametrize("verdict", ["equal", "equivalent", "different", "undecided"])
@pytest.mark.parametrize("drop", [0.02, -0.02])
def test_the_verdict_is_a_sentence_on_top(rich: Report, verdict: str, drop: float) -> None:
    first = rich.parity[0]
    assert first.verdict is not None
    rule = f"{verdict.capitalize()}: the rule with its figures."
    decided = first.verdict.model_copy(update={"verdict": verdict, "rule": rule})
    pair = first.model_copy(update={"verdict": decided, "accuracy_drop": drop})
    report = rich.model_copy(update={"parity": (pair, *rich.parity[1:])})
    found = facts(report)
    assert verdict_rule(decided) == "The rule with its figures."
    if verdict == "different":
        assert ("less accurate" in verdict_sentence(found)) == (drop > 0)
    page = render_html(report)
    assert verdict_sentence(found) in page[: page.index('<section id="accuracy"')]
    assert "The rule with its figures." in section(page, "parity")
    assert any(tile.value == verdict.capitalize() for tile in tiles(report, found))
    assert verdict_sentence(found) in headline(report)
    bad = [tile for tile in tiles(report, found) if tile.tone == "bad"]
    assert bool(bad) == (verdict == "different" and drop > 0)


def test_windows_are_plotted_with_what_was_said(rich: Report) -> None:
    groups = window_figures(rich, facts(rich))
    drawn = [row for group in groups for row in group.windows]
    assert len(drawn) == len(rich.plotted) > 0
    assert groups[0].pair is facts(rich).parity
    for plotted, changed, drawing in drawn:
        assert plotted.window == changed.window
        words = plain(drawing)
        for label in (changed.reference, changed.candidate):
            assert f"{'✓' if label == changed.truth else '✗'} {label}" in words
        assert {"float", "int8"} <= set(words.split())


def test_a_plotted_window_stands_with_the_pair_that_changed_it(rich: Report) -> None:
    last = rich.parity[2]
    window = last.changed[0].window
    plotted = rich.plotted[0].model_copy(update={"window": window})
    groups = window_figures(rich.model_copy(update={"plotted": (plotted,)}), facts(rich))
    assert [group.pair.candidate for group in groups] == [last.candidate]
    assert {"reference", "candidate"} <= set(plain(groups[0].windows[0][2]).split())


def test_places_hold_their_engines_and_environments(rich: Report) -> None:
    words = plain(section(render_html(rich), "latency"))
    order = [words.index(title) for title in ("This machine", *(place.title for place in rich.places))]
    assert order == sorted(order)
    assert "Cortex-A76 , 4 cores" in words
    assert "tflite-runtime 2.14.0" in " ".join(words.split())
    assert "This place does not tell what it runs on." in words
    assert "was not run: the board did not answer within 5 s" in words
    assert "Not measured: pi@garden: no route to host" in words


def test_robustness_and_calibration_say_what_they_are_of(rich: Report) -> None:
    page = render_html(rich)
    words = plain(section(page, "robustness"))
    for found in rich.robustness:
        assert found.title in words
        assert found.how in words
    # The undisturbed level of every disturbance, in both drawings: gain's is 1, not 0.
    assert section(page, "robustness").count('class="mark"') == 2 * len(rich.robustness)
    words = plain(section(page, "calibration"))
    assert "ECE 0.9 %" in words
    assert "ECE 1.1 %" in words


@pytest.mark.parametrize("field", sorted(DRAWN_FIELDS))
def test_a_missing_part_says_why(rich: Report, field: str) -> None:
    reason = f"no {field} on <this> machine"
    report = rich.model_copy(update={field: DRAWN_FIELDS[field], "not_measured": {field: reason}})
    again = parse_report(report.to_json().encode("utf-8"), "report.json")
    assert f"Not measured: {reason}" in plain(render_html(again))
    assert f"no {field.replace('_', chr(92) + '_')} on" in render_markdown(again)


def test_the_summaries_are_short_and_say_the_verdict(rich: Report) -> None:
    line = headline(rich)
    assert "\n" not in line
    assert "as accurate as float within 1 percentage point: equivalent." in line
    assert "Cortex-M4 one window takes 709 k instructions" in line
    text = render_markdown(rich)
    assert len(text) < TYPICAL_MARKDOWN_CHARACTERS
    for words in ("equivalent", "byte-equal", "Cortex-M55", "fits 24 of 25", "passed", "Not measured"):
        assert words in text


def test_a_hostile_report_stays_small_and_harmless(rich: Report) -> None:
    report = hostile(rich)
    page = render_html(report)
    assert len(page.encode("utf-8")) < MAX_PAGE_BYTES
    found = checked(page)
    # Many sources of the boards' needs are numbered; one is not.
    assert set(found.tags) <= {*checked(render_html(rich)).tags, "sup"}
    assert not any(
        name.startswith("on") or (name in {"style", "src", "href"} and value[:1] != "#")
        for name, value in found.attributes
    )
    assert EVIL not in page
    assert len(render_markdown(report)) < PULL_REQUEST_COMMENT_CHARACTERS
    assert "\n" not in headline(report)


def test_the_page_does_not_depend_on_the_process(rich: Report, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(rich.to_json(), encoding="utf-8")
    code = (
        "import sys, hashlib, pathlib\n"
        "from edgecnn_bench.report.html import render_html\n"
        "from edgecnn_bench.report.markdown import render_markdown\n"
        "from edgecnn_bench.results import parse_report\n"
        "report = parse_report(pathlib.Path(sys.argv[1]).read_bytes(), 'x')\n"
        "text = render_html(report) + render_markdown(report)\n"
        "sys.stdout.write(hashlib.sha256(text.encode()).hexdigest())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "report.json")]
    digests = {
        subprocess.run(command, check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_logarithmic_axes_have_ticks_to_read() -> None:
    for low, high in ((13.0, 40_000.0), (1.0, 9.0), (0.5, 3e7), (90.0, 1100.0)):
        ticks = log_ticks(low, high, 3)
        assert len(ticks) > 1
        assert all(low <= tick <= high for tick in ticks)


@pytest.mark.parametrize(("change", "text"), [(0.0, "same"), (-0.0118, "−1.18 points"), (0.01, "+1 point")])
def test_changes_are_in_points(change: float, text: str) -> None:
    assert change_text(change) == text


def _luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _blend(over: str, under: str, opacity: float) -> str:
    mixed = [
        round(opacity * int(over[place : place + 2], 16) + (1 - opacity) * int(under[place : place + 2], 16))
        for place in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in mixed)


def themes() -> list[dict[str, str]]:
    """The colors of light, dark and print."""
    found = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", CSS.read_text(encoding="utf-8"), re.DOTALL)
    ]
    assert len(found) == 3
    return found


@pytest.mark.parametrize("theme", [0, 1, 2])
def test_text_can_be_read_in_every_theme(theme: int) -> None:
    """WCAG 2.1: at least 4.5 : 1 for text, 3 : 1 for drawings (success criteria 1.4.3 and 1.4.11)."""
    colors = themes()[theme]
    texts = [(name, ground) for name in ("ink", "muted", "int8", "good", "bad") for ground in ("bg", "panel")]
    texts += [("good", "good-bg"), ("bad", "bad-bg"), ("ink", "peak"), ("ink", "value"), ("ink", "scratch")]
    for name, ground in texts:
        assert _contrast(colors[name], colors[ground]) >= 4.5, (name, ground)
    for name in ("int8", "float", "other", "miss", "good", "bad", "k1", "k2", "k3", "k4", "k5", "k6"):
        assert _contrast(colors[name], colors["bg"]) >= 3, name
    # A matrix's darkest cells, blue and orange.
    for name in ("int8", "miss"):
        assert _contrast(colors["on-fill"], _blend(colors[name], colors["bg"], 0.62)) >= 4.5, name
