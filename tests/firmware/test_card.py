"""The card: the same document back, and one line that names the wrong field."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.card import MAX_CARD_BYTES, Card, parse_card
from edgecnn_firmware.errors import BundleError

MakeCard = Callable[..., Card]

SCORE = {
    "accuracy": {"value": 0.9, "low": 0.8, "high": 0.95, "n": 40},
    "balanced_accuracy": 0.9,
    "macro_f1": 0.88,
    "confusion": [[19, 1], [3, 17]],
}
PART = {"windows": 2, "recordings": 1, "groups": ["s1"], "class_windows": [1, 1]}
FULL = {
    "labels": ["rest", 'Bewegung ↑ "quoted" \\ */'],
    "metrics": {"float": SCORE, "int8": SCORE},
    "arena": {"measured_bytes": 1200, "word_bits": 64, "kernels": "reference", "runtime": "tflite-micro 1"},
    "data": {
        "name": "demo",
        "format": "csv",
        "fingerprint": "0" * 64,
        "split_method": "groups",
        "parts": {"train": PART, "validation": PART, "test": PART},
        "proof": ["nothing shared"],
    },
    "training": {
        "model": "small",
        "parameters": 10,
        "macs": 20,
        "best_epoch": 1,
        "epochs": [{"epoch": 1, "loss": 0.5, "accuracy": 0.9, "learning_rate": 1e-3}],
        "settings": {"model": {"preset": "small"}},
    },
    "seed": 7,
    "libraries": {"keras": "3"},
    "files": {"model.tflite": "a" * 64, "a/b.txt": "b" * 64},
}


@pytest.mark.parametrize("changes", [{}, FULL], ids=["small", "full"])
def test_a_card_reads_back_and_writes_the_same(make_card: MakeCard, changes: dict[str, Any]) -> None:
    card = make_card(**changes)
    text = card.to_json()
    again = parse_card(text.encode("utf-8"), "card.json")
    assert again == card
    assert again.to_json() == text
    assert text.endswith("}\n")


@pytest.mark.parametrize("value", [1e-45, 3.4028234663852886e38, 0.1, 1 / 3, 5e-324, 0.007843137718737125])
def test_numbers_come_back_to_the_bit(make_card: MakeCard, value: float) -> None:
    quantization = {"input": {"scale": value, "zero_point": 0}, "output": {"scale": 1.0, "zero_point": 0}}
    card = parse_card(make_card(quantization=quantization).to_json().encode(), "c")
    assert card.quantization.input.scale == value


WRONG: dict[str, tuple[str, Any, str]] = {
    "name": ("name", "1st", "card.json: name: "),
    "name with end": ("name", "tiny\n", "card.json: name: "),
    "version": ("version", "1.2", "card.json: version: "),
    "schema": ("schema_version", 2, "card.json: schema_version 2; this edgecnn reads 1"),
    "unknown": ("colour", 1, "card.json: colour: Extra inputs are not permitted"),
    "one label": ("labels", ["a"], "card.json: labels: "),
    "equal labels": ("labels", ["a", "a"], "card.json: the document: labels must be different"),
    "output": ("output", "tanh", "card.json: output: "),
    "offsets": (
        "normalization",
        {"method": "none", "offset": [0], "gain": [1]},
        "card.json: the document: normalization must have one offset and one gain for each of the 3 channels",
    ),
    "scale": (
        "quantization",
        {"input": {"scale": 0, "zero_point": 0}, "output": {"scale": 1, "zero_point": 0}},
        "card.json: quantization.input.scale: ",
    ),
    "zero point": (
        "quantization",
        {"input": {"scale": 1, "zero_point": 128}, "output": {"scale": 1, "zero_point": 0}},
        "card.json: quantization.input.zero_point: ",
    ),
    "file name": ("files", {"../x": "a" * 64}, "card.json: files.../x"),
    "absolute file": ("files", {"/etc/passwd": "a" * 64}, "card.json: files./etc/passwd"),
    "windows file": ("files", {"a\\b": "a" * 64}, "card.json: files.a\\b"),
    "long key": ("libraries", {"k" * 9999: 1}, "card.json: libraries.kkk"),
    "key of two lines": ("libraries", {"a\nb": 1}, "card.json: libraries.a?b: "),
    "hash": ("files", {"x": "A" * 64}, "card.json: files.x: "),
}


@pytest.mark.parametrize("case", sorted(WRONG))
def test_a_wrong_field_is_named(make_card: MakeCard, case: str) -> None:
    field, value, expected = WRONG[case]
    document = json.loads(make_card().to_json())
    document[field] = value
    with pytest.raises(BundleError) as caught:
        parse_card(json.dumps(document).encode(), "card.json")
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_sigmoid_goes_with_two_labels(make_card: MakeCard) -> None:
    document = json.loads(make_card().to_json()) | {"output": "sigmoid", "labels": ["a", "b", "c"]}
    with pytest.raises(BundleError, match="exactly two labels"):
        parse_card(json.dumps(document).encode(), "card.json")


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "NaN", "{}", '{"seed": NaN}', "\ufeff{}", '"' + "x" * 99])
def test_other_documents_are_refused(text: str) -> None:
    with pytest.raises(BundleError) as caught:
        parse_card(text.encode(), "card.json")
    assert "\n" not in str(caught.value)


def test_nan_is_no_number(make_card: MakeCard) -> None:
    text = make_card().to_json().replace('"sample_rate_hz": 50.0', '"sample_rate_hz": NaN')
    with pytest.raises(BundleError, match="sample_rate_hz"):
        parse_card(text.encode(), "card.json")


def test_size_and_depth_are_bounded() -> None:
    with pytest.raises(BundleError, match=f"at most {MAX_CARD_BYTES}"):
        parse_card(b" " * (MAX_CARD_BYTES + 1), "card.json")
    with pytest.raises(BundleError):
        parse_card(b'{"a":' * 100_000, "card.json")


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
paths = st.lists(st.integers(0, 40), min_size=1, max_size=5)


def put(document: Any, path: list[int], value: Any) -> None:
    """Replace what lies at the end of a path of child numbers."""
    for depth, number in enumerate(path):
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        if not keys:
            return
        key = keys[number % len(keys)]
        child = document[key]
        if depth == len(path) - 1 or not isinstance(child, dict | list):
            document[key] = value
            return
        document = child


@given(paths, json_values)
@settings(max_examples=400, deadline=None)
def test_any_value_anywhere_gives_a_card_or_one_line(make_card: MakeCard, path: list[int], value: Any) -> None:
    document = json.loads(make_card(**FULL).to_json())
    put(document, path, value)
    try:
        card = parse_card(json.dumps(document).encode("utf-8", "surrogatepass"), "card.json")
    except BundleError as error:
        assert "\n" not in str(error)
    else:
        assert parse_card(card.to_json().encode(), "card.json") == card


@given(st.binary(max_size=200))
def test_any_bytes_give_one_line(data: bytes) -> None:
    with pytest.raises(BundleError):
        parse_card(data, "card.json")
