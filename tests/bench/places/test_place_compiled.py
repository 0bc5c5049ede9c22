"""The network as C, compiled here for the machine of a place and called there."""

import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn_bench import latency
from edgecnn_bench.places import open_runtime
from edgecnn_bench.places.compiled import CrossRecipe, build, compiled_engines, cross_recipe
from edgecnn_bench.places.process import Launch
from edgecnn_bench.places.session import Hello, Session
from edgecnn_bench.running import Findings, run_engines
from edgecnn_firmware.bundle import MODEL, read_bundle
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.errors import MissingDependency
from edgecnn_firmware.progress import silent

from .conftest import HELLO, frame

V3 = ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"]
V4 = [*V3, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]
A7 = ["neon", "vfpv4", "idiva"]


def hello(machine: str, bits: int, features: list[str]) -> Hello:
    return Hello.model_validate(HELLO | {"machine": machine, "pointer_bits": bits, "features": features})


@pytest.mark.parametrize(
    ("machine", "bits", "features", "target", "flags"),
    [
        ("x86_64", 64, [], "portable", "-O3 -mcpu=baseline"),
        ("x86_64", 64, V3[1:], "portable", "-O3 -mcpu=baseline"),
        ("x86_64", 64, V3, "x86-64-avx2", "-O3 -mcpu=x86_64_v3"),
        ("x86_64", 64, V4, "x86-64-avx2", "-O3 -mcpu=x86_64_v3"),
        ("x86_64", 64, [*V4, "avx512_vnni"], "x86-64-vnni", "-O3 -mcpu=x86_64_v4+avx512vnni"),
        ("aarch64", 64, ["asimd"], "aarch64", "-O3 -mcpu=generic"),
        ("aarch64", 64, ["asimd", "asimddp"], "aarch64", "-O3 -mcpu=generic+dotprod"),
        ("aarch64", 32, A7, "portable", "-O3 -mcpu=cortex_a7"),
        ("armv7l", 32, A7, "portable", "-O3 -mcpu=cortex_a7"),
        ("armv7l", 32, [], "portable", "-O3 -mcpu=generic+v7a+vfp3d16"),
        ("armv6l", 32, A7, "portable", "-O3 -mcpu=arm1176jzf_s"),
    ],
)
def test_kernels_that_the_processor_has(machine: str, bits: int, features: list[str], target: str, flags: str) -> None:
    recipe = cross_recipe(hello(machine, bits, features), native=True)
    assert isinstance(recipe, CrossRecipe)
    assert (recipe.target, " ".join(recipe.flags)) == (target, flags)
    plain = cross_recipe(hello(machine, bits, features), native=False)
    assert isinstance(plain, CrossRecipe)
    assert (plain.target, plain.triple, plain.flags[0]) == ("portable", recipe.triple, "-O2")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"machine": "riscv64"}, "compiled C is sent to x86-64 and Arm machines; this one is riscv64"),
        (
            {"libc": "", "system": "Alpine"},
            "compiled C is sent to Linux with glibc; this is Alpine with another C library",
        ),
    ],
)
def test_machines_that_it_is_not_sent_to(
    har_bundle: Path, scripted: Callable[..., Launch], change: dict[str, str], reason: str
) -> None:
    session = Session(scripted(frame(HELLO | change)))
    bundle = read_bundle(har_bundle)
    found = Findings()
    run_engines(bundle, bundle.vectors(), compiled_engines("pi@host", session), found, silent, "pi@host")
    session.close()
    assert {row.reason for row in found.rows.values()} == {reason}
    titles = [row.title for row in found.rows.values()]
    assert titles == [
        "Compiled C, int8, this processor's kernels, 1 thread",
        "Compiled C, int8, portable kernels, 1 thread",
    ]


@pytest.mark.parametrize(
    ("machine", "bits", "features", "code"),
    [("x86_64", 64, V3, 62), ("aarch64", 64, ["asimddp"], 183), ("armv7l", 32, A7, 40), ("armv6l", 32, [], 40)],
)
def test_libraries_for_other_machines(
    shared_models: Path, machine: str, bits: int, features: list[str], code: int
) -> None:
    pytest.importorskip("ziglang", reason="the compiler for other machines")
    recipe = cross_recipe(hello(machine, bits, features), native=True)
    assert isinstance(recipe, CrossRecipe)
    program = compile_model((shared_models / "har_b1.tflite").read_bytes(), MODEL, "network", target=recipe.target)
    library = build(program, recipe)
    assert library[:5] == b"\x7fELF" + bytes([bits // 32])
    shared, found = struct.unpack_from("<HH", library, 16)
    assert (shared, found) == (3, code)
    assert b"edgecnn-cross-" not in library
    assert build(program, recipe) == library


def test_no_compiler(har_bundle: Path, scripted: Callable[..., Launch], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn_bench.places.compiled.find_spec", lambda name: None)
    session = Session(scripted(frame(HELLO | {"features": A7})))
    bundle = read_bundle(har_bundle)
    reason = "nothing here compiles for arm-linux-gnueabihf: pip install 'edgecnn[boards]'"
    for engine in compiled_engines("p", session):
        assert engine.available(bundle) == reason
        with pytest.raises(MissingDependency, match=r"nothing here compiles for arm-linux-gnueabihf"):
            engine.load(bundle)
    session.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux with glibc")
@pytest.mark.parametrize("bundle_name", ["har_bundle", "ecg_bundle"])
def test_called_there(request: pytest.FixtureRequest, bundle_name: str) -> None:
    pytest.importorskip("ziglang", reason="the compiler for other machines")
    bundle = read_bundle(request.getfixturevalue(bundle_name))
    vectors = bundle.vectors()
    found = Findings()
    with open_runtime(sys.executable) as place:
        engines = compiled_engines("there", place._session)
        if reason := engines[0].available(bundle):
            pytest.skip(reason)
        run_engines(bundle, vectors, engines, found, silent, "there")
        times = latency.measure(found.loaded, vectors.windows, timed_runs=30, warmup_runs=3)
        labels = [engine.classify(vectors.windows[3]) for engine in found.loaded.values()]
    assert {row.status for row in found.rows.values()} == {"run"}
    for key, run in found.runs.items():
        assert np.array_equal(run.outputs.raw, vectors.outputs)
        assert [timed.n for timed in times[key]] == [30, 30]
    assert labels == [run.predicted[3] for run in found.runs.values()]
