"""Where accuracy is lost between the float model and the C on a device, stage by stage."""

from collections.abc import Sequence
from typing import Literal

from pydantic import model_validator

from edgecnn_bench.results.base import Result
from edgecnn_bench.results.parity import McNemar
from edgecnn_firmware.card import Interval


class StageChange(Result):
    """What is different after a stage, on the same windows."""

    inputs_differing: int | None
    """Windows whose int8 input differs; None where there is none before."""
    max_input_step: int | None
    """Largest difference of two int8 inputs."""
    outputs_differing: int | None
    """Windows whose int8 outputs differ; None where those before are not int8."""
    max_output_step: int | None
    """Largest difference of two int8 outputs."""
    labels_changed: int
    """Windows whose label differs."""
    accuracy_before: Interval | None
    """Of the windows whose label is known; None where none is."""
    accuracy_after: Interval | None
    mcnemar: McNemar | None
    """Of before (reference) and after (candidate)."""

    @property
    def right_change(self) -> int | None:
        """Windows right after less windows right before: what adds up exactly."""
        return None if self.mcnemar is None else self.mcnemar.candidate_only - self.mcnemar.reference_only

    @property
    def accuracy_change(self) -> float | None:
        """Accuracy after less before, as a fraction."""
        if self.right_change is None or self.accuracy_after is None:
            return None
        return self.right_change / self.accuracy_after.n

    @model_validator(mode="after")
    def _tests_the_accuracies(self) -> "StageChange":
        parts = (self.accuracy_before, self.accuracy_after, self.mcnemar)
        if any(part is None for part in parts) and any(part is not None for part in parts):
            raise ValueError("accuracies and the test between them go together")
        before, after = self.accuracy_before, self.accuracy_after
        if before is not None and after is not None and (before.n != after.n or before.n < 1):
            raise ValueError(f"accuracies of {before.n} and of {after.n} windows")
        return self


class StageStep(Result):
    """One stage: it differs from the one before by one thing."""

    key: Literal["int8", "float-input", "counts", "integer-input", "kernels"]
    part: Literal["quantization", "preprocessing", "kernels"]
    title: str
    what: str
    """What is different from the stage before, in one sentence."""
    by: str
    """What computed it: C built on this machine, or Python that mirrors it."""
    status: Literal["run", "not run"]
    reason: str = ""
    change: StageChange | None = None
    """None unless it ran."""


class StageSplit(Result):
    """The way from the float model to the compiled C in single steps, which add up to the whole."""

    way: Literal["float", "counts"]
    """How samples enter the C: in physical units, or as the sensor's raw int16 counts."""
    first: str
    """What the first step starts from."""
    last: str
    """What the last step that ran leads to."""
    windows: int
    steps: tuple[StageStep, ...]
    whole: StageChange | None
    """From the first to the last; None where no step ran."""

    @model_validator(mode="after")
    def _adds_up(self) -> "StageSplit":
        changes = [step.change for step in self.steps if step.change is not None]
        if any((step.change is not None) != (step.status == "run") for step in self.steps):
            raise ValueError("a stage has figures if it ran, and only then")
        if bool(changes) != (self.whole is not None):
            raise ValueError("the whole is there if a stage ran, and only then")
        if self.whole is not None:
            _check_sum(changes, self.whole)
        return self


def _check_sum(changes: Sequence[StageChange], whole: StageChange) -> None:
    """Each stage begins where the one before ended, and the first and the last are the whole's ends."""
    ends = [changes[0].accuracy_before, *(change.accuracy_after for change in changes)]
    starts = [*(change.accuracy_before for change in changes), changes[-1].accuracy_after]
    if ends != starts or (ends[0], ends[-1]) != (whole.accuracy_before, whole.accuracy_after):
        raise ValueError("a stage does not begin with the accuracy that the one before ends with")
    parts = [change.right_change for change in changes]
    if whole.right_change is not None and sum(part or 0 for part in parts) != whole.right_change:
        raise ValueError("the stages do not add up to the whole")
