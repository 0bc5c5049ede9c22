"""How far two engines agree."""

from typing import Literal

from edgecnn_bench.results.base import Result
from edgecnn_firmware.card import Fraction, Interval


class McNemar(Result):
    """Exact two-sided McNemar test on the windows that one engine gets right and the other wrong."""

    reference_only: int
    candidate_only: int
    p_value: Fraction


class Changed(Result):
    """One test window whose label differs between two engines."""

    window: int
    group: str
    truth: str
    reference: str
    candidate: str
    reference_probability: Fraction
    """Of the reference's label."""
    candidate_probability: Fraction
    """Of the candidate's label."""


class ClassDelta(Result):
    """One class in two engines on the windows whose label is known."""

    label: str
    support: int
    reference_recall: Fraction
    candidate_recall: Fraction
    reference_f1: Fraction
    candidate_f1: Fraction


class FirstDifference(Result):
    """The first op of the int8 model whose output two engines compute differently; found on a few windows."""

    index: int
    op: str
    name: str
    windows: int
    """How many were looked at."""
    values: int
    """Elements compared."""
    differing: int
    """Elements that differ."""
    max_lsb: int
    mean_lsb: float
    """Over all elements."""


class Verdict(Result):
    """What the comparison comes to, by a stated rule.

    `equal`: every label and every raw output is the same. `equivalent`: both one-sided tests (TOST) say that the
    accuracies differ by less than the margin. `different`: the exact McNemar test says that one is better. `undecided`:
    neither, for so few windows.
    """

    verdict: Literal["equal", "equivalent", "different", "undecided"]
    margin: Fraction
    """Of accuracy, as a fraction."""
    p_equivalent: Fraction | None
    """The larger p-value of the two one-sided tests; None where no labels are known."""
    rule: str
    """The rule with its figures, as a sentence."""


class Parity(Result):
    """Two engines on the same windows."""

    reference: str
    candidate: str
    n: int
    agreement: Interval
    mcnemar: McNemar | None
    """None where the true labels are not known."""
    accuracy_drop: float | None
    """Reference accuracy less candidate accuracy, as a fraction; negative where the candidate is better."""
    max_probability_difference: float
    mean_probability_difference: float
    max_lsb_difference: int | None
    """Largest difference of int8 outputs; None unless both engines are int8 with the same quantization."""
    mean_lsb_difference: float | None = None
    """Mean absolute difference of the same."""
    changed: tuple[Changed, ...]
    """At most the first 50."""
    classes: tuple[ClassDelta, ...] = ()
    verdict: Verdict | None = None
    """None where the true labels are not known and outputs differ."""
    first_difference: FirstDifference | None = None
    """None where all outputs are equal, or where it was not looked for."""
