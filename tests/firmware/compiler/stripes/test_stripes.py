"""Ops in stripes of rows: byte-equal to the whole ops whatever the stripes, and in less memory."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.firmware.compiler.architectures import random_network
from tests.firmware.compiler.batch import SANITIZERS, run_batch
from tests.firmware.compiler.native import compilers
from tests.firmware.compiler.networks import NetworkWriter, Reference, random_int8

from edgecnn_firmware.compiler.compile import compile_graph, compile_model
from edgecnn_firmware.compiler.lowering.lower import lower_model
from edgecnn_firmware.compiler.ops.stripes import Stripes
from edgecnn_firmware.compiler.ops.value import Graph
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.compiler.passes import run_passes
from edgecnn_firmware.compiler.passes.uses import reads
from edgecnn_firmware.compiler.stripes import schedule
from edgecnn_firmware.compiler.stripes.choose import can_run
from edgecnn_firmware.compiler.stripes.reach import reduces
from edgecnn_firmware.compiler.stripes.schedule import Bare, chain_of, chains, stripes_of
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.reader import read_model

ROWS = (1, 2, 3, 5, 8)
KERNELS = ("portable", "armv7e-m", "armv8.1-m-mve")
MODELS = ("har", "ecg", "ds", "tcn")
CALLS = 4
FLAGS = (*SANITIZERS, "-DEDGECNN_NO_INLINE")
"""Compiles in a third of the time."""


def _graph(model: bytes) -> Graph:
    return run_passes(lower_model(read_model(model, "model"), "litert"))


def _all_stripes(graph: Graph, rows: int) -> Iterator[Graph]:
    """Every way to run some ops of a graph in stripes, with so many rows a stripe."""
    # A storage of its own for padded copies, beyond those of the file.
    fresh = 100_000
    bare: Bare = {}
    seen = set()
    for position in range(len(graph.ops)):
        for begin, end in chains(graph.ops, reads(graph), position, 40, can_run(graph)):
            chain = chain_of(graph.ops[begin:end], fresh, bare)
            made = stripes_of(chain, rows) if chain and (begin, end) not in seen else None
            seen.add((begin, end))
            if made is not None:
                yield replace(graph, ops=(*graph.ops[:begin], made, *graph.ops[end:]))


@pytest.mark.spread
@pytest.mark.parametrize("seeds", [range(start, start + 10) for start in range(0, 60, 10)], ids=str)
def test_any_ops_in_any_stripes_equal_the_reference(seeds: range, tmp_path: Path) -> None:
    if "gcc" not in compilers():
        pytest.skip("gcc is not installed")
    programs, inputs, expected = [], [], []
    for seed in seeds:
        model = random_network(20_000 + seed)
        try:
            graph = _graph(model)
        except ModelError:
            continue
        reference = Reference(model)
        shape = reference.interpreter.get_input_details()[0]["shape"]
        rng = np.random.default_rng(seed)
        windows = np.stack([random_int8(rng, shape, kind) for kind in range(CALLS)])
        wanted = [reference.run(window)[0].tobytes() for window in windows]
        for number, striped in enumerate(_all_stripes(graph, ROWS[seed % len(ROWS)])):
            target = KERNELS[(seed + number) % len(KERNELS)]
            programs.append(compile_graph(striped, f"net{seed}_{number}", target))
            inputs.append(windows.reshape(CALLS, -1))
            expected.append(wanted)
    assert programs
    for program, made, wanted in zip(programs, run_batch(programs, inputs, tmp_path, FLAGS), expected, strict=True):
        assert [row.tobytes() for row in made] == wanted, f"{program.prefix}: {program.graph.ops}"


def _two_reductions(length: int, kernel: int, axis_h: bool) -> bytes:
    """Two convolutions with padding whose mean and maximum are joined, as the head of many classifiers does."""
    net, draw = NetworkWriter(), np.random.default_rng(length)

    def shape(rows: int, channels: int) -> tuple[int, ...]:
        return (1, rows, 1, channels) if axis_h else (1, 1, rows, channels)

    def conv(source: int, inputs: int, out: int) -> int:
        size = (out, kernel, 1, inputs) if axis_h else (out, 1, kernel, inputs)
        weights = net.const(draw.integers(-127, 128, size).astype(np.int8), np.full(out, 0.01, np.float32))
        bias = net.const(draw.integers(-3000, 3000, out).astype(np.int32), np.full(out, 0.0005, np.float32))
        made = net.tensor(shape(length, out), 0.06, -20)
        options = {"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1, "fusedActivationFunction": 0}
        net.op("CONV_2D", [source, weights, bias], [made], padding=0, **options)
        return made

    first = net.tensor(shape(length, 3), 0.05, 5)
    last = conv(conv(first, 3, 8), 8, 6)
    axes = net.const(np.array([1 if axis_h else 2], np.int32))
    mean, largest = (net.tensor(shape(1, 6), scale, zero) for scale, zero in ((0.03, 4), (0.06, -20)))
    net.op("MEAN", [last, axes], [mean], keepDims=True)
    net.op("REDUCE_MAX", [last, axes], [largest], keepDims=True)
    same = net.tensor(shape(1, 6), 0.06, -20)
    net.op("QUANTIZE", [mean], [same])
    joined = net.tensor(shape(1, 12), 0.06, -20)
    net.op("CONCATENATION", [largest, same], [joined], axis=3, fusedActivationFunction=0)
    return net.bytes([first], [joined])


@pytest.mark.parametrize("axis_h", [False, True])
def test_mean_and_maximum_of_one_value_end_stripes(axis_h: bool, tmp_path: Path) -> None:
    if "gcc" not in compilers():
        pytest.skip("gcc is not installed")
    programs, inputs, expected = [], [], []
    for number, length in enumerate((5, 16, 33)):
        model = _two_reductions(length, 3 + 2 * number, axis_h)
        graph, reference = _graph(model), Reference(model)
        rng = np.random.default_rng(number)
        windows = np.stack([random_int8(rng, graph.inputs[0].shape, kind) for kind in range(CALLS)])
        wanted = [reference.run(window)[0].tobytes() for window in windows]
        for rows in ROWS:
            for striped in _all_stripes(graph, rows):
                target = KERNELS[len(programs) % len(KERNELS)]
                programs.append(compile_graph(striped, f"net{len(programs)}", target))
                inputs.append(windows.reshape(CALLS, -1))
                expected.append(wanted)
    ends = [striped for program in programs for striped in program.graph.ops if isinstance(striped, Stripes)]
    assert max(len([step for step in striped.steps if reduces(step.op)]) for striped in ends) == 2
    assert any(striped.tail for striped in ends)
    for program, made, wanted in zip(programs, run_batch(programs, inputs, tmp_path, FLAGS), expected, strict=True):
        assert [row.tobytes() for row in made] == wanted, program.prefix


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("target", KERNELS)
def test_reference_networks_need_less_memory_and_give_the_same_bytes(
    name: str, target: str, shared_models: Path, tmp_path: Path
) -> None:
    model = (shared_models / f"{name}_b1.tflite").read_bytes()
    usual = compile_model(model, name, "usual", target=target)
    least = compile_model(model, name, "least", target=target, least_ram=True)
    assert least.arena.bytes < 0.8 * usual.arena.bytes
    assert least.graph.macs == usual.graph.macs
    assert sum(least.constants_of_op) == least.constant_bytes
    rng = np.random.default_rng(0)
    shape = usual.graph.inputs[0].shape
    windows = np.stack([random_int8(rng, shape, kind) for kind in range(8)])
    oracle = Oracle(usual.graph)
    wanted = [oracle.run(window)[0].tobytes() for window in windows]
    if "gcc" not in compilers():
        pytest.skip("gcc is not installed")
    made = run_batch([least], [windows.reshape(len(windows), -1)], tmp_path)[0]
    assert [row.tobytes() for row in made] == wanted


def test_lines_hold_what_is_to_be_read_and_no_more(shared_models: Path) -> None:
    graph = _graph((shared_models / "har_b1.tflite").read_bytes())
    chain = chain_of(graph.ops[:4], 1000, {})
    assert chain is not None
    made = stripes_of(chain, 2)
    assert isinstance(made, Stripes)
    # 28 rows in twos, after two stripes for the rows before them. The last convolution reads two rows more than it makes, the
    # second makes them of pairs and one pair more: 2 and 2 + 4 rows are held when it runs.
    assert made.count == 14 + 2
    assert [(step.first, step.step) for step in made.steps] == [(2, 4), (0, 2), (-2, 2), (-2, 2)]
    assert [lines.capacity for lines in made.lines.values()] == [6, 4, 2]


def test_padding_lies_around_the_rows(shared_models: Path) -> None:
    graph = _graph((shared_models / "tcn_b1.tflite").read_bytes())
    chain = chain_of(graph.ops[:4], 1000, {})
    assert chain is not None
    made = stripes_of(chain, 4)
    assert made is not None
    # Causal convolutions of kernel 3: two rows of padding before, none after.
    assert {(lines.before, lines.after) for lines in made.lines.values()} == {(2, 0), (0, 0)}


@pytest.mark.parametrize("rows", ROWS)
def test_stripes_that_are_passed_over_would_not_need_more(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the simulation of every single stripe."""

    def all_of_them() -> list[tuple[object, ...]]:
        return [
            (op.count, dict(op.lines), op.distances)
            for graph in graphs
            for striped in _all_stripes(graph, rows)
            for op in striped.ops
            if isinstance(op, Stripes)
        ]

    graphs = []
    for seed in range(40):
        with contextlib.suppress(ModelError):
            graphs.append(_graph(random_network(30_000 + seed)))
    quick = all_of_them()
    monkeypatch.setattr(schedule, "_STEADY", 1 << 30)
    assert quick == all_of_them()
    assert max(int(str(found[0])) for found in quick) > 8 // rows + 4


def test_kernels_that_copy_whole_inputs_are_refused() -> None:
    with pytest.raises(ModelError, match=r"x86-64-avx2.*expected one of portable, armv7e-m, armv8\.1-m-mve"):
        compile_model(random_network(0), "model", "net", target="x86-64-avx2", least_ram=True)
