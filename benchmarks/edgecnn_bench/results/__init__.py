"""`report.json`: everything a benchmark found, as one validated document; reports are drawn from it alone.

Its JSON Schema is `Report.model_json_schema()`, published as `docs/report.schema.json`.
"""

from edgecnn_bench.results.base import Result
from edgecnn_bench.results.boards import BoardFit, BoardLayer, BoardRun, CompiledFit, Footprint
from edgecnn_bench.results.conditions import Calibration, CalibrationBin, PlottedWindow, Robustness, RobustnessPoint
from edgecnn_bench.results.engines import ClassScore, EngineResult, Environment, Latency, Place
from edgecnn_bench.results.network import ArenaBlock, Layer, LayerNoise, MemoryMap
from edgecnn_bench.results.parity import Changed, ClassDelta, FirstDifference, McNemar, Parity, Verdict
from edgecnn_bench.results.report import MAX_REPORT_BYTES, SCHEMA_VERSION, Gate, Report, parse_report
from edgecnn_bench.results.stages import StageChange, StageSplit, StageStep

__all__ = [
    "MAX_REPORT_BYTES",
    "SCHEMA_VERSION",
    "ArenaBlock",
    "BoardFit",
    "BoardLayer",
    "BoardRun",
    "Calibration",
    "CalibrationBin",
    "Changed",
    "ClassDelta",
    "ClassScore",
    "CompiledFit",
    "EngineResult",
    "Environment",
    "FirstDifference",
    "Footprint",
    "Gate",
    "Latency",
    "Layer",
    "LayerNoise",
    "McNemar",
    "MemoryMap",
    "Parity",
    "Place",
    "PlottedWindow",
    "Report",
    "Result",
    "Robustness",
    "RobustnessPoint",
    "StageChange",
    "StageSplit",
    "StageStep",
    "Verdict",
    "parse_report",
]
