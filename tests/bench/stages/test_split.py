"""Whole chains on a small trained bundle: what each stage loses, and that a fault shows in its own stage alone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn_bench.engines import recorded
from edgecnn_bench.engines.interpreter import open_interpreter
from edgecnn_bench.results import StageChange, StageSplit
from edgecnn_bench.running import Findings, add_recorded
from edgecnn_bench.stages import deployed, split
from edgecnn_bench.stages.split import split_by_stage
from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.classifier.write import Classifier, write_classifier
from edgecnn_firmware.errors import MissingDependency

from .conftest import Task, ran

FLOAT_WAY = ("int8", "float-input", "kernels")
COUNTS_WAY = ("int8", "counts", "integer-input", "kernels")


def splits(task: Task) -> tuple[StageSplit, StageSplit]:
    found = split_by_stage(*task)
    assert not isinstance(found, str), found
    one, other = found
    return one, other


def changes(way: StageSplit) -> Mapping[str, StageChange]:
    assert all(step.status == "run" for step in way.steps), [step.reason for step in way.steps]
    return {step.key: step.change for step in way.steps if step.change is not None}


def is_nothing(change: StageChange) -> bool:
    """No byte and no label differs."""
    return change.inputs_differing == 0 == change.outputs_differing and change.labels_changed == 0


@pytest.fixture(scope="module")
def sound(task: Task) -> tuple[StageSplit, StageSplit]:
    """Both ways without any fault."""
    return splits(task)


def test_the_stages_of_both_ways(sound: tuple[StageSplit, StageSplit]) -> None:
    one, other = sound
    assert (one.way, tuple(changes(one))) == ("float", FLOAT_WAY)
    assert (other.way, tuple(changes(other))) == ("counts", COUNTS_WAY)
    assert (one.first, one.last) == (other.first, other.last) == ("Keras, float32", "Compiled C")


def test_the_float_way_equals_python_bit_for_bit(sound: tuple[StageSplit, StageSplit]) -> None:
    found = changes(sound[0])
    assert is_nothing(found["float-input"])
    assert is_nothing(found["kernels"])
    assert is_nothing(changes(sound[1])["kernels"])


def test_quantization_is_what_the_engines_say(task: Task, sound: tuple[StageSplit, StageSplit]) -> None:
    _, vectors, found = task
    one, other = found.runs["keras"].predicted, found.runs["litert-reference"].predicted
    for way in sound:
        change = changes(way)["int8"]
        assert change.labels_changed == sum(a != b for a, b in zip(one, other, strict=True))
        right = sum(b == t for b, t in zip(other, vectors.labels, strict=True))
        assert change.accuracy_after is not None
        assert change.accuracy_after.value == right / len(vectors.labels)
        assert change.inputs_differing is None
        assert change.outputs_differing is None


def test_ways_end_where_the_compiled_engine_does(task: Task, sound: tuple[StageSplit, StageSplit]) -> None:
    _, vectors, found = task
    whole = sound[0].whole
    assert whole is not None
    assert whole.labels_changed == np.count_nonzero(
        found.runs["keras"].predicted != found.runs["compiled-portable"].predicted
    )
    assert whole.accuracy_after is not None
    assert whole.accuracy_after.value == np.mean(found.runs["compiled-portable"].predicted == vectors.labels)


def plant(monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str) -> None:
    """Write another text into one file of the classifier."""

    def faulty(*arguments: object, **settings: object) -> Classifier:
        made = write_classifier(*arguments, **settings)  # type: ignore[arg-type]
        assert made.files[file].count(old) == 1
        return replace(made, files={**made.files, file: made.files[file].replace(old, new)})

    monkeypatch.setattr(deployed, "write_classifier", faulty)


def test_a_fault_in_the_float_path_shows_there_alone(
    task: Task, sound: tuple[StageSplit, StageSplit], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Rounds toward negative infinity more often.
    plant(monkeypatch, "edgecnn_classifier.h", "steps - (float)whole >= 0.5f", "steps - (float)whole >= 0.95f")
    one, other = splits(task)
    found = changes(one)
    assert found["float-input"].inputs_differing == len(task[1].windows)
    assert found["float-input"].max_input_step == 1
    assert found["int8"] == changes(sound[0])["int8"]
    assert is_nothing(found["kernels"])
    assert other == sound[1]


def test_a_fault_in_the_integer_path_shows_there_alone(
    task: Task, sound: tuple[StageSplit, StageSplit], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(
        monkeypatch,
        "edgecnn_classifier.h",
        "((int32_t)count * slope + intercept) >> shift",
        "(((int32_t)count * slope + intercept) >> shift) + 3",
    )
    one, other = splits(task)
    found = changes(other)
    assert found["integer-input"].inputs_differing == len(task[1].windows)
    assert found["integer-input"].max_input_step in (3, 4)
    assert [found[key] for key in ("int8", "counts")] == [changes(sound[1])[key] for key in ("int8", "counts")]
    assert is_nothing(found["kernels"])
    assert one == sound[0]


def test_a_fault_in_the_kernels_shows_there_alone(
    task: Task, sound: tuple[StageSplit, StageSplit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        deployed,
        "write_classifier",
        lambda model, *rest, **settings: write_classifier(with_other_weights(model), *rest, **settings),
    )
    for way, before in zip(splits(task), sound, strict=True):
        found, expected = changes(way), changes(before)
        assert found["kernels"].inputs_differing == 0
        assert found["kernels"].outputs_differing
        assert {key: found[key] for key in found if key != "kernels"} == {
            key: expected[key] for key in expected if key != "kernels"
        }


def test_a_fault_in_the_decision_shows_in_the_kernels(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, f"{task[0].card.name}.c", "result->window_label = best;", "result->window_label = 0;")
    found = changes(splits(task)[0])
    assert found["kernels"].outputs_differing == 0
    assert found["kernels"].labels_changed > 0
    assert is_nothing(found["float-input"])


def test_a_fault_in_quantization_shows_there_alone(
    task: Task, sound: tuple[StageSplit, StageSplit], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, vectors, found = task
    changed = with_other_weights(bundle.model_bytes)
    monkeypatch.setattr(Bundle, "model_bytes", property(lambda _: changed))
    engine = found.engines["litert-reference"]
    loaded = engine.run_model(changed, vectors.inputs)  # type: ignore[attr-defined]
    run = found.runs["litert-reference"]
    outputs = replace(run.outputs, raw=loaded)
    again = Findings(found.rows, found.runs | {run.key: replace(run, outputs=outputs)}, {}, found.engines)
    for way, before in zip(splits((bundle, vectors, again)), sound, strict=True):
        made, expected = changes(way), changes(before)
        assert made["int8"] != expected["int8"]
        assert all(is_nothing(made[key]) for key in ("float-input", "kernels") if key in made)
        if way.way == "counts":
            keys = ("counts", "integer-input")
            assert [made[key].inputs_differing for key in keys] == [expected[key].inputs_differing for key in keys]


def test_coarse_counts_show_in_the_rounding(
    count_copy: Callable[[float, float], Path], sound: tuple[StageSplit, StageSplit]
) -> None:
    one, other = splits(ran(count_copy(0.37, 3.0)))
    found = changes(other)
    assert (found["counts"].max_input_step or 0) > (changes(sound[1])["counts"].max_input_step or 0)
    assert one == sound[0]
    assert (found["integer-input"].max_input_step or 0) <= 1
    assert is_nothing(found["kernels"])


def with_other_weights(model: bytes) -> bytes:
    """The same network with the first kernel's weights in reverse."""
    interpreter = open_interpreter(model, "reference")
    details = max(
        (row for row in interpreter.get_tensor_details() if row["dtype"] == np.int8 and len(row["shape"]) > 2),
        key=lambda row: int(np.prod(row["shape"])) if model.count(bytes_of(interpreter, row)) == 1 else 0,
    )
    weights = bytes_of(interpreter, details)
    assert model.count(weights) == 1
    return model.replace(weights, weights[::-1])


def bytes_of(interpreter: object, row: Mapping[str, object]) -> bytes:
    try:
        return np.asarray(interpreter.get_tensor(row["index"])).tobytes()  # type: ignore[attr-defined]
    except ValueError:
        return b""


def test_without_a_compiler_python_mirrors_the_preprocessing(
    counted: Path, sound: tuple[StageSplit, StageSplit], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise MissingDependency("no C compiler (cc, gcc or clang on PATH); install one")

    monkeypatch.setattr("edgecnn_bench.engines.compiled.find_compiler", none)
    monkeypatch.setattr(split, "find_compiler", none)
    for way, before in zip(splits(ran(counted)), sound, strict=True):
        *steps, kernels = way.steps
        assert kernels.status == "not run"
        assert kernels.reason == "no C compiler (cc, gcc or clang on PATH); install one"
        assert [step.change for step in steps] == [step.change for step in before.steps[:-1]]
        assert steps[-1].by == "Python that mirrors the C"
        assert way.last != "Compiled C"
        assert way.whole == before.whole  # the kernels change nothing


def test_without_a_float_model_the_chain_begins_at_int8(counted: Path, sound: tuple[StageSplit, StageSplit]) -> None:
    one, other = splits(ran(counted, ("litert-reference", "compiled-portable")))
    for way, before in ((one, sound[0]), (other, sound[1])):
        assert (way.steps[0].status, way.steps[0].reason) == ("not run", "no float model was asked for")
        assert way.first == before.steps[0].by
        assert [step.change for step in way.steps[1:]] == [step.change for step in before.steps[1:]]
        assert way.whole is not None
        assert way.whole.accuracy_before == before.steps[0].change.accuracy_after  # type: ignore[union-attr]


def test_recorded_outputs_serve_as_long_as_inputs_are_the_same(count_copy: Callable[[float, float], Path]) -> None:
    bundle, vectors, found = ran(count_copy(0.37, 3.0), ())
    add_recorded(found, bundle, vectors, everything=True)
    assert recorded.REFERENCE in found.runs
    one, other = splits((bundle, vectors, found))
    assert [step.status for step in one.steps] == ["run", "run", "not run"]
    assert [step.reason for step in other.steps] == [
        "",
        "inputs differ from the recorded ones, and the reference kernels do not run here",
        "the stage before it is missing: Rounding to sensor counts",
        "the stage before it is missing: Rounding to sensor counts",
    ]


def test_without_reference_kernels_nothing_is_split(counted: Path) -> None:
    bundle, vectors, found = ran(counted, ())
    assert split_by_stage(bundle, vectors, found) == "the int8 reference kernels did not run"


def test_counts_that_fixed_point_cannot_hold_cost_their_way_alone(count_copy: Callable[[float, float], Path]) -> None:
    one, other = splits(ran(count_copy(1e9, 0.0)))
    assert one.steps[1].status == "run"
    assert "which fixed point cannot hold" in other.steps[1].reason
    assert other.steps[2].reason == "the stage before it is missing: Rounding to sensor counts"


def test_windows_without_labels_have_no_accuracy(har_bundle: Path) -> None:
    found = split_by_stage(*ran(har_bundle, ("litert-reference", "compiled-portable")))
    assert not isinstance(found, str)
    (way,) = found
    assert way.whole is not None
    assert way.whole.accuracy_after is None
    assert way.whole.mcnemar is None
    assert is_nothing(way.whole)


def test_a_sigmoid_decides_in_c_as_in_python(ecg_bundle: Path) -> None:
    found = split_by_stage(*ran(ecg_bundle, ("litert-reference", "compiled-portable")))
    assert not isinstance(found, str)
    (way,) = found
    assert way.whole is not None
    assert is_nothing(way.whole)
    assert way.whole.accuracy_after is not None
    assert way.whole.accuracy_after.n == 20


def test_progress_reaches_the_end(task: Task) -> None:
    seen: list[tuple[str, int, int]] = []
    split_by_stage(*task, lambda name, done, total, note="": seen.append((name, done, total)))
    assert seen == [("loss by stage", done, 2) for done in range(3)]
