"""Where an engine ran, how fast, and how well."""

from typing import Literal

from edgecnn_bench.results.base import Result
from edgecnn_firmware.card import Fraction, ScoreCard


class Environment(Result):
    """The machine and the software that measured."""

    system: str
    machine: str
    cpu: str
    cores: int
    python: str
    libraries: dict[str, str]
    """Package -> version."""


class Place(Result):
    """Somewhere else that engines ran: another interpreter environment, a machine over ssh, a board on a serial port."""

    key: str
    """Short unique name, such as `pi@host`; engines' rows name it."""
    title: str
    environment: Environment | None
    """None where it does not tell, such as a board."""
    notes: tuple[str, ...] = ()
    """What was found there beside the engines' rows, as sentences."""


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
    place: str = ""
    """Key of the place where it ran; empty for this machine."""
    status: Literal["run", "not run"]
    reason: str = ""
    """Why it did not run."""
    score: ScoreCard | None = None
    classes: tuple[ClassScore, ...] = ()
    latency: tuple[Latency, ...] = ()
