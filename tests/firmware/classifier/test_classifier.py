"""The emitted C and the Python definition give the same bits: inputs, results, streams, monitor."""

import ctypes
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.firmware.compiler.networks import NetworkWriter
from tests.firmware.models import dense_model, make_card

from edgecnn_firmware import numerics
from edgecnn_firmware.card import Card, CountsCard, DeploymentCard, InputCard, StatisticsCard, TensorQuantization
from edgecnn_firmware.classifier.counts import count_lines, quantize_counts
from edgecnn_firmware.classifier.monitor import Moments, training_inputs
from edgecnn_firmware.classifier.results import is_plain, probability_table, window_result
from edgecnn_firmware.classifier.stream import Stream
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import DataError, SettingsError

from .built import Built

COUNTS = CountsCard(unit_per_count=(1 / 4096, 0.07), zero_count=(12.0, -3.0))
STATISTICS = StatisticsCard(mean=(0.1, -2.5), deviation=(1 / 1.7, 1 / 0.003))
OK, NEW, NAN, DAMAGED, NO_DATA = 0, 1, -1, -2, -3


def sigmoid_model() -> bytes:
    """4 x 2 int8 to the probability of label 1."""
    network = NetworkWriter()
    rng = np.random.default_rng(5)
    window = network.tensor((1, 4, 2), 0.1, -3)
    flat, score, chance = (
        network.tensor((1, 8), 0.1, -3),
        network.tensor((1, 1), 0.1, 5),
        network.tensor((1, 1), 1 / 256, -128),
    )
    network.op("RESHAPE", [window, network.const(np.array([1, 8], np.int32))], [flat], newShape=[1, 8])
    weights = network.const(rng.integers(-100, 100, (1, 8)).astype(np.int8), 0.01)
    network.op("FULLY_CONNECTED", [flat, weights, network.const(np.zeros(1, np.int32), 0.001)], [score])
    network.op("LOGISTIC", [score], [chance])
    return network.bytes([window], [chance])


def card_of(output: str = "softmax", *, hop: int = 2, **deployment: object) -> Card:
    card = make_card(deployment=DeploymentCard(counts=COUNTS, **deployment), statistics=STATISTICS)
    card = card.model_copy(update={"input": card.input.model_copy(update={"hop_samples": hop})})
    return card if output == "softmax" else card.model_copy(update={"output": "sigmoid", "labels": ("off", "on")})


def model_of(output: str) -> bytes:
    return dense_model() if output == "softmax" else sigmoid_model()


def expected(built: Built, inputs: "np.ndarray") -> "np.ndarray":
    network = built.classifier.network
    found: np.ndarray = Oracle(network.graph).run(inputs.reshape(network.graph.inputs[0].shape))[0].reshape(-1)
    return found


@pytest.fixture(scope="module", params=["softmax", "sigmoid"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(model_of(request.param), card_of(request.param), tmp_path_factory.mktemp(request.param))


SPECIAL = [0.0, -0.0, 1e-45, -1e-45, 1.17e-38, 3.4e38, -3.4e38, float("inf"), float("-inf"), 0.1, -2.5, 1e9]
NUMBERS = st.one_of(st.sampled_from(SPECIAL), st.floats(width=32, allow_nan=False), st.floats(-400, 400, width=32))


@given(st.lists(NUMBERS, min_size=8, max_size=8))
@settings(max_examples=300, deadline=None)
def test_a_window_in_physical_units(built: Built, values: list[float]) -> None:
    window = np.array(values, np.float32).reshape(4, 2)
    try:
        inputs = numerics.quantize(numerics.normalize(window, built.card.normalization), built.card.quantization.input)
    except DataError:
        assert built.call("classify", window) == NAN
        return
    assert built.call("classify", window) == OK
    outputs = expected(built, inputs)
    assert built.fields() == dataclasses.astuple(window_result(outputs, built.card))
    assert (
        built.result.label == numerics.decide(outputs[np.newaxis], built.card.output, built.card.quantization.output)[0]
    )
    assert built.call("classify_q", inputs) == OK
    assert built.fields() == dataclasses.astuple(window_result(outputs, built.card))


def test_nan_is_an_error(built: Built) -> None:
    window = np.zeros((4, 2), np.float32)
    window[2, 1] = np.nan
    assert built.call("classify", window) == NAN


@given(st.lists(st.integers(-(1 << 15), (1 << 15) - 1), min_size=8, max_size=8))
@settings(max_examples=200, deadline=None)
def test_raw_counts(built: Built, values: list[int]) -> None:
    counts = np.array(values, np.int16).reshape(4, 2)
    inputs = quantize_counts(counts, count_lines(built.card))
    assert built.call("classify_counts", counts) == OK
    assert built.fields() == dataclasses.astuple(window_result(expected(built, inputs), built.card))


def test_raw_counts_are_within_one_step_of_physical_units() -> None:
    card = card_of()
    counts = np.stack([np.arange(-(1 << 15), 1 << 15)] * 2, axis=1).astype(np.int16)
    physical = ((counts - np.array(COUNTS.zero_count)) * np.array(COUNTS.unit_per_count)).astype(np.float32)
    wanted = numerics.quantize(numerics.normalize(physical, card.normalization), card.quantization.input)
    apart = np.abs(quantize_counts(counts, count_lines(card)).astype(int) - wanted)
    assert apart.max() <= 1
    # They differ only where the real line comes within its fixed-point error of a rounding boundary.
    assert (apart > 0).mean() < 0.01


@pytest.mark.parametrize("unit", [0.0, 1e12, 1e-12])
def test_counts_that_fixed_point_cannot_hold_are_refused(unit: float) -> None:
    card = make_card(deployment=DeploymentCard(counts=CountsCard(unit_per_count=(unit, 1.0), zero_count=(0.0, 0.0))))
    with pytest.raises(SettingsError, match="'ax'"):
        count_lines(card)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize(
    ("smoothing", "results", "debounce", "hop"),
    [
        ("none", 1, 1, 2),
        ("none", 1, 3, 4),
        ("majority", 5, 1, 1),
        ("majority", 4, 2, 3),
        ("mean", 3, 1, 1),
        ("mean", 4, 2, 7),
    ],
)
def test_streams(output: str, smoothing: str, results: int, debounce: int, hop: int, tmp_path: Path) -> None:
    card = card_of(output, hop=hop, smoothing=smoothing, results=results, debounce=debounce)
    built = Built(model_of(output), card, tmp_path)
    stream = Stream(card, lambda inputs: expected(built, inputs))
    rng = np.random.default_rng(1)
    assert built.call("init") == OK
    seen = changes = 0
    for position in range(400):
        sample = (rng.normal(0, 1, 2) / np.array(card.normalization.gain)).astype(np.float32)
        if position in (37, 38, 201):
            sample[1] = np.nan
            with pytest.raises(DataError):
                stream.push(sample)
            assert built.call("push", sample) == NAN
            continue
        wanted = stream.push(sample)
        assert built.call("push", sample) == (OK if wanted is None else NEW)
        if wanted is not None:
            assert built.fields() == dataclasses.astuple(wanted)
            seen, changes = seen + 1, changes + wanted.changed
    assert seen > 40
    assert changes > 2
    assert built.call("monitor") == OK
    numbers = [
        moments.drift_numbers(training)
        for moments, training in zip(stream.monitor.moments, stream.monitor.training, strict=True)
    ]
    assert [*zip(built.drift.mean_shift, built.drift.spread, built.drift.clipped, strict=True)] == numbers
    assert built.drift.samples == 397
    for drift in stream.monitor.drift():
        assert abs(drift.mean_shift) < 0.3
        assert 0.7 < drift.spread < 1.3
    assert built.call("init") == OK
    assert built.call("monitor") == NO_DATA


def test_counts_and_quantized_samples_stream_too(built: Built) -> None:
    rng = np.random.default_rng(2)
    counts = rng.integers(-3000, 3000, (40, 2)).astype(np.int16)
    inputs = quantize_counts(counts, count_lines(built.card))
    found = {}
    for function, samples in (("push_counts", counts), ("push_q", inputs)):
        built.call("init")
        found[function] = [built.fields() for sample in samples if built.call(function, sample) == NEW]
    assert len(found["push_q"]) == 19
    assert found["push_counts"] == found["push_q"]


def test_the_monitor_never_overflows(built: Built) -> None:
    """Extreme inputs beyond the 2^20 samples at which the older half fades."""
    moments = [Moments(), Moments()]
    built.call("init")
    sample = np.array([-128, 127], np.int8)
    for _ in range((1 << 20) + 5):
        for one, value in zip(moments, sample.tolist(), strict=True):
            one.add(value)
    push, pointer, result = built.library.wrist_push_q, sample.ctypes.data_as(ctypes.c_void_p), built.result
    reference = ctypes.byref(result)
    for _ in range((1 << 20) + 5):
        push(pointer, reference)
    assert built.call("monitor") == OK
    training = training_inputs(built.card)
    assert training
    numbers = [one.drift_numbers(of) for one, of in zip(moments, training, strict=True)]
    assert [*zip(built.drift.mean_shift, built.drift.spread, built.drift.clipped, strict=True)] == numbers
    assert built.drift.samples == moments[0].samples < 1 << 20
    assert list(built.drift.clipped) == [1 << 15, 1 << 15]


def test_damaged_constants_are_told(tmp_path: Path) -> None:
    whole = Built(dense_model(), card_of(), tmp_path / "whole")
    assert whole.call("check") == whole.call("init") == OK
    text = whole.classifier.files["wrist_network.c"]
    start = text.index("{\n", text.index("static const int8_t")) + 2
    number = text[start:].split(",", 1)[0].strip()
    change = ("wrist_network.c", f"{number},", f"{int(number) ^ 1},")
    damaged = Built(dense_model(), card_of(), tmp_path / "damaged", change=change)
    assert damaged.call("check") == damaged.call("init") == DAMAGED


def test_files_of_two_exports_do_not_compile(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="of different exports"):
        Built(dense_model(), card_of(), tmp_path, change=("wrist_network.h", "_CRC32 0x", "_CRC32 0x1"))


def test_without_counts_and_statistics(tmp_path: Path) -> None:
    built = Built(dense_model(), make_card(), tmp_path)
    assert "classify_counts" not in built.classifier.files["wrist.h"]
    built.call("init")
    assert built.call("push", np.zeros(2, np.float32)) == OK
    assert built.call("monitor") == NO_DATA


@given(st.floats(1e-4, 0.1), st.integers(-128, 127))
@settings(max_examples=60, deadline=None)
def test_the_probability_table_is_the_exact_value_to_the_nearest(scale: float, zero_point: int) -> None:
    quantization = TensorQuantization(scale=float(np.float32(scale)), zero_point=zero_point)
    values = numerics.probabilities(np.arange(-128, 128).astype(np.int8), quantization)
    # float32 products are within half a unit in the last place of the exact one.
    assert np.abs(probability_table(quantization) / 32768 - values).max() <= 0.5 / 32768 + 2.0**-24
    assert is_plain(TensorQuantization(scale=1 / 256, zero_point=-128))


def test_a_table_is_used_where_the_output_is_unusual(tmp_path: Path) -> None:
    card = card_of()
    odd = card.quantization.model_copy(update={"output": TensorQuantization(scale=0.005, zero_point=-100)})
    built = Built(dense_model(), card.model_copy(update={"quantization": odd}), tmp_path)
    assert "probability_of" in built.classifier.files["wrist.c"]
    window = np.random.default_rng(3).integers(-128, 128, (4, 2)).astype(np.int8)
    assert built.call("classify_q", window) == OK
    assert built.fields() == dataclasses.astuple(window_result(expected(built, window), built.card))


def test_fast_math_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ffast-math"):
        Built(dense_model(), card_of(), tmp_path, "-ffast-math")


def test_hop_larger_than_the_window(tmp_path: Path) -> None:
    card = card_of(hop=9)
    assert isinstance(card.input, InputCard)
    built = Built(dense_model(), card, tmp_path)
    built.call("init")
    answers = [built.call("push", np.zeros(2, np.float32)) for _ in range(23)]
    assert [place for place, answer in enumerate(answers) if answer == NEW] == [3, 12, 21]
