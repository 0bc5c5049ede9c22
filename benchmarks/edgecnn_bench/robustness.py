"""Accuracy when the sensor is worse than in the recordings: float and int8 on the same disturbed windows."""

from collections.abc import Mapping
from typing import Final, TypeAlias

import numpy as np

from edgecnn_bench.disturbances import Disturbance, disturbances
from edgecnn_bench.engines.protocol import LoadedEngine, Windows, decided
from edgecnn_bench.results import Robustness, RobustnessPoint
from edgecnn_bench.statistics import Labels, wilson
from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.card import Card, Interval
from edgecnn_firmware.progress import Progress, silent

MOST_WINDOWS: Final = 500
FLOAT_ENGINES: Final = ("litert-float32", "keras")
INT8_ENGINES: Final = (
    "compiled",
    "compiled-portable",
    "litert",
    "litert-builtin",
    "litert-reference",
    "tflite-runtime",
)
"""In order of preference, which is that of speed: a curve takes tens of thousands of inferences, and what kernels change
is far below what its levels do."""

NamedEngine: TypeAlias = tuple[str, LoadedEngine]
"""An engine's key and the engine."""


def pick_engines(loaded: Mapping[str, LoadedEngine]) -> tuple[NamedEngine | None, NamedEngine | None]:
    """The float and the int8 engine to use of those that are loaded; None where there is none."""

    def first(keys: tuple[str, ...]) -> NamedEngine | None:
        return next(((key, loaded[key]) for key in keys if key in loaded), None)

    return first(FLOAT_ENGINES), first(INT8_ENGINES)


def robustness(
    bundle: Bundle,
    windows: Windows,
    labels: Labels,
    float_run: NamedEngine | None,
    int8_run: NamedEngine | None,
    seed: int,
    progress: Progress = silent,
    *,
    most: int = MOST_WINDOWS,
) -> tuple[Robustness, ...]:
    """Accuracy at every level of every disturbance that can happen to the bundle's sensors.

    Intervals take windows as independent, which those of one group are not: they are too narrow where groups are few.

    Args:
        bundle: says what the channels are.
        windows: `(n, window_samples, channels)` in physical units.
        labels: `(n,)`, -1 where unknown; such windows are not used, nor those with infinite samples.
        float_run: key and engine of the float model, if any.
        int8_run: key and engine of the int8 model.
        seed: of which windows are used and of what happens to them; the same for both engines.
        progress: told of the levels.
        most: windows that are used at most, a fair share of each class.

    Returns:
        None at all where no window has a label, or no int8 engine ran.

    Raises:
        EdgeCnnError: an engine gives outputs that are not finite, or cannot take what was made of a window.
    """
    # An infinite sample would turn into NaN on the way, which no label stands for.
    usable = np.where(np.isfinite(windows).all(axis=(1, 2)), labels, -1)
    chosen = stratified(usable, most, seed)
    if int8_run is None or not chosen.size:
        return ()
    truth, taken = labels[chosen], windows[chosen]
    kinds = disturbances(bundle.card, windows)
    total = 1 + sum(len(kind.levels) - 1 for kind in kinds)
    engines = (float_run, int8_run)
    undisturbed = _accuracies(engines, taken, truth, bundle.card)
    progress("robustness", 1, total)
    done, found = 1, []
    for kind in kinds:
        points = []
        for level in kind.levels:
            accuracies = undisturbed
            if level != kind.neutral:
                disturbed = _disturbed(kind, level, taken, seed)
                accuracies = _accuracies(engines, disturbed, truth, bundle.card)
                done += 1
                progress("robustness", done, total, kind.title)
            points.append(RobustnessPoint(level=level, float_accuracy=accuracies[0], int8_accuracy=accuracies[1]))
        found.append(
            Robustness(
                key=kind.key,
                title=kind.title,
                unit=kind.unit,
                how=kind.how,
                float_engine=float_run[0] if float_run else "",
                int8_engine=int8_run[0],
                windows=len(chosen),
                points=tuple(points),
            )
        )
    return tuple(found)


def stratified(labels: Labels, most: int, seed: int) -> Labels:
    """Numbers, in order, of up to `most` windows with a label: every class its share, and at least one if they fit."""
    known = np.flatnonzero(labels >= 0).astype(np.int64)
    shuffled = np.random.default_rng([seed, len(labels)]).permutation(known)
    place = np.empty(len(shuffled))
    for label in np.unique(labels[shuffled]):
        members = np.flatnonzero(labels[shuffled] == label)
        place[members] = np.arange(len(members)) / len(members)
    return np.sort(shuffled[np.argsort(place, kind="stable")[:most]])


def _disturbed(kind: Disturbance, level: float, windows: Windows, seed: int) -> Windows:
    """The same chance for every level: they differ in strength alone."""
    choice = np.random.default_rng(seed)
    with np.errstate(over="ignore", invalid="ignore"):
        return kind.apply(windows, level, choice)


def _accuracies(
    engines: tuple[NamedEngine | None, NamedEngine], windows: Windows, truth: Labels, card: Card
) -> tuple[Interval | None, Interval]:
    real, int8 = engines
    return (None if real is None else _accuracy(real, windows, truth, card)), _accuracy(int8, windows, truth, card)


def _accuracy(named: NamedEngine, windows: Windows, truth: Labels, card: Card) -> Interval:
    key, engine = named
    run = decided(key, engine.outputs(windows, lambda _: None), len(windows), card)
    return wilson(int(np.count_nonzero(run.predicted == truth)), len(truth))
