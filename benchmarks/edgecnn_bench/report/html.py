"""`report.json` -> one HTML file that needs nothing else: no script, no request, no font.

The page carries a content security policy that allows its own style sheet, by hash, and nothing more.
"""

import base64
import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from edgecnn_bench.report import (
    arena,
    board_facts,
    board_figures,
    board_views,
    condition_figures,
    figures,
    parity_views,
    stage_views,
    text,
    tiles,
    views,
)
from edgecnn_bench.report import facts as facts_module
from edgecnn_bench.report.charts import cell_bar
from edgecnn_bench.report.facts import Facts, facts
from edgecnn_bench.report.matrix import MAX_DRAWN
from edgecnn_bench.results import Report


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
    parts = board_views.part_fits(report)
    return {
        "report": report,
        "card": card,
        "found": found,
        "views": views,
        "facts": facts_module,
        "board_facts": board_facts,
        "board_views": board_views,
        "parity_views": parity_views,
        "arena": arena,
        "stages": stage_views.ways(report),
        "tiles": tiles.tiles(report, found),
        "verdict_tone": tiles.verdict_tone,
        "verdict_word": tiles.verdict_word,
        "score": views.confusion_of(found.int8, card.labels),
        "max_drawn": MAX_DRAWN,
        "parts": parts,
        "places": [(row, figures.latency_figure(row.timings, row.title)) for row in views.places(report)],
        "drawn": _drawn(report, found, parts),
    }


def _drawn(report: Report, found: Facts, parts: list[board_views.PartFit]) -> dict[str, Any]:
    """Every figure by name; None or an empty list where there is nothing to draw."""
    return {
        "accuracy": figures.accuracy_figure(report),
        "matrices": figures.matrices(found, report.card.labels),
        "classes": figures.class_figure(found),
        "noise": figures.noise_figure(report),
        "windows": figures.window_figures(report, found),
        "instructions": board_figures.instructions_figure(report),
        "flash": board_figures.flash_figure(report),
        "ram": board_figures.ram_figure(report),
        "layers": board_figures.layers_figure(report),
        "fits": board_figures.fits_figure(report, parts),
        "memory": figures.memory_figure(report),
        "activations": figures.activation_figure(report),
        "robustness": condition_figures.robustness_figures(report),
        "calibration": condition_figures.calibration_figures(report),
        "training": figures.training_figures(report),
    }
