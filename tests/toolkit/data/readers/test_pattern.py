"""Path patterns: what they match, against a backtracking regular expression as the oracle."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.readers.pattern import PathFacts, compile_pattern
from edgecnn_firmware.errors import SettingsError


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("{group}/{label}_{take}.csv.gz", "Adrián/Círculo_19.csv.gz", ("Círculo", "Adrián")),
        ("{group}/{label}_{take}.csv", "ana/hand_wave_01.csv", ("hand_wave", "ana")),
        ("{label}/output_{kind}_{group}.txt", "negative/output_negative_ccw_1.txt", ("negative", "1")),
        ("{label}/*", "walk/anything.csv", ("walk", None)),
        ("{label}-*.csv", "walk-.csv", ("walk", None)),
        ("*-{group}-*.csv", "-p07-x.csv", (None, "p07")),
        ("./{label}.csv", "walk.csv", ("walk", None)),
        ("a+b/{label}.csv", "a+b/x(1).csv", ("x(1)", None)),
    ],
)
def test_label_and_group(pattern: str, path: str, expected: tuple[str | None, str | None]) -> None:
    assert compile_pattern(pattern).match(path) == PathFacts(*expected)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{label}.csv", "walk/1.csv"),
        ("{label}/{take}.csv", "1.csv"),
        ("{label}_{take}.csv", "_1.csv"),
        ("{label}_{take}.csv", "walk_.csv"),
        ("{label}.csv", ".csv"),
        ("aba{label}aba", "aba"),
        ("{label}.csv", "walk.csv.gz"),
    ],
)
def test_what_does_not_fit(pattern: str, path: str) -> None:
    assert compile_pattern(pattern).match(path) is None


def test_decomposed_and_composed_letters_are_the_same() -> None:
    assert compile_pattern("{group}/{label}.csv").match("Adria\u0301n/x.csv") == PathFacts("x", "Adri\u00e1n")


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ("walk.csv", "expected fields in braces"),
        ("{label", "expected fields in braces"),
        ("{label}/{1}.csv", "expected fields in braces"),
        ("{label}/{label}.csv", "{label} is there twice"),
        ("{group}{label}.csv", "side by side"),
        ("{label}*/1.csv", "side by side"),
        ("{label}/**.csv", "side by side"),
    ],
)
def test_wrong_patterns_are_named(pattern: str, place: str) -> None:
    with pytest.raises(SettingsError) as caught:
        compile_pattern(pattern)
    assert place in str(caught.value)
    assert pattern in str(caught.value)


_PIECES = st.lists(st.sampled_from(["a", "b", "_", "ab", "{x}", "{y}", "{label}", "*"]), min_size=1, max_size=6)


@given(_PIECES, st.text("ab_", min_size=1, max_size=10))
def test_it_matches_what_a_regular_expression_matches(pieces: list[str], name: str) -> None:
    fields = [piece[0] in "{*" for piece in pieces]
    twice = pieces.count("{label}") > 1
    if not any(fields) or twice or any(first and second for first, second in pairwise(fields)):
        return
    found = compile_pattern("".join(pieces)).match(name)
    groups = {"{label}": "(?P<label>.+)", "*": "(.*)", "{x}": "(.+)", "{y}": "(.+)"}
    expected = re.fullmatch("".join(groups.get(piece, piece) for piece in pieces), name)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None and "{label}" in pieces:
        assert found.label == expected["label"]


def test_many_fields_do_not_backtrack() -> None:
    # A backtracking matcher would not come back from this one.
    pattern = compile_pattern("_".join(f"{{x{number}}}" for number in range(60)) + "_!_{label}")
    assert pattern.match("_" * 250) is None
