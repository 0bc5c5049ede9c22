"""Limits against measured figures."""

import pytest

from edgecnn_bench.footprint import fits
from edgecnn_bench.gates import GATE_NAMES, Measured, check, measured
from edgecnn_bench.results import EngineResult, Latency, McNemar, Parity
from edgecnn_bench.statistics import wilson
from edgecnn_firmware.card import ScoreCard
from edgecnn_firmware.errors import SettingsError

ALL = Measured(
    accuracy=0.9,
    balanced_accuracy=0.8,
    accuracy_drop=0.01,
    label_agreement=0.98,
    model_bytes=30_000,
    arena_bytes=9_000,
    median_latency_us=50.0,
)


@pytest.mark.parametrize(
    ("name", "met", "missed"),
    [
        ("min_accuracy", 0.9, 0.91),
        ("min_balanced_accuracy", 0.8, 0.81),
        ("max_accuracy_drop", 0.01, 0.009),
        ("min_label_agreement", 0.98, 0.99),
        ("max_model_bytes", 30_000, 29_999),
        ("max_arena_bytes", 9_000, 8_999),
        ("max_median_latency_us", 50.0, 49.9),
    ],
)
def test_a_limit_is_met_by_equality_and_missed_beyond(name: str, met: float, missed: float) -> None:
    (good,), (bad,) = check(ALL, {name: met}), check(ALL, {name: missed})
    assert good.passed
    assert not bad.passed
    assert good.value == met
    (unknown,) = check(Measured(), {name: met})
    assert unknown.value is None
    assert not unknown.passed


def test_names_are_those_of_the_project_file() -> None:
    from edgecnn.project import GateSettings

    assert set(GATE_NAMES) == set(GateSettings.model_fields)


@pytest.mark.parametrize("name", ["max_accuracy", "accuracy", "min_", "min_model_bytes"])
def test_unknown_gates_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"unknown gate '{name}'; accepted: min_accuracy, "):
        check(ALL, {name: 1.0})


def row(key: str, accuracy: float, median_us: float) -> EngineResult:
    score = ScoreCard(
        accuracy=wilson(round(100 * accuracy), 100), balanced_accuracy=accuracy / 2, macro_f1=0, confusion=()
    )
    times = tuple(
        Latency(
            what=what,
            n=1,
            warmup=1,
            threads=1,
            min_us=0,
            p5_us=0,
            median_us=median_us * factor,
            p95_us=0,
            max_us=0,
            mean_us=0,
            histogram_edges_us=(),
            histogram_counts=(),
        )
        for what, factor in (("end-to-end", 2), ("invoke", 1))
    )
    return EngineResult(
        key=key, title=key, precision="int8", file="", file_bytes=0, status="run", score=score, latency=times
    )


def pair(reference: str, candidate: str, drop: float) -> Parity:
    return Parity(
        reference=reference,
        candidate=candidate,
        n=100,
        agreement=wilson(97, 100),
        mcnemar=McNemar(reference_only=1, candidate_only=0, p_value=1),
        accuracy_drop=drop,
        max_probability_difference=0,
        mean_probability_difference=0,
        max_lsb_difference=None,
        changed=(),
    )


def test_figures_are_those_of_the_reference_kernels_and_of_litert_on_this_machine() -> None:
    rows = [row("keras", 0.99, 900), row("litert", 0.8, 30), row("litert-reference", 0.9, 400)]
    pairs = [pair("litert-reference", "litert", 0.5), pair("keras", "litert-reference", 0.09)]
    found = measured(rows, pairs, fits(1234, 567))
    assert found == Measured(0.9, 0.45, 0.09, 0.97, 1234, 567, 30)


def test_recorded_outputs_stand_in() -> None:
    rows = [row("litert", 0.8, 30), row("reference-recorded", 0.7, 0)]
    pairs = [pair("keras-recorded", "reference-recorded", 0.2)]
    found = measured(rows, pairs, fits(1, None))
    assert (found.accuracy, found.accuracy_drop, found.arena_bytes) == (0.7, 0.2, None)


def test_what_was_not_measured_is_none() -> None:
    assert measured([], [], fits(5, None)) == Measured(model_bytes=5)
