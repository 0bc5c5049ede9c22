"""Limits of the project file's `[gate]`, checked against what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edgecnn_bench.results import EngineResult, Footprint, Gate, Parity
from edgecnn_firmware.errors import SettingsError

FLOAT_ENGINES: Final = ("keras", "keras-recorded")
INT8_ENGINES: Final = ("litert-reference", "reference-recorded", "litert")
"""In order of preference: the reference kernels define the numbers."""
TIMED_ENGINE: Final = "litert"


@dataclass(frozen=True)
class Measured:
    """What gates look at; None where it was not measured."""

    accuracy: float | None = None
    """Of the int8 model."""
    balanced_accuracy: float | None = None
    accuracy_drop: float | None = None
    """Float accuracy less int8 accuracy."""
    label_agreement: float | None = None
    """Of the float and the int8 model."""
    model_bytes: float | None = None
    arena_bytes: float | None = None
    median_latency_us: float | None = None
    """Of LiteRT's call alone on this machine, int8."""


def measured(engines: Sequence[EngineResult], parity: Sequence[Parity], footprint: Footprint) -> Measured:
    """Pick the gated figures from a report's tables."""
    by_key = {engine.key: engine for engine in engines}
    scores = [by_key[key].score for key in INT8_ENGINES if key in by_key]
    score = next((found for found in scores if found is not None), None)
    pairs = {(pair.reference, pair.candidate): pair for pair in parity}
    wanted = [(float_key, int8_key) for int8_key in INT8_ENGINES for float_key in FLOAT_ENGINES]
    pair = next((pairs[key] for key in wanted if key in pairs), None)
    timed = by_key.get(TIMED_ENGINE)
    calls = [latency for latency in timed.latency if latency.what == "invoke"] if timed else []
    return Measured(
        accuracy=score.accuracy.value if score else None,
        balanced_accuracy=score.balanced_accuracy if score else None,
        accuracy_drop=pair.accuracy_drop if pair else None,
        label_agreement=pair.agreement.value if pair else None,
        model_bytes=float(footprint.model_bytes),
        arena_bytes=None if footprint.arena_bytes is None else float(footprint.arena_bytes),
        median_latency_us=calls[0].median_us if calls else None,
    )


def check(values: Measured, limits: Mapping[str, float]) -> tuple[Gate, ...]:
    """Check every limit, named `min_` or `max_` and a field of `Measured`; what was not measured misses its gate.

    Raises:
        SettingsError: there is no such gate.
    """
    gates = []
    for name, limit in limits.items():
        side, _, what = name.partition("_")
        if name not in GATE_NAMES:
            raise SettingsError(f"unknown gate '{name}'; accepted: {', '.join(GATE_NAMES)}")
        value: float | None = getattr(values, what)
        met = value is not None and (value >= limit if side == "min" else value <= limit)
        gates.append(Gate(name=name, limit=float(limit), value=value, passed=met))
    return tuple(gates)


GATE_NAMES: Final = (
    "min_accuracy",
    "min_balanced_accuracy",
    "max_accuracy_drop",
    "min_label_agreement",
    "max_model_bytes",
    "max_arena_bytes",
    "max_median_latency_us",
)
