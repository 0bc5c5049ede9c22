"""The page says what report.json says, and nothing in a report can make it do anything."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecnn_bench.report.facts import facts
from edgecnn_bench.report.html import render_html
from edgecnn_bench.report.text import percent
from edgecnn_bench.results import Report, parse_report

VOID = {"meta", "br", "hr", "img", "link", "input", "col", "wbr"}
MAX_PAGE_BYTES = 3 << 20


class Checker(HTMLParser):
    """Collects tags and attributes, and complains of tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def checked(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    return checker


def renamed(report: Report, name: str) -> Report:
    """The report with `name` in every place where people's own text can stand."""
    card = report.card
    labels = (name, *card.labels[1:])
    channels = (card.input.channels[0].model_copy(update={"name": name[:90] or "x"}), *card.input.channels[1:])
    card = card.model_copy(
        update={
            "labels": labels,
            "description": name,
            "arena_note": name,
            "input": card.input.model_copy(update={"channels": channels}),
        }
    )
    engines = tuple(engine.model_copy(update={"title": name, "reason": name}) for engine in report.engines)
    boards = tuple(b.model_copy(update={"board": name, "reason": name}) for b in report.footprint.boards)
    footprint = report.footprint.model_copy(update={"boards": boards, "allowance_source": name})
    return report.model_copy(update={"card": card, "engines": engines, "footprint": footprint, "windows_source": name})


def test_the_page_is_well_formed_small_and_loads_nothing(sample: Report) -> None:
    page = render_html(sample)
    found = checked(page)
    assert len(page.encode("utf-8")) < MAX_PAGE_BYTES
    assert not {"script", "iframe", "object", "embed", "link", "img", "form"} & set(found.tags)
    loads = [value for name, value in found.attributes if name in {"src", "href", "xlink:href", "action", "srcset"}]
    assert all(value.startswith("#") for value in loads)
    assert "@import" not in page
    assert not re.search(r"url\(\s*['\"]?(?!#)", page)
    assert not any(name.startswith("on") or name == "style" for name, _ in found.attributes)


def test_the_page_is_drawn_from_the_json_alone(sample: Report) -> None:
    again = parse_report(sample.to_json().encode("utf-8"), "report.json")
    assert render_html(again) == render_html(sample) == render_html(sample)


def test_the_figures_are_those_of_the_json(sample: Report) -> None:
    text = " ".join(" ".join(checked(render_html(sample)).text).split())
    for engine in sample.engines:
        if engine.status == "not run":
            assert engine.reason in text
        elif engine.score is not None:
            assert percent(engine.score.accuracy.value, 2) in text
    for drawn in (facts(sample).float32, facts(sample).int8):
        assert drawn is not None
        assert drawn.score is not None
        assert all(f" {value:,} " in text for row in drawn.score.confusion for value in row if value)
    for pair in sample.parity:
        assert percent(pair.agreement.value, 2) in text
    for layer in sample.layers:
        assert f"{layer.macs:,}" in text
    for board in sample.footprint.boards:
        assert board.board in text
    data = sample.card.data
    assert data is not None
    assert all(sentence in text for sentence in data.proof)
    assert data.fingerprint in text


def test_missing_pieces_become_sentences(bare: Report) -> None:
    text = " ".join(" ".join(checked(render_html(bare)).text).split())
    assert "Accuracy was not measured" in text
    assert "nan" not in text.lower().split()
    assert "None" not in text.split()


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='x",
        "</style><script>",
        "{{ 7 * 7 }}{% raw %}",
        "\u202egnirts\u202c",
        "😀" * 60,
        "x" * 200,
        "a\nb\x00c\x1b[31m",
        "]]>&amp;&lt;",
    ],
)
def test_names_cannot_inject_anything(sample: Report, name: str) -> None:
    tags = sorted(set(checked(render_html(sample)).tags))
    found = checked(render_html(renamed(sample, name)))
    assert sorted(set(found.tags)) == tags
    assert not any(attribute.startswith("on") for attribute, _ in found.attributes)


@given(name=st.text(min_size=1, max_size=60))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_only_text(sample: Report, name: str) -> None:
    tags = set(checked(render_html(sample)).tags)
    assert set(checked(render_html(renamed(sample, name))).tags) == tags


def test_a_refit_is_told_and_only_then(sample: Report) -> None:
    training = sample.card.training
    assert training is not None
    plain = " ".join(" ".join(checked(render_html(sample)).text).split())
    assert "40 epochs, the weights of epoch 29 were kept." in plain
    assert "refit" not in plain.lower()
    card = sample.card.model_copy(update={"training": training.model_copy(update={"refit_epochs": 29})})
    again = " ".join(" ".join(checked(render_html(sample.model_copy(update={"card": card}))).text).split())
    assert "fitted again from the start, for 29 epochs on the training and validation parts together" in again
    assert "epoch 29 was its best" in again
    assert "were kept" not in again
