"""Rows for the tables of agreement."""

from collections.abc import Sequence

from edgecnn_bench.report.facts import Facts
from edgecnn_bench.report.text import clean, number, plural
from edgecnn_bench.results import ClassDelta, FirstDifference, Parity, Report


def most_changed(classes: Sequence[ClassDelta], limit: int) -> list[ClassDelta]:
    """All classes in their order; those whose recall changed most where there are more than `limit`."""
    if len(classes) <= limit:
        return list(classes)
    numbered = enumerate(classes)
    ranked = sorted(numbered, key=lambda row: (-abs(row[1].candidate_recall - row[1].reference_recall), row[0]))
    return [row for _, row in sorted(ranked[:limit], key=lambda row: row[0])]


def first_differences(report: Report) -> list[tuple[Parity, str]]:
    """Pairs for which the first differing op is known, with a sentence."""
    found = [(pair, pair.first_difference) for pair in report.parity[:20]]
    return [(pair, _sentence(first)) for pair, first in found if first is not None]


def _sentence(first: FirstDifference) -> str:
    steps = "step" if first.max_lsb == 1 else "steps"
    return (
        f"op {first.index} ({clean(first.op, 60)}) is the first whose output differs: {plural(first.differing, 'value')} "
        f"of {plural(first.values, 'value')} over {plural(first.windows, 'window')}, by at most "
        f"{first.max_lsb} {steps} (mean over all values {number(first.mean_lsb)})"
    )


def class_rows(found: Facts, limit: int) -> Sequence[ClassDelta]:
    """Classes of the float-to-int8 pair for the table."""
    return found.parity.classes[:limit] if found.parity else ()
