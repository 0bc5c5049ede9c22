"""The two one-sided tests against SciPy's optimizer and against their exact level; the verdict by its rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_bench.equivalence import ALPHA, PairedEquivalence, tost_paired, verdict
from edgecnn_bench.results import McNemar, Verdict
from edgecnn_bench.statistics import mcnemar_exact

stats = pytest.importorskip("scipy.stats")
optimize = pytest.importorskip("scipy.optimize")


def pair(lost: int, won: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Correctness of two classifiers of which the reference alone is right on `lost`, the candidate alone on `won`."""
    order = np.arange(n)
    return (order < lost) | (order >= lost + won), order >= lost


def tost(lost: int, won: int, n: int, margin: float) -> PairedEquivalence:
    return tost_paired(*pair(lost, won, n), margin)


def judge(lost: int, won: int, n: int, margin: float = 0.01) -> Verdict:
    reference, candidate = pair(lost, won, n)
    found = verdict(
        all_equal=False,
        equivalence=tost_paired(reference, candidate, margin),
        mcnemar=mcnemar_exact(reference, candidate),
        groups=9,
    )
    assert found is not None
    return found


def likeliest_won(lost: int, won: int, n: int, margin: float) -> float:
    """Maximize the trinomial likelihood numerically: P(won) = q, P(lost) = q + margin."""

    def loss(q: float) -> float:
        with np.errstate(divide="ignore"):
            logs = np.log([q + margin, q, 1 - 2 * q - margin])
        return -float(sum(k * log for k, log in zip((lost, won, n - lost - won), logs, strict=True) if k))

    highest = (1 - margin) / 2
    found = optimize.minimize_scalar(loss, bounds=(0, highest), method="bounded", options={"xatol": 1e-12})
    return min((0.0, float(found.x)), key=loss)


@settings(deadline=None, max_examples=150)
@given(
    st.integers(20, 3000).flatmap(lambda n: st.tuples(st.integers(1, n // 4), st.integers(0, n // 4), st.just(n))),
    st.sampled_from([0.005, 0.01, 0.02, 0.05]),
)
def test_each_side_is_the_score_test_with_the_likeliest_nuisance(counts: tuple[int, int, int], margin: float) -> None:
    lost, won, n = counts
    q = likeliest_won(lost, won, n, margin)
    spread = np.sqrt(n * (2 * q + margin * (1 - margin)))
    expected = stats.norm.cdf((lost - won - n * margin + 0.5) / spread)
    assert tost(lost, won, n, margin).p_not_worse == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(("n", "margin"), [(60, 0.05), (100, 0.02), (150, 0.02), (299, 0.01), (300, 0.01), (470, 0.01)])
def test_the_exact_level_is_kept(n: int, margin: float) -> None:
    """Add up the probability of every rejected outcome where the candidate is worse by just the margin."""
    most = 45  # outcomes with more on one side are not rejected, or too unlikely to count
    rejected = np.array(
        [[tost(lost, won, n, margin).p_not_worse <= ALPHA for won in range(most)] for lost in range(most)]
    )
    lost, won = np.arange(most)[:, np.newaxis], np.arange(most)
    for q in (0.0, 1e-3, 5e-3, 0.01, 0.02):
        chance = stats.binom.pmf(won, n, q) * stats.binom.pmf(lost, n - won, (q + margin) / (1 - q))
        assert chance[rejected].sum() <= ALPHA, q


def test_without_any_difference_the_rule_of_three_decides() -> None:
    assert tost(0, 0, 298, 0.01).p_value > ALPHA
    assert tost(0, 0, 299, 0.01).p_value < ALPHA
    assert tost(0, 0, 299, 0.01).p_value == pytest.approx(0.99**299)
    assert (judge(0, 0, 298).verdict, judge(0, 0, 299).verdict) == ("undecided", "equivalent")


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(100, 2000))
def test_sides_mirror_each_other(lost: int, won: int, n: int) -> None:
    one, other = tost(lost, won, n, 0.01), tost(won, lost, n, 0.01)
    assert (one.p_not_worse, one.p_not_better) == (other.p_not_better, other.p_not_worse)
    assert one.p_value == max(one.p_not_worse, one.p_not_better)
    assert (one.reference_only, one.candidate_only, one.n) == (lost, won, n)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(200, 2000))
def test_more_losses_are_more_evidence_of_being_worse(lost: int, won: int, n: int) -> None:
    assert tost(lost, won, n, 0.01).p_not_worse <= tost(lost + 1, won, n, 0.01).p_not_worse


def test_extremes() -> None:
    nothing = np.zeros(0, bool)
    assert tost_paired(nothing, nothing, 0.01).p_value == 1.0
    assert tost(50, 0, 50, 0.01).p_value == pytest.approx(1.0)
    assert tost(2000, 2000, 4000, 0.5).p_value < 1e-6
    assert 0 <= tost(0, 0, 10_000_000, 0.01).p_value < 1e-300
    with pytest.raises(ValueError, match="shapes"):
        tost_paired(np.zeros(2, bool), np.zeros(3, bool), 0.01)
    with pytest.raises(ValueError, match=r"margin = 0\.0"):
        tost(1, 1, 10, 0.0)


@pytest.mark.parametrize(
    ("lost", "won", "n", "expected"),
    [
        (4, 1, 2996, "equivalent"),
        (40, 40, 2996, "equivalent"),  # balanced, and narrow enough
        (400, 400, 2996, "undecided"),  # balanced, but too noisy for a percentage point
        (60, 5, 1000, "different"),
        (2, 0, 100, "undecided"),
        (60, 20, 40_000, "equivalent"),  # McNemar finds the difference, which is smaller than the margin
    ],
)
def test_verdict_by_the_rule(lost: int, won: int, n: int, expected: str) -> None:
    found = judge(lost, won, n)
    assert found.verdict == expected
    assert found.margin == 0.01
    assert found.p_equivalent == tost(lost, won, n, 0.01).p_value
    assert found.rule.lower().startswith(expected)
    assert f"of {n} windows" in found.rule
    assert f"alone is right on {lost}," in found.rule
    assert "9 groups" in found.rule


def test_rules_tell_which_is_better_and_what_mcnemar_says() -> None:
    assert "the reference is more often right" in judge(60, 5, 1000).rule
    assert "the candidate is more often right" in judge(5, 60, 1000).rule
    assert "a smaller difference" in judge(60, 20, 40_000).rule
    assert "a smaller difference" not in judge(40, 40, 2996).rule
    assert "2 percentage points" in judge(0, 0, 200, 0.02).rule


def test_p_values_are_not_rounded_across_the_level() -> None:
    tests = PairedEquivalence(300, 0, 0, 0.01, 0.049999, 0.01)
    found = verdict(
        all_equal=False, equivalence=tests, mcnemar=McNemar(reference_only=0, candidate_only=0, p_value=1.0)
    )
    assert found is not None
    assert found.verdict == "equivalent"
    assert "p = 0.049999" in found.rule


def test_equal_needs_no_labels_and_without_labels_there_is_no_other_verdict() -> None:
    equal = verdict(all_equal=True, equivalence=None, mcnemar=None)
    assert equal is not None
    assert (equal.verdict, equal.p_equivalent) == ("equal", None)
    assert verdict(all_equal=False, equivalence=None, mcnemar=None) is None
