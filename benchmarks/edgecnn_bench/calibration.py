"""Whether an engine's probabilities say how often it is right."""

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines.protocol import EngineRun
from edgecnn_bench.results import Calibration, CalibrationBin
from edgecnn_bench.statistics import Labels, wilson
from edgecnn_firmware.card import Card

BINS: Final = 15


def calibration(run: EngineRun, truth: Labels, card: Card) -> Calibration | None:
    """Expected and largest calibration error over 15 bins of equal width (Guo et al. 2017), and the Brier score.

    A window's confidence is the probability of the label that was chosen: the largest output of a softmax, and of a
    sigmoid's `p` the larger of `p` and `1 - p`. Bins are open below and closed above; the first holds 0 too. The
    expected error is `sum(n_bin / n * |accuracy - confidence|)`. The Brier score (1950) is the mean over windows of the
    squared distance of the probabilities from the truth, summed over the classes: 0 to 2. Probabilities are taken as
    the engine gives them: those of an int8 softmax do not add up to exactly 1.

    Args:
        run: of any engine.
        truth: `(n,)` label numbers, -1 where unknown; such windows are left out.
        card: says what the outputs are.

    Returns:
        None where no window has a label.

    Raises:
        ValueError: the run is not over as many windows as `truth`.
    """
    if len(truth) != len(run.predicted):
        raise ValueError(f"{run.key}: {len(run.predicted)} windows, but {len(truth)} labels")
    known = truth >= 0
    if not known.any():
        return None
    probabilities = class_probabilities(run.outputs.probabilities, card)[known]
    predicted, labels = run.predicted[known], truth[known]
    confidence = probabilities[np.arange(len(labels)), predicted]
    bins = _bins(confidence, predicted == labels)
    gaps = [abs(row.accuracy.value - row.confidence) for row in bins]
    weights = [row.n / len(labels) for row in bins]
    target = np.eye(probabilities.shape[1])[labels]
    return Calibration(
        engine=run.key,
        n=len(labels),
        ece=min(1.0, sum(weight * gap for weight, gap in zip(weights, gaps, strict=True))),
        max_error=max(gap for row, gap in zip(bins, gaps, strict=True) if row.n),
        brier=float(np.square(probabilities - target).sum(axis=1).mean()),
        bins=bins,
    )


def class_probabilities(outputs: npt.NDArray[np.float32], card: Card) -> npt.NDArray[np.float64]:
    """One probability for each label, `(n, labels)`, within 0 and 1."""
    found: npt.NDArray[np.float64] = np.clip(outputs.astype(np.float64), 0, 1)
    return np.concatenate([1 - found, found], axis=1) if card.output == "sigmoid" else found


def _bins(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> tuple[CalibrationBin, ...]:
    edges = np.arange(BINS + 1) / BINS
    numbers = np.searchsorted(edges[1:-1], confidence, side="left")
    rows = []
    for number in range(BINS):
        inside = numbers == number
        n = int(np.count_nonzero(inside))
        rows.append(
            CalibrationBin(
                low=float(edges[number]),
                high=float(edges[number + 1]),
                n=n,
                confidence=float(confidence[inside].mean()) if n else 0.0,
                accuracy=wilson(int(np.count_nonzero(right[inside])), n),
            )
        )
    return tuple(rows)
