"""Differences of accuracies against published examples, exact enumeration, and bundles on disk."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn_bench.differences import Pairing, paired, paired_bundles, unpaired
from edgecnn_bench.statistics import wilson
from edgecnn_firmware.bundle import read_bundle
from edgecnn_firmware.card import Card


def pairs(both: int, first_only: int, second_only: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, first_only, second_only, neither)
    first = np.repeat([True, True, False, False], counts)
    second = np.repeat([True, False, True, False], counts)
    return first, second


# Table II of Newcombe 1998, Statistics in Medicine 17:873-890, method 10: p1 - p2 of (successes, n) twice.
@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_published_intervals_of_unpaired_proportions(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    found = unpaired(wilson(*other), wilson(*one))
    assert found.low == pytest.approx(low, abs=6e-5)
    assert found.high == pytest.approx(high, abs=6e-5)
    assert found.is_clear is (low > 0)


def test_without_correlation_paired_is_unpaired() -> None:
    first, second = pairs(25, 25, 25, 25)
    together, apart = paired(first, second), unpaired(wilson(50, 100), wilson(50, 100))
    assert (together.low, together.high) == pytest.approx((apart.low, apart.high))


@pytest.mark.parametrize("p_both", [0.80, 0.95])
@pytest.mark.parametrize("p_second_only", [0.01, 0.04])
def test_the_paired_interval_holds_the_truth_about_as_often_as_it_says(p_both: float, p_second_only: float) -> None:
    random = np.random.default_rng(1)
    p = [p_both, 0.01, p_second_only, 0.99 - p_both - p_second_only]
    truth = p_second_only - 0.01
    held = 0
    for counts in random.multinomial(400, p, size=600):
        found = paired(*pairs(*counts))
        held += found.low <= truth <= found.high
    assert 0.92 <= held / 600 <= 0.995


@given(counts=st.tuples(*[st.integers(0, 40)] * 4).filter(any))
def test_paired_intervals_hold_the_difference_and_are_antisymmetric(counts: tuple[int, int, int, int]) -> None:
    first, second = pairs(*counts)
    there, back = paired(first, second), paired(second, first)
    assert -1 <= there.low <= there.value <= there.high <= 1
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert (there.first_only, there.second_only) == (counts[1], counts[2])


def test_pairing_sharpens_what_many_common_windows_blur() -> None:
    first, second = pairs(900, 5, 25, 70)
    assert paired(first, second).is_clear
    assert not unpaired(wilson(905, 1000), wilson(925, 1000)).is_clear


def test_no_windows_are_no_difference() -> None:
    with pytest.raises(ValueError, match="no windows"):
        paired(np.zeros(0, bool), np.zeros(0, bool))


def cards(first: Path, second: Path) -> tuple[Card, Card]:
    return read_bundle(first).card, read_bundle(second).card


def test_a_bundle_and_itself_are_paired_and_equal(ecg_bundle: Path) -> None:
    found = paired_bundles(ecg_bundle, ecg_bundle / "report.json", cards(ecg_bundle, ecg_bundle))
    assert isinstance(found, Pairing)
    assert (found.int8.value, found.int8.n, found.int8.first_only, found.int8.second_only) == (0.0, 20, 0, 0)
    assert found.float32 is None


def test_why_windows_cannot_be_paired(ecg_bundle: Path, har_bundle: Path, tmp_path: Path) -> None:
    assert paired_bundles(ecg_bundle, har_bundle, cards(ecg_bundle, har_bundle)) == "the labels differ"
    both = cards(har_bundle, har_bundle)
    assert paired_bundles(har_bundle, har_bundle, both) == "no window has a label"
    alone = paired_bundles(ecg_bundle, tmp_path / "report.json", cards(ecg_bundle, ecg_bundle))
    assert alone == "at least one of the two is no whole bundle, whose windows could be paired"
    stale = cards(ecg_bundle, ecg_bundle)[0].model_copy(update={"version": "9.9.9"})
    found = paired_bundles(ecg_bundle, ecg_bundle, (stale, stale))
    assert found == "a report is of another export than the bundle beside it"
    changed = shutil.copytree(ecg_bundle, tmp_path / "changed")
    (changed / "vectors.npz").write_bytes(b"something else")
    assert "no whole bundle" in str(paired_bundles(ecg_bundle, changed, cards(ecg_bundle, changed)))
