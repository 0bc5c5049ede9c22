"""A chain of points, each differing from the one before by one thing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgecnn_bench.results import StageSplit, StageStep
from edgecnn_bench.running import one_line
from edgecnn_bench.stages.change import Point, change
from edgecnn_bench.statistics import Labels
from edgecnn_firmware.errors import EdgeCnnError


@dataclass(frozen=True)
class Stage:
    """What a step of the chain changes."""

    key: Literal["int8", "float-input", "counts", "integer-input", "kernels"]
    part: Literal["quantization", "preprocessing", "kernels"]
    title: str
    what: str
    by: str


@dataclass
class Chain:
    """Steps in the making: each starts from the latest point."""

    truth: Labels
    """`(n,)`, -1 where the label is not known."""
    folder: Path
    """The bundle's, which reasons do not name."""
    points: list[Point] = field(default_factory=list)
    steps: list[StageStep] = field(default_factory=list)
    broken: str = ""
    """The title of a stage that is missing, after which nothing can be said of single ones."""

    def start(self, stage: Stage, before: Point | str, after: Point) -> None:
        """Begin with the point before the first stage, or behind it for the reason why that is missing."""
        if isinstance(before, str):
            self.points = [after]
            self._skip(stage, before)
        else:
            self.points = [before]
            self.add(stage, lambda: after)

    def add(self, stage: Stage, after: Callable[[], Point] | str) -> None:
        """Go one step further: to the point that `after` finds, or nowhere for the reason it is."""
        if self.broken:
            after = f"the stage before it is missing: {self.broken}"
        if isinstance(after, str):
            found: Point | str = after
        else:
            try:
                found = after()
            except (EdgeCnnError, RuntimeError) as error:  # interpreters raise the latter
                found = one_line(error, self.folder)
        if isinstance(found, str):
            self.broken = self.broken or stage.title
            self._skip(stage, found)
            return
        self.steps.append(StageStep(**vars(stage), status="run", change=change(self.points[-1], found, self.truth)))
        self.points.append(found)

    def made(self, way: Literal["float", "counts"]) -> StageSplit:
        """Close the chain; it has a point at least."""
        first, last = self.points[0], self.points[-1]
        return StageSplit(
            way=way,
            first=first.title,
            last=last.title,
            windows=len(self.truth),
            steps=tuple(self.steps),
            whole=change(first, last, self.truth) if first is not last else None,
        )

    def _skip(self, stage: Stage, reason: str) -> None:
        self.steps.append(StageStep(**vars(stage), status="not run", reason=reason))
