"""A comparison in words: what the pages say of each bundle beside the baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edgecnn_bench.report.comparison import ComparedCell, ComparedRow, Comparison, Group, Judgment
from edgecnn_bench.report.measures import GROUPS
from edgecnn_bench.report.text import MINUS, count, listing, percent, plural, real

GROUP_TITLES: Final[dict[Group, str]] = {
    "accuracy": "Accuracy",
    "memory": "Flash and RAM",
    "work": "Work of one inference",
    "time": "Time of one call",
}

WORDS: Final[dict[Judgment, str]] = {
    "baseline": "",
    "better": "better",
    "worse": "worse",
    "same": "the same",
    "unclear": "no clear difference",
    "not judged": "not judged",
    "not comparable": "not comparable",
    "not measured": "not measured",
}

SUMMED: Final[tuple[Judgment, ...]] = (
    "better",
    "worse",
    "same",
    "unclear",
    "not judged",
    "not comparable",
    "not measured",
)
"""Every judgment that a bundle after the first can get."""

HOW_JUDGED: Final = (
    "The first bundle is the baseline. Accuracies are judged by the 95 % interval of their difference; where it holds 0 there "
    "is no clear difference. It takes windows as independent, which those of one recording are not, so it is rather too "
    "narrow. Bytes and instructions are exact. A time is judged only between runs on the same kind of machine, and only "
    "beyond 10 %."
)

_MANY: Final = 3
"""So many boards with the same outcome make one sentence."""
_FAMILIES: Final = {
    "instructions": "instructions on {} virtual boards",
    "flash_bytes": "flash on {} virtual boards",
    "ram_bytes": "RAM on {} virtual boards",
    "median_us": "one call of {} engines",
}
"""First part of a row's key -> what many rows of it are called together."""
_TILES: Final = (
    ("int8 accuracy", ("int8_accuracy",)),
    ("flash", ("flash_bytes.", "compiled_constant_bytes", "model_bytes")),
    ("RAM", ("ram_bytes.", "compiled_ram_bytes", "arena_bytes")),
    ("work", ("instructions.", "macs")),
)
"""What the large figures on top are about, and the rows that tell it, the first that has a value in both."""


@dataclass(frozen=True)
class ChangeTile:
    """A large figure: how one thing changed."""

    title: str
    value: str
    note: str
    tone: str
    """`good`, `bad` or `neutral`."""


@dataclass(frozen=True)
class Candidate:
    """One bundle beside the baseline, in words."""

    name: str
    summary: str
    tiles: tuple[ChangeTile, ...]
    better: tuple[str, ...]
    worse: tuple[str, ...]


def candidates(result: Comparison) -> list[Candidate]:
    """Put every bundle but the first into words."""
    return [
        Candidate(
            name=name,
            summary=_summary(result, number),
            tiles=tuple(filter(None, (_tile(result.rows, number, *tile) for tile in _TILES))),
            better=_sentences(result.rows, number, "better"),
            worse=_sentences(result.rows, number, "worse"),
        )
        for number, name in enumerate(result.names)
        if number
    ]


def groups(result: Comparison) -> list[tuple[Group, list[ComparedRow]]]:
    """Rows by group, the most important group first; empty groups are left out."""
    found = [(group, [row for row in result.rows if row.group == group]) for group in GROUPS]
    return [(group, inside) for group, inside in found if inside]


def notes(result: Comparison) -> list[str]:
    """Say once for each bundle what its figures rest on or lack, with the rows that this is about."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in result.rows:
        for name, cell in zip(result.names, row.cells, strict=True):
            if cell.note and cell.judgment != "baseline":
                found.setdefault((name, cell.note), []).append(row.name)
    return [f"{name}: {listing(about)}: {note}" for (name, note), about in found.items()]


def _summary(result: Comparison, number: int) -> str:
    judged = [row.cells[number].judgment for row in result.rows]
    counted = [(judged.count(word), WORDS[word]) for word in SUMMED if word in judged]
    told = ", ".join(f"{count(n)} {what}" for n, what in counted) or "nothing to compare"
    accuracy = next((row.cells[number] for row in result.rows if row.key == "int8_accuracy"), None)
    lead = f"int8 accuracy: {_outcome(accuracy)}; " if accuracy and accuracy.value is not None else ""
    return f"{result.names[number]} against {result.names[0]}: {lead}{plural(len(judged), 'figure')}: {told}."


def _outcome(cell: ComparedCell) -> str:
    return ", ".join(filter(None, [WORDS[cell.judgment], cell.change]))


def _tile(rows: Sequence[ComparedRow], number: int, title: str, keys: Sequence[str]) -> ChangeTile | None:
    """The first row of `keys` that has a value in both; a key that ends in a dot stands for a row of any board."""
    for key in keys:
        for row in rows:
            cells = row.cells[0], row.cells[number]
            if (row.key.startswith(key) if key.endswith(".") else row.key == key) and _have_values(cells):
                tone = {"better": "good", "worse": "bad"}.get(cells[1].judgment, "neutral")
                value = cells[1].change.partition(" (")[0] or WORDS[cells[1].judgment]
                note = f"{row.name}: {_short(cells[0])} → {_short(cells[1])}, {WORDS[cells[1].judgment]}"
                return ChangeTile(title, value, note, tone)
    return None


def _have_values(cells: Sequence[ComparedCell]) -> bool:
    return all(cell.value is not None for cell in cells)


def _short(cell: ComparedCell) -> str:
    return cell.text.partition(" (")[0]


def _sentences(rows: Sequence[ComparedRow], number: int, judgment: Judgment) -> tuple[str, ...]:
    """One sentence a row; many boards with the same outcome share one."""
    found = [row for row in rows if row.cells[number].judgment == judgment]
    by_family: dict[str, list[ComparedRow]] = {}
    for row in found:
        family = row.key.partition(".")[0]
        by_family.setdefault(family if family in _FAMILIES else row.key, []).append(row)
    sentences: list[str] = []
    for family, inside in by_family.items():
        if len(inside) >= _MANY and family in _FAMILIES:
            sentences.append(f"{_FAMILIES[family].format(len(inside))}: {_span(inside, number)}")
        else:
            sentences += [_sentence(row, number) for row in inside]
    return tuple(sentences)


def _sentence(row: ComparedRow, number: int) -> str:
    cell = row.cells[number]
    change = f", {cell.change}" if cell.change else ""
    return f"{row.name}: {row.cells[0].text} → {cell.text}{change}"


def _span(rows: Sequence[ComparedRow], number: int) -> str:
    """The smallest and the largest relative change: '+37.4 % to +44.8 %'."""
    shares = sorted(_share(row.cells[0].value or 0.0, row.cells[number].value or 0.0) for row in rows)
    ends = list(
        dict.fromkeys(f"{MINUS if share < 0 else '+'}{percent(abs(share))}" for share in (shares[0], shares[-1]))
    )
    return " to ".join(ends)


def _share(first: float, value: float) -> float:
    return real((value - first) / first) if first else 0.0
