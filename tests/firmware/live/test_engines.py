"""The compiled C and the interpreter give the same results."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.errors import BundleError, ModelError
from edgecnn_firmware.host.compiler import find_compiler
from edgecnn_firmware.host.recipe import portable_recipe
from edgecnn_firmware.live.compiled import CompiledEngine, build_engine, load_engine
from edgecnn_firmware.live.engine import InterpreterEngine, check_windows
from edgecnn_firmware.live.interpreter import Interpreter

pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed")


@pytest.fixture(scope="module")
def compiled(bundle: Bundle) -> CompiledEngine:
    return build_engine(bundle)


@pytest.fixture
def interpreted(bundle: Bundle, compiled: CompiledEngine) -> InterpreterEngine:
    compiled.start()
    return InterpreterEngine(bundle)


def test_the_windows_of_the_bundle(
    bundle: Bundle, samples: "np.ndarray", compiled: CompiledEngine, interpreted: InterpreterEngine
) -> None:
    results = 0
    for sample in samples:
        found = compiled.push(sample.tolist())
        assert found == interpreted.push(sample.tolist())
        results += found is not None
    assert results == (len(samples) - 4) // 2 + 1
    assert compiled.drift() == interpreted.drift()
    assert compiled.drift() is not None
    vectors = bundle.vectors()
    for window, wanted in zip(vectors.inputs, vectors.outputs, strict=True):
        assert np.array_equal(compiled.run(window), wanted)


def test_nan_infinity_and_gaps(compiled: CompiledEngine, interpreted: InterpreterEngine) -> None:
    rng = np.random.default_rng(7)
    seen = 0
    for index in range(400):
        values = rng.normal(0, 300, 2).tolist()
        if index % 17 == 0:
            values[index % 2] = [float("nan"), float("inf"), float("-inf"), 1e300, -1e-320][index % 5]
        if index % 29 == 0:
            compiled.restart()
            interpreted.restart()
        found = compiled.push(values)
        assert found == interpreted.push(values)
        seen += found is not None
    assert seen > 50
    assert compiled.drift() == interpreted.drift()


def test_quantized_samples(bundle: Bundle, compiled: CompiledEngine, interpreted: InterpreterEngine) -> None:
    inputs = bundle.vectors().inputs.reshape(-1, 2)
    found = [compiled.push_quantized(sample) for sample in inputs]
    assert found == [interpreted.push_quantized(sample) for sample in inputs]
    assert sum(result is not None for result in found) == (len(inputs) - 4) // 2 + 1


def test_two_builds_are_two_streams(bundle: Bundle, samples: "np.ndarray") -> None:
    first, second = (build_engine(bundle, portable_recipe(find_compiler())) for _ in range(2))
    for sample in samples[:3]:
        assert first.push(sample.tolist()) is None
    assert second.push(samples[3].tolist()) is None
    assert first.push(samples[3].tolist()) is not None


def test_a_wrong_byte_is_refused(bundle: Bundle) -> None:
    wrong = bundle.vectors().outputs[0] ^ 1
    with pytest.raises(ModelError, match="this: window 0 gives other bytes"):
        check_windows(lambda _: wrong, bundle, "this")


def test_libraries_that_are_none(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("no library")
    with pytest.raises(BundleError, match=r"text.so: cannot be loaded"):
        load_engine(bundle, tmp_path / "text.so")
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no cc")
    (tmp_path / "other.c").write_text("int other_init(void) { return 0; }\n")
    subprocess.run([compiler, "-shared", "-fPIC", "other.c", "-o", "other.so"], cwd=tmp_path, check=True)
    with pytest.raises(BundleError, match="not a library of 'wrist'"):
        load_engine(bundle, tmp_path / "other.so")


def test_a_model_of_another_card(bundle: Bundle) -> None:
    fewer = bundle.card.model_copy(update={"labels": ("a", "b")})
    with pytest.raises(ModelError, match=r"the model's output is int8 \(1, 3\); the card says 2 int8 values"):
        Interpreter(bundle.model_bytes, fewer)
    shorter = bundle.card.model_copy(update={"input": bundle.card.input.model_copy(update={"window_samples": 3})})
    with pytest.raises(ModelError, match=r"the model's input is int8 \(1, 4, 2\); the card says 6 int8 values"):
        Interpreter(bundle.model_bytes, shorter)
    with pytest.raises(ModelError, match="LiteRT refuses the model"):
        Interpreter(b"TFL3" * 10, bundle.card)
