"""Rows about accuracy: proportions judged by the interval of their difference, and figures that have none."""

from collections.abc import Callable, Sequence
from typing import Final

from edgecnn_bench.differences import Difference, Pairing, unpaired
from edgecnn_bench.report.cells import missing, of_first, show_points
from edgecnn_bench.report.comparison import ComparedCell, ComparedRow, Judgment
from edgecnn_bench.report.facts import interval_text
from edgecnn_bench.report.sides import Side
from edgecnn_bench.report.text import clean, p_value, percent, plural, points
from edgecnn_firmware.card import Interval


def accuracy_rows(found: Sequence[Side]) -> list[ComparedRow]:
    """Rows of the group `accuracy`, the most important first."""
    return [
        _accuracy(
            found, "int8_accuracy", "int8 accuracy", lambda side: side.facts.accuracy, lambda pairing: pairing.int8
        ),
        _verdict(found),
        _shown(found, "accuracy_drop", "accuracy lost from float to int8", lambda side: side.facts.drop, show_points),
        _accuracy(found, "float_accuracy", "float accuracy", _float_accuracy, lambda pairing: pairing.float32),
        _shown(found, "balanced_accuracy", "int8 balanced accuracy", _balanced, percent),
        _accuracy(
            found, "label_agreement", "same label in float and int8", _agreement, lambda pairing: pairing.agreement
        ),
    ]


def _accuracy(
    found: Sequence[Side],
    key: str,
    name: str,
    value: Callable[[Side], Interval | None],
    pair: Callable[[Pairing], Difference | None],
) -> ComparedRow:
    """A proportion with its interval, judged by the interval of the difference."""
    intervals = [value(side) for side in found]
    cells = [
        _accuracy_cell(intervals[0], interval, side, pair, is_first=number == 0)
        for number, (interval, side) in enumerate(zip(intervals, found, strict=True))
    ]
    return ComparedRow(key=key, group="accuracy", name=name, cells=tuple(cells))


def _accuracy_cell(
    first: Interval | None,
    interval: Interval | None,
    side: Side,
    pair: Callable[[Pairing], Difference | None],
    *,
    is_first: bool,
) -> ComparedCell:
    if interval is None:
        return missing()
    text = f"{percent(interval.value)} ({interval_text(interval)})"
    plain = ComparedCell(value=interval.value, text=text, judgment="baseline")
    if is_first:
        return plain
    if first is None or side.other_task or not (first.n and interval.n):
        return plain.model_copy(update={"judgment": "not comparable", "note": side.other_task})
    difference = pair(side.pairing) if isinstance(side.pairing, Pairing) else None
    why = side.pairing if isinstance(side.pairing, str) else "a bundle holds no outputs of the float model"
    difference = difference or unpaired(first, interval)
    return plain.model_copy(
        update={
            "judgment": _by_interval(difference),
            "change": difference_text(difference),
            "note": _how(difference, why),
        }
    )


def _by_interval(difference: Difference) -> Judgment:
    if difference.value == 0 and difference.low == difference.high == 0:
        return "same"
    if not difference.is_clear:
        return "unclear"
    return "better" if difference.value > 0 else "worse"


def difference_text(difference: Difference) -> str:
    """Show a difference of accuracies with its interval: '+0.8 points (−0.2 to +1.9)'."""
    return f"{show_points(difference.value)} ({points(difference.low)} to {points(difference.high)})"


def _how(difference: Difference, why: str) -> str:
    if difference.kind == "paired" and difference.p_value is not None:
        return (
            f"paired on {plural(difference.n, 'window')}: true only of the first on {difference.first_only}, only here on "
            f"{difference.second_only}; exact McNemar test, {p_value(difference.p_value)}"
        )
    return f"unpaired, so that only large differences are clear: {why}"


def _float_accuracy(side: Side) -> Interval | None:
    return side.facts.float_accuracy


def _balanced(side: Side) -> float | None:
    return side.facts.int8.score.balanced_accuracy if side.facts.int8 and side.facts.int8.score else None


def _agreement(side: Side) -> Interval | None:
    return side.facts.parity.agreement if side.facts.parity else None


def _shown(
    found: Sequence[Side], key: str, name: str, value: Callable[[Side], float | None], show: Callable[[float], str]
) -> ComparedRow:
    """A figure without an interval: shown, and not judged."""
    values = [value(side) for side in found]
    cells = []
    for side, one in zip(found, values, strict=True):
        if one is None:
            cells.append(missing())
            continue
        is_comparable = values[0] is not None and not side.other_task
        judgment: Judgment = "same" if one == values[0] else "not judged" if is_comparable else "not comparable"
        change = show_points(one - values[0]) if is_comparable and values[0] is not None and one != values[0] else ""
        note = side.other_task or ("no interval is known for it" if change else "")
        cells.append(ComparedCell(value=one, text=show(one), judgment=judgment, change=change, note=note))
    cells[0] = cells[0].model_copy(update={"judgment": of_first(values[0]), "change": "", "note": ""})
    return ComparedRow(key=key, group="accuracy", name=name, cells=tuple(cells))


_RANKS: Final = {"equal": 2, "equivalent": 2, "undecided": 1, "different": 0}


def _verdict(found: Sequence[Side]) -> ComparedRow:
    """What the comparison of float and int8 came to in each report."""
    verdicts = [side.facts.parity.verdict if side.facts.parity else None for side in found]
    first = verdicts[0]
    cells = []
    for number, verdict in enumerate(verdicts):
        if verdict is None:
            cells.append(missing())
            continue
        judgment: Judgment = "baseline"
        if number:
            ranks = (_RANKS[first.verdict], _RANKS[verdict.verdict]) if first else (0, 0)
            judgment = "not comparable" if first is None else "same" if ranks[0] == ranks[1] else "not judged"
            if {*ranks} == {0, 2}:
                judgment = "better" if ranks[1] > ranks[0] else "worse"
        cells.append(ComparedCell(value=None, text=verdict.verdict, judgment=judgment, note=clean(verdict.rule, 400)))
    return ComparedRow(key="verdict", group="accuracy", name="float against int8", cells=tuple(cells))
