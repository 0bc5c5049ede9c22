"""A comparison of reports as data: what `edgecnn report A B --json` prints, and what the pages are drawn from."""

import json
from typing import Literal

from edgecnn_bench.results.base import Result

Judgment = Literal["baseline", "better", "worse", "same", "unclear", "not judged", "not comparable", "not measured"]
"""`unclear`: the 95 % interval of the difference holds 0; `not judged`: no interval is known, or neither is better."""

Group = Literal["accuracy", "memory", "work", "time"]


class ComparedCell(Result):
    """One figure of one bundle."""

    value: float | None
    """None where it is missing or no number."""
    text: str
    judgment: Judgment
    """Against the first bundle."""
    change: str = ""
    """The difference to the first bundle, in words."""
    note: str = ""
    """Why it is not comparable or not measured, or what the difference rests on."""


class ComparedRow(Result):
    """One figure of every bundle."""

    key: str
    group: Group
    name: str
    cells: tuple[ComparedCell, ...]


class Change(Result):
    """Something that became better or worse, as a sentence."""

    bundle: str
    key: str
    """Of the row."""
    sentence: str


class Comparison(Result):
    """Several reports against the first of them; rows and changes from the most important down."""

    schema_version: Literal[1] = 1
    kind: Literal["edgecnn-comparison"] = "edgecnn-comparison"
    edgecnn_version: str
    names: tuple[str, ...]
    """Of the bundles; the first is the baseline."""
    rows: tuple[ComparedRow, ...]
    better: tuple[Change, ...]
    worse: tuple[Change, ...]
    warnings: tuple[str, ...]
    """What stands in the way of the comparison."""

    def to_json(self) -> str:
        """Serialize with a fixed field order, one-space indent and a final newline."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
