"""Classifiers whose network takes a hop a call: the results of those that take windows, bit for bit."""

import dataclasses
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.firmware.compiler.native import compilers
from tests.firmware.compiler.networks import Reference
from tests.firmware.models import dense_model
from tests.firmware.packages.test_stateful import stateful_model

from edgecnn_firmware import numerics
from edgecnn_firmware.card import Card
from edgecnn_firmware.classifier.counts import count_lines, quantize_counts
from edgecnn_firmware.classifier.results import window_result
from edgecnn_firmware.classifier.stream import Stream
from edgecnn_firmware.classifier.write import Classifier, write_classifier
from edgecnn_firmware.errors import DataError, ModelError

from .scripted import Call, Scripted
from .test_classifier import card_of
from .windows import conv_model, window_card

OK, NEW, NAN, DAMAGED = 0, 1, -1, -2
WINDOW, CHANNELS = 40, 3


class Mirror:
    """Python's definition, whose window empties where a window is classified."""

    def __init__(self, model: bytes, card: Card) -> None:
        self.card, self._reference = card, Reference(model)
        self._shape = self._reference.interpreter.get_input_details()[0]["shape"]
        self._stream = Stream(card, self.network)

    def network(self, inputs: "np.ndarray") -> "np.ndarray":
        found: np.ndarray = self._reference.run(inputs.reshape(self._shape))[0].reshape(-1)
        return found

    def inputs(self, call: Call) -> "np.ndarray":
        assert call.data is not None
        if call.function.endswith("_q"):
            return call.data
        if call.function.endswith("_counts"):
            return quantize_counts(call.data, count_lines(self.card))
        normalized = numerics.normalize(call.data, self.card.normalization)
        return numerics.quantize(normalized, self.card.quantization.input)

    def answer(self, call: Call) -> "tuple[int, object]":
        """What the call returns and writes."""
        if call.function == "init":
            self._stream = Stream(self.card, self.network)
            return OK, None
        if call.function.startswith("classify"):
            self._stream.restart()
        try:
            inputs = self.inputs(call)
        except DataError:
            self._stream.restart()
            return NAN, None
        if call.function.startswith("classify"):
            return OK, window_result(self.network(inputs), self.card)
        found = self._stream.push_quantized(inputs)
        return (OK, None) if found is None else (NEW, found)


def random_calls(card: Card, count: int, seed: int, *, samples: "np.ndarray | None" = None) -> list[Call]:
    """Samples in all units, in which windows are classified and NaN comes by.

    Args:
        card: whose window is filled.
        count: calls.
        seed: of all that is random.
        samples: `(n, channels)` in physical units that are pushed; random where None.
    """
    rng = np.random.default_rng(seed)
    window, channels = card.input.window_samples, len(card.input.channels)
    calls, kind = [Call("init")], ""
    for number in range(count):
        if rng.random() < 0.02:
            kind = ("", "_q", "_counts")[rng.integers(3)]
        one = rng.random()
        verb, shape = ("classify", (window, channels)) if one < 0.3 / window else ("push", (channels,))
        if kind == "_q":
            data = rng.integers(-128, 128, shape).astype(np.int8)
        elif kind == "_counts":
            data = rng.integers(-3000, 3000, shape).astype(np.int16)
        elif samples is not None and verb == "push":
            data = samples[number % len(samples)].astype(np.float32)
        else:
            data = rng.normal(0, 2, shape).astype(np.float32)
        if kind == "" and rng.random() < 0.15 / window:
            data.reshape(-1)[rng.integers(data.size)] = np.nan
        calls.append(Call(f"{verb}{kind}", data))
    return calls


def golden_of(model: bytes, card: Card, count: int = 6) -> "tuple[np.ndarray, np.ndarray]":
    mirror, channels = Mirror(model, card), len(card.input.channels)
    inputs = np.random.default_rng(8).integers(-128, 128, (count, card.input.window_samples, channels)).astype(np.int8)
    return inputs, np.stack([mirror.network(window) for window in inputs])


def check(model: bytes, card: Card, calls: list[Call], folder: Path, **options: object) -> Classifier:
    """All calls against Python's definition, and against the classifier that takes windows; the sliding classifier."""
    golden = golden_of(model, card)
    whole = write_classifier(model, card, golden)
    slid = write_classifier(model, card, golden, sliding=True, **options)  # type: ignore[arg-type]
    # The classifier of whole windows empties its window where a sample is NaN.
    emptied = Call("push", np.full(len(card.input.channels), np.nan, np.float32))
    calls = [*calls, Call("monitor"), Call("selftest"), Call("check")]
    script = [one for call in calls for one in ((call, emptied) if call.function.startswith("classify") else (call,))]
    found = Scripted(slid, card, folder / "sliding").run(calls)
    wanted = Scripted(whole, card, folder / "whole").run(script)
    wanted = [answer for answer, call in zip(wanted, script, strict=True) if call is not emptied]
    assert found == wanted
    mirror = Mirror(model, card)
    for answer, call in zip(found, calls[:-3], strict=False):
        assert (answer.status, answer.result) == mirror.answer(call)
    assert [answer.status for answer in found[-3:]] == [OK, OK, OK]
    statuses = {(call.function, answer.status) for call, answer in zip(calls, found, strict=True)}
    for kind in ("", "_q", "_counts"):
        assert {(f"push{kind}", NEW), (f"classify{kind}", OK)} <= statuses
    assert ("push", NAN) in statuses
    return slid


# 40 samples: hops that divide the window, that leave a rest, of one pooling, and more than half of it.
@pytest.mark.spread
@pytest.mark.parametrize("hop", [2, 6, 8, 10, 16, 20, 22, 28])
@pytest.mark.parametrize("same", [False, True], ids=["valid", "same"])
def test_random_streams(hop: int, same: bool, tmp_path: Path) -> None:
    smoothing = ("none", "majority", "mean")[hop % 3]
    results = 1 if smoothing == "none" else 3
    sigmoid = hop % 4 == 0
    card = window_card(WINDOW, hop, CHANNELS, 2 if sigmoid else 3, smoothing=smoothing, results=results, debounce=2)
    model = conv_model(WINDOW, CHANNELS, 1 if sigmoid else 3, same=same)
    slid = check(model, card, random_calls(card, 6000, hop), tmp_path)
    sliding = slid.network.graph.sliding
    assert sliding is not None
    assert (sliding.hop_rows, sliding.calls) == (hop, -(-WINDOW // hop))


def test_each_sample_a_hop(tmp_path: Path) -> None:
    """Without strides a window may slide by one."""
    card = window_card(12, 1, 2)
    check(conv_model(12, 2, pool=1), card, random_calls(card, 3000, 1), tmp_path)


@pytest.mark.parametrize(("target", "least_ram"), [("armv7e-m", False), ("armv7e-m", True), ("portable", True)])
def test_other_kernels(target: str, least_ram: bool, tmp_path: Path) -> None:
    card = window_card(WINDOW, 12, CHANNELS)
    model = conv_model(WINDOW, CHANNELS)
    check(model, card, random_calls(card, 4000, 3), tmp_path, target=target, least_ram=least_ram, optimize="size")


@pytest.mark.parametrize("hop", [64, 96])
def test_recorded_samples(hop: int, shared_models: Path, shared_data: Path, tmp_path: Path) -> None:
    """Heartbeats one after the other, through a reference network."""
    beats = np.loadtxt(shared_data / "ecg5000" / "ECG5000_TRAIN.txt")[:, 1:]
    card = window_card(1000, hop, 1, 2, smoothing="mean", results=3)
    samples = beats.reshape(-1, 1)
    model = (shared_models / "ecg_b1.tflite").read_bytes()
    # Random ones would seldom fill 1000 samples in each unit.
    rng = np.random.default_rng(hop)
    calls = [Call("init"), *(Call("push", sample.astype(np.float32)) for sample in samples[:4000])]
    calls += [Call("push_q", rng.integers(-128, 128, 1).astype(np.int8)) for _ in range(1200)]
    calls += [Call("push_counts", rng.integers(-3000, 3000, 1).astype(np.int16)) for _ in range(1200)]
    calls += [Call("push", np.full(1, np.nan, np.float32)), Call("push", samples[0])]
    calls += [
        Call("classify", samples[500:1500].astype(np.float32)),
        Call("classify_q", rng.integers(-128, 128, (1000, 1)).astype(np.int8)),
        Call("classify_counts", rng.integers(-3000, 3000, (1000, 1)).astype(np.int16)),
        *(Call("push", sample.astype(np.float32)) for sample in samples[4000:5500]),
    ]
    check(model, card, calls, tmp_path)


def test_the_selftest_leaves_the_stream_alone(tmp_path: Path) -> None:
    card = window_card(WINDOW, 12, CHANNELS)
    model = conv_model(WINDOW, CHANNELS)
    slid = Scripted(write_classifier(model, card, golden_of(model, card), sliding=True), card, tmp_path)
    calls = [call for call in random_calls(card, 400, 5) if call.function == "push"]
    between = [one for call in calls for one in (call, Call("selftest"))]
    answers = slid.run([Call("init"), *between])[1:]
    assert answers[::2] == slid.run([Call("init"), *calls])[1:]
    assert {answer.status for answer in answers[1::2]} == {OK}


def test_no_init_is_needed(tmp_path: Path) -> None:
    card = window_card(WINDOW, 12, CHANNELS)
    model = conv_model(WINDOW, CHANNELS)
    slid = Scripted(write_classifier(model, card, golden_of(model, card), sliding=True), card, tmp_path)
    calls = random_calls(card, 1500, 6)
    assert slid.run(calls)[1:] == slid.run(calls[1:])


def _changed(classifier: Classifier, file: str, after: str) -> Classifier:
    """The first number behind some text is another."""
    text = classifier.files[file]
    start = text.index("{\n", text.index(after)) + 2
    found = re.compile(r"-?\d+").search(text, start)
    assert found
    changed = f"{text[: found.start()]}{int(found[0]) ^ 1}{text[found.end() :]}"
    return dataclasses.replace(classifier, files={**classifier.files, file: changed})


def test_what_is_broken_is_told(tmp_path: Path) -> None:
    card = window_card(WINDOW, 12, CHANNELS)
    model = conv_model(WINDOW, CHANNELS)
    whole = write_classifier(model, card, golden_of(model, card), sliding=True)
    calls = [Call("check"), Call("init"), Call("selftest")]

    def statuses(classifier: Classifier, folder: str) -> list[int]:
        return [answer.status for answer in Scripted(classifier, card, tmp_path / folder).run(calls)]

    assert statuses(whole, "whole") == [OK, OK, OK]
    weight = _changed(whole, "wrist_network.c", "static const int8_t")
    assert statuses(weight, "weight") == [DAMAGED, DAMAGED, DAMAGED]
    vector = _changed(whole, "wrist_network_selftest.c", "_selftest_inputs")
    assert statuses(vector, "vector") == [OK, OK, -1]
    # Another arithmetic.
    source = whole.files["wrist_network.c"].rstrip()
    body, _, crc = source.rpartition("\n}\n\nuint32_t")
    wrong = f"{body}\n    output[0] = (int8_t)(output[0] ^ 1);\n}}\n\nuint32_t{crc}\n"
    assert statuses(dataclasses.replace(whole, files={**whole.files, "wrist_network.c": wrong}), "wrong") == [OK, OK, 1]


def test_files_of_two_hops_do_not_compile(tmp_path: Path) -> None:
    card, model = window_card(WINDOW, 12, CHANNELS), conv_model(WINDOW, CHANNELS)
    first = write_classifier(model, card, golden_of(model, card), sliding=True)
    header = first.files["wrist.h"].replace("HOP_SAMPLES 12", "HOP_SAMPLES 10")
    with pytest.raises(AssertionError, match="of different windows"):
        Scripted(dataclasses.replace(first, files={**first.files, "wrist.h": header}), card, tmp_path)


@pytest.mark.parametrize("hop", [8, 12])
def test_the_header_counts_memory(hop: int, tmp_path: Path) -> None:
    card, model = window_card(WINDOW, hop, CHANNELS, smoothing="mean", results=3), conv_model(WINDOW, CHANNELS)
    slid, whole = (write_classifier(model, card, golden_of(model, card), sliding=one) for one in (True, False))
    header, network = slid.files["wrist.h"], slid.network
    numbers = [re.search(r"(\d+) bytes to classify, (\d+) more", one.files["wrist.h"]) for one in (slid, whole)]
    assert numbers[0]
    assert numbers[1]
    classify, stream = int(numbers[0][1]), int(numbers[0][2])
    assert classify == network.arena.bytes + network.state_bytes
    assert int(numbers[1][2]) - stream == (WINDOW - hop) * CHANNELS + 4
    assert f"{network.graph.macs} multiply-accumulates, {whole.network.graph.macs} of a whole window" in header
    flash = r"flash +(\d+) bytes of constants"
    assert re.findall(flash, header) == re.findall(flash, whole.files["wrist.h"])
    assert f"{-(-WINDOW // hop)} runs of the network" in header
    assert f"a state of its own of {network.state_bytes} bytes" in header
    if "gcc" not in compilers():
        pytest.skip("gcc is not installed")
    for name, text in slid.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    subprocess.run(["gcc", "-std=c99", "-O2", "-c", "wrist.c"], cwd=tmp_path, check=True)
    table = subprocess.run(["nm", "-S", "wrist.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    sizes = {line.split()[3]: int(line.split()[1], 16) for line in table.splitlines() if len(line.split()) == 4}
    # The arena is rounded up to a word, and the monitor's sums lie on a multiple of 8.
    assert 0 <= sizes["arena"] + sizes["state"] - classify < 4
    assert 0 <= sizes["stream"] - stream < 16


def test_what_does_not_slide_is_refused() -> None:
    model = conv_model(WINDOW, CHANNELS)
    for hop in (WINDOW, WINDOW + 5):
        with pytest.raises(
            ModelError, match=f"sliding: hop {hop}: windows of 40 samples share none; expected 1 to 39;"
        ):
            write_classifier(model, window_card(WINDOW, hop, CHANNELS), sliding=True)
    with pytest.raises(
        ModelError, match=r"sliding: hop 3: op 0 .* expected a multiple of 2.*; without sliding any hop"
    ):
        write_classifier(model, window_card(WINDOW, 3, CHANNELS), sliding=True)
    with pytest.raises(ModelError, match=r"sliding: hop 38: op 0 .* expected a smaller hop; without sliding any hop"):
        write_classifier(model, window_card(WINDOW, 38, CHANNELS), sliding=True)
    with pytest.raises(ModelError, match=r"sliding: hop 2: .*without sliding any hop will do"):
        write_classifier(dense_model(), card_of(), sliding=True)
    with pytest.raises(ModelError, match="sliding: hop 2: the network keeps a state already"):
        write_classifier(stateful_model(), card_of(), sliding=True)
    with pytest.raises(ModelError, match="sliding: the network's input is 120 rows of 1; expected 40 of 3"):
        write_classifier(conv_model(WINDOW, CHANNELS, columns=True), window_card(WINDOW, 12, CHANNELS), sliding=True)
    # What has nothing to do with sliding is said as ever.
    with pytest.raises(ModelError, match=r"^target 'z80'"):
        write_classifier(model, window_card(WINDOW, 12, CHANNELS), sliding=True, target="z80")


def test_the_same_files_every_time() -> None:
    card, model = window_card(WINDOW, 12, CHANNELS), conv_model(WINDOW, CHANNELS)
    first, again = (write_classifier(model, card, golden_of(model, card), sliding=True) for _ in range(2))
    assert dict(first.files) == dict(again.files)
