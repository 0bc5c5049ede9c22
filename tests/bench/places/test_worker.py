"""The worker's own arithmetic is that of the firmware, and its source is one that old Pythons read."""

import ast
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgecnn_bench.places import protocol, worker
from edgecnn_firmware import numerics
from edgecnn_firmware.card import NormalizationCard, TensorQuantization

SOURCE = Path(worker.__file__).read_text(encoding="utf-8")
STANDARD = {
    "contextlib",
    "ctypes",
    "faulthandler",
    "gc",
    "importlib",
    "json",
    "os",
    "platform",
    "struct",
    "sys",
    "time",
}

floats = st.floats(width=32, allow_nan=False)
constants = st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=3, max_size=3)
scales = st.floats(2.0**-40, 2.0**40, width=32).map(float)
zero_points = st.integers(-128, 127)
windows = arrays.arrays(np.float32, (2, 5, 3), elements=floats)


def test_source_is_python_3_7_and_needs_nothing_but_numpy() -> None:
    tree = ast.parse(SOURCE, feature_version=(3, 7))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    assert names - STANDARD == {"__future__", "numpy", "typing"}


def test_both_sides_have_the_same_frames() -> None:
    for name in ("MAGIC", "VERSION", "MAX_HEADER_BYTES", "MAX_BODY_BYTES"):
        assert getattr(worker, name) == getattr(protocol, name)
    assert worker.PREFIX.format == protocol.PREFIX.format


@settings(max_examples=100, deadline=None)
@given(windows, constants, constants)
def test_normalize(found: npt.NDArray[np.float32], offset: list[float], gain: list[float]) -> None:
    card = NormalizationCard(method="constants", offset=tuple(offset), gain=tuple(gain))
    assert worker.normalize(found, offset, gain).tobytes() == numerics.normalize(found, card).tobytes()


@settings(max_examples=200, deadline=None)
@given(windows, scales, zero_points)
def test_quantize(found: npt.NDArray[np.float32], scale: float, zero_point: int) -> None:
    expected = numerics.quantize(found, TensorQuantization(scale=scale, zero_point=zero_point))
    assert worker.quantize(found, scale, zero_point).tobytes() == expected.tobytes()


def test_quantize_halves() -> None:
    halves = np.arange(-300, 300, dtype=np.float32) / 2
    expected = numerics.quantize(halves, TensorQuantization(scale=1.0, zero_point=3))
    assert worker.quantize(halves, 1.0, 3).tolist() == expected.tolist()
    with pytest.raises(worker.Refused, match="NaN"):
        worker.quantize(np.array([np.nan], np.float32), 1.0, 0)


@settings(max_examples=100, deadline=None)
@given(arrays.arrays(np.int8, (4, 3)), scales, zero_points)
def test_probabilities_and_labels(raw: npt.NDArray[np.int8], scale: float, zero_point: int) -> None:
    quantization = TensorQuantization(scale=scale, zero_point=zero_point)
    found, expected = worker.probabilities(raw, scale, zero_point), numerics.probabilities(raw, quantization)
    assert found.tobytes() == expected.tobytes()
    assert worker.decide(found, "softmax").tolist() == numerics.decide(expected, "softmax").tolist()
    assert worker.decide(found[:, :1], "sigmoid").tolist() == numerics.decide(expected[:, :1], "sigmoid").tolist()


def test_hello_names_no_host_and_no_user() -> None:
    said = worker.hello()
    assert said["python"] == ".".join(map(str, sys.version_info[:3]))
    assert said["libraries"]["numpy"] == np.__version__
    assert set(said) == {
        *("python", "libraries", "interpreter", "why", "system", "machine"),
        *("cpu", "cores", "pointer_bits", "libc", "features"),
    }


def test_tflite_runtime_is_passed_over_under_numpy_2(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"tflite_runtime": object()}
    monkeypatch.setattr(worker.importlib.util, "find_spec", there.get)
    monkeypatch.setattr(worker.np, "__version__", "2.1.0")
    package, why = worker.best_package()
    assert package == ""
    assert "needs numpy < 2" in why
    monkeypatch.setattr(worker.np, "__version__", "1.26.4")
    assert worker.best_package() == ("tflite-runtime", "")
    there.clear()
    assert "no .tflite interpreter is installed" in worker.best_package()[1]
