"""`report.json`: everything a benchmark found, as one validated document; reports are drawn from it alone.

Its JSON Schema is `Report.model_json_schema()`, published as `docs/report.schema.json`.
"""

import json
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgecnn_firmware.card import Card, Fraction, Interval, ScoreCard
from edgecnn_firmware.errors import BundleError

SCHEMA_VERSION: Final = 1
MAX_REPORT_BYTES: Final = 64 << 20


class Result(BaseModel):
    """Base of the report's tables: unknown keys are refused, values cannot change, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Environment(Result):
    """The machine and the software that measured."""

    system: str
    machine: str
    cpu: str
    cores: int
    python: str
    libraries: dict[str, str]
    """Package -> version."""


class Latency(Result):
    """Time of one inference at batch 1 on one thread, in microseconds, after warm-up."""

    what: Literal["invoke", "end-to-end"]
    """`invoke`: the engine's call alone; `end-to-end`: window in physical units to label."""
    n: int
    warmup: int
    threads: int
    min_us: float
    p5_us: float
    median_us: float
    p95_us: float
    max_us: float
    mean_us: float
    histogram_edges_us: tuple[float, ...]
    """Bin edges from p0 to p99, for the plot; one more than counts."""
    histogram_counts: tuple[int, ...]


class ClassScore(Result):
    """One class on the test part."""

    label: str
    support: int
    precision: Fraction
    recall: Fraction
    f1: Fraction


class EngineResult(Result):
    """One engine on the test windows, or the reason it did not run."""

    key: str
    """Short unique name: `keras`, `litert`, `litert-reference`, `litert-float32`, ..."""
    title: str
    precision: Literal["float32", "float16", "dynamic", "int16x8", "int8"]
    file: str
    file_bytes: int
    status: Literal["run", "not run"]
    reason: str = ""
    """Why it did not run."""
    score: ScoreCard | None = None
    classes: tuple[ClassScore, ...] = ()
    latency: tuple[Latency, ...] = ()


class McNemar(Result):
    """Exact two-sided McNemar test on the windows that one engine gets right and the other wrong."""

    reference_only: int
    candidate_only: int
    p_value: Fraction


class Changed(Result):
    """One test window whose label differs between two engines."""

    window: int
    group: str
    truth: str
    reference: str
    candidate: str
    reference_probability: Fraction
    """Of the reference's label."""
    candidate_probability: Fraction
    """Of the candidate's label."""


class Parity(Result):
    """Two engines on the same windows."""

    reference: str
    candidate: str
    n: int
    agreement: Interval
    mcnemar: McNemar | None
    """None where the true labels are not known."""
    accuracy_drop: float | None
    """Reference accuracy less candidate accuracy, as a fraction; negative where the candidate is better."""
    max_probability_difference: float
    mean_probability_difference: float
    max_lsb_difference: int | None
    """Largest difference of int8 outputs; None unless both engines are int8 with the same quantization."""
    changed: tuple[Changed, ...]
    """At most the first 50."""


class Layer(Result):
    """One op of the int8 model."""

    index: int
    op: str
    name: str
    output_shape: tuple[int, ...]
    parameters: int
    weight_bytes: int
    macs: int
    activation_bytes: int


class BoardFit(Result):
    """Whether the model fits a part, with TFLite Micro."""

    board: str
    part: str
    core: str
    clock_mhz: float
    flash_bytes: int
    ram_bytes: int
    source: str
    """Where the part's figures come from."""
    flash_needed_bytes: int
    ram_needed_bytes: int | None
    """None where the arena was not measured."""
    fits: bool
    reason: str
    """What is too small and by how much, or what is left."""


class Footprint(Result):
    """Bytes the model takes, and where that fits."""

    model_bytes: int
    header_bytes: int
    """The C header as text; its array takes `model_bytes` of flash."""
    weight_bytes: int
    arena_bytes: int | None
    runtime_flash_allowance_bytes: int
    runtime_ram_allowance_bytes: int
    allowance_source: str
    boards: tuple[BoardFit, ...]


class Gate(Result):
    """One limit of the project file's `[gate]`."""

    name: str
    limit: float
    value: float | None
    """None where it could not be measured; such a gate is missed."""
    passed: bool


class Report(Result):
    """One benchmark of one bundle."""

    schema_version: Literal[1] = SCHEMA_VERSION
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
        raise BundleError(f"{name}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
