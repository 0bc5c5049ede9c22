"""The figures of the report: which chart each part of `report.json` becomes; None where there is nothing to draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from edgecnn_bench.report import parity_views, text, views
from edgecnn_bench.report.arena import drawable, memory_chart
from edgecnn_bench.report.charts import (
    FULL_PX,
    HALF_PX,
    Figure,
    IntervalRow,
    Line,
    Strip,
    interval_rows,
    line_chart,
    memory_steps,
    responsive,
    strips,
)
from edgecnn_bench.report.deltas import MAX_CLASSES, MAX_OPS, Dumbbell, Noise, dumbbells, noise_columns
from edgecnn_bench.report.facts import Facts
from edgecnn_bench.report.matrix import MAX_DRAWN, confusion_matrix
from edgecnn_bench.report.views import Timed
from edgecnn_bench.report.windows import MAX_PLOTTED, window_chart
from edgecnn_bench.results import Changed, EngineResult, Parity, PlottedWindow, Report
from edgecnn_firmware.card import EpochCard

ENGINES_DRAWN: Final = 20
_SIDES: Final = ("reference", "candidate")
_LAYERS_DRAWN: Final = 120


def engine_style(engine: EngineResult | None) -> str:
    """The color of an engine: one for int8, one for float32, one for the rest."""
    precision = engine.precision if engine else ""
    return "s-int8" if precision == "int8" else "s-float" if precision == "float32" else "s-other"


def engine_name(engine: EngineResult) -> str:
    """An engine's title, with its place where that is not this machine."""
    title = text.clean(engine.title, 60)
    return f"{title} · {text.clean(engine.place, 24)}" if engine.place else title


def accuracy_figure(report: Report) -> Figure | None:
    """Accuracy of each engine with its interval."""
    rows = [
        IntervalRow(engine_name(engine), *_bounds(engine), engine_style(engine))
        for engine in report.engines[:ENGINES_DRAWN]
        if engine.status == "run" and engine.score is not None
    ]
    label = "Accuracy of each engine with its 95 % interval"
    return responsive(lambda width: interval_rows(rows, width, label)) if rows else None


def _bounds(engine: EngineResult) -> tuple[float, float, float]:
    if engine.score is None:
        return 0.0, 0.0, 1.0
    accuracy = engine.score.accuracy
    return accuracy.value, accuracy.low, accuracy.high


def matrices(found: Facts, labels: tuple[str, ...]) -> list[tuple[EngineResult, Markup]]:
    """Confusion matrices of the float and the int8 model."""
    if len(labels) > MAX_DRAWN:
        return []
    drawn = []
    for engine in (found.float32, found.int8):
        score = views.confusion_of(engine, labels)
        if engine is not None and score is not None:
            drawn.append((engine, confusion_matrix(labels, score.confusion, text.clean(engine.title))))
    return drawn


def latency_figure(timings: Sequence[Timed], place: str) -> Figure | None:
    """Distributions of times at one place."""
    rows = [
        Strip(
            text.clean(timed.engine.title, 60),
            timed.what,
            timed.latency.histogram_edges_us,
            timed.latency.histogram_counts,
            timed.latency.p5_us,
            timed.latency.median_us,
            timed.latency.p95_us,
            text.duration(timed.latency.median_us),
            engine_style(timed.engine),
        )
        for timed in timings
    ]
    label = f"Distribution of the time of one inference for each engine on {place}"
    return responsive(lambda width: strips(rows, width, label)) if rows else None


def training_figures(report: Report) -> list[Figure]:
    """Loss and accuracy by epoch."""
    training = report.card.training
    if training is None or not training.epochs:
        return []
    epochs = views.thinned_epochs(training.epochs, training.best_epoch)
    figures = []
    for title, train, validation in (("loss", "loss", "val_loss"), ("accuracy", "accuracy", "val_accuracy")):
        lines = [_line("train", epochs, train, "s-float"), _line("validation", epochs, validation, "s-int8")]
        drawn = [line for line in lines if line.points]
        known = any(epoch.epoch == training.best_epoch for epoch in epochs)
        best = float(training.best_epoch) if known else None
        label = f"{title.capitalize()} by epoch, training and validation part"
        figures.append(_line_figure(drawn, title.capitalize(), best, label))
    return figures


def _line_figure(lines: list[Line], title: str, best: float | None, label: str) -> Figure:
    return responsive(lambda width: line_chart(lines, width, title, best, label), HALF_PX)


def _line(name: str, epochs: list[EpochCard], field: str, style: str) -> Line:
    points = [(text.real(epoch.epoch), getattr(epoch, field)) for epoch in epochs]
    return Line(name, tuple((x, y) for x, y in points if y is not None), style)


def memory_figure(report: Report) -> Figure | None:
    """The arena over the ops."""
    memory = report.memory_map
    if memory is None or not drawable(memory):
        return None
    return responsive(lambda width: memory_chart(memory, width))


def activation_figure(report: Report) -> Figure | None:
    """Activation bytes of each layer, where there is no map of the arena."""
    layers = report.layers
    if report.memory_map is not None or not 1 < len(layers) <= _LAYERS_DRAWN:
        return None
    values = [text.real(layer.activation_bytes) for layer in layers]
    names = [
        (str(layer.index), f"{layer.index} {layer.op}: {text.byte_count(layer.activation_bytes)}") for layer in layers
    ]
    label = "Activation bytes of each layer"
    return responsive(lambda width: memory_steps(values, names, width, label), FULL_PX)


def class_figure(found: Facts) -> Figure | None:
    """Recall of each class in float and int8."""
    if found.parity is None or not found.parity.classes:
        return None
    rows = [
        Dumbbell(row.label, row.reference_recall, row.candidate_recall)
        for row in parity_views.most_changed(found.parity.classes, MAX_CLASSES)
    ]
    names = ("float", "int8")
    return responsive(lambda width: dumbbells(rows, names, width, "Recall of each class in float and int8"))


def noise_figure(report: Report) -> Figure | None:
    """Signal-to-quantization-noise ratio of each op."""
    rows = [Noise(row.index, text.clean(row.op, 60), row.sqnr_db) for row in report.layer_noise[:MAX_OPS]]
    label = "Signal-to-quantization-noise ratio at each op, in decibels"
    return responsive(lambda width: noise_columns(rows, width, label)) if rows else None


@dataclass(frozen=True)
class WindowGroup:
    """Windows whose label changed between the engines of one pair."""

    pair: Parity
    windows: tuple[tuple[PlottedWindow, Changed, Markup], ...]


def window_figures(report: Report, found: Facts) -> list[WindowGroup]:
    """Windows that changed their label and have samples to plot, by pair; float to int8 first, no window twice."""
    samples = {plotted.window: plotted for plotted in report.plotted[:MAX_PLOTTED]}
    engines = {engine.key: engine for engine in report.engines}
    pairs = [found.parity] if found.parity else []
    groups = []
    for pair in [*pairs, *(pair for pair in report.parity if pair is not found.parity)]:
        names = (_side(engines.get(pair.reference), "reference"), _side(engines.get(pair.candidate), "candidate"))
        shown = []
        for changed in pair.changed:
            plotted = samples.pop(changed.window, None)
            if plotted is not None:
                shown.append(
                    (plotted, changed, window_chart(plotted, changed, names if names[0] != names[1] else _SIDES))
                )
        if shown:
            groups.append(WindowGroup(pair, tuple(shown)))
    return groups


def _side(engine: EngineResult | None, fallback: str) -> str:
    """A short name of one side of a pair: its precision, if that is float or int8."""
    return {"int8": "int8", "float32": "float"}.get(engine.precision if engine else "", fallback)
