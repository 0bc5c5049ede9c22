"""`report.json` itself: one validated document."""

import json
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError, model_validator

from edgecnn_bench.results.base import Result
from edgecnn_bench.results.boards import BoardRun, Footprint
from edgecnn_bench.results.conditions import Calibration, PlottedWindow, Robustness
from edgecnn_bench.results.engines import EngineResult, Environment, Place
from edgecnn_bench.results.network import Layer, LayerNoise, MemoryMap
from edgecnn_bench.results.parity import Parity
from edgecnn_bench.results.stages import StageSplit
from edgecnn_firmware.card import Card
from edgecnn_firmware.errors import BundleError

SCHEMA_VERSION: Final = 2
MAX_REPORT_BYTES: Final = 64 << 20


class Gate(Result):
    """One limit of the project file's `[gate]`."""

    name: str
    limit: float
    value: float | None
    """None where it could not be measured; such a gate is missed."""
    passed: bool


class Report(Result):
    """One benchmark of one bundle."""

    schema_version: Literal[2] = SCHEMA_VERSION
    kind: Literal["edgecnn-benchmark"] = "edgecnn-benchmark"
    edgecnn_version: str
    environment: Environment
    card: Card
    seed: int
    windows: int
    windows_source: str
    """For example: 'test part, 2996 of 2996 windows', or 'random windows: no labelled data were given'."""
    engines: Annotated[tuple[EngineResult, ...], Field(min_length=1)]
    parity: tuple[Parity, ...]
    layers: tuple[Layer, ...]
    footprint: Footprint
    gates: tuple[Gate, ...] = ()
    places: tuple[Place, ...] = ()
    boards: tuple[BoardRun, ...] = ()
    memory_map: MemoryMap | None = None
    layer_noise: tuple[LayerNoise, ...] = ()
    robustness: tuple[Robustness, ...] = ()
    calibration: tuple[Calibration, ...] = ()
    plotted: tuple[PlottedWindow, ...] = ()
    stages: tuple[StageSplit, ...] = ()
    not_measured: dict[str, str] = Field(default_factory=dict)
    """Field of this report -> why it is empty."""

    @model_validator(mode="after")
    def _parity_names_engines_that_ran(self) -> "Report":
        run = {engine.key for engine in self.engines if engine.status == "run"}
        for pair in self.parity:
            if not {pair.reference, pair.candidate} <= run:
                raise ValueError(f"parity of {pair.reference} and {pair.candidate}: both must be engines that ran")
        return self

    def to_json(self) -> str:
        """Serialize with a fixed field order, one-space indent and a final newline."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def parse_report(data: bytes, name: str) -> Report:
    """Validate the bytes of a `report.json`; `name` is used in errors.

    Raises:
        BundleError: too large, no JSON, another schema version, or a wrong field (named).
    """
    if len(data) > MAX_REPORT_BYTES:
        raise BundleError(f"{name}: {len(data)} bytes; a report has at most {MAX_REPORT_BYTES}")
    try:
        return Report.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        if where == "schema_version":
            found = "".join(character for character in repr(first["input"])[:40] if character.isprintable())
            raise BundleError(
                f"{name}: schema_version {found}; this edgecnn reads {SCHEMA_VERSION}: run 'edgecnn benchmark BUNDLE' again"
            ) from error
        raise BundleError(f"{name}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
