"""The interpreter around a model, and which package brings it."""

import importlib.util
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn_bench.engines import interpreter as module
from edgecnn_bench.engines import named_engines, reference_outputs
from edgecnn_bench.engines.interpreter import best_package, open_interpreter, unusable, why_no_interpreter
from edgecnn_bench.engines.litert import InterpreterEngine
from edgecnn_firmware.bundle import read_bundle
from edgecnn_firmware.errors import BundleError, MissingDependency, ModelError

CLOSE_TO_KERAS = 0.01
"""8-bit weights move the probabilities of the tiny network by less than 0.005."""


def installed(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Pretend that of the interpreter packages only these are installed."""
    spec = importlib.util.find_spec("numpy")
    monkeypatch.setattr(module, "find_spec", lambda name: spec if name in modules else None)


def test_litert_comes_first_then_tflite_runtime_then_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.np, "__version__", "1.26.4")
    installed(monkeypatch, "ai_edge_litert", "tflite_runtime", "tensorflow")
    assert best_package() == "ai-edge-litert"
    installed(monkeypatch, "tflite_runtime", "tensorflow")
    assert best_package() == "tflite-runtime"
    installed(monkeypatch, "tensorflow")
    assert best_package() == "tensorflow"
    installed(monkeypatch)
    assert best_package() is None
    with pytest.raises(MissingDependency, match="pip install ai-edge-litert"):
        open_interpreter(b"", "default")


def test_tflite_runtime_is_not_imported_under_numpy_2(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "tflite_runtime")
    monkeypatch.setattr(module.np, "__version__", "2.1.0")
    assert "numpy < 2" in (unusable("tflite-runtime") or "")
    assert "2.1.0" in (unusable("tflite-runtime") or "")
    assert best_package() is None
    assert why_no_interpreter() == unusable("tflite-runtime")
    monkeypatch.setattr(module.np, "__version__", "1.26.4")
    assert unusable("tflite-runtime") is None


def test_tflite_runtime_has_a_row_only_beside_litert(har_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = read_bundle(har_bundle)
    (engine,) = named_engines(["tflite-runtime"])
    installed(monkeypatch, "ai_edge_litert")
    assert not engine.concerns(bundle)
    assert engine.available(bundle) == "tflite-runtime is not installed"
    installed(monkeypatch, "ai_edge_litert", "tflite_runtime")
    assert engine.concerns(bundle)
    monkeypatch.setattr(module.np, "__version__", "1.26.4")
    installed(monkeypatch, "tflite_runtime")
    assert not engine.concerns(bundle), "it is the engine 'litert' there"
    assert named_engines(["litert"])[0].title.startswith("TFLite Runtime")


def test_a_variant_has_a_row_where_the_bundle_has_its_file(har_bundle: Path) -> None:
    bundle = read_bundle(har_bundle)
    (engine,) = named_engines(["litert-float16"])
    assert not engine.concerns(bundle)
    assert engine.available(bundle) == "model_float16.tflite is not in the bundle"


def test_reference_outputs_are_tensorflows_own_reference_kernels(shared_models: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    model = (shared_models / "har_b1.tflite").read_bytes()
    inputs = np.random.default_rng(1).integers(-128, 128, (20, 128, 9)).astype(np.int8)
    resolver = tf.lite.experimental.OpResolverType.BUILTIN_REF
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow says that its interpreter has moved to LiteRT
        theirs = tf.lite.Interpreter(model_content=model, experimental_op_resolver_type=resolver)
    theirs.allocate_tensors()
    expected = []
    for window in inputs:
        theirs.set_tensor(theirs.get_input_details()[0]["index"], window[np.newaxis])
        theirs.invoke()
        expected.append(theirs.get_tensor(theirs.get_output_details()[0]["index"])[0])
    seen: list[tuple[str, int, int]] = []
    found = reference_outputs(model, inputs, lambda task, done, total, note="": seen.append((task, done, total)))
    assert found.dtype == np.int8
    assert np.array_equal(found, expected)
    assert len(np.unique(found)) > 10, "outputs vary"
    assert seen == [("reference outputs", 20, 20)]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_outputs_do_not_depend_on_the_number_of_workers(
    workers: int, shared_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = (shared_models / "tcn_b1.tflite").read_bytes()
    inputs = np.random.default_rng(2).integers(-128, 128, (23, 128, 6)).astype(np.int8)
    expected = np.concatenate([reference_outputs(model, inputs[index : index + 1]) for index in range(23)])
    monkeypatch.setattr("edgecnn_bench.engines.batch.MIN_WINDOWS_PER_WORKER", 1)
    monkeypatch.setattr("edgecnn_bench.engines.batch.os.cpu_count", lambda: workers)
    monkeypatch.setattr("edgecnn_bench.engines.litert._CHUNK", 9)
    assert np.array_equal(reference_outputs(model, inputs), expected)


def test_reference_outputs_refuse_other_shapes(shared_models: Path) -> None:
    model = (shared_models / "har_b1.tflite").read_bytes()
    with pytest.raises(ModelError, match=r"int8 \(1, 128, 9\); expected int8 \(1, 64, 9\)"):
        reference_outputs(model, np.zeros((1, 64, 9), np.int8))
    with pytest.raises(ModelError, match="refuses the model"):
        reference_outputs(b"TFL3 but no", np.zeros((1, 64, 9), np.int8))


@pytest.mark.parametrize("key", ["litert", "litert-reference", "litert-builtin"])
@pytest.mark.parametrize("which", ["har_bundle", "ecg_bundle"])
def test_the_three_ways_to_run_agree(key: str, which: str, request: pytest.FixtureRequest) -> None:
    bundle = read_bundle(request.getfixturevalue(which))
    vectors = bundle.vectors()
    loaded = named_engines([key])[0].load(bundle)
    assert isinstance(loaded, module.LoadedInterpreter)
    done: list[int] = []
    found = loaded.outputs(vectors.windows, done.append)
    assert done[-1] == len(vectors.windows)
    assert found.raw.dtype == np.int8
    if key == "litert-reference":
        assert np.array_equal(found.raw, vectors.outputs)
    out = bundle.card.quantization.output
    real = np.float64(np.float32(out.scale)) * (found.raw.astype(np.float64) - out.zero_point)
    assert np.allclose(found.probabilities, real, rtol=1e-6, atol=0)
    expected = real[:, 0] > 0.5 if bundle.card.output == "sigmoid" else real.argmax(axis=1)
    for index in (3, 11, 3):
        assert loaded.classify(vectors.windows[index]) == expected[index]
        loaded.prepare(vectors.windows[index])()
        output = loaded._interpreter.get_tensor(loaded._output.index)[0]
        assert np.array_equal(output, found.raw[index])


def test_variants_take_and_give_floats(tiny_bundle: Path) -> None:
    bundle = read_bundle(tiny_bundle)
    windows = bundle.vectors().windows
    keras_outputs = bundle.vectors().keras_outputs
    assert keras_outputs is not None
    for key in ("litert-float32", "litert-float16", "litert-dynamic", "litert-int16x8"):
        found = named_engines([key])[0].load(bundle).outputs(windows, lambda _: None)
        assert found.quantization is None
        assert np.abs(found.probabilities - keras_outputs).max() < CLOSE_TO_KERAS, key


def test_int16_inputs_and_outputs(tiny_bundle: Path, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    bundle = read_bundle(tiny_bundle)
    vectors = bundle.vectors()
    model = keras.models.load_model(tiny_bundle / "model.keras", compile=False)
    single = keras.Sequential([keras.Input((32, 2), batch_size=1), *model.layers])
    converter = tf.lite.TFLiteConverter.from_keras_model(single)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    samples = (vectors.windows - np.float32(0.25)) * np.float32(1.5)
    converter.representative_dataset = lambda: ([sample[np.newaxis]] for sample in samples)
    ops = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [ops]
    converter.inference_input_type = converter.inference_output_type = tf.int16
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter's own
        converted = converter.convert()
    loaded = module.LoadedInterpreter(partial(open_interpreter, converted, "default"), bundle.card)
    found = loaded.outputs(vectors.windows, lambda _: None)
    assert found.raw.dtype == np.int16
    assert np.abs(found.probabilities - vectors.keras_outputs).max() < CLOSE_TO_KERAS
    assert loaded.classify(vectors.windows[0]) == found.probabilities[0].argmax()


def test_int16_rounds_halves_away_from_zero_and_clamps() -> None:
    values = np.array([0.5, -0.5, 1.5, -1.5, 0.49999997, 1e9, -1e9], np.float32)
    assert module._quantize_int16(values, 1.0, 0).tolist() == [1, -1, 2, -2, 0, 32767, -32768]
    assert module._quantize_int16(values[:2], 0.25, 3).tolist() == [5, 1]


def test_models_that_do_not_fit_the_card_are_refused(har_bundle: Path, tiny_bundle: Path) -> None:
    har, tiny = read_bundle(har_bundle), read_bundle(tiny_bundle)
    with pytest.raises(ModelError, match=r"input has shape \(1, 128, 9\); the card says \(1, 32, 2\)"):
        module.LoadedInterpreter(partial(open_interpreter, har.model_bytes, "reference"), tiny.card)
    fewer: Any = har.card.model_copy(update={"labels": ("a", "b")})
    with pytest.raises(ModelError, match=r"output has shape \(1, 6\); the card says \(1, 2\)"):
        module.LoadedInterpreter(partial(open_interpreter, har.model_bytes, "reference"), fewer)


def test_a_very_large_variant_is_refused(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn_bench.engines.litert.MAX_MODEL_BYTES", 100)
    engine = InterpreterEngine("x", "x", "float32", "model_float32.tflite")
    with pytest.raises(BundleError, match=r"model_float32\.tflite: \d+ bytes; at most 100"):
        engine.load(read_bundle(tiny_bundle))
