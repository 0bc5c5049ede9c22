"""How far two engines agree on the same windows."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines.protocol import EngineRun
from edgecnn_bench.equivalence import MARGIN, tost_paired, verdict
from edgecnn_bench.results import Changed, ClassDelta, Parity
from edgecnn_bench.statistics import Labels, class_scores, mcnemar_exact, wilson

MAX_CHANGED: Final = 50
UNKNOWN: Final = "unknown"


def compare(
    reference: EngineRun,
    candidate: EngineRun,
    truth: Labels,
    labels: Sequence[str],
    groups: Sequence[str] | npt.NDArray[Any],
    *,
    margin: float = MARGIN,
) -> Parity:
    """Compare labels, probabilities and, where both are int8 on one scale, raw outputs of `n` windows.

    `truth` is `(n,)` with -1 where the label is not known; tests, classes and the accuracy drop are over the windows
    whose label is known. `margin` is the difference of accuracy that the verdict tolerates.

    Raises:
        ValueError: the runs are not over the same number of windows and outputs.
    """
    shapes = {reference.outputs.probabilities.shape, candidate.outputs.probabilities.shape}
    if len(shapes) != 1 or len(truth) != len(reference.predicted) or not len(truth):
        raise ValueError(f"{reference.key}, {candidate.key}: {sorted(shapes)} outputs for {len(truth)} windows")
    differences = np.abs(
        reference.outputs.probabilities.astype(np.float64) - candidate.outputs.probabilities.astype(np.float64)
    )
    agreed = reference.predicted == candidate.predicted
    known = truth >= 0
    reference_right = (reference.predicted == truth)[known]
    candidate_right = (candidate.predicted == truth)[known]
    any_known = bool(known.any())
    mcnemar = mcnemar_exact(reference_right, candidate_right) if any_known else None
    apart = _lsb_differences(reference, candidate)
    return Parity(
        reference=reference.key,
        candidate=candidate.key,
        n=len(truth),
        agreement=wilson(int(np.count_nonzero(agreed)), len(truth)),
        mcnemar=mcnemar,
        accuracy_drop=_share(reference_right) - _share(candidate_right) if any_known else None,
        max_probability_difference=float(differences.max()),
        mean_probability_difference=float(differences.mean()),
        max_lsb_difference=None if apart is None else int(apart.max()),
        mean_lsb_difference=None if apart is None else float(apart.mean()),
        changed=tuple(
            Changed(
                window=window,
                group=str(groups[window]),
                truth=labels[truth[window]] if known[window] else UNKNOWN,
                reference=labels[reference.predicted[window]],
                candidate=labels[candidate.predicted[window]],
                reference_probability=probability_of_label(reference, window),
                candidate_probability=probability_of_label(candidate, window),
            )
            for window in islice((int(index) for index in np.flatnonzero(~agreed)), MAX_CHANGED)
        ),
        classes=class_deltas(truth[known], reference.predicted[known], candidate.predicted[known], labels),
        verdict=verdict(
            all_equal=bool(agreed.all()) and _same_raw(reference, candidate),
            equivalence=tost_paired(reference_right, candidate_right, margin) if any_known else None,
            mcnemar=mcnemar,
            groups=len({str(groups[int(window)]) for window in np.flatnonzero(known)}),
            margin=margin,
        ),
    )


def class_deltas(truth: Labels, reference: Labels, candidate: Labels, labels: Sequence[str]) -> tuple[ClassDelta, ...]:
    """Recall and F1 of every class in two predictions `(n,)`; none without windows.

    Raises:
        ValueError: the arrays differ in shape, or hold a label outside the classes.
    """
    if not truth.size:
        return ()
    one, other = (class_scores(truth, predicted, labels) for predicted in (reference, candidate))
    return tuple(
        ClassDelta(
            label=before.label,
            support=before.support,
            reference_recall=before.recall,
            candidate_recall=after.recall,
            reference_f1=before.f1,
            candidate_f1=after.f1,
        )
        for before, after in zip(one, other, strict=True)
    )


def probability_of_label(run: EngineRun, window: int) -> float:
    """What the engine gives the label it chose, within 0 and 1; one output alone is the probability of label 1."""
    row = run.outputs.probabilities[window]
    label = int(run.predicted[window])
    value = float(row[label]) if len(row) > 1 else (float(row[0]) if label == 1 else 1.0 - float(row[0]))
    return min(1.0, max(0.0, value))


def _share(right: npt.NDArray[np.bool_]) -> float:
    return int(np.count_nonzero(right)) / len(right)


def _lsb_differences(reference: EngineRun, candidate: EngineRun) -> npt.NDArray[np.int16] | None:
    """Absolute differences of int8 outputs; None unless both are int8 on one scale."""
    one, other = reference.outputs.quantization, candidate.outputs.quantization
    if one is None or other is None:
        return None
    # A card holds the scale as a short decimal, an interpreter as the float32 itself.
    if np.float32(one.scale) != np.float32(other.scale) or one.zero_point != other.zero_point:
        return None
    apart: npt.NDArray[np.int16] = reference.outputs.raw.astype(np.int16) - candidate.outputs.raw.astype(np.int16)
    return np.abs(apart)


def _same_raw(reference: EngineRun, candidate: EngineRun) -> bool:
    """Whether raw outputs mean the same and are the same."""
    one, other = reference.outputs, candidate.outputs
    if one.quantization is None and other.quantization is None:
        same_type = one.raw.dtype == other.raw.dtype
        return (
            same_type and np.array_equal(one.raw, other.raw) and np.array_equal(one.probabilities, other.probabilities)
        )
    apart = _lsb_differences(reference, candidate)
    return apart is not None and not apart.any()
