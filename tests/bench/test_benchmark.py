"""Whole benchmarks of small real bundles, and what is reported when an engine cannot run."""

import hashlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn_bench import benchmark as benchmarking
from edgecnn_bench import engines, running
from edgecnn_bench.benchmark import benchmark, pairs
from edgecnn_bench.engines.protocol import Engine, LoadedEngine
from edgecnn_bench.places import open_runtime
from edgecnn_bench.results import EngineResult, Report, parse_report
from edgecnn_bench.running import one_line
from edgecnn_firmware.bundle import Bundle, read_bundle
from edgecnn_firmware.errors import BundleError, SettingsError

LITERT = ("litert", "litert-reference", "litert-builtin")
BEYOND = ("compiled", "compiled-portable", "tflm")
VARIANTS = ("litert-float32", "litert-float16", "litert-dynamic", "litert-int16x8")


def measure(bundle: Path, **settings: Any) -> Report:
    return benchmark(bundle, timed_runs=12, warmup_runs=2, **settings)


def by_key(report: Report) -> dict[str, EngineResult]:
    return {row.key: row for row in report.engines}


def edited(bundle: Path, folder: Path, change: Callable[[Path], None]) -> Path:
    """A copy of the bundle with changed files, whose card is made to agree with them."""
    copy = folder / bundle.name
    shutil.copytree(bundle, copy)
    change(copy)
    card = json.loads((copy / "card.json").read_text(encoding="utf-8"))
    card["files"] = {name: hashlib.sha256((copy / name).read_bytes()).hexdigest() for name in card["files"]}
    (copy / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def tiny_report(tiny_bundle: Path) -> Report:
    return measure(tiny_bundle, seed=3, gates={"max_arena_bytes": 4000, "min_accuracy": 1.0, "max_model_bytes": None})


def test_every_engine_runs_and_is_timed(tiny_report: Report) -> None:
    rows = by_key(tiny_report)
    assert list(rows) == ["keras", *LITERT, *VARIANTS, *BEYOND]
    for row in rows.values():
        assert (row.status, row.reason) == ("run", "")
        assert row.file_bytes > 0
        assert [(latency.what, latency.n, latency.warmup) for latency in row.latency] == [
            ("invoke", 12, 2),
            ("end-to-end", 12, 2),
        ]
        assert all(latency.threads >= 1 for latency in row.latency)


def test_scores_are_scikit_learns_on_keras_own_predictions(tiny_report: Report, tiny_bundle: Path) -> None:
    keras = pytest.importorskip("keras")
    metrics = pytest.importorskip("sklearn.metrics")
    bundle = read_bundle(tiny_bundle)
    vectors = bundle.vectors()
    normalized = (vectors.windows - np.float32(0.25)) * np.float32(1.5)
    model = keras.models.load_model(tiny_bundle / "model.keras", compile=False)
    predicted = model.predict(normalized, verbose=0).argmax(axis=1)
    row = by_key(tiny_report)["keras"]
    assert row.score is not None
    assert row.score.accuracy.value == metrics.accuracy_score(vectors.labels, predicted)
    assert row.score.macro_f1 == pytest.approx(metrics.f1_score(vectors.labels, predicted, average="macro"))
    assert np.array_equal(row.score.confusion, metrics.confusion_matrix(vectors.labels, predicted))
    assert row.score.accuracy.value > 0.6, "the little network has learned something to compare"


def test_parity_pairs(tiny_report: Report) -> None:
    found = {(pair.reference, pair.candidate): pair for pair in tiny_report.parity}
    assert list(found) == [
        ("keras", "litert-reference"),
        ("litert-reference", "litert"),
        ("litert-reference", "litert-builtin"),
        ("litert-reference", "tflm"),
        ("litert-reference", "compiled"),
        ("litert-reference", "compiled-portable"),
        *(("keras", key) for key in VARIANTS),
    ]
    assert found["keras", "litert-float32"].max_probability_difference < 1e-5
    assert found["keras", "litert-float32"].agreement.value == 1.0
    assert found["keras", "litert-float32"].max_lsb_difference is None
    assert 0 < found["keras", "litert-reference"].max_probability_difference < 0.1
    assert found["litert-reference", "litert"].max_lsb_difference is not None
    assert all(pair.n == 90 and pair.mcnemar is not None for pair in found.values())


def test_the_loss_is_split_by_stage(tiny_report: Report) -> None:
    (way,) = tiny_report.stages
    assert [(step.part, step.status) for step in way.steps] == [
        ("quantization", "run"),
        ("preprocessing", "run"),
        ("kernels", "run"),
    ]
    rows = by_key(tiny_report)
    assert way.whole is not None
    for accuracy, key in ((way.whole.accuracy_before, "keras"), (way.whole.accuracy_after, "compiled-portable")):
        score = rows[key].score
        assert score is not None
        assert accuracy == score.accuracy
    pair = next(row for row in tiny_report.parity if (row.reference, row.candidate) == ("keras", "litert-reference"))
    assert way.steps[0].change is not None
    assert way.steps[0].change.mcnemar == pair.mcnemar
    assert way.steps[0].change.labels_changed == len(pair.changed)


def test_without_reference_kernels_the_report_says_why_the_loss_is_not_split(tiny_bundle: Path) -> None:
    report = measure(tiny_bundle, engines=["litert"])
    assert report.stages == ()
    assert report.not_measured["stages"] == "the int8 reference kernels did not run"


def test_report_is_complete_and_reads_back(tiny_report: Report) -> None:
    assert tiny_report.windows == 90
    assert tiny_report.windows_source == "test part, 90 of 90 windows"
    assert tiny_report.seed == 3
    assert tiny_report.footprint.arena_bytes == 4000
    assert tiny_report.footprint.header_bytes == len("/* a header */")
    assert tiny_report.footprint.model_bytes == by_key(tiny_report)["litert"].file_bytes
    assert tiny_report.footprint.weight_bytes == sum(layer.weight_bytes for layer in tiny_report.layers) > 0
    assert sum(layer.macs for layer in tiny_report.layers) == 28 * 8 * 5 * 2 + 8 * 3
    assert [(gate.name, gate.passed) for gate in tiny_report.gates] == [
        ("max_arena_bytes", True),
        ("min_accuracy", False),
    ]
    assert parse_report(tiny_report.to_json().encode(), "report.json") == tiny_report


def test_only_timings_differ_between_two_runs(tiny_report: Report, tiny_bundle: Path) -> None:
    again = measure(tiny_bundle, seed=3, gates={"max_arena_bytes": 4000, "min_accuracy": 1.0})

    def without_times(report: Report) -> dict[str, Any]:
        content = report.model_dump()
        for row in content["engines"]:
            del row["latency"]
        return content

    assert without_times(again) == without_times(tiny_report)


def test_windows_without_labels_give_parity_and_times_but_no_scores(har_bundle: Path) -> None:
    report = measure(har_bundle)
    rows = by_key(report)
    assert report.windows_source == "random windows: no labelled data were given"
    assert rows["keras"].status == "not run"
    assert rows["keras"].reason == "model.keras is not in the bundle"
    for key in LITERT:
        assert rows[key].score is None
        assert rows[key].classes == ()
        assert rows[key].latency
    assert [(pair.reference, pair.candidate) for pair in report.parity] == [
        ("litert-reference", "litert"),
        ("litert-reference", "litert-builtin"),
        ("litert-reference", "tflm"),
        ("litert-reference", "compiled"),
        ("litert-reference", "compiled-portable"),
    ]
    assert all(pair.mcnemar is None and pair.accuracy_drop is None for pair in report.parity)


def test_windows_with_and_without_labels(ecg_bundle: Path) -> None:
    report = measure(ecg_bundle)
    row = by_key(report)["litert-reference"]
    assert report.windows_source == "test part, 30 of 30 windows, 10 without a label"
    assert row.score is not None
    assert row.score.accuracy.n == 20
    assert [score.label for score in row.classes] == ["normal", "pvc"]


def test_named_engines_alone(tiny_bundle: Path) -> None:
    report = measure(tiny_bundle, engines=["litert", "litert-reference"])
    assert list(by_key(report)) == ["litert", "litert-reference"]


def test_unknown_engines_and_gates_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    accepted = ", ".join(engine.key for engine in engines.ENGINES)
    with pytest.raises(SettingsError, match=f"unknown engine 'litret'; accepted: {accepted}"):
        measure(tmp_path, engines=["litert", "litret"])
    with pytest.raises(SettingsError, match="no engine was named"):
        measure(tmp_path, engines=[])
    with pytest.raises(SettingsError, match="unknown gate 'min_f1'"):
        measure(tmp_path, gates={"min_f1": 0.5})
    with pytest.raises(SettingsError, match="timed_runs = 0"):
        benchmark(tmp_path, timed_runs=0)
    with pytest.raises(BundleError):
        measure(tmp_path)


def test_without_tensorflow_the_recorded_outputs_are_compared(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "edgecnn_bench.engines.keras.find_spec", lambda name: None if name == "tensorflow" else find_spec(name)
    )
    report = measure(tiny_bundle)
    rows = by_key(report)
    assert rows["keras"].status == "not run"
    assert rows["keras"].reason == "TensorFlow is not installed: pip install 'edgecnn[train]'"
    recorded = rows["keras-recorded"]
    assert recorded.status == "run"
    assert recorded.score is not None
    assert recorded.latency == ()
    pair = report.parity[0]
    assert (pair.reference, pair.candidate) == ("keras-recorded", "litert-reference")


def test_recorded_reference_outputs_show_where_this_machine_differs(tiny_bundle: Path, tmp_path: Path) -> None:
    def change(copy: Path) -> None:
        with np.load(copy / "vectors.npz") as file:
            arrays = dict(file)
        arrays["outputs"][4, 0] ^= 1
        np.savez(copy / "vectors.npz", **arrays)

    report = measure(edited(tiny_bundle, tmp_path, change), engines=None)
    pair = next(
        pair for pair in report.parity if pair.candidate == "litert-reference" and "keras" not in pair.reference
    )
    assert pair.reference == "reference-recorded"
    assert pair.max_lsb_difference == 1


@dataclass(frozen=True)
class Broken:
    """An engine that fails where it is told to."""

    fails: str
    error: Exception
    key: str = "broken"
    title: str = "Broken"
    precision: str = "float32"
    file: str = "model.tflite"
    needs_trial: bool = False

    def concerns(self, bundle: Bundle) -> bool:
        return True

    def available(self, bundle: Bundle) -> str | None:
        return None

    def load(self, bundle: Bundle) -> LoadedEngine:
        if self.fails == "load":
            raise self.error
        return self  # type: ignore[return-value]

    def outputs(self, windows: object, tick: object) -> object:
        if self.fails == "outputs":
            raise self.error
        return engines.protocol.RunOutputs(np.zeros((1, 6)), np.full((len(windows), 6), np.nan))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fails", "error", "reason"),
    [
        ("load", RuntimeError("op 7\n  is strange"), "op 7 is strange"),
        ("outputs", MemoryError(), "MemoryError"),
        ("values", ValueError(), "engine 'broken': window 0 gives outputs that are not finite"),
    ],
)
def test_a_failing_engine_is_a_row_and_not_the_end(
    har_bundle: Path, monkeypatch: pytest.MonkeyPatch, fails: str, error: Exception, reason: str
) -> None:
    chosen: tuple[Engine, ...] = (Broken(fails, error), *engines.named_engines(["litert-reference"]))  # type: ignore[arg-type]
    monkeypatch.setattr(benchmarking, "all_engines", lambda bundle: chosen)
    rows = by_key(measure(har_bundle))
    assert (rows["broken"].status, rows["broken"].reason) == ("not run", reason)
    assert rows["litert-reference"].status == "run"


def test_a_file_of_the_wrong_shape_is_a_row_and_not_the_end(
    tiny_bundle: Path, shared_models: Path, tmp_path: Path
) -> None:
    def change(copy: Path) -> None:
        shutil.copyfile(shared_models / "har_b1.tflite", copy / "model_float32.tflite")
        (copy / "model_dynamic.tflite").write_bytes(b"not a model at all")

    rows = by_key(measure(edited(tiny_bundle, tmp_path, change), engines=[*VARIANTS, "litert"]))
    assert rows["litert-float32"].reason == "the model's input has shape (1, 128, 9); the card says (1, 32, 2)"
    assert rows["litert-dynamic"].status == "not run"
    assert rows["litert-dynamic"].reason.startswith("LiteRT refuses the model: ")
    assert rows["litert-float16"].status == "run"


def test_a_crash_of_native_code_is_a_row_and_not_the_end(har_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running.trial, "crashes", lambda path, keys: {"litert": "its process died of SIGSEGV"})
    rows = by_key(measure(har_bundle))
    assert (rows["litert"].status, rows["litert"].reason) == ("not run", "its process died of SIGSEGV")
    assert rows["litert-reference"].status == "run"


def test_a_bundle_without_windows_is_refused(har_bundle: Path, tmp_path: Path) -> None:
    def change(copy: Path) -> None:
        with np.load(copy / "vectors.npz") as file:
            arrays = {name: array[:0] for name, array in file.items()}
        np.savez(copy / "vectors.npz", **arrays)

    with pytest.raises(BundleError, match=r"vectors\.npz: no windows"):
        measure(edited(har_bundle, tmp_path, change))


def test_labels_that_the_card_does_not_have_are_refused(har_bundle: Path, tmp_path: Path) -> None:
    def change(copy: Path) -> None:
        with np.load(copy / "vectors.npz") as file:
            arrays = dict(file)
        arrays["labels"][3] = 6
        np.savez(copy / "vectors.npz", **arrays)

    with pytest.raises(BundleError, match=r"vectors\.npz: labels holds 6; expected 0 to 5, or -1 for unknown"):
        measure(edited(har_bundle, tmp_path, change))


def test_a_file_changed_after_the_export_is_not_run(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "waves"
    shutil.copytree(tiny_bundle, copy)
    (copy / "model.keras").write_bytes(b"another")
    rows = by_key(measure(copy, engines=["keras", "litert"]))
    assert rows["keras"].status == "not run"
    assert rows["keras"].reason.startswith("model.keras: SHA-256 ")
    (copy / "model.tflite").write_bytes(b"another")
    with pytest.raises(BundleError, match=r"model\.tflite: SHA-256"):
        measure(copy, engines=["litert"])


def test_progress_reaches_the_end_of_every_task(har_bundle: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}

    def note(task: str, done: int, total: int, note: str = "") -> None:
        assert done >= seen.get(task, (0, 0))[0], f"{task} goes backwards"
        seen[task] = (done, total)

    measure(har_bundle, engines=["litert", "litert-reference"], progress=note)
    assert seen == {
        "try engines": (2, 2),
        "run litert": (40, 40),
        "run litert-reference": (40, 40),
        "time engines": (2, 2),
        "loss by stage": (1, 1),
    }


@pytest.mark.parametrize(
    ("ran", "expected"),
    [
        (["litert"], []),
        (["keras", "litert"], [("keras", "litert")]),
        (["keras-recorded", "litert-reference"], [("keras-recorded", "litert-reference")]),
        (["reference-recorded", "litert"], [("reference-recorded", "litert")]),
        (
            ["litert", "reference-recorded", "litert-reference"],
            [("reference-recorded", "litert-reference"), ("litert-reference", "litert")],
        ),
        (["keras", "keras-recorded", "litert-float16"], [("keras", "litert-float16")]),
        (["litert-float32", "litert-dynamic"], []),
    ],
)
def test_pairs(ran: list[str], expected: list[tuple[str, str]]) -> None:
    assert list(pairs(ran)) == expected


def test_reasons_are_one_line_without_the_bundles_place(tmp_path: Path) -> None:
    error = ValueError(f"cannot\nread {tmp_path}/model.keras" + "!" * 500)
    text = one_line(error, tmp_path)
    assert text.startswith("cannot read model.keras!!!")
    assert len(text) == 300
    assert text.endswith("...")


def test_engine_keys_are_unique_and_say_their_precision() -> None:
    keys = [engine.key for engine in engines.ENGINES]
    assert len(set(keys)) == len(keys)
    named = {"float16": "float16 weights", "dynamic": "float activations", "int16x8": "int16 activations"}
    assert all(named.get(engine.precision, engine.precision) in engine.title for engine in engines.ENGINES)


def test_a_place_that_is_named_twice_is_refused(har_bundle: Path) -> None:
    elsewhere = [lambda: open_runtime(sys.executable)] * 2
    with pytest.raises(SettingsError, match="was asked for twice"):
        measure(har_bundle, engines=["litert-reference"], elsewhere=elsewhere)


def test_int8_engines_of_other_places_are_compared_with_the_reference(har_bundle: Path) -> None:
    report = measure(har_bundle, engines=["litert-reference"], elsewhere=[lambda: open_runtime(sys.executable)])
    assert len(report.places) == 1
    key = report.places[0].key
    found = {pair.candidate: pair for pair in report.parity if pair.candidate.startswith(f"{key}/")}
    assert found[f"{key}/litert-reference"].max_lsb_difference == 0
    assert {row.place for row in report.engines if row.key in found} == {key}
