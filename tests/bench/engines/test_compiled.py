"""The network as C on this machine: equal to the reference kernels' recorded outputs, whatever happens around it."""

import hashlib
import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edgecnn_bench.benchmark import benchmark
from edgecnn_bench.engines import compiled as module
from edgecnn_bench.engines import named_engines, reference_outputs
from edgecnn_bench.engines.compiled import CompiledEngine, LoadedCompiled
from edgecnn_bench.engines.cut import RunsAnyModel, cut_after
from edgecnn_firmware.bundle import Bundle, read_bundle
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.host import compiler as host_compiler

from ...firmware.compiler.networks import NetworkWriter

KEYS = ("compiled", "compiled-portable")


def engine_of(key: str, bundle: Bundle) -> CompiledEngine:
    (engine,) = named_engines([key])
    assert isinstance(engine, CompiledEngine)
    if reason := engine.available(bundle):
        pytest.skip(reason)
    return engine


def put(bundle: Path, name: str, data: bytes) -> None:
    """Write a file and make the card agree."""
    (bundle / name).parent.mkdir(parents=True, exist_ok=True)
    (bundle / name).write_bytes(data)
    card = json.loads((bundle / "card.json").read_text(encoding="utf-8"))
    card["files"][name] = hashlib.sha256(data).hexdigest()
    (bundle / "card.json").write_text(json.dumps(card), encoding="utf-8")


def load(bundle: Bundle, key: str = "compiled-portable") -> LoadedCompiled:
    return engine_of(key, bundle).load(bundle)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("which", ["har_bundle", "ecg_bundle"])
def test_every_way_to_run_is_the_reference(key: str, which: str, request: pytest.FixtureRequest) -> None:
    bundle = read_bundle(request.getfixturevalue(which))
    vectors = bundle.vectors()
    loaded = load(bundle, key)
    ticks: list[int] = []
    found = loaded.outputs(vectors.windows, ticks.append)
    assert ticks[-1] == len(vectors.windows)
    assert np.array_equal(found.raw, vectors.outputs)
    out = bundle.card.quantization.output
    assert found.quantization is not None
    assert (np.float32(found.quantization.scale), found.quantization.zero_point) == (
        np.float32(out.scale),
        out.zero_point,
    )
    real = np.float64(np.float32(out.scale)) * (found.raw.astype(np.float64) - out.zero_point)
    assert np.allclose(found.probabilities, np.clip(real, 0, 1), rtol=1e-6, atol=0)
    expected = real[:, 0] > 0.5 if bundle.card.output == "sigmoid" else real.argmax(axis=1)
    for index in (3, 11, 3):
        assert loaded.classify(vectors.windows[index]) == expected[index]
        call = loaded.prepare(vectors.windows[index - 1])
        call()
        assert np.array_equal(loaded._bound.output, vectors.outputs[index - 1])


def test_many_windows_on_many_threads(har_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = read_bundle(har_bundle)
    vectors = bundle.vectors()
    loaded = load(bundle)
    monkeypatch.setattr(module, "chunk_windows", lambda card: 7)
    monkeypatch.setattr("edgecnn_bench.engines.compiled.os.cpu_count", lambda: 5)
    order = np.random.default_rng(4).integers(0, len(vectors.windows), 500)
    windows, expected = vectors.windows[order], vectors.outputs[order]
    ticks: list[int] = []
    assert np.array_equal(loaded.outputs(windows, ticks.append).raw, expected)
    assert ticks == [*range(7, 500, 7), 500]
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: loaded.outputs(windows, lambda _: None).raw, range(2)))
    assert all(np.array_equal(raw, expected) for raw in both)


def test_it_runs_the_beginning_of_the_network_too(har_bundle: Path) -> None:
    bundle = read_bundle(har_bundle)
    engine = engine_of("compiled", bundle)
    assert isinstance(engine, RunsAnyModel)
    inputs = bundle.vectors().inputs[:4]
    cut = cut_after(bundle.model_bytes, 1)
    found = engine.run_model(cut, inputs)
    assert np.array_equal(found, reference_outputs(cut, inputs).reshape(4, -1))
    assert found.shape[1] > 100


def test_titles_tell_kernels_and_flags(har_bundle: Path) -> None:
    bundle = read_bundle(har_bundle)
    native, portable = (engine_of(key, bundle) for key in KEYS)
    assert native.recipe().target in native.title
    assert "-O3 -m" in native.title
    assert "portable kernels" in portable.title
    assert "-O2" in portable.title
    assert "native" not in portable.title
    assert native.needs_trial
    assert native.concerns(bundle)


def test_without_a_compiler_the_row_says_so(har_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(host_compiler, "find_spec", lambda name: None)
    host_compiler.forget()
    report = benchmark(har_bundle, engines=KEYS, timed_runs=1, warmup_runs=1)
    host_compiler.forget()
    for row in report.engines:
        assert row.status == "not run"
        assert row.reason.startswith("no C compiler (cc, gcc or clang on PATH); install one, or run: pip install")
        assert row.latency == ()
    assert [row.title for row in report.engines] == [
        "Compiled C, int8, native kernels, 1 thread",
        "Compiled C, int8, portable kernels, 1 thread",
    ]
    assert report.parity == ()


@pytest.mark.skipif(sys.platform == "win32", reason="a compiler that is a shell script")
def test_a_compiler_that_breaks_while_it_builds_costs_the_row_only(
    har_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("cc") or shutil.which("gcc")
    if real is None:
        pytest.skip("no C compiler on PATH")
    script = f'#!/bin/sh\ncase "$*" in *-dM*) exec {real} "$@";; esac\necho cannot write: disk full >&2\nexit 1\n'
    (tmp_path / "cc").write_text(script, encoding="utf-8")
    (tmp_path / "cc").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    report = benchmark(har_bundle, engines=["litert", *KEYS], timed_runs=1, warmup_runs=1)
    rows = {row.key: row for row in report.engines}
    assert rows["litert"].status == "run"
    for key in KEYS:
        assert rows[key].status == "not run"
        assert rows[key].reason.endswith("for this machine: exit code 1: cannot write: disk full")


def test_a_network_that_the_compiler_refuses_has_its_reason(har_bundle: Path, tmp_path: Path) -> None:
    engine_of("compiled", read_bundle(har_bundle))
    net = NetworkWriter()
    into, out = net.tensor((1, 128, 9), kind="FLOAT32"), net.tensor((1, 128, 9), kind="FLOAT32")
    net.op("ADD", [into, into], [out], potScaleInt16=False)
    copy = tmp_path / "waves"
    shutil.copytree(har_bundle, copy)
    put(copy, "model.tflite", net.bytes([into], [out]))
    report = benchmark(copy, engines=KEYS, timed_runs=1, warmup_runs=1)
    for row in report.engines:
        assert row.status == "not run"
        assert "op #0 ADD" in row.reason


def test_networks_that_do_not_fit_the_card_are_refused(har_bundle: Path) -> None:
    bundle = read_bundle(har_bundle)
    engine = engine_of("compiled-portable", bundle)
    fewer = Bundle(bundle.path, bundle.card.model_copy(update={"labels": ("a", "b")}))
    with pytest.raises(ModelError, match=r"output is int8 \(1, 6\); by the card it is int8 \(1, 2\)"):
        engine.load(fewer)
