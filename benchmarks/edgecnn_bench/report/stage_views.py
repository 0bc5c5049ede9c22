"""Loss by stage in words and rows: what HTML and Markdown show of `report.json`'s `stages`."""

from dataclasses import dataclass
from typing import Final

from edgecnn_bench.report.charts import Figure, responsive
from edgecnn_bench.report.facts import interval_text
from edgecnn_bench.report.text import MINUS, NO_VALUE, clean, count, head, p_value, percent, plural, points, real
from edgecnn_bench.report.waterfall import End, Fall, Gap, waterfall
from edgecnn_bench.results import Report, StageChange, StageSplit
from edgecnn_firmware.card import Card

MAX_WAYS: Final = 4
MAX_STEPS: Final = 12
_PARTS: Final = ("quantization", "preprocessing", "kernels")


@dataclass(frozen=True)
class StageRow:
    """One line of the table."""

    title: str
    part: str
    by: str
    what: str
    reason: str
    """Why it did not run; empty where it did."""
    inputs: str
    input_step: str
    outputs: str
    output_step: str
    labels: str
    accuracy: str
    interval: str
    before: str
    change: str
    change_windows: str
    test: str
    lost_gained: str


@dataclass(frozen=True)
class Way:
    """One way into the C, with everything a report shows of it."""

    title: str
    sentence: str
    rows: list[StageRow]
    whole: StageRow | None
    left_off: int
    figure: Figure | None


def ways(report: Report) -> list[Way]:
    """Every way, in the order of the report."""
    found = []
    for split in report.stages[:MAX_WAYS]:
        steps, left_off = head(split.steps, MAX_STEPS)
        rows = [_row(step.title, step.part, step.by, step.what, clean(step.reason, 300), step.change) for step in steps]
        ends = f"{clean(split.first, 60)} → {clean(split.last, 60)}"
        whole = _row("The whole", ends, "", "", "", split.whole) if split.whole else None
        found.append(Way(way_title(split, report.card), sentence(split), rows, whole, left_off, stage_figure(split)))
    return found


def way_title(split: StageSplit, card: Card) -> str:
    """Name a way by the function that takes it."""
    name = clean(card.name, 63)
    if split.way == "counts":
        return f"Raw sensor counts: {name}_classify_counts"
    return f"Windows in physical units: {name}_classify"


def sentence(split: StageSplit) -> str:
    """Say how the change of accuracy is made up."""
    whole = split.whole
    if whole is None:
        return f"No stage could be compared on {plural(split.windows, 'window')}."
    changed = f"{count(whole.labels_changed)} of {plural(split.windows, 'window')} change their label"
    lead = f"From {clean(split.first, 60)} to {clean(split.last, 60)}, {changed}"
    if whole.right_change is None:
        return f"{lead}. No window has a label, so accuracy is not known."
    shares = ", ".join(f"{part} {_part_text(split, part)}" for part in _PARTS)
    total = f"{_points(whole)} ({_windows(whole.right_change)})" if whole.right_change else "nothing"
    return f"{lead} and accuracy changes by {total}: {shares}."


def _part_text(split: StageSplit, part: str) -> str:
    """What one part of the way does to windows that are right."""
    steps = [step for step in split.steps if step.part == part]
    changes = [step.change for step in steps if step.change is not None]
    if len(changes) < len(steps) or not steps:
        return "not run"
    total = sum(change.right_change or 0 for change in changes)
    return _windows(total) or "0"


def _windows(change: int) -> str:
    """Show a change of the number of right windows with its sign; empty for none."""
    return f"{'+' if change > 0 else MINUS}{plural(abs(change), 'window')}" if change else ""


def _points(change: StageChange) -> str:
    if change.accuracy_change is None:
        return NO_VALUE
    shown = points(_within(change.accuracy_change))
    return f"{shown} {'point' if shown[1:] == '1' else 'points'}"


def _row(title: str, part: str, by: str, what: str, reason: str, change: StageChange | None) -> StageRow:
    texts = (clean(title, 80), clean(part, 140), clean(by, 120), clean(what, 300), reason)
    if change is None:
        return StageRow(*texts, *([NO_VALUE] * 12))
    before, after, test = change.accuracy_before, change.accuracy_after, change.mcnemar
    return StageRow(
        *texts,
        inputs=_count(change.inputs_differing),
        input_step=_step(change.max_input_step),
        outputs=_count(change.outputs_differing),
        output_step=_step(change.max_output_step),
        labels=count(change.labels_changed),
        accuracy=NO_VALUE if after is None else percent(after.value, 2),
        interval="" if after is None else interval_text(after),
        before=NO_VALUE if before is None else percent(before.value, 2),
        change=NO_VALUE if change.accuracy_change is None else points(_within(change.accuracy_change)),
        change_windows=_windows(change.right_change or 0),
        test=NO_VALUE if test is None else p_value(test.p_value),
        lost_gained="" if test is None else f"{count(test.reference_only)} : {count(test.candidate_only)}",
    )


def _count(value: int | None) -> str:
    return NO_VALUE if value is None else count(value)


def _step(value: int | None) -> str:
    return "" if not value else f"by at most {plural(value, 'step')}"


def stage_figure(split: StageSplit) -> Figure | None:
    """The way as a waterfall; None where no label is known or no stage ran."""
    whole = split.whole
    if whole is None or whole.accuracy_before is None or whole.accuracy_after is None:
        return None
    first, last = whole.accuracy_before, whole.accuracy_after
    rows: list[End | Fall | Gap] = [
        End(clean(split.first, 60), "", first.value, first.low, first.high, "s-float"),
        *(_fall(step.title, step.part, step.change) for step in split.steps[:MAX_STEPS]),
        End(clean(split.last, 60), "", last.value, last.low, last.high, "s-int8"),
    ]
    label = f"Accuracy from {clean(split.first, 60)} to {clean(split.last, 60)}, stage by stage"
    return responsive(lambda width: waterfall(rows, width, label))


def _fall(title: str, part: str, change: StageChange | None) -> Fall | Gap:
    if change is None or change.mcnemar is None or change.accuracy_before is None:
        return Gap(clean(title, 60), part)
    n = real(change.accuracy_before.n)
    lost, gained = change.mcnemar.reference_only, change.mcnemar.candidate_only
    return Fall(
        name=clean(title, 60),
        under=part,
        before=change.accuracy_before.value,
        lost=_within(real(lost) / n),
        gained=_within(real(gained) / n),
        value_text=_points(change) if change.right_change else "no change",
        title=f"{clean(title, 40)}: {plural(lost, 'window')} lost, {count(gained)} gained",
    )


def _within(share: float) -> float:
    """A share of windows; an untrusted report may hold any."""
    return min(max(share, -1.0), 1.0)
