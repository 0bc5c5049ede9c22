"""Whether two classifiers are equally accurate within a margin, on the same windows.

That a test finds no difference says little: with few windows it never does. Here the burden is the other way round: the
null hypothesis is that the accuracies are at least the margin apart, and it takes enough windows to reject it.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn_bench.results import McNemar, Verdict

MARGIN: Final = 0.01
"""One percentage point of accuracy."""
ALPHA: Final = 0.05
"""Level of every test of the verdict."""

Right: TypeAlias = npt.NDArray[np.bool_]
"""`(n,)`: whether a classifier's label is the true one."""


@dataclass(frozen=True)
class PairedEquivalence:
    """Two one-sided tests on `n` paired windows."""

    n: int
    reference_only: int
    """Windows that only the reference gets right."""
    candidate_only: int
    margin: float
    p_not_worse: float
    """Of the null hypothesis that the candidate is worse by the margin or more."""
    p_not_better: float
    """Of the null hypothesis that the candidate is better by the margin or more."""

    @property
    def p_value(self) -> float:
        """Of the null hypothesis that the accuracies are the margin or more apart: the larger of the two."""
        return max(self.p_not_worse, self.p_not_better)


def tost_paired(reference_right: Right, candidate_right: Right, margin: float) -> PairedEquivalence:
    """Two one-sided tests (Schuirmann 1987) on the paired difference of correctness, which is -1, 0 or 1 a window.

    Each side is the score test of Tango (1998, Statistics in Medicine 17:891-908) for paired proportions. With `b`
    windows that only the reference gets right, `c` that only the candidate does, and margin `m`, the side "not worse"
    has the statistic

        z = (b - c - n m + 1/2) / sqrt(n (2 q + m (1 - m)))

    where `q` is the largest root of `2n q^2 - (b + c - (2n - b + c) m) q - c m (1 - m) = 0`: the likeliest probability
    of a window that only the candidate gets right, if the difference is exactly `m`. Its p-value is that of a normal
    variable below `z`. The continuity correction of 1/2, half the step of `b - c`, makes the test keep its level with
    few disagreements, where Tango's own rejects up to 6 % of the time at a level of 5 %.

    Where the candidate loses no window (`b` 0), above all where the two never differ, the exact bound is sharper: a
    candidate that is worse by `m` would lose a share of at least `m`, so that none of `n` has probability at most
    `(1 - m)^n`. At a margin of 0.01 and a level of 0.05 that takes 299 windows: the rule of three.

    Windows are taken as independent; those of one group are not, and p-values tend to be too small.
    No windows give p-values of 1.

    Raises:
        ValueError: the two differ in shape, or `margin` is not between 0 and 1.
    """
    if reference_right.shape != candidate_right.shape:
        raise ValueError(f"shapes {reference_right.shape} and {candidate_right.shape} differ")
    if not 0 < margin < 1:
        raise ValueError(f"margin = {margin}: expected more than 0 and less than 1")
    n = int(reference_right.size)
    lost = int(np.count_nonzero(reference_right & ~candidate_right))
    won = int(np.count_nonzero(candidate_right & ~reference_right))
    return PairedEquivalence(n, lost, won, margin, _one_side(lost, won, n, margin), _one_side(won, lost, n, margin))


def _one_side(lost: int, won: int, n: int, margin: float) -> float:
    """P-value of the null hypothesis that windows are lost by `margin` more often than they are won."""
    if n == 0:
        return 1.0
    linear = (2 * n - lost + won) * margin - lost - won
    root = math.sqrt(linear * linear + 8 * n * won * margin * (1 - margin))
    likeliest_won = max(0.0, root - linear) / (4 * n)
    spread = math.sqrt(n * (2 * likeliest_won + margin * (1 - margin)))
    p_value = NormalDist().cdf((lost - won - n * margin + 0.5) / spread)
    return min(p_value, (1 - margin) ** n) if lost == 0 else p_value


def verdict(
    *,
    all_equal: bool,
    equivalence: PairedEquivalence | None,
    mcnemar: McNemar | None,
    groups: int = 0,
    margin: float = MARGIN,
) -> Verdict | None:
    """Decide by the rule in `Verdict`; `equal` comes before `equivalent`, and that before `different`.

    Args:
        all_equal: whether every label and every raw output of the two is the same.
        equivalence: the two one-sided tests; None, as `mcnemar`, where no true labels are known.
        mcnemar: the exact test on the same windows.
        groups: how many subjects, devices or sessions the windows are of; 0 where that is not known.
        margin: of accuracy, where there are no tests that say it.

    Returns:
        None where outputs differ and no true labels are known.
    """
    p_value = None if equivalence is None else equivalence.p_value
    margin = margin if equivalence is None else equivalence.margin
    if all_equal:
        rule = "Equal: every label and every raw output is the same."
        return Verdict(verdict="equal", margin=margin, p_equivalent=p_value, rule=rule)
    if equivalence is None or mcnemar is None:
        return None
    counts, caveat = _counts(equivalence), _caveat(groups)
    mcnemar_says = f"exact McNemar test, p {_p(mcnemar.p_value)}"
    closer = f"the accuracies differ by less than {_points(margin)} (two one-sided tests, p {_p(equivalence.p_value)}"
    if equivalence.p_value < ALPHA:
        also = f"; {mcnemar_says}: there is a smaller difference" if mcnemar.p_value < ALPHA else ""
        rule = f"Equivalent: {counts}, so {closer}, below {ALPHA}{also})."
        return Verdict(verdict="equivalent", margin=margin, p_equivalent=p_value, rule=rule + caveat)
    if mcnemar.p_value < ALPHA:
        better = "reference" if mcnemar.reference_only > mcnemar.candidate_only else "candidate"
        rule = f"Different: {counts}, so the {better} is more often right ({mcnemar_says}, below {ALPHA})."
        return Verdict(verdict="different", margin=margin, p_equivalent=p_value, rule=rule + caveat)
    rule = f"Undecided: {counts}, too few windows to say that {closer}) or that they differ at all ({mcnemar_says})."
    return Verdict(verdict="undecided", margin=margin, p_equivalent=p_value, rule=rule + caveat)


def _counts(found: PairedEquivalence) -> str:
    return (
        f"of {found.n} windows with labels the reference alone is right on {found.reference_only}, the candidate alone "
        f"on {found.candidate_only}"
    )


def _caveat(groups: int) -> str:
    of = f" of {groups} group{'s' if groups > 1 else ''}" if groups else ""
    independent = f"The tests take the windows{of} as independent, which windows of one group are not"
    return f" {independent}: p-values tend to be too small."


def _points(margin: float) -> str:
    return f"{100 * margin:g} percentage point{'' if margin == MARGIN else 's'}"


def _p(value: float) -> str:
    """Two digits, more where those would round to the other side of the level; tiny ones as a bound."""
    if value < 1e-4:
        return "< 0.0001"
    text = f"{value:.2g}"
    return f"= {text if (float(text) < ALPHA) == (value < ALPHA) else f'{value:.6g}'}"
