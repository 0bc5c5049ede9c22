"""Steps of any chain add up to the whole, and a report in which they do not is refused."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from edgecnn_bench.results import StageSplit
from edgecnn_bench.stages.chain import Chain, Stage
from edgecnn_bench.stages.change import Point, change
from edgecnn_firmware.errors import ModelError

STAGE = Stage("counts", "preprocessing", "A stage", "Something else.", "Python")
N = 7
labels = hnp.arrays(np.int64, N, elements=st.integers(0, 2))
truths = hnp.arrays(np.int64, N, elements=st.integers(-1, 2))
bytes_ = hnp.arrays(np.int8, (N, 2, 2))


def chain_of(points: Sequence[Point], truth: npt.NDArray[np.int64]) -> Chain:
    chain = Chain(truth, Path("bundle"))
    chain.start(STAGE, points[0], points[1])
    for point in points[2:]:
        chain.add(STAGE, lambda point=point: point)  # type: ignore[misc]
    return chain


@given(predicted=st.lists(labels, min_size=2, max_size=6), truth=truths)
def test_steps_add_up(predicted: list[npt.NDArray[np.int64]], truth: npt.NDArray[np.int64]) -> None:
    split = chain_of([Point(f"point {index}", row) for index, row in enumerate(predicted)], truth).made("float")
    assert split.whole is not None
    assert len(split.steps) == len(predicted) - 1
    known = truth >= 0
    if not known.any():
        assert split.whole.accuracy_change is None
        return
    right = [int(np.count_nonzero((row == truth)[known])) for row in predicted]
    moved = [step.change.right_change for step in split.steps if step.change is not None]
    assert moved == [after - before for before, after in itertools.pairwise(right)]
    assert split.whole.right_change == right[-1] - right[0]
    assert split.whole.accuracy_change == pytest.approx((right[-1] - right[0]) / np.count_nonzero(known))
    assert StageSplit.model_validate_json(split.model_dump_json()) == split


@given(before=bytes_, after=bytes_, one=labels, other=labels, truth=truths)
def test_changes_are_what_counting_says(
    before: npt.NDArray[np.int8],
    after: npt.NDArray[np.int8],
    one: npt.NDArray[np.int64],
    other: npt.NDArray[np.int64],
    truth: npt.NDArray[np.int64],
) -> None:
    found = change(Point("a", one, before, before[:, 0]), Point("b", other, after, after[:, 0]), truth)
    pairs = [list(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)) for a, b in zip(before, after, strict=True)]
    assert found.inputs_differing == sum(any(a != b for a, b in window) for window in pairs)
    assert found.max_input_step == max(abs(a - b) for window in pairs for a, b in window)
    firsts = [list(zip(a[0].tolist(), b[0].tolist(), strict=True)) for a, b in zip(before, after, strict=True)]
    assert found.outputs_differing == sum(any(a != b for a, b in window) for window in firsts)
    assert found.max_output_step == max(abs(a - b) for window in firsts for a, b in window)
    rows = list(zip(one.tolist(), other.tolist(), truth.tolist(), strict=True))
    assert found.labels_changed == sum(a != b for a, b, _ in rows)
    if found.mcnemar is not None:
        assert found.mcnemar.reference_only == sum(a == t != b for a, b, t in rows if t >= 0)
        assert found.mcnemar.candidate_only == sum(b == t != a for a, b, t in rows if t >= 0)


def sound() -> StageSplit:
    truth = np.array([0, 1, 2, 0, 1, 2, 0])
    rows = [truth, np.roll(truth, 1), np.where(truth == 2, 2, 0), np.array([0, 1, 2, 0, 0, 0, 0])]
    return chain_of([Point(f"point {index}", row) for index, row in enumerate(rows)], truth).made("counts")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("steps", 1, "change", "mcnemar", "candidate_only"), 5, "do not add up"),
        (("whole", "mcnemar", "reference_only"), 4, "do not add up"),
        (("steps", 1, "change", "accuracy_before", "value"), 0.5, "the one before ends with"),
        (("whole", "accuracy_after", "n"), 9, "accuracies of 7 and of 9 windows"),
        (("whole", "mcnemar"), None, "go together"),
        (("whole",), None, "if a stage ran, and only then"),
        (("steps", 0, "status"), "not run", "has figures if it ran"),
    ],
)
def test_reports_that_do_not_add_up_are_refused(place: tuple[str | int, ...], value: object, message: str) -> None:
    document = json.loads(sound().model_dump_json())
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(ValidationError, match=message):
        StageSplit.model_validate(json.loads(json.dumps(document)))


def test_after_a_missing_stage_nothing_is_said_of_later_ones(tmp_path: Path) -> None:
    truth = np.zeros(2, np.int64)
    points = [Point(f"point {index}", truth) for index in range(3)]
    chain = Chain(truth, tmp_path)
    chain.start(STAGE, points[0], points[1])

    def fails() -> Point:
        raise ModelError(f"{tmp_path}/model.tflite: refused\nfor a reason")

    chain.add(STAGE, fails)
    chain.add(STAGE, lambda: points[2])
    split = chain.made("counts")
    assert [step.reason for step in split.steps] == [
        "",
        "model.tflite: refused for a reason",
        "the stage before it is missing: A stage",
    ]
    assert split.last == "point 1"
