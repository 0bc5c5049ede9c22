"""The figures of bad conditions and of probabilities: one small chart a disturbance, one diagram an engine."""

import math
from dataclasses import dataclass
from typing import Final

from edgecnn_bench.report.charts import HALF_PX, Figure, responsive
from edgecnn_bench.report.curves import Curve, band_points, reliability_chart, robustness_chart, undisturbed
from edgecnn_bench.report.figures import engine_style
from edgecnn_bench.report.text import clean, real
from edgecnn_bench.results import Calibration, EngineResult, Report, Robustness

MAX_DISTURBANCES: Final = 12
MAX_DIAGRAMS: Final = 6
MAX_POINTS: Final = 40
MAX_BINS: Final = 20


@dataclass(frozen=True)
class RobustnessFigure:
    """One disturbance with its chart."""

    found: Robustness
    neutral: float
    figure: Figure


def robustness_figures(report: Report) -> list[RobustnessFigure]:
    """A chart a disturbance, all on one axis of accuracy."""
    shown = [found for found in report.robustness[:MAX_DISTURBANCES] if found.points]
    low = _common_low(shown)
    return [RobustnessFigure(found, undisturbed(found.key), _robustness(found, low)) for found in shown]


def _common_low(shown: list[Robustness]) -> float:
    lows = [point.int8_accuracy.low for found in shown for point in found.points]
    lows += [point.float_accuracy.low for found in shown for point in found.points if point.float_accuracy]
    return max(math.floor(10 * min(lows, default=0.0)) / 10, 0.0) if min(lows, default=0.0) < 0.9 else 0.9


def _robustness(found: Robustness, low: float) -> Figure:
    points = found.points[:MAX_POINTS]
    curves = [
        Curve("s-float", band_points([(point.level, point.float_accuracy) for point in points])),
        Curve("s-int8", band_points([(point.level, point.int8_accuracy) for point in points])),
    ]
    label = f"Accuracy by level: {clean(found.title, 80)}"
    drawn = [curve for curve in curves if curve.points]
    return responsive(
        lambda width: robustness_chart(drawn, undisturbed(found.key), low, found.unit, width, label), HALF_PX
    )


@dataclass(frozen=True)
class CalibrationFigure:
    """One engine's reliability diagram."""

    found: Calibration
    engine: EngineResult | None
    figure: Figure


def calibration_figures(report: Report) -> list[CalibrationFigure]:
    """A diagram an engine."""
    by_key = {engine.key: engine for engine in report.engines}
    return [_calibration(found, by_key.get(found.engine)) for found in report.calibration[:MAX_DIAGRAMS]]


def _calibration(found: Calibration, engine: EngineResult | None) -> CalibrationFigure:
    label = f"Reliability of {clean(engine.title if engine else found.engine, 80)}"
    bins = [row for row in found.bins[:MAX_BINS] if real(row.n) >= 0]
    figure = responsive(lambda width: reliability_chart(bins, engine_style(engine), width, label), HALF_PX)
    return CalibrationFigure(found, engine, figure)
