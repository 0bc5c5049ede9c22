"""MEAN, SUM, REDUCE_MAX and REDUCE_MIN over any axes, in numpy and in C, against LiteRT or TFLite Micro."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import ModelError

from ..native import Native
from ..networks import NetworkWriter, Reference, random_int8
from ..one_op import affines, f32, zero_points

TARGETS = ("portable", "armv7e-m", "aarch64", "x86-64-vnni")
SANITIZED = ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover", "-DEDGECNN_NO_SIMD")
AXES = [
    ((1, 9, 5), (1,)),
    ((1, 9, 5), (-2,)),
    ((1, 1, 9, 5), (1, 2)),
    ((1, 9, 1, 5), (2, 1)),
    ((1, 9, 1, 5), (1,)),
    ((1, 1, 9, 5), (2,)),
    ((1, 1, 1, 8), (1, 2)),
    ((1, 3, 4, 5), (1, 2)),
    ((1, 3, 4, 8), (1,)),
    ((1, 3, 4, 8), (2,)),
    ((1, 9, 5), (2,)),
    ((1, 1, 9, 5), (3,)),
    ((1, 9, 5), (1, 2)),
    ((1, 1, 9, 5), (1, 2, 3)),
    ((1, 9, 5), (0,)),
    ((9, 5), (0,)),
    ((1, 3, 4, 5), (1, 3)),
    ((3, 4, 2, 5), (0, 2)),
    ((2, 3, 4, 2), (0, 1, 3)),
    ((1, 7), (1,)),
    ((1, 300, 4), (1,)),
]


def _network(name, shape, axes, source: Affine, target: Affine, *, keep: bool) -> bytes:
    net = NetworkWriter()
    reduced = {axis % len(shape) for axis in axes}
    kept = [1 if axis in reduced else n for axis, n in enumerate(shape) if keep or axis not in reduced]
    value = net.tensor(shape, source.scale, source.zero_point)
    made = net.tensor(kept, target.scale, target.zero_point)
    net.op(name, [value, net.const(np.array(axes, np.int32))], [made], keepDims=keep)
    return net.bytes([value], [made])


def _windows(shape, zero_point: int, count: int) -> list[np.ndarray]:
    """Ordinary and extreme inputs, and such as put the mean next to the zero point."""
    rng = np.random.default_rng(math.prod(shape))
    near = [np.clip(rng.integers(-1, 2, shape) + zero_point, -128, 127).astype(np.int8) for _ in range(count)]
    return near + [random_int8(rng, shape, kind) for kind in range(count)]


@pytest.mark.parametrize("keep", [False, True], ids=["squeezed", "kept"])
@pytest.mark.parametrize(("shape", "axes"), AXES, ids=str)
@pytest.mark.parametrize("name", ["MEAN", "REDUCE_MAX", "REDUCE_MIN"])
def test_every_shape_equals_litert(name: str, shape, axes, keep: bool, tmp_path: Path) -> None:
    source = Affine(f32(0.043), -7)
    target = Affine(f32(0.0291), 11) if name == "MEAN" else source
    model = _network(name, shape, axes, source, target, keep=keep)
    reference = Reference(model)
    programs = [compile_model(model, name, f"net{n}", target=target) for n, target in enumerate(TARGETS)]
    natives = [Native(program, tmp_path / program.prefix, SANITIZED) for program in programs[:2]]
    for window in _windows(shape, source.zero_point, 6):
        wanted = reference.run(window)[0]
        for program in programs:
            assert np.array_equal(Oracle(program.graph).run(window)[0], wanted)
        for native in natives:
            assert np.array_equal(native.run(window)[0], wanted)


@pytest.mark.parametrize("channels", [4, 8, 5])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["MEAN", "REDUCE_MAX"])
def test_every_kernel_equals_litert(name: str, target: str, channels: int, tmp_path: Path) -> None:
    affine = Affine(f32(0.043), -128)
    for rows in (1, 2, 255, 256):
        model = _network(name, (1, rows, channels), (1,), affine, affine, keep=False)
        reference, program = Reference(model), compile_model(model, name, f"net{rows}", target=target)
        native = Native(program, tmp_path, SANITIZED)
        for window in _windows((1, rows, channels), -128, 4):
            assert np.array_equal(native.run(window)[0], reference.run(window)[0])


@st.composite
def _means(draw: st.DrawFn) -> tuple[int, Affine, Affine]:
    """Rows, input and output: the same quantization, one that puts means on ties, or any."""
    rows = draw(st.one_of(st.sampled_from([1, 2, 127, 128, 4096]), st.integers(1, 3000)))
    source = draw(affines())
    kind = draw(st.integers(0, 2))
    if kind == 0:
        return rows, source, source
    ratio = 2 / rows if kind == 1 else 10 ** draw(st.floats(-6.0, 2.0))
    return rows, source, Affine(f32(source.scale * ratio), draw(zero_points()))


@given(_means(), st.sampled_from([((1,), False), ((1,), True), ((1, 2), False), ((1, 2), True)]))
@settings(max_examples=120, deadline=None)
def test_means_of_any_scale_equal_litert(means: tuple[int, Affine, Affine], kind) -> None:
    rows, source, target = means
    axes, keep = kind
    shape = (1, rows, 2) if len(axes) == 1 else (1, 1, rows, 2)
    model = _network("MEAN", shape, axes, source, target, keep=keep)
    try:
        oracle = Oracle(compile_model(model, "mean", "net").graph)
    except ModelError as error:
        assert "that its sum overflows" in str(error)
        assert rows * 256 * source.scale / target.scale >= 1 << 30
        return
    reference = Reference(model)
    for window in _windows(shape, source.zero_point, 3):
        assert np.array_equal(oracle.run(window)[0], reference.run(window)[0])


def test_sum_equals_tflite_micro(tmp_path: Path) -> None:
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="tflite-micro is not installed")
    rng = np.random.default_rng(4)
    for case in range(12):
        rows = int(rng.choice([1, 3, 16, 300]))
        source = Affine(f32(0.05 * 10 ** rng.uniform(-1, 1)), int(rng.choice([-128, 127, 5])))
        target = Affine(f32(source.scale * 10 ** rng.uniform(-0.3, 2)), int(rng.choice([-128, 127, -9])))
        target = source if case % 4 == 0 else target
        model = _network("SUM", (1, rows, 3), (1,), source, target, keep=False)
        micro = runtime.Interpreter.from_bytes(model)
        program = compile_model(model, "sum", f"net{case}", profile="tflm")
        native = Native(program, tmp_path, SANITIZED)
        for window in _windows((1, rows, 3), source.zero_point, 4):
            micro.set_input(window, 0)
            micro.invoke()
            assert np.array_equal(Oracle(program.graph).run(window)[0], micro.get_output(0))
            assert np.array_equal(native.run(window)[0], micro.get_output(0))


def test_litert_sums_bytes_as_uint8() -> None:
    """The reason to refuse SUM; should this fail, LiteRT has been mended and SUM can be compiled."""
    affine = Affine(0.5, 0)
    model = _network("SUM", (1, 2, 3), (1,), affine, affine, keep=False)
    window = np.array([[[-1, -100, 15], [3, 5, -95]]], np.int8)
    assert Reference(model).run(window)[0].tolist() == [[-1, -95, -80]]
    assert Reference(model).run(np.array([[[6, 1, -1], [0, 2, 1]]], np.int8))[0].tolist() == [[6, 3, -1]]
    with pytest.raises(ModelError, match=r"op #0 SUM .*: LiteRT's reference kernel for SUM reads int8 as uint8"):
        compile_model(model, "model", "net")


@pytest.mark.parametrize(
    ("name", "shape", "axes", "target", "why"),
    [
        ("MEAN", (1, 3, 5), (3,), Affine(0.5, 0), r"axes \[3\] of 3"),
        ("REDUCE_MAX", (1, 3, 5), (1,), Affine(0.5, 1), "different scales or zero points"),
        ("MEAN", (1, 3000, 5), (1,), Affine(2.0**-30, 1), "3000 rows and an output scale of .* that its sum overflows"),
    ],
)
def test_what_cannot_be_reduced_is_refused(name: str, shape, axes, target: Affine, why: str) -> None:
    model = _network(name, shape, axes, Affine(0.5, 0), target, keep=True)
    with pytest.raises(ModelError, match=rf"model: op #0 {name} .*: .*{why}"):
        compile_model(model, "model", "net")
