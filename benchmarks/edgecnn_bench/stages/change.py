"""What is different between two points on the way from the float model to the C."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgecnn_bench.results import StageChange
from edgecnn_bench.statistics import Labels, mcnemar_exact, wilson


@dataclass(frozen=True)
class Point:
    """The network with everything before and after it, at one stage, on `n` windows."""

    title: str
    labels: Labels
    """`(n,)` label numbers."""
    inputs: npt.NDArray[np.int8] | None = None
    """`(n, window_samples, channels)`; None before quantization."""
    outputs: npt.NDArray[np.int8] | None = None
    """`(n, outputs)`; None before quantization."""


def change(before: Point, after: Point, truth: Labels) -> StageChange:
    """Compare two points; `truth` is `(n,)`, -1 where the label is not known."""
    known = truth >= 0
    before_right, after_right = ((point.labels == truth)[known] for point in (before, after))
    any_known = bool(known.any())
    inputs, outputs = _apart(before.inputs, after.inputs), _apart(before.outputs, after.outputs)
    return StageChange(
        inputs_differing=_differing(inputs),
        max_input_step=_largest(inputs),
        outputs_differing=_differing(outputs),
        max_output_step=_largest(outputs),
        labels_changed=int(np.count_nonzero(before.labels != after.labels)),
        accuracy_before=wilson(int(np.count_nonzero(before_right)), len(before_right)) if any_known else None,
        accuracy_after=wilson(int(np.count_nonzero(after_right)), len(after_right)) if any_known else None,
        mcnemar=mcnemar_exact(before_right, after_right) if any_known else None,
    )


def _apart(before: npt.NDArray[np.int8] | None, after: npt.NDArray[np.int8] | None) -> npt.NDArray[np.int16] | None:
    """Largest absolute difference in each window, `(n,)`; None where one has none."""
    if before is None or after is None:
        return None
    apart = np.abs(before.astype(np.int16) - after.astype(np.int16))
    largest: npt.NDArray[np.int16] = apart.reshape(len(apart), -1).max(axis=1)
    return largest


def _differing(apart: npt.NDArray[np.int16] | None) -> int | None:
    return None if apart is None else int(np.count_nonzero(apart))


def _largest(apart: npt.NDArray[np.int16] | None) -> int | None:
    return None if apart is None else int(apart.max())
