"""A report as JUnit XML, read back by a parser of its own."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_bench.junit import junit_xml
from edgecnn_bench.results import BoardRun, EngineResult, Environment, Footprint, Gate, Latency, Parity, Report, Verdict
from edgecnn_bench.statistics import wilson
from edgecnn_firmware.card import (
    Card,
    ChannelCard,
    InputCard,
    NormalizationCard,
    QuantizationCard,
    TensorQuantization,
)

ALLOWED_BELOW_SPACE = {0x9, 0xA, 0xD}


def engine(key: str, **changes: Any) -> EngineResult:
    return EngineResult(
        key=key, title=key, precision="int8", file="model.tflite", file_bytes=10, status="run"
    ).model_copy(update=changes)


def latency(n: int, mean_us: float) -> Latency:
    return Latency(
        what="invoke",
        n=n,
        warmup=1,
        threads=1,
        min_us=mean_us,
        p5_us=mean_us,
        median_us=mean_us,
        p95_us=mean_us,
        max_us=mean_us,
        mean_us=mean_us,
        histogram_edges_us=(),
        histogram_counts=(),
    )


def parity(candidate: str, verdict: str | None, drop: float = 0.0) -> Parity:
    rule = "Rule: p < 0.05 & so on."
    told = (
        None
        if verdict is None
        else Verdict.model_validate({"verdict": verdict, "margin": 0.01, "p_equivalent": None, "rule": rule})
    )
    return Parity(
        reference="keras",
        candidate=candidate,
        n=100,
        agreement=wilson(98, 100),
        mcnemar=None,
        accuracy_drop=drop,
        max_probability_difference=0.1,
        mean_probability_difference=0.01,
        max_lsb_difference=None,
        changed=(),
        verdict=told,
    )


def board(name: str, **changes: Any) -> BoardRun:
    return BoardRun(board=name, title=name, status="run", byte_equal=True, windows=3).model_copy(update=changes)


def report(**changes: Any) -> Report:
    quantization = TensorQuantization(scale=0.1, zero_point=0)
    card = Card(
        name="wrist",
        version="1.2.3",
        labels=("a", "b"),
        output="softmax",
        input=InputCard(window_samples=8, hop_samples=8, sample_rate_hz=50.0, channels=(ChannelCard(name="x"),)),
        normalization=NormalizationCard(method="none", offset=(0.0,), gain=(1.0,)),
        quantization=QuantizationCard(input=quantization, output=quantization),
    )
    footprint = Footprint(
        model_bytes=1,
        header_bytes=1,
        weight_bytes=1,
        arena_bytes=None,
        runtime_flash_allowance_bytes=1,
        runtime_ram_allowance_bytes=1,
        allowance_source="",
        boards=(),
    )
    environment = Environment(system="", machine="", cpu="", cores=1, python="", libraries={})
    plain = Report(
        edgecnn_version="0.1.0",
        environment=environment,
        card=card,
        seed=0,
        windows=100,
        windows_source="test part",
        engines=(engine("keras"),),
        parity=(),
        layers=(),
        footprint=footprint,
    )
    return plain.model_copy(update=changes)


def parsed(data: bytes) -> ET.Element:
    return ET.fromstring(data)  # noqa: S314 - written a moment ago


def cases(found: Report) -> dict[tuple[str, str], ET.Element]:
    root = parsed(junit_xml(found))
    return {(suite.get("name", ""), case.get("name", "")): case for suite in root for case in suite}


def outcome(case: ET.Element) -> str:
    return next((child.tag for child in case if child.tag in {"failure", "skipped", "error"}), "passed")


def test_gates_pass_and_fail() -> None:
    gates = (
        Gate(name="min_accuracy", limit=0.9, value=0.95, passed=True),
        Gate(name="max_arena_bytes", limit=1000.0, value=None, passed=False),
    )
    found = cases(report(gates=gates))
    assert outcome(found["gates", "min_accuracy"]) == "passed"
    missed = found["gates", "max_arena_bytes"]
    assert outcome(missed) == "failure"
    assert missed[0].get("type") == "gate"
    assert "not measured" in missed[0].get("message", "")


def test_an_engine_that_did_not_run_is_skipped_with_its_reason() -> None:
    found = cases(report(engines=(engine("keras", status="not run", reason="TensorFlow is not installed"),)))
    (skipped,) = found["engines", "keras"]
    assert (skipped.tag, skipped.get("message")) == ("skipped", "TensorFlow is not installed")


def test_the_only_time_is_that_of_the_timed_calls() -> None:
    timed = engine("litert", latency=(latency(1000, 25.0), latency(500, 50.0)))
    found = cases(report(engines=(engine("keras"), timed), boards=(board("cortex-m4"),)))
    assert found["engines", "litert"].get("time") == "0.050000"
    others = [case for name, case in found.items() if name != ("engines", "litert")]
    assert all(case.get("time") is None for case in others)


def test_engines_of_two_places_have_two_names() -> None:
    found = cases(report(engines=(engine("litert"), engine("litert", place="pi@host"), engine("litert"))))
    assert [name for suite, name in found if suite == "engines"] == ["litert", "litert on pi@host", "litert (2)"]


@pytest.mark.parametrize(
    ("verdict", "drop", "wanted"),
    [
        ("equal", 0.0, "passed"),
        ("equivalent", 0.002, "passed"),
        ("different", 0.04, "failure"),
        ("different", -0.04, "passed"),
        ("undecided", 0.01, "skipped"),
        (None, 0.0, "skipped"),
    ],
)
def test_verdicts(verdict: str | None, drop: float, wanted: str) -> None:
    found = cases(report(parity=(parity("litert", verdict, drop),)))
    assert outcome(found["parity", "litert against keras"]) == wanted


def test_a_board_must_give_the_same_bytes() -> None:
    runs = (
        board("cortex-m4"),
        board("cortex-m3", byte_equal=False),
        board("rv32imc", byte_equal=None),
        board("cortex-m55", status="not run", reason="no qemu"),
    )
    found = cases(report(boards=runs))
    told = {name: outcome(case) for (suite, name), case in found.items() if suite == "boards"}
    assert told == {"cortex-m4": "passed", "cortex-m3": "failure", "rv32imc": "skipped", "cortex-m55": "skipped"}


def test_counts_are_those_of_the_cases() -> None:
    gates = (Gate(name="min_accuracy", limit=0.9, value=0.5, passed=False),)
    runs = (board("cortex-m4"), board("cortex-m3", byte_equal=False), board("rv32imc", byte_equal=None))
    root = parsed(junit_xml(report(gates=gates, boards=runs)))
    for element in (root, *root):
        inside = list(element.iter("testcase"))
        assert int(element.get("tests", "")) == len(inside)
        assert int(element.get("failures", "")) == sum(outcome(case) == "failure" for case in inside)
        assert int(element.get("skipped", "")) == sum(outcome(case) == "skipped" for case in inside)
        assert element.get("errors") == "0"
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("5", "2", "1")


hostile = st.text(st.characters(), max_size=60) | st.sampled_from(
    ["]]>", '"><x/>', "&#0;", "\x00\x1b[31m", "\ud800", "\ufffe", "a\r\nb", "", "<![CDATA[", "\u202eabc", "x" * 5000]
)


@settings(max_examples=80, deadline=None)
@given(key=hostile, reason=hostile, place=hostile, rule=hostile, board_name=hostile, toolchain=hostile)
def test_hostile_names_stay_text(key: str, reason: str, place: str, rule: str, board_name: str, toolchain: str) -> None:
    pair = parity("litert", "different", 0.1)
    assert pair.verdict is not None
    found = report(
        engines=(engine(key, status="not run", reason=reason, place=place), engine(key, place=place)),
        parity=(pair.model_copy(update={"candidate": key, "verdict": pair.verdict.model_copy(update={"rule": rule})}),),
        boards=(board(board_name, toolchain=toolchain), board(board_name, byte_equal=False)),
        gates=(Gate(name=key, limit=1e308, value=-1e308, passed=False),),
    )
    data = junit_xml(found)
    assert data == junit_xml(found)
    text = data.decode("utf-8")
    assert all(ord(character) >= 0x20 or ord(character) in ALLOWED_BELOW_SPACE for character in text)
    root = parsed(data)
    assert {element.tag for element in root.iter()} <= {
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "skipped",
        "system-out",
    }
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) == 6
    assert len(set(names)) == 6
    assert all(name for _, name in names)
