"""`report.json` -> one HTML file that needs nothing else: no script, no request, no font.

The page carries a content security policy that allows its own style sheet, by hash, and nothing more.
"""

import base64
import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from edgecnn_bench.report import facts as facts_module
from edgecnn_bench.report import text, views
from edgecnn_bench.report.charts import (
    FULL_PX,
    HALF_PX,
    Figure,
    IntervalRow,
    Line,
    Strip,
    cell_bar,
    interval_rows,
    line_chart,
    memory_steps,
    responsive,
    strips,
)
from edgecnn_bench.report.facts import Facts, facts
from edgecnn_bench.report.matrix import MAX_DRAWN, confusion_matrix
from edgecnn_bench.results import EngineResult, Report
from edgecnn_firmware.card import EpochCard

_ENGINES_DRAWN: Final = 20
_LAYERS_DRAWN: Final = 120


def render_html(report: Report) -> str:
    """Draw the whole report as one self-contained HTML page."""
    found = facts(report)
    return render_page("report.html.j2", _context(report, found))


def render_page(template: str, context: dict[str, Any]) -> str:
    """Fill a template of this package; the style sheet is put into the page."""
    # The page loses its empty lines and trailing spaces below; the style's hash must be of what is left.
    css = _packed(_resource("report.css"))
    digest = base64.b64encode(hashlib.sha256(css.encode("utf-8")).digest()).decode("ascii")
    page = _environment().get_template(template).render(css=Markup(css), css_hash=digest, **context)  # noqa: S704 - our own file
    return _packed(page) + "\n"


def _packed(text: str) -> str:
    """Leave out empty lines and trailing spaces."""
    lines = (line.rstrip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    folder = files("edgecnn_bench.report") / "templates"
    sources = {entry.name: _resource(entry.name) for entry in folder.iterdir() if entry.name.endswith(".j2")}
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for name in ("byte_count", "byte_size", "clean", "count", "duration", "number", "operations", "p_value", "percent"):
        environment.filters[name] = getattr(text, name)
    for name in ("exact", "listing", "plural", "points"):
        environment.filters[name] = getattr(text, name)
    environment.filters["interval"] = facts_module.interval_text
    environment.globals["cell_bar"] = cell_bar
    environment.globals["share"] = lambda part, whole: text.real(part) / (text.real(whole) or 1.0)
    return environment


def _resource(name: str) -> str:
    content = (files("edgecnn_bench.report") / "templates" / name).read_text(encoding="utf-8")
    return content.replace("\r\n", "\n")


def _context(report: Report, found: Facts) -> dict[str, Any]:
    card = report.card
    return {
        "report": report,
        "card": card,
        "found": found,
        "views": views,
        "facts": facts_module,
        "tiles": views.tiles(report, found),
        "score": views.confusion_of(found.int8, card.labels),
        "accuracy_figure": _accuracy_figure(report),
        "matrices": _matrices(found, card.labels),
        "max_drawn": MAX_DRAWN,
        "timings": views.timings(report),
        "latency_figure": _latency_figure(report),
        "training_figures": _training_figures(report),
        "memory_figure": _memory_figure(report),
    }


def _style(engine: EngineResult) -> str:
    return "s-int8" if engine.precision == "int8" else "s-float" if engine.precision == "float32" else "s-other"


def _accuracy_figure(report: Report) -> Figure | None:
    rows = [
        IntervalRow(engine.title, *_bounds(engine), _style(engine))
        for engine in report.engines[:_ENGINES_DRAWN]
        if engine.status == "run" and engine.score is not None
    ]
    label = "Accuracy of each engine with its 95 % interval"
    return responsive(lambda width: interval_rows(rows, width, label)) if rows else None


def _bounds(engine: EngineResult) -> tuple[float, float, float]:
    if engine.score is None:
        return 0.0, 0.0, 1.0
    accuracy = engine.score.accuracy
    return accuracy.value, accuracy.low, accuracy.high


def _matrices(found: Facts, labels: tuple[str, ...]) -> list[tuple[EngineResult, Markup]]:
    if len(labels) > MAX_DRAWN:
        return []
    drawn = []
    for engine in (found.float32, found.int8):
        score = views.confusion_of(engine, labels)
        if engine is not None and score is not None:
            drawn.append((engine, confusion_matrix(labels, score.confusion, text.clean(engine.title))))
    return drawn


def _latency_figure(report: Report) -> Figure | None:
    rows = [
        Strip(
            timed.name,
            timed.latency.histogram_edges_us,
            timed.latency.histogram_counts,
            timed.latency.p5_us,
            timed.latency.median_us,
            timed.latency.p95_us,
            text.duration(timed.latency.median_us),
            _style(timed.engine),
        )
        for timed in views.timings(report)
    ]
    label = "Distribution of the time of one inference for each engine on this machine"
    return responsive(lambda width: strips(rows, width, label)) if rows else None


def _training_figures(report: Report) -> list[Figure]:
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


def _memory_figure(report: Report) -> Figure | None:
    layers = report.layers
    if not 1 < len(layers) <= _LAYERS_DRAWN:
        return None
    values = [text.real(layer.activation_bytes) for layer in layers]
    names = [
        (str(layer.index), f"{layer.index} {layer.op}: {text.byte_count(layer.activation_bytes)}") for layer in layers
    ]
    label = "Activation bytes of each layer"
    return responsive(lambda width: memory_steps(values, names, width, label), FULL_PX)
