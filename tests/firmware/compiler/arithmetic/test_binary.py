"""ADD, SUB and MUL against LiteRT on all 65,536 pairs of inputs; the cheap sums against the sums; both in C."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.binary import (
    ALL,
    PairLine,
    SumParameters,
    product_scale,
    solve_pair_line,
    sum_parameters,
)
from edgecnn_firmware.compiler.arithmetic.requantization import Requantization, Rounding
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle

from ..native import Native
from ..networks import NetworkWriter, Reference
from ..one_op import affines, f32, scales

A, B = (grid.astype(np.int8)[None] for grid in np.meshgrid(ALL, ALL, indexing="ij"))
"""Every pair, as two tensors of shape (1, 256, 256)."""
TARGETS = ("portable", "armv7e-m", "aarch64", "x86-64-vnni")
SANITIZED = ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover", "-DEDGECNN_NO_SIMD")
ACTIVATIONS = {"none": 0, "relu": 1, "n1 to 1": 2, "relu6": 3}
CASES = {
    "ordinary": (Affine(f32(0.0371), 3), Affine(f32(0.0212), -11), Affine(f32(0.0418), 5)),
    "after relu": (Affine(f32(0.0371), -128), Affine(f32(0.0212), -128), Affine(f32(0.0418), -128)),
    "equal scales": (Affine(f32(0.05), 0), Affine(f32(0.05), 0), Affine(f32(0.05), 0)),
    "halves": (Affine(f32(0.05), 1), Affine(f32(0.05), -2), Affine(f32(0.1), 0)),
    "decimal ties": (Affine(f32(0.05), 3), Affine(f32(0.04), -128), Affine(f32(0.06), -7)),
    "ends": (Affine(f32(0.011), 127), Affine(f32(0.09), -128), Affine(f32(0.05), 127)),
    "decades apart": (Affine(f32(1e-5), 9), Affine(f32(900.0), 127), Affine(f32(31.0), -128)),
    "saturates": (Affine(f32(3.0), -128), Affine(f32(0.7), 40), Affine(f32(0.001), 0)),
    "vanishes": (Affine(f32(1e-5), 0), Affine(f32(2e-5), 5), Affine(f32(1e3), -3)),
}


def _network(name: str, a: Affine, b: Affine, target: Affine, activation: int, shape=A.shape) -> bytes:
    net = NetworkWriter()
    first, second = net.tensor(shape, a.scale, a.zero_point), net.tensor(shape, b.scale, b.zero_point)
    made = net.tensor(shape, target.scale, target.zero_point)
    options = {} if name in ("MINIMUM", "MAXIMUM") else {"fusedActivationFunction": activation}
    net.op(name, [first, second], [made], **options)
    return net.bytes([first, second], [made])


def _clamp(activation: int, target: Affine) -> tuple[int, int]:
    """Bounds of a fused activation, worked out apart from the compiler's."""
    real = {0: (-1e30, 1e30), 1: (0.0, 1e30), 2: (-1.0, 1.0), 3: (0.0, 6.0)}[activation]
    steps = [float(np.float32(bound) / np.float32(target.scale)) for bound in real]
    whole = [max(-1000, min(1000, int(np.copysign(np.floor(abs(step) + 0.5), step)))) for step in steps]
    return max(-128, target.zero_point + whole[0]), min(127, target.zero_point + whole[1])


def _numpy(name: str, a: Affine, b: Affine, target: Affine, activation: int) -> np.ndarray:
    x, y, clamp = A.astype(np.int64), B.astype(np.int64), _clamp(activation, target)
    if name == "MUL":
        scale = np.array([product_scale(a, b, target)])
        products = (x - a.zero_point) * (y - b.zero_point)
        return Requantization(Rounding.TWICE, scale, target.zero_point, *clamp).apply(products[..., None])[..., 0]
    return sum_parameters(a, b, target, -1 if name == "SUB" else 1, clamp).apply(x, y)


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
def test_all_pairs_equal_litert(name: str, case: str, activation: int) -> None:
    a, b, target = CASES[case]
    wanted = Reference(_network(name, a, b, target, activation)).run(A, B)[0]
    assert np.array_equal(_numpy(name, a, b, target, activation), wanted)


@st.composite
def _sums(draw: st.DrawFn) -> tuple[Affine, Affine, Affine]:
    """Operands of any scales; an output scale that both, or only the larger, or none reaches."""
    a, b = draw(affines()), draw(affines())
    if draw(st.booleans()):
        # Quotients of small numbers put many pairs on ties.
        b = Affine(f32(a.scale * draw(st.integers(1, 8)) / draw(st.integers(1, 8))), b.zero_point)
    larger = max(a.scale, b.scale)
    ratio = draw(st.one_of(st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 8.0]), st.floats(0.02, 50.0)))
    return a, b, Affine(f32(larger * ratio), draw(affines()).zero_point)


@given(_sums(), st.sampled_from(["ADD", "SUB"]), st.sampled_from(list(ACTIVATIONS.values())))
@settings(max_examples=60, deadline=None)
def test_sums_of_any_scales_equal_litert(sums: tuple[Affine, Affine, Affine], name: str, activation: int) -> None:
    wanted = Reference(_network(name, *sums, activation)).run(A, B)[0]
    assert np.array_equal(_numpy(name, *sums, activation), wanted)


@given(affines(), affines(), st.floats(-4.0, 4.0), scales(), st.sampled_from(list(ACTIVATIONS.values())))
@settings(max_examples=60, deadline=None)
def test_products_of_any_scales_equal_litert(a: Affine, b: Affine, power: float, zero: float, activation: int) -> None:
    # Below, 6 over the scale leaves int32, where LiteRT refuses the op.
    scale = max(a.scale * b.scale * 100 * 10**power, 1e-8)
    target = Affine(f32(scale), int(zero * 1e5) % 256 - 128)
    wanted = Reference(_network("MUL", a, b, target, activation)).run(A, B)[0]
    assert np.array_equal(_numpy("MUL", a, b, target, activation), wanted)


def _wanted(line: PairLine, parameters: SumParameters, a: np.ndarray, b: np.ndarray) -> bool:
    found = line.apply(a[:, None], b[None, :], (parameters.clamp_min, parameters.clamp_max))
    return np.array_equal(found, parameters.apply(a[:, None], b[None, :]))


@given(_sums(), st.sampled_from([1, -1]), st.sampled_from([0, 1, 3]), st.lists(st.integers(-128, 127), min_size=1))
@settings(max_examples=120, deadline=None)
def test_a_line_equals_its_sum_and_stays_in_int32(sums, sign: int, activation: int, constants: list[int]) -> None:
    a, b, target = sums
    parameters = sum_parameters(a, b, target, sign, _clamp(activation, target))
    for second in (ALL, np.unique(np.array(constants, np.int64))):
        line = solve_pair_line(parameters, target, ALL, second)
        if line is None:
            continue
        assert _wanted(line, parameters, ALL, second)
        ends = [int(x) for x in (-128, 127)]
        for x, y in product(ends, ends):
            parts = [(x * line.first) >> 8, (y * line.second) >> 8]
            partial = [line.addend + parts[0], line.addend + parts[1], sum(parts), line.addend + sum(parts)]
            reached = [*partial, *(value + line.drop + line.offset for value in partial), line.first, line.second]
            assert all(-(1 << 31) <= value < 1 << 31 for value in reached)


@pytest.mark.parametrize("kind", ["relu", "mixed", "halves", "difference"])
def test_ordinary_sums_have_a_line_of_whole_factors(kind: str) -> None:
    rng = np.random.default_rng(len(kind))
    plain = 0
    for _ in range(40):
        zero_points = [-128] * 3 if kind == "relu" else rng.integers(-128, 128, 3)
        a = Affine(f32(0.05 * 10 ** rng.uniform(-0.4, 0.4)), int(zero_points[0]))
        b_scale = a.scale if kind == "halves" else f32(0.05 * 10 ** rng.uniform(-0.4, 0.4))
        b = Affine(b_scale, int(zero_points[1]))
        larger = max(a.scale, b.scale)
        target = Affine(f32(larger * (2 if kind == "halves" else rng.uniform(0.7, 2))), int(zero_points[2]))
        low = target.zero_point if kind == "relu" else -128
        parameters = sum_parameters(a, b, target, -1 if kind == "difference" else 1, (low, 127))
        line = solve_pair_line(parameters, target)
        # Ties away from zero need no drop: slopes a little too steep round both sides outward.
        plain += line is not None and line.drop == 0 and line.first % 256 == 0 and line.second % 256 == 0
    assert plain >= 38


def test_no_line_is_found_where_ties_follow_no_rule() -> None:
    a, b, target = CASES["decimal ties"]
    assert solve_pair_line(sum_parameters(a, b, target, 1, (-128, 127)), target) is None


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", ["ordinary", "after relu", "halves", "decimal ties", "decades apart"])
@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
def test_c_equals_litert_on_all_pairs(name: str, case: str, target: str, tmp_path: Path) -> None:
    activation = 1 if case == "after relu" else 0
    model = _network(name, *CASES[case], activation)
    wanted = Reference(model).run(A, B)[0]
    program = compile_model(model, case, "net", target=target)
    assert np.array_equal(Oracle(program.graph).run(A, B)[0], wanted)
    native = Native(program, tmp_path, SANITIZED)
    assert np.array_equal(native.run(A, B)[0], wanted)
    assert ("edgecnn_add(" in program.files[program.source]) == (case == "decimal ties" and name != "MUL")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["MINIMUM", "MAXIMUM"])
def test_extremes_in_c_equal_litert_on_all_pairs(name: str, target: str, tmp_path: Path) -> None:
    affine = CASES["ends"][0]
    model = _network(name, affine, affine, affine, 0)
    wanted = Reference(model).run(A, B)[0]
    program = compile_model(model, name, "net", target=target)
    assert np.array_equal(Oracle(program.graph).run(A, B)[0], wanted)
    assert np.array_equal(Native(program, tmp_path, SANITIZED).run(A, B)[0], wanted)
