"""MAX_POOL_2D and AVERAGE_POOL_2D along either axis, in numpy and in C, against LiteRT."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.reduction import rounded_average
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import ModelError

from ..batch import run_batch
from ..networks import NetworkWriter, Reference, random_int8
from ..one_op import f32, zero_points

SAME, VALID = 0, 1
TARGETS = ("portable", "armv7e-m", "aarch64", "x86-64-vnni")


def _network(name, length, channels, kernel, stride, padding, affine: Affine, *, activation=0, along="W") -> bytes:
    net = NetworkWriter()
    rows = -(-length // stride) if padding == SAME else (length - kernel) // stride + 1
    shape, pooled = ((1, 1, n, channels) if along == "W" else (1, n, 1, channels) for n in (length, rows))
    value = net.tensor(shape, affine.scale, affine.zero_point)
    made = net.tensor(pooled, affine.scale, affine.zero_point)
    across = {"W": ("Height", "H"), "H": ("Width", "W")}[along]
    options = {f"filter{across[0]}": 1, f"stride{across[1]}": 1, "padding": padding}
    options |= {"filterWidth" if along == "W" else "filterHeight": kernel, f"stride{along}": stride}
    net.op(name, [value], [made], fusedActivationFunction=activation, **options)
    return net.bytes([value], [made])


@st.composite
def _pools(draw: st.DrawFn) -> dict:
    """Any window that fits; SAME windows may be longer than the input."""
    length, padding = draw(st.integers(1, 40)), draw(st.sampled_from([SAME, VALID]))
    return {
        "name": draw(st.sampled_from(["MAX_POOL_2D", "AVERAGE_POOL_2D"])),
        "length": length,
        "channels": draw(st.sampled_from([1, 3, 4, 8])),
        "kernel": draw(st.integers(1, length if padding == VALID else 50)),
        "stride": draw(st.integers(1, 9)),
        "padding": padding,
        "affine": Affine(f32(10 ** draw(st.floats(-3.0, 1.0))), draw(zero_points())),
        "activation": draw(st.integers(0, 3)),
        "along": draw(st.sampled_from("HW")),
    }


@given(_pools(), st.integers(0, 1000))
@settings(max_examples=200, deadline=None)
def test_any_pooling_equals_litert(pool: dict, seed: int) -> None:
    model = _network(**pool)
    reference, program = Reference(model), compile_model(model, "pool", "net")
    oracle, rng = Oracle(program.graph), np.random.default_rng(seed)
    for kind in range(4):
        window = random_int8(rng, program.graph.inputs[0].shape, kind)
        assert np.array_equal(oracle.run(window)[0], reference.run(window)[0])


@pytest.mark.parametrize("target", TARGETS)
def test_c_equals_litert_under_sanitizers(target: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(len(target))
    programs, inputs, wanted = [], [], []
    for case in range(40):
        length, padding = int(rng.integers(1, 30)), int(rng.integers(2))
        model = _network(
            "MAX_POOL_2D" if case % 2 else "AVERAGE_POOL_2D",
            length,
            int(rng.choice([1, 3, 4, 8])),
            int(rng.integers(1, length + 1 if padding == VALID else 35)),
            int(rng.integers(1, 5)),
            padding,
            Affine(f32(rng.uniform(0.01, 0.1)), int(rng.choice([-128, 127, 3]))),
            activation=int(rng.integers(4)),
            along="WH"[case % 3 == 0],
        )
        reference = Reference(model)
        program = compile_model(model, "pool", f"net{case}", target=target)
        windows = [random_int8(rng, program.graph.inputs[0].shape, kind) for kind in range(8)]
        programs.append(program)
        inputs.append(np.stack([window.ravel() for window in windows]))
        wanted.append(np.stack([reference.run(window)[0].ravel() for window in windows]))
    found = run_batch(programs, inputs, tmp_path, (*SANITIZED, "-DEDGECNN_NO_SIMD"))
    for case, (output, right) in enumerate(zip(found, wanted, strict=True)):
        assert np.array_equal(output.view(np.int8), right), case


SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def test_averages_round_halves_away_from_zero() -> None:
    sums = np.arange(-9, 10, dtype=np.int64)
    assert rounded_average(sums, 2).tolist() == [-5, -4, -4, -3, -3, -2, -2, -1, -1, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert rounded_average(sums, 3).tolist() == [-3, -3, -2, -2, -2, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3]


@pytest.mark.parametrize("name", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
def test_two_dimensions_and_rescaling_are_refused(name: str) -> None:
    affine = Affine(0.5, 0)
    net = NetworkWriter()
    value, made = net.tensor((1, 4, 4, 2), 0.5, 0), net.tensor((1, 2, 2, 2), 0.5, 0)
    net.op(name, [value], [made], filterWidth=2, filterHeight=2, strideW=2, strideH=2, padding=VALID)
    with pytest.raises(ModelError, match=rf"op #0 {name} .*: pooling over 4 x 4 moves in two dimensions"):
        compile_model(net.bytes([value], [made]), "model", "net")
    net = NetworkWriter()
    value, made = net.tensor((1, 1, 4, 2), 0.5, 0), net.tensor((1, 1, 2, 2), 0.25, 0)
    net.op(name, [value], [made], filterWidth=2, filterHeight=1, strideW=2, strideH=1, padding=VALID)
    with pytest.raises(ModelError, match=rf"op #0 {name} .*: its input and output have different scales"):
        compile_model(net.bytes([value], [made]), "model", "net")
    model = _network(name, 9, 2, 2, 2, SAME, affine)
    assert compile_model(model, "model", "net").graph.ops[0].output.length == 5
