import pytest

from edgecnn_bench.report.facts import headline
from edgecnn_bench.report.markdown import escape, render_markdown
from edgecnn_bench.report.text import percent
from edgecnn_bench.results import Report

PULL_REQUEST_COMMENT_CHARACTERS = 65_536


def tables(text: str) -> list[list[str]]:
    """The lines of each table."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def cells(line: str) -> int:
    return line.replace("\\\\", "").replace("\\|", "").count("|") - 1


def test_it_fits_a_comment_and_its_tables_are_whole(sample: Report) -> None:
    text = render_markdown(sample)
    assert len(text) < PULL_REQUEST_COMMENT_CHARACTERS
    assert len(tables(text)) >= 2
    for table in tables(text):
        assert len({cells(line) for line in table}) == 1
    for engine in sample.engines:
        if engine.score is not None and engine.status == "run":
            assert percent(engine.score.accuracy.value) in text


@pytest.mark.parametrize("name", ["a|b", "a\nb", "`x`", "<b>x</b>", "[x](http://y)", "\\|", "@someone", "#1"])
def test_names_stay_plain_text(sample: Report, name: str) -> None:
    engines = tuple(engine.model_copy(update={"title": name}) for engine in sample.engines)
    text = render_markdown(sample.model_copy(update={"engines": engines}))
    for table in tables(text):
        assert len({cells(line) for line in table}) == 1
    assert "<b>" not in text
    assert "](" not in text
    assert "\n" not in escape(name)


def test_bare_reports_are_drawn_too(bare: Report) -> None:
    assert "Accuracy was not measured" in render_markdown(bare)


def test_the_headline_is_one_line(sample: Report, bare: Report) -> None:
    for report in (sample, bare):
        assert "\n" not in headline(report)
        assert headline(report).startswith(report.card.name)
