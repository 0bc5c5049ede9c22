"""What a report comes to: the engines that speak for float and int8, the verdict in sentences, gates and boards in words.

Every form of the report (HTML, Markdown, comparison) states these from here, so that they cannot disagree.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from edgecnn_bench.gates import FLOAT_ENGINES, INT8_ENGINES, TIMED_ENGINE
from edgecnn_bench.report.board_facts import instructions_sentence
from edgecnn_bench.report.text import (
    byte_count,
    byte_size,
    clean,
    count,
    duration,
    listing,
    number,
    percent,
    plural,
    points,
    real,
)
from edgecnn_bench.results import EngineResult, Gate, Latency, Parity, Report, Verdict
from edgecnn_firmware.card import Card, Interval

Tone = Literal["good", "bad", "neutral"]

_DEPLOYED: Final = ("compiled", "compiled-portable")
"""Engines of the compiled C on this machine."""
_GATES: Final[dict[str, tuple[str, str, Callable[[float], str]]]] = {
    "min_accuracy": ("int8 accuracy", "at least", percent),
    "min_balanced_accuracy": ("int8 balanced accuracy", "at least", percent),
    "max_accuracy_drop": ("accuracy lost from float to int8", "at most", lambda value: f"{points(value)} points"),
    "min_label_agreement": ("windows with the same label in float and int8", "at least", percent),
    "max_model_bytes": ("model", "at most", lambda value: byte_count(round(real(value)))),
    "max_arena_bytes": ("tensor arena", "at most", lambda value: byte_count(round(real(value)))),
    "max_median_latency_us": ("median time of one inference on this machine", "at most", duration),
}


@dataclass(frozen=True)
class GateLine:
    """A gate in words."""

    what: str
    limit: str
    value: str
    passed: bool


@dataclass(frozen=True)
class Facts:
    """The figures a reader looks for first; None where they were not measured."""

    int8: EngineResult | None
    """The engine that stands for the int8 model: TFLite's reference kernels if they ran."""
    float32: EngineResult | None
    """The engine that stands for the float model: Keras if it ran."""
    parity: Parity | None
    """Of `float32` and `int8`."""
    timed: EngineResult | None
    latency: Latency | None
    """One call of the `timed` int8 engine."""
    drop: float | None
    """Float accuracy less int8 accuracy."""
    majority: float | None
    """Accuracy of always answering the most frequent class of the test windows."""

    @property
    def accuracy(self) -> Interval | None:
        """Accuracy of the int8 model."""
        return self.int8.score.accuracy if self.int8 and self.int8.score else None

    @property
    def float_accuracy(self) -> Interval | None:
        """Accuracy of the float model."""
        return self.float32.score.accuracy if self.float32 and self.float32.score else None


def facts(report: Report) -> Facts:
    """Pick the figures that the verdict is made of."""
    int8 = _speaker(report, INT8_ENGINES, "int8")
    float32 = _speaker(report, FLOAT_ENGINES, "float32")
    parity = next(
        (p for p in report.parity if int8 and float32 and (p.reference, p.candidate) == (float32.key, int8.key)), None
    )
    timed = _timed(report)
    calls = [latency for latency in timed.latency if latency.what == "invoke"] if timed else []
    drop = parity.accuracy_drop if parity else None
    if drop is None and int8 and int8.score and float32 and float32.score:
        drop = float32.score.accuracy.value - int8.score.accuracy.value
    return Facts(int8, float32, parity, timed, calls[0] if calls else None, drop, _majority(int8))


def _speaker(report: Report, preferred: tuple[str, ...], precision: str) -> EngineResult | None:
    run = [engine for engine in report.engines if engine.status == "run" and engine.precision == precision]
    order = {key: place for place, key in enumerate(preferred)}
    ranked = sorted(run, key=lambda engine: (engine.score is None, order.get(engine.key, len(order))))
    return ranked[0] if ranked else None


def _timed(report: Report) -> EngineResult | None:
    """The compiled C, which is what devices run, where it was timed here; else LiteRT; else what was timed here."""
    int8 = [e for e in report.engines if e.precision == "int8" and any(t.what == "invoke" for t in e.latency)]
    here = {engine.key: engine for engine in int8 if not engine.place}
    return next((here[key] for key in (*_DEPLOYED, TIMED_ENGINE) if key in here), next(iter(here.values()), None))


def _majority(engine: EngineResult | None) -> float | None:
    if engine is None or engine.score is None:
        return None
    rows = [sum(row) for row in engine.score.confusion]
    return real(max(rows)) / real(sum(rows)) if rows and sum(rows) > 0 and min(rows) >= 0 else None


def window_text(card: Card) -> str:
    """Say what one window is: '2.56 s windows (128 samples x 6 channels at 50 Hz)'."""
    source = card.input
    channels = plural(len(source.channels), "channel")
    if not source.rate_known:
        return f"windows of {plural(source.window_samples, 'sample')} × {channels}"
    seconds = number(source.window_samples / source.sample_rate_hz)
    samples = plural(source.window_samples, "sample")
    return f"{seconds} s windows ({samples} × {channels} at {number(source.sample_rate_hz)} Hz)"


def what_it_is(card: Card) -> str:
    """Say what the model does, in one sentence."""
    kind = "yes-or-no" if card.output == "sigmoid" else f"{count(len(card.labels))}-class"
    names = listing([clean(label, 40) for label in card.labels])
    return f"A {kind} classifier for {window_text(card)}: {names}."


def accuracy_sentence(found: Facts) -> str:
    """Say how often the int8 model is right and what quantization cost."""
    accuracy = found.accuracy
    if accuracy is None:
        return "Accuracy was not measured: the windows of this benchmark carry no labels."
    lead = (
        f"The int8 model labels {percent(accuracy.value)} of {plural(accuracy.n, 'test window')} right "
        f"(95 % interval {interval_text(accuracy)})"
    )
    if found.drop is None:
        return f"{lead}; the float model was not run for comparison."
    return f"{lead}, {drop_text(found.drop)}."


def drop_text(drop: float) -> str:
    """Say how int8 accuracy stands to float accuracy."""
    size = points(abs(drop)).lstrip("+")
    if size == "0":
        return "as often as the float model"
    return f"{size} {'point' if size == '1' else 'points'} {'less' if drop > 0 else 'more'} than the float model"


def interval_text(interval: Interval) -> str:
    """Show the bounds of an interval: '91.1–93.0 %'."""
    low, high = percent(interval.low), percent(interval.high)
    if not (low[0] + high[0]).isdigit():
        return f"{low} to {high}"
    return f"{low.removesuffix(' %')}–{high}"


def verdict_sentence(found: Facts) -> str:
    """Say in plain words what the comparison of float and int8 comes to."""
    verdict = found.parity.verdict if found.parity else None
    if verdict is None:
        return "Whether int8 is as accurate as float was not tested."
    if verdict.verdict == "equal":
        return "Int8 gives the same outputs as float, bit for bit."
    if verdict.verdict == "equivalent":
        return f"Int8 is as accurate as float within {_margin(verdict.margin)}: equivalent."
    if verdict.verdict == "undecided":
        return "These windows are too few to say whether int8 is as accurate as float: undecided."
    more = "less" if found.drop is None or found.drop > 0 else "more"
    return f"Int8 is {more} accurate than float: different beyond chance."


def _margin(margin: float) -> str:
    size = points(margin).lstrip("+")
    return f"{size} percentage {'point' if size == '1' else 'points'}"


def verdict_rule(verdict: Verdict) -> str:
    """The rule with its figures, without the word it opens with."""
    rule = clean(verdict.rule, 700)
    opening = f"{verdict.verdict}: "
    rest = rule[len(opening) :] if rule.lower().startswith(opening) else rule
    return rest[:1].upper() + rest[1:]


def size_sentence(report: Report) -> str:
    """Say what memory the model takes."""
    footprint = report.footprint
    flash = f"The model file takes {byte_count(footprint.model_bytes)} ({byte_size(footprint.model_bytes)}) of flash"
    if footprint.arena_bytes is None:
        return f"{flash}; RAM was not measured."
    return f"{flash} and {byte_size(footprint.arena_bytes)} of tensor arena in RAM."


def gates_sentence(gates: tuple[Gate, ...]) -> str:
    """Say whether the limits of the project file are kept."""
    missed = [gate_line(gate) for gate in gates if not gate.passed]
    if not gates:
        return "No gates are set."
    if not missed:
        return "The one gate passed." if len(gates) == 1 else f"All {len(gates)} gates passed."
    details = "; ".join(f"{line.what} is {line.value}, limit {line.limit}" for line in missed)
    return f"{len(missed)} of {plural(len(gates), 'gate')} missed: {details}."


def gates_tone(gates: tuple[Gate, ...]) -> Tone:
    """Classify the outcome of the gates."""
    return "neutral" if not gates else "good" if all(gate.passed for gate in gates) else "bad"


def gate_line(gate: Gate) -> GateLine:
    """Put a gate into words; an unknown one keeps its name."""
    what, side, show = _GATES.get(gate.name, (clean(gate.name), "", number))
    value = "not measured" if gate.value is None else show(gate.value)
    limit = show(gate.limit).removeprefix("+")
    return GateLine(what, f"{side} {limit}".strip(), value.removeprefix("+"), gate.passed)


def arena_text(card: Card) -> str:
    """Say how the arena was measured, or why it was not."""
    arena = card.arena
    if arena is None:
        reason = clean(card.arena_note, 400).removeprefix("not measured: ") or "no reason is given"
        return f"The tensor arena was not measured: {reason.rstrip('.')}."
    text = (
        f"The tensor arena was measured by TFLite Micro's own interpreter ({clean(arena.runtime)}, "
        f"{clean(arena.kernels)} kernels) with {arena.word_bits}-bit pointers: {byte_count(arena.measured_bytes)}."
    )
    if arena.word_bits == 64:
        text += " On a 32-bit microcontroller it is usually smaller, because pointers are half as long."
    return text


def headline(report: Report) -> str:
    """Say what was found in one line of plain text, for a terminal."""
    found = facts(report)
    name = f"{clean(report.card.name)} {clean(report.card.version)}"
    verdict = f"{verdict_sentence(found)}" if found.parity and found.parity.verdict else ""
    cost = instructions_sentence(report) or size_sentence(report)
    parts = [f"{name}:", accuracy_sentence(found), verdict, cost, gates_sentence(report.gates)]
    return " ".join(part for part in parts if part)
