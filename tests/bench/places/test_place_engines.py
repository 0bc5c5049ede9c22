"""Engines at a place: the same bytes as here, times by the clock there, and one line for everything that goes wrong."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn_bench import latency
from edgecnn_bench.engines import all_engines
from edgecnn_bench.engines.protocol import SelfTimed
from edgecnn_bench.places import open_runtime
from edgecnn_bench.places.engines import LoadedPlace, Request
from edgecnn_bench.places.process import Launch
from edgecnn_bench.places.session import Session
from edgecnn_bench.places.worker_place import WorkerPlace
from edgecnn_bench.results import Place
from edgecnn_bench.running import Findings, run_engines
from edgecnn_firmware.bundle import Bundle, Vectors, read_bundle
from edgecnn_firmware.card import (
    Card,
    ChannelCard,
    InputCard,
    NormalizationCard,
    QuantizationCard,
    TensorQuantization,
)
from edgecnn_firmware.errors import EdgeCnnError
from edgecnn_firmware.progress import silent

from .conftest import HELLO, frame, posix

Make = Callable[..., Launch]

QUANTIZATION = TensorQuantization(scale=1 / 256, zero_point=-128)
CARD = Card(
    name="waves",
    version="1.0.0",
    labels=("one", "two", "three"),
    output="softmax",
    input=InputCard(window_samples=4, hop_samples=4, sample_rate_hz=1.0, channels=(ChannelCard(name="x"),)),
    normalization=NormalizationCard(method="none", offset=(0.0,), gain=(1.0,)),
    quantization=QuantizationCard(input=QUANTIZATION, output=QUANTIZATION),
)
WINDOWS = np.zeros((2, 4, 1), np.float32)
TENSORS = {
    "input": {"dtype": "int8", "shape": [1, 4, 1], "scale": 0.5, "zero_point": 0},
    "output": {"dtype": "int8", "shape": [1, 3], "scale": 1 / 256, "zero_point": -128},
}
LOADED = {"model": 0, **TENSORS}
GREETING, READY = frame(HELLO), frame(LOADED)


@pytest.fixture(scope="module")
def here() -> Iterator[WorkerPlace]:
    """This very Python as another place."""
    pytest.importorskip("ai_edge_litert", reason="an interpreter")
    with open_runtime(sys.executable) as place:
        yield place


def run_both(bundle: Bundle, vectors: Vectors, place: WorkerPlace) -> Findings:
    found = Findings()
    local = [engine for engine in all_engines(bundle) if engine.key.startswith("litert")]
    run_engines(bundle, vectors, local, found, silent)
    run_engines(bundle, vectors, place.engines(bundle), found, silent, place.place.key)
    return found


@pytest.mark.parametrize("bundle_name", ["har_bundle", "ecg_bundle", "tiny_bundle"])
def test_the_same_bytes_as_here(request: pytest.FixtureRequest, bundle_name: str, here: WorkerPlace) -> None:
    bundle = read_bundle(request.getfixturevalue(bundle_name))
    vectors = bundle.vectors()
    found = run_both(bundle, vectors, here)
    places = [key for key in found.rows if "/" in key]
    assert len(places) == len(found.rows) / 2
    assert len(places) == (7 if bundle_name == "tiny_bundle" else 3)
    for key in places:
        row, local = found.rows[key], found.runs[key.rpartition("/")[2]].outputs
        assert (row.status, row.reason, row.place) == ("run", "", here.place.key)
        assert found.runs[key].outputs.raw.tobytes() == local.raw.tobytes()
        assert found.runs[key].outputs.probabilities.tobytes() == local.probabilities.tobytes()
        labels = [found.loaded[key].classify(window) for window in vectors.windows[:5]]
        assert labels == found.runs[key].predicted[:5].tolist()
        found.loaded[key].prepare(vectors.windows[0])()


def test_timed_by_the_clock_there(har_bundle: Path, here: WorkerPlace) -> None:
    bundle = read_bundle(har_bundle)
    vectors = bundle.vectors()
    found = run_both(bundle, vectors, here)
    assert [key for key, engine in found.loaded.items() if isinstance(engine, SelfTimed)] == [
        key for key in found.rows if "/" in key
    ]
    times = latency.measure(found.loaded, vectors.windows, timed_runs=35, warmup_runs=4)
    for key, (invoke, whole) in times.items():
        assert (invoke.n, whole.n, invoke.warmup, invoke.threads) == (35, 35, 4, 1), key
        assert invoke.min_us > 0, key
        assert whole.min_us > 0, key


@posix
def test_an_engine_that_kills_the_worker_costs_its_row_alone(har_bundle: Path, here: WorkerPlace) -> None:
    bundle = read_bundle(har_bundle)
    windows = bundle.vectors().windows
    first, second = (engine.load(bundle) for engine in here.engines(bundle)[:2])
    session = here._session
    expected = second.outputs(windows, lambda _: None).raw
    generation = session.generation
    session._worker._signal(force=True)
    with pytest.raises(EdgeCnnError, match="died of SIGKILL"):
        session.ask({"command": "hello"}, limit_s=20)
    assert second.outputs(windows, lambda _: None).raw.tobytes() == expected.tobytes()
    assert first.classify(windows[0]) in range(6)
    assert session.generation == generation + 1


def test_what_the_worker_refuses(har_bundle: Path, here: WorkerPlace) -> None:
    card = read_bundle(har_bundle).card
    session = here._session

    def refusal(header: dict[str, Any], body: bytes = b"") -> str:
        with pytest.raises(EdgeCnnError) as caught:
            session.ask(header, body, limit_s=60, max_body_bytes=1000)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    ends = {"offset": [0.0] * 9, "gain": [1.0] * 9, "output": "softmax"}
    load = {"command": "load", "kind": "tflite", "kernels": "default", "ends": ends}
    assert "unknown command 'dance'" in refusal({"command": "dance"})
    assert "ValueError" in refusal(load, b"no model")
    assert "kernels 'best': expected default" in refusal(load | {"kernels": "best"}, b"")
    assert "model 63 is not loaded" in refusal({"command": "run", "model": 63, "windows": 1, "encoded": True})
    assert "model -1 is not loaded" in refusal({"command": "time", "model": -1})
    model = read_bundle(har_bundle).model_bytes
    number = session.ask(load, model, limit_s=60).header["model"]
    run = {"command": "run", "model": number, "windows": 2, "encoded": True}
    assert "7 bytes for 2 windows" in refusal(run, bytes(7))
    assert "windows" in refusal(run | {"windows": -5}, bytes(7))
    nan = np.full((2, 128, 9), np.nan, np.float32).tobytes()
    assert "NaN" in refusal(run | {"encoded": False}, nan)
    time = {"command": "time", "model": number, "windows": 2, "calls": 10**9}
    assert "1000000000 calls" in refusal(time, nan)
    assert "KeyError" in refusal({"command": "load"})
    assert card.name == "waves"
    assert session._worker.usable


def loaded(launch: Launch) -> tuple[Session, LoadedPlace]:
    session = Session(launch)
    try:
        return session, LoadedPlace("p/litert", session, Request({"command": "load"}, b"model"), CARD)
    except BaseException:
        session.close()
        raise


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, "the model's input is None None"),
        ({**LOADED, "model": "0"}, "makes no sense: model number '0'"),
        ({**LOADED, "model": True}, "makes no sense: model number True"),
        ({**LOADED, "input": [1]}, "the model's input is None None"),
        (
            {**LOADED, "output": {**TENSORS["output"], "shape": [1, 4]}},
            r"the model's output is int8 \[1, 4\]; by the card",
        ),
        ({**LOADED, "output": {**TENSORS["output"], "dtype": "object"}}, "the model's output is object"),
        ({**LOADED, "input": {**TENSORS["input"], "scale": 0}}, "input with scale 0"),
        ({**LOADED, "input": {**TENSORS["input"], "scale": float("nan")}}, "input with scale nan"),
        ({**LOADED, "input": {**TENSORS["input"], "scale": 10**400}}, "input with scale 1000"),
        ({**LOADED, "input": {**TENSORS["input"], "zero_point": 0.5}}, "zero point 0.5"),
        ({**LOADED, "input": {**TENSORS["input"], "zero_point": 300}}, "zero point 300"),
    ],
)
def test_loads_that_make_no_sense(scripted: Make, answer: dict[str, Any], expected: str) -> None:
    with pytest.raises(EdgeCnnError, match=expected) as caught:
        loaded(scripted(GREETING, frame(answer)))
    assert "\n" not in str(caught.value)


def row(dtype: object = "int8", shape: object = (2, 3), body: bytes = bytes(6)) -> bytes:
    return frame({"dtype": dtype, "shape": shape}, body)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (row(shape=[3, 2]), r"of type 'int8' and shape \[3, 2\]; expected int8 \(2, 3\)"),
        (row("float32"), "of type 'float32'"),
        (row(["int8"]), r"of type \['int8'\]"),
        (row(body=bytes(5)), "5 bytes of numbers; expected 6"),
        (row(body=bytes(7)), "claims 32 . 7 bytes; at most 65536 . 6 are read|claims"),
        (frame({}), "of type None"),
    ],
)
def test_outputs_that_make_no_sense(scripted: Make, answer: bytes, expected: str) -> None:
    session, engine = loaded(scripted(GREETING, READY, answer))
    with pytest.raises(EdgeCnnError, match=expected):
        engine.outputs(WINDOWS, lambda _: None)
    session.close()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (np.array([[1, -2], [3, 4]], np.int64).tobytes(), "times of -2 to 4 ns"),
        (np.array([[1, 2], [3, 1 << 62]], np.int64).tobytes(), "ns"),
        (bytes(24), "24 bytes of numbers; expected 32"),
    ],
)
def test_times_that_make_no_sense(scripted: Make, body: bytes, expected: str) -> None:
    session, engine = loaded(scripted(GREETING, READY, frame({"labels": [0]}, body)))
    with pytest.raises(EdgeCnnError, match=expected):
        engine.turn(WINDOWS, 2)
    assert len(session.notes) == 1
    session.close()


@pytest.mark.parametrize("label", [-1, 3, None, "0", True, 0.0])
def test_labels_that_make_no_sense(scripted: Make, label: object) -> None:
    session, engine = loaded(scripted(GREETING, READY, frame({"labels": [label]}, bytes(16))))
    with pytest.raises(EdgeCnnError, match="makes no sense: label"):
        engine.classify(WINDOWS[0])
    session.close()


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([], "exit code 9"),
        ([b"garbage"], "the answer is not the worker's: it begins with 'garbage'"),
        ([frame(LOADED)], "the model's input is int8"),
        ([frame({"error": "ModelError: bad"})], "ModelError: bad"),
    ],
)
def test_a_hostile_worker_costs_rows_with_reasons(
    har_bundle: Path, scripted: Make, answers: list[bytes], reason: str
) -> None:
    bundle = read_bundle(har_bundle)
    session = Session(scripted(GREETING, *answers, then="os._exit(9)"))
    place = WorkerPlace(Place(key="pi@host", title="a Pi", environment=session.hello.environment), session)
    found = Findings()
    try:
        run_engines(bundle, bundle.vectors(), place.engines(bundle), found, silent, "pi@host")
    finally:
        session.close()
    assert list(found.rows) == ["pi@host/litert", "pi@host/litert-reference", "pi@host/litert-builtin"]
    for one in found.rows.values():
        assert (one.status, one.place) == ("not run", "pi@host")
        assert one.title.startswith("TFLite Runtime 2.14.0, int8")
    assert reason in found.rows["pi@host/litert"].reason


def test_one_that_dies_under_the_clock_is_left_out_and_noted(scripted: Make) -> None:
    times = np.arange(6, dtype=np.int64).tobytes()
    launch = scripted(GREETING, READY, frame({"labels": [0, 0, 0]}, times), then="os._exit(9)")
    session, engine = loaded(launch)
    place = WorkerPlace(Place(key="p", title="p", environment=None), session)
    assert latency.measure({"p/litert": engine}, WINDOWS, timed_runs=30, warmup_runs=3) == {"p/litert": ()}
    (note,) = place.place.notes
    assert note.startswith("p/litert was not timed: a place: the worker ended with exit code 9")
    session.close()


def test_no_interpreter_there(har_bundle: Path, scripted: Make) -> None:
    session = Session(scripted(frame(HELLO | {"interpreter": "", "why": "tflite-runtime needs numpy < 2"})))
    bundle = read_bundle(har_bundle)
    (reason,) = {
        engine.available(bundle)
        for engine in WorkerPlace(Place(key="p", title="p", environment=None), session).engines(bundle)
    }
    assert reason == "tflite-runtime needs numpy < 2"
    session.close()
