"""TensorFlow Lite Micro's interpreter on this machine."""

from pathlib import Path

import numpy as np
import pytest

from edgecnn_bench.benchmark import benchmark
from edgecnn_bench.engines import named_engines, reference_outputs
from edgecnn_bench.engines import tflm as module
from edgecnn_bench.engines.cut import RunsAnyModel, cut_after
from edgecnn_bench.engines.tflm import TFLM, LoadedTflm, open_tflm
from edgecnn_firmware.bundle import Bundle, read_bundle
from edgecnn_firmware.errors import MissingDependency, ModelError

from ...firmware.compiler.networks import NetworkWriter


@pytest.fixture
def installed() -> None:
    pytest.importorskip("tflite_micro", reason="tflite-micro is not installed")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("which", ["har_bundle", "ecg_bundle"])
def test_the_three_ways_to_run_agree(which: str, request: pytest.FixtureRequest) -> None:
    bundle = read_bundle(request.getfixturevalue(which))
    vectors = bundle.vectors()
    loaded = named_engines(["tflm"])[0].load(bundle)
    assert isinstance(loaded, LoadedTflm)
    ticks: list[int] = []
    found = loaded.outputs(vectors.windows, ticks.append)
    assert ticks[-1] == len(vectors.windows)
    assert found.raw.dtype == np.int8
    assert len(np.unique(found.raw, axis=0)) > 10, "outputs vary, and no row is another's memory"
    # Its softmax rounds in another way than LiteRT's.
    assert np.abs(found.raw.astype(int) - vectors.outputs).max() <= 2
    out = bundle.card.quantization.output
    real = np.float64(np.float32(out.scale)) * (found.raw.astype(np.float64) - out.zero_point)
    expected = real[:, 0] > 0.5 if bundle.card.output == "sigmoid" else real.argmax(axis=1)
    for index in (3, 11, 3):
        assert loaded.classify(vectors.windows[index]) == expected[index]
        loaded.prepare(vectors.windows[index - 1])()
        output = loaded._opened.interpreter.get_output(0)[0]
        assert np.array_equal(output, found.raw[index - 1])


@pytest.mark.usefixtures("installed")
def test_it_runs_the_beginning_of_the_network_too(har_bundle: Path) -> None:
    assert isinstance(TFLM, RunsAnyModel)
    bundle = read_bundle(har_bundle)
    inputs = bundle.vectors().inputs[:3]
    cut = cut_after(bundle.model_bytes, 1)
    assert np.array_equal(TFLM.run_model(cut, inputs), reference_outputs(cut, inputs).reshape(3, -1))


@pytest.mark.usefixtures("installed")
def test_what_it_refuses(har_bundle: Path) -> None:
    bundle = read_bundle(har_bundle)
    with pytest.raises(ModelError, match="model: "):
        open_tflm(b"no model at all, but long enough for a header", "model")
    fewer = Bundle(bundle.path, bundle.card.model_copy(update={"labels": ("a", "b")}))
    with pytest.raises(ModelError, match=r"output is int8 \(1, 6\); by the card it is int8 \(1, 2\)"):
        TFLM.load(fewer)
    net = NetworkWriter()
    into, out = net.tensor((1, 4), kind="FLOAT32"), net.tensor((1, 4), kind="FLOAT32")
    net.op("ATAN2", [into, into], [out])
    with pytest.raises(ModelError, match="TensorFlow Lite Micro refuses the model"):
        open_tflm(net.bytes([into], [out]), "model")
    with pytest.raises(ModelError, match="2 inputs and 1 outputs; expected one of each"):
        open_tflm(net.bytes([into, into], [out]), "model")


def test_where_it_is_not_installed_there_is_a_row(har_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    bundle = read_bundle(har_bundle)
    assert TFLM.concerns(bundle)
    assert "pip install 'edgecnn[boards]'" in (TFLM.available(bundle) or "")
    (row,) = benchmark(har_bundle, engines=["tflm"], timed_runs=1, warmup_runs=1).engines
    assert (row.status, row.reason) == ("not run", TFLM.available(bundle))
    assert "host build, reference kernels" in row.title
    with pytest.raises(MissingDependency, match="not installed"):
        open_tflm(b"", "model")
